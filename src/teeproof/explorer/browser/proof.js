// Check a proof file: who signed what, on which machine, made of what, in which log, since when.
// What this cannot know is a row of its own, "not checked here", and never green.

import { Refused, Unable, each, listed, named, parseNamed, sha256 } from "./bytes.js";
import { ed25519 } from "./curves.js";
import { isCyclic, producers, requireNeeded } from "./graph.js";
import { expiry, judge, judgeAlone, readIdentity } from "./identity.js";
import { isListOf, isText, shaped, strictJson } from "./json.js";
import { authorsIn, judgeLogs, placeRows, readParts, requireEntered } from "./logs.js";
import { sorted } from "./names.js";
import { policy } from "./notes.js";
import { readStatement } from "./statements.js";
import { members } from "./zip.js";

const ELSEWHERE = [
  ["patches of the machines", "TCB and revocation, and which quoting enclave may speak, need the vendor's current word"],
  ["your policy", "which system image, which code, whose, how fresh: that is for you to say, and for the command to hold"],
  ["what statements claim", "whether a dataset, a training or a trade is as it says, beyond who signed it"],
];

const ALONE = [
  ...ELSEWHERE.slice(0, 2),
  ["what it was made for", "evidence alone says which machine it is of, and not what that machine did"],
];
const elsewhere = (found) => found.map(([name, detail]) => ({ where: "elsewhere", id: "", name, state: "not_checked", detail }));

// bytes of a proof file, or of a machine's evidence alone -> { rows }, as checkProof has them
export async function checkFile(bytes, trust) {
  if (bytes[0] === 0x50 && bytes[1] === 0x4b) return checkProof(bytes, trust);
  const rows = (await judgeAlone(bytes, { roots: trust.roots, time: trust.now })).map(rowAt({ where: "machine", id: "" }));
  return { rows: [...rows, ...elsewhere(ALONE)] };
}

// bytes of a proof file -> { roots, statements, rows }; each row is { where, id, title, name, state, detail }.
// trust: { roots: accepted simulators' roots (sha256:…), logs: text of a log policy or "", now: seconds }
export async function checkProof(bytes, trust) {
  const held = await read(members(bytes));
  const trusted = trust.logs ? await believed(trust.logs) : null;
  const { logs, places } = await judgeLogs(held.parts, held, trusted, trust.now);
  const machines = await each(held.identities, async ([id, identity]) => {
    const time = places.get(id)?.time ?? null;
    const found = await guarded(() => judge(identity, held.blobs, { roots: trust.roots, time: time ?? trust.now, timed: time !== null }));
    return [...found, ...placeRows(places.get(id), trusted)].map(rowAt({ where: "machine", id }));
  });
  const statements = await each(held.statements, async ([id, one]) => {
    const found = await guarded(() => said(one, held, places.get(id)?.time ?? null, trust.now));
    return [...found, ...placeRows(places.get(id), trusted)].map(rowAt({ where: "statement", id, title: one.title }));
  });
  const rows = [...machines, ...statements].flat();
  if (isCyclic(held)) rows.push(rowAt({ where: "statement", id: "" })(["inputs", "failed", "some statements were, through each other, made of themselves"]));
  for (const [folder, found] of logs) rows.push(...found.map(rowAt({ where: "log", id: folder })));
  if (!logs.length) rows.push(rowAt({ where: "log", id: "" })(["log", "not_checked", "it is in no log: nothing says when it was said"]));
  rows.push(...elsewhere(ELSEWHERE));
  return { roots: held.roots, statements: [...held.statements.values()], rows };
}

// A log policy that is none says nothing of the file: it is not the file that is refused.
async function believed(logs) {
  try {
    return await policy(logs);
  } catch (error) {
    throw new Unable(`the log policy that this page trusts cannot be read: ${error.message}`);
  }
}

// What a visitor is told of all rows: failed, not_checked, simulated or passed. Where the machine, or
// what a statement says, could not be looked at, the answer is open, whatever else holds.
const DECISIVE = new Set(["machine evidence", "machine evidence name", "statement form"]);

export function answer(rows) {
  if (rows.some(({ state }) => state === "failed")) return "failed";
  const open = rows.some(({ where, name, state }) => state === "not_checked" && DECISIVE.has(`${where} ${name}`));
  if (open || !rows.some(({ where }) => where === "machine")) return "not_checked";
  return rows.some(({ state }) => state === "simulated") ? "simulated" : "passed";
}

const rowAt = (place) => ([name, state, detail]) => ({ ...place, name, state, detail });

async function guarded(check) {
  try {
    return await check();
  } catch (error) {
    if (error instanceof Unable) throw error;
    return [["form", "failed", error instanceof Refused ? error.message : "it could not be read"]];
  }
}

// Everything in a file, each member in its one place and form, and none that its roots do not need.
async function read(files) {
  const [[[, manifest]], statements, identities, blobs, logs] = sorted(files);
  const { roots } = shaped(strictJson(manifest, "the manifest"), { roots: isListOf(isText), type: (value) => value === "urn:teeproof:proof:v1" }, "a manifest");
  roots.forEach(parseNamed);
  if (!roots.length || roots.some((root, at) => at && roots[at - 1] >= root)) throw new Refused("roots twice, in no order, or none");
  const held = { roots, statements: new Map(), identities: new Map(), blobs: new Map(), keysets: new Map(), parts: [] };
  const decoded = (group, reader) => each(group, async ([name, bytes]) => [name, await reader(bytes)]);
  for (const [name, one] of await decoded(statements, readStatement)) add(held.statements, one.id, one, name, ".json");
  for (const [name, one] of await decoded(identities, readIdentity)) add(held.identities, one.id, one, name, ".json");
  for (const [name, digest] of await decoded(blobs, sha256)) add(held.blobs, named(digest), blobs.get(name), name, "");
  for (const [id, { keyset }] of held.identities) listed(held.keysets, keyset, id);
  held.makers = producers(held.statements);
  held.parts = await readParts(logs);
  held.authors = authorsIn(held.parts);
  if (roots.some((root) => !held.statements.has(root))) throw new Refused("a root is not in the file");
  requireNeeded(held, roots);
  requireEntered(held.parts, held);
  return held;
}

function add(found, id, value, name, ending) {
  if (`${id.slice(7)}${ending}` !== name.split("/")[1]) throw new Refused("content that is not what its name says");
  found.set(id, value);
}

// Of a receipt the identity that its log entries name, or the first with its keyset.
function authorOf(one, held) {
  if (one.kind === 1) return held.identities.get(one.author);
  return held.identities.get(held.authors.get(one.id) ?? held.keysets.get(one.keyset)?.[0]);
}

async function said(one, held, time, now) {
  const rows = one.known ? [] : [["form", "not_checked", "a statement of a type that is not checked here: use the command"]];
  const author = authorOf(one, held);
  if (!author) return [...rows, ["signature", "failed", one.kind === 1 && one.author === null ? "it names nobody who said it" : "the machine that said it is not in the file"]];
  rows.push((await signedBy(one, author, 0))
    ? ["signature", "passed", `signed by the machine ${author.id.slice(0, 19)}…`]
    : ["signature", "failed", "the machine that it names did not sign it: it was changed, or somebody else signed"]);
  const signers = [author];
  for (const [at, id] of one.cosigners.entries()) {
    const cosigner = held.identities.get(id);
    if (!cosigner || !(await signedBy(one, cosigner, at + 1))) rows.push(["cosigners", "failed", "somebody who must cosign did not"]);
    else signers.push(cosigner);
  }
  return [...rows, expiry(signers, time, now), edges(one, held)];
}

async function signedBy(one, { key }, at) {
  const found = key(one.kind === 2 ? "receipt" : "statement");
  if (!found || (one.kind === 2 && one.keyId !== "receipt")) return false;
  return ed25519(found.raw, one.signed, one.signatures[at] ?? new Uint8Array());
}

function edges(one, held) {
  let { outside } = one;
  for (const { role, digest, statement: parent } of one.inputs) {
    if (parent === undefined) {
      // What it made itself is no answer to where it came from.
      outside += (held.makers.get(digest) ?? []).length <= (one.outputs.has(digest) ? 1 : 0) ? 1 : 0;
      continue;
    }
    const made = held.statements.get(parent);
    if (!made) return ["inputs", "failed", `the statement that made its ${role} is not in the file`];
    if (digest !== parent && !made.outputs.has(digest)) {
      return ["inputs", "failed", `its ${role} is not what the statement that it names made: one of the two was replaced`];
    }
  }
  const count = one.inputs.length + one.outside;
  if (!count) return ["inputs", "passed", "made of nothing else"];
  if (!outside) return ["inputs", "passed", "each input is what a statement in this file made"];
  return ["inputs", "not_checked", "some inputs come from outside: nobody here says how they were made"];
}
