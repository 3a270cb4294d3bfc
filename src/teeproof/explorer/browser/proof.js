// Check a proof file: who signed what, on which machine, made of what, in which log.
// What this cannot know is a row of its own, "not checked here", and never green.

import { Refused, Unable, canonical, concat, ed25519, equal, framed, fromHex, hex, named, only, parseNamed, sha256, strictJson, text, utf8 } from "./bytes.js";
import { envelope, judge, readIdentity, seal } from "./identity.js";
import { leafHash, roots as treeRoots } from "./merkle.js";
import { byLog, checkpoint, policy, quorumTime } from "./notes.js";
import { members } from "./zip.js";

const NOBODY = new Uint8Array(32);
const ELSEWHERE = [
  ["patches of the machines", "TCB, revocation and dates, and which quoting enclave may speak, need Intel's current word"],
  ["dates of keys", "whether each key was valid when it signed"],
  ["your policy", "which code, which owner, how fresh: that is for you to say, and for the command to hold"],
  ["what statements claim", "whether a dataset, a training or a trade is as it says, beyond who signed it"],
];

// bytes of a proof file -> { roots, rows }; each row is { where, id, title, name, state, detail }.
// trust: { roots: accepted simulators' roots (sha256:…), logs: text of a log policy or "", now: seconds }
export async function checkProof(bytes, trust) {
  const files = members(bytes);
  const manifest = strictJson(files.get("manifest.json") ?? new Uint8Array(), "the manifest");
  if (manifest.type !== "urn:teeproof:proof:v1" || !manifest.roots?.length) throw new Refused("this is no proof file");
  only(manifest, ["roots", "type"], "a manifest");
  if (manifest.roots.some((root, at) => at && manifest.roots[at - 1] >= root)) throw new Refused("roots twice, or in no order");
  const held = await read(files);
  for (const root of manifest.roots) if (!held.statements.has(root)) throw new Refused("a root is not in the file");
  const rows = [];
  for (const identity of held.identities.values()) {
    await guarded(rows, { where: "machine", id: identity.id }, () => judge(identity, held.blobs, trust));
  }
  for (const one of held.statements.values()) {
    await guarded(rows, { where: "statement", id: one.id, title: one.title }, () => said(one, held));
  }
  const trusted = trust.logs ? await policy(trust.logs) : null;
  for (const [folder, part] of held.logs) {
    await guarded(rows, { where: "log", id: folder }, () => logged(folder, part, held, trusted, trust.now));
  }
  const unlogged = held.statements.size + held.identities.size - held.entered.size;
  if (held.logs.size && unlogged) rows.push({ where: "log", id: "", name: "inclusion", state: "not_checked", detail: `${unlogged} of the statements and machines are in no log: nothing says when they were said` });
  if (!held.logs.size) rows.push({ where: "log", id: "", name: "log", state: "not_checked", detail: "it is in no log: nothing says when it was said" });
  for (const [name, detail] of ELSEWHERE) rows.push({ where: "elsewhere", id: "", name, state: "not_checked", detail });
  return { roots: manifest.roots, statements: [...held.statements.values()], rows };
}

// What a visitor is told of all rows: failed, not_checked, simulated or passed. Where the machine, or
// what a statement says, could not be looked at, the answer is open, whatever else holds.
const DECISIVE = new Set(["machine evidence", "machine possession", "statement form"]);

export function answer(rows) {
  if (rows.some(({ state }) => state === "failed")) return "failed";
  const open = rows.some(({ where, name, state }) => state === "not_checked" && DECISIVE.has(`${where} ${name}`));
  if (open || !rows.some(({ where }) => where === "machine")) return "not_checked";
  return rows.some(({ state }) => state === "simulated") ? "simulated" : "passed";
}

async function guarded(rows, place, check) {
  let found;
  try {
    found = await check();
  } catch (error) {
    if (error instanceof Unable) throw error;
    const detail = error instanceof Refused ? error.message : "it could not be read";
    found = [["form", "failed", detail]];
  }
  rows.push(...found.map(([name, state, detail]) => ({ ...place, name, state, detail })));
}

async function read(files) {
  const held = { entered: new Set(), statements: new Map(), identities: new Map(), blobs: new Map(), logs: new Map() };
  for (const [name, bytes] of files) {
    const [folder, ...rest] = name.split("/");
    if (folder !== "log" && rest.length > 1) throw new Refused("a member that no proof file has");
    if (folder === "statements") add(held.statements, await readStatement(bytes), rest[0], ".json");
    else if (folder === "identities") add(held.identities, await readIdentity(bytes), rest[0], ".json");
    else if (folder === "blobs") add(held.blobs, bytes, rest[0], "", named(await sha256(bytes)));
    else if (folder === "log") await sort(held.logs, rest, bytes);
    else if (name !== "manifest.json") throw new Refused("a member that no proof file has");
  }
  return held;
}

function add(found, value, name, ending, id = value.id) {
  if (`${id.slice(7)}${ending}` !== name) throw new Refused("content that is not what its name says");
  found.set(id, value);
}

async function sort(logs, [origin, newest, kind, ...rest], bytes) {
  const folder = `${origin}/${newest}`;
  if (!logs.has(folder)) logs.set(folder, { checkpoints: [], anchors: 0 });
  const part = logs.get(folder);
  if (kind === "checkpoints" && rest.length === 1) part.checkpoints.push([rest[0], bytes]);
  else if (kind === "anchors" && rest.length === 1) {
    if (!rest[0].endsWith(`-${named(await sha256(bytes)).slice(7)}`)) throw new Refused("content that is not what its name says");
    part.anchors += 1;
  } else if ((kind === "entries.json" || kind === "nodes") && !rest.length) part[kind] = bytes;
  else throw new Refused("a member that no proof file has");
}

async function readStatement(bytes) {
  const value = strictJson(bytes, "a statement");
  return value.api_version === "aci/1" ? receipt(value) : statement(envelope(value));
}

async function receipt({ signature, ...body }) {
  const signed = utf8(canonical(body));
  const events = body.event_log;
  const bodies = events.filter((event) => event.body_hash);
  const links = events.filter((event) => ["x.model", "x.links"].includes(event.type));
  const raw = fromHex(signature, 64);
  return {
    id: named(await sha256(signed)),
    title: "answer",
    body,
    kind: 2,
    signed,
    signature: raw,
    seal: await seal(raw),
    keyset: body.workload_keyset_digest,
    cosigners: [],
    outputs: new Set(bodies.map((event) => event.body_hash)),
    inputs: links.map((event) => ({ role: event.role ?? "model", digest: event.digest, statement: event.statement })),
  };
}

async function statement(dsse) {
  const body = JSON.parse(text(dsse.payload));
  const ours = body.predicateType?.startsWith("urn:teeproof:");
  if (ours) strictJson(dsse.payload, "a statement");
  const predicate = (ours && body.predicate) || {};
  const cosigners = predicate.cosigners ?? [];
  return {
    id: named(await sha256(dsse.payload)),
    title: predicate.step ?? body.predicateType?.split(":").at(-2) ?? "statement",
    body,
    kind: 1,
    foreign: !ours,
    signed: dsse.signed,
    signatures: dsse.signatures,
    seal: await seal(...dsse.signatures.slice(0, 1 + cosigners.length)),
    author: predicate.author,
    cosigners,
    outputs: new Set((body.subject ?? []).map((subject) => `sha256:${subject.digest.sha256}`)),
    inputs: (predicate.materials ?? []).map((one) => ({ role: one.role, digest: `sha256:${one.digest.sha256}`, statement: one.statement })),
  };
}

function authorOf(one, held) {
  if (one.kind === 1) return held.identities.get(one.author);
  return [...held.identities.values()].find((identity) => identity.keyset === one.keyset);
}

async function said(one, held) {
  if (one.foreign) return [["form", "not_checked", "a statement of a type that is not checked here: use the command"]];
  const author = authorOf(one, held);
  if (!author) return [["signature", "failed", "the machine that said it is not in the file"]];
  const rows = [
    (await signedBy(one, author))
      ? ["signature", "passed", `signed by the machine ${author.id.slice(0, 19)}…`]
      : ["signature", "failed", "the machine that it names did not sign it: it was changed, or somebody else signed"],
  ];
  for (const [at, id] of one.cosigners.entries()) {
    const cosigner = held.identities.get(id);
    const key = cosigner && fromHex(cosigner.key("statement").public_key, 32);
    const holds = key && (await ed25519(key, one.signed, one.signatures[at + 1] ?? new Uint8Array()));
    if (!holds) rows.push(["cosigners", "failed", "somebody who must cosign did not"]);
  }
  return [...rows, edges(one, held)];
}

async function signedBy(one, author) {
  if (one.kind === 2) {
    const key = author.key("receipt");
    return Boolean(key) && ed25519(fromHex(key.public_key, 32), one.signed, one.signature);
  }
  return ed25519(fromHex(author.key("statement").public_key, 32), one.signed, one.signatures[0]);
}

function edges(one, held) {
  let outside = 0;
  for (const { role, digest, statement: parent } of one.inputs) {
    parseNamed(digest);
    if (parent === undefined) {
      outside += 1;
      continue;
    }
    const made = held.statements.get(parent);
    if (!made) return ["inputs", "failed", `the statement that made its ${role} is not in the file`];
    if (digest !== parent && !made.outputs.has(digest)) {
      return ["inputs", "failed", `its ${role} is not what the statement that it names made: one of the two was replaced`];
    }
  }
  if (!one.inputs.length) return ["inputs", "passed", "made of nothing else"];
  if (!outside) return ["inputs", "passed", "each input is what the statement that it names made"];
  return ["inputs", "not_checked", `${outside} of ${one.inputs.length} inputs name no statement that made them; the others are what they should be`];
}

async function logged(folder, part, held, trusted, now) {
  const notes = checkpoints(folder, part.checkpoints);
  const leaves = await entered(strictJson(part["entries.json"], "the list of entries"), held);
  const found = await treeRoots(leaves, part.nodes, notes.map((note) => note.size));
  const fits = notes.every((note) => equal(found.get(note.size), note.root));
  const rows = [fits
    ? ["inclusion", "passed", `all ${leaves.size} entries are in the tree of ${notes[0].origin}`]
    : ["inclusion", "failed", "the entries are not those of the checkpoint: an entry was changed, or the log was rewritten"]];
  if (part.anchors) rows.push(["anchors", "not_checked", "blocks of a chain are not checked here: use the command"]);
  if (!trusted) return [...rows, ["checkpoint", "not_checked", "you named no log that you trust: anyone may have signed for it"]];
  return [...rows, ...(await witnessed(notes, Math.max(...leaves.keys()), trusted, now))];
}

// The checkpoints of a folder, by size: all of the log and of the sizes that the names say.
function checkpoints(folder, given) {
  const notes = given.map(([name, bytes]) => {
    const note = checkpoint(bytes);
    if (name !== digits(note.size)) throw new Refused("a checkpoint of another size than its name says");
    return note;
  }).sort((a, b) => a.size - b.size);
  if (new Set(notes.map((note) => note.origin)).size !== 1) throw new Refused("checkpoints of no log, or of two in one");
  const { origin, size } = notes.at(-1);
  if (folder !== `${escaped(origin)}/${digits(size)}`) throw new Refused("checkpoints of another log than the folder's name says");
  return notes;
}

const digits = (size) => String(size).padStart(19, "0");

// docs/reference/proof-file.md: what stands in a folder's name for a log's origin
const escaped = (origin) => {
  const characters = Array.from(utf8(origin), (byte) => String.fromCharCode(byte));
  const plain = (at) => /^[-a-z0-9_]$/.test(characters[at] ?? "");
  const kept = (character, at) => plain(at) || (character === "." && plain(at - 1) && plain(at + 1));
  return characters.map((character, at) => (kept(character, at) ? character : `%${hex([character.charCodeAt(0)])}`)).join("");
};

// Leaf hashes by index: each index and each entry once, ascending.
async function entered(entries, held) {
  const [leaves, ids] = [new Map(), new Set()];
  let before = -1;
  for (const entry of entries) {
    if (!Number.isSafeInteger(entry.index) || entry.index <= before || ids.has(entry.id)) throw new Refused("an entry twice, or in no order");
    only(entry, entry.kind === 2 ? ["id", "identity", "index", "kind", "salt"] : ["id", "index", "kind", "salt"], "an entry");
    before = entry.index;
    ids.add(entry.id);
    leaves.set(entry.index, await leaf(entry, held));
    held.entered.add(entry.id);
  }
  return leaves;
}

async function leaf(entry, held) {
  const id = `sha256:${entry.id}`;
  const named_ = entry.kind === 3 ? held.identities.get(id) : held.statements.get(id);
  if (!named_) throw new Refused("an entry of something that is not in the file");
  const committed = await framed("teeproof.log-entry.v1", fromHex(entry.salt, 32), fromHex(entry.id, 32), named_.seal);
  const who = { 1: () => (named_.author ? parseNamed(named_.author) : NOBODY), 2: () => fromHex(entry.identity, 32), 3: () => fromHex(entry.id, 32) };
  return leafHash(concat([1, entry.kind], committed, who[entry.kind]()));
}

async function witnessed(notes, newest, trusted, now) {
  const last = notes.at(-1);
  const holds = await Promise.all(notes.map((note) => byLog(note, trusted)));
  if (holds.includes(null)) return [["checkpoint", "failed", `${last.origin} is none of the logs that you trust`]];
  if (holds.includes(false)) return [["checkpoint", "failed", `${last.origin} did not sign a checkpoint`]];
  const rows = [["checkpoint", "passed", `${last.origin} signed ${notes.length === 1 ? "its checkpoint" : `all ${notes.length} checkpoints`}`]];
  if (trusted.quorum === null) return [...rows, ["witnesses", "not_checked", "the log policy asks for no witness"]];
  const covering = notes.filter((note) => note.size > newest);
  const times = (await Promise.all(covering.map((note) => quorumTime(note, trusted, now)))).filter((time) => time !== null);
  if (!times.length) return [...rows, ["witnesses", "failed", "too few witnesses cosigned a checkpoint over all of it"]];
  const until = new Date(Math.min(...times) * 1000).toISOString().replace(".000", "");
  return [...rows, ["witnesses", "passed", `the quorum cosigned: what is in this log was said no later than ${until}`]];
}

