// What a proof file holds of logs: read, held together, and judged by the visitor's log policy. The rules
// are those of proof.file.logpart, proof.file.parts and proof.verify.logs.

import { Refused, concat, each, equal, framed, fromHex, hex, listed, parseNamed, sha256 } from "./bytes.js";
import { anchorRow } from "./anchor.js";
import { isListOf, isObject, isText, shaped, strictJson } from "./json.js";
import { said } from "./identity.js";
import { isOneTree, leafHash, nodesOf, roots as treeRoots } from "./merkle.js";
import { escaped, padded } from "./names.js";
import { byLog, checkpoint, quorumTime } from "./notes.js";

const NOBODY = `sha256:${"0".repeat(64)}`;
const [STATEMENT, RECEIPT, IDENTITY] = [1, 2, 3];
const MOST_PARTS = 64; // of one log
const MOST_UNORDERED = 256; // checkpoints between two entries
const MOST_ANCHOR = 256 * 1024;
const ENTRY = { id: isText, index: Number.isSafeInteger, kind: Number.isSafeInteger, salt: isText };

// Members below log/ -> parts, each with its checkpoints, entries and anchors
export async function readParts(files) {
  const folders = new Map();
  for (const [name, bytes] of files) {
    const [, origin, newest, ...rest] = name.split("/");
    const folder = `${origin}/${newest}`;
    if (!folders.has(folder)) folders.set(folder, []);
    folders.get(folder).push([rest, bytes]);
  }
  const parts = await each(folders, ([folder, members]) => readPart(folder, members));
  for (const one of byOrigin(parts).values()) if (one.length > MOST_PARTS) throw new Refused("too many parts of one log");
  return parts;
}

function byOrigin(parts) {
  const found = new Map();
  for (const part of parts) listed(found, part.origin, part);
  return found;
}

async function readPart(folder, members) {
  const of = (kind) => members.filter(([[given, last]]) => given === kind && last !== undefined).map(([[, last], bytes]) => [last, bytes]);
  const one = (kind) => members.find(([rest]) => rest.length === 1 && rest[0] === kind)?.[1];
  const notes = checkpoints(folder, of("checkpoints"));
  const [entries, nodes] = [one("entries.json"), one("nodes")];
  if (!entries || !nodes) throw new Refused("a log without entries or nodes");
  const anchors = [];
  for (const [name, bytes] of of("anchors")) {
    if (bytes.length > MOST_ANCHOR) throw new Refused("an anchor that is too large");
    if (name.slice(20) !== hex(await sha256(bytes))) throw new Refused("content that is not what its name says");
    anchors.push({ size: Number(name.slice(0, 19)), bytes });
  }
  const part = { folder, origin: notes[0].origin, notes, anchors, entries: readEntries(entries), hashes: nodes };
  requireWhole(part);
  return part;
}

// The checkpoints of a folder, by size: all of the log and of the sizes that the names say.
function checkpoints(folder, given) {
  const notes = given.map(([name, bytes]) => {
    const note = checkpoint(bytes);
    if (name !== padded(note.size)) throw new Refused("a checkpoint of another size than its name says");
    return note;
  });
  if (!notes.length) throw new Refused("a log without checkpoints");
  const { origin, size } = notes.at(-1);
  if (notes.some((note) => note.origin !== origin)) throw new Refused("checkpoints of two logs in one folder");
  if (folder !== `${escaped(origin)}/${padded(size)}`) throw new Refused("checkpoints of another log than the folder's name says");
  return notes;
}

// Map of id (sha256:…) to entry: each index and each id once, ascending by index.
function readEntries(bytes) {
  const rows = strictJson(bytes, "the list of entries");
  if (!isListOf(isObject)(rows)) throw new Refused("no list of entries");
  const found = new Map();
  let before = -1;
  for (const entry of rows) {
    shaped(entry, entry.kind === RECEIPT ? { ...ENTRY, identity: isText } : ENTRY, "an entry");
    const id = `sha256:${hex(fromHex(entry.id, 32))}`;
    const salt = fromHex(entry.salt, 32);
    if (![STATEMENT, RECEIPT, IDENTITY].includes(entry.kind)) throw new Refused("an entry of another kind");
    if (entry.index <= before || found.has(id)) throw new Refused("an entry twice, or in no order");
    before = entry.index;
    const receiptOf = entry.kind === RECEIPT ? `sha256:${hex(fromHex(entry.identity, 32))}` : null;
    found.set(id, { kind: entry.kind, index: entry.index, salt, receiptOf });
  }
  return found;
}

// Whether the part is consistent in itself, and nothing in it is idle.
function requireWhole({ notes, anchors, entries }) {
  const indexes = [...entries.values()].map(({ index }) => index);
  if (!indexes.length) throw new Refused("the file holds a log in which it has no entry");
  if (indexes.at(-1) >= notes.at(-1).size) throw new Refused("an entry under no checkpoint");
  const anchored = new Set(anchors.map(({ size }) => size));
  const sizes = new Set(notes.map(({ size }) => size));
  if ([...anchored].some((size) => !sizes.has(size))) throw new Refused("an anchor of a checkpoint that is not in the file");
  let [gap, covered, signers] = [-1, 0, []];
  for (const { size, lines } of notes) {
    while (covered < indexes.length && indexes[covered] < size) covered += 1;
    if (covered !== gap) [gap, signers] = [covered, []];
    const mine = lines.map(({ name, id }) => `${hex(id)} ${name}`);
    const isNew = covered > 0 && !signers.some((others) => mine.every((line) => others.has(line)));
    if (!isNew && !anchored.has(size)) throw new Refused("the file holds a checkpoint that no entry needs");
    signers.push(new Set(mine));
    if (signers.length > MOST_UNORDERED) throw new Refused("too many checkpoints between two entries");
  }
}

// Of each receipt the identity that its entries name. Each entry may be true; but if two differ, a log that
// nobody trusts could choose a receipt's author.
export function authorsIn(parts) {
  const authors = new Map();
  for (const { entries } of parts) {
    for (const [id, { receiptOf }] of entries) {
      if (receiptOf && (authors.get(id) ?? receiptOf) !== receiptOf) throw new Refused("two logs name different authors of one receipt");
      if (receiptOf) authors.set(id, receiptOf);
    }
  }
  return authors;
}

// Refuse entries of what is not in the file, or of another kind than it is.
export function requireEntered(parts, { statements, identities }) {
  for (const { entries } of parts) {
    for (const [id, { kind, receiptOf }] of entries) {
      const one = statements.get(id);
      if (!one && !identities.has(id)) throw new Refused("the file holds an entry of something that its roots do not need");
      if (kind !== (one?.kind ?? IDENTITY)) throw new Refused("an entry of another kind than what it names");
      if (receiptOf && identities.get(receiptOf)?.keyset !== one.keyset) throw new Refused("an entry of a receipt whose author is not in the file");
    }
  }
}

async function leafOf(id, entry, { statements, identities }) {
  const one = statements.get(id) ?? identities.get(id);
  const author = entry.kind === IDENTITY ? id : entry.receiptOf ?? one.author ?? NOBODY;
  const committed = await framed("teeproof.log-entry.v1", entry.salt, parseNamed(id), one.seal);
  return leafHash(concat([1, entry.kind], committed, parseNamed(author)));
}

// parts -> rows of each log, and a Map of each id to the best that the logs say of it: { rows, time }
export async function judgeLogs(parts, held, trusted, now) {
  const operators = operatorsIn(held.identities);
  const views = await each(parts, (part) => viewed(part, held, trusted, now, operators), 8);
  for (const beside of byOrigin(views.filter(({ isIncluded }) => isIncluded)).values()) {
    if (beside.length === 1) continue;
    const found = await consistency(beside);
    for (const view of beside) view.rows.push(found);
  }
  const places = new Map();
  for (const view of views) {
    let at = view.covers.length - 1; // from the smallest, as the entries ascend
    for (const [id, { index }] of view.part.entries) {
      while (index >= view.covers[at].size) at -= 1;
      const place = view.isIncluded ? view.covers[at].best : BROKEN;
      if (!places.has(id) || isBetter(place, places.get(id))) places.set(id, place);
    }
  }
  return { logs: views.map(({ part, rows }) => [part.folder, rows]), places };
}

const BROKEN = { rows: [["inclusion", "not_checked", "entries of its log do not fit together"]], time: null, failures: 99 };
const isBetter = (one, other) => one.failures < other.failures || (one.failures === other.failures && (one.time ?? Infinity) < (other.time ?? Infinity));

async function consistency(views) {
  if (await isOneTree(views)) return ["consistency", "not_checked", "nothing in the file connects its parts of this log: ask the log for a proof that it is one history"];
  return ["consistency", "failed", "the file's parts of this log are of two trees"];
}

async function viewed(part, held, trusted, now, operators) {
  const leaves = new Map(await each(part.entries, async ([id, entry]) => [entry.index, await leafOf(id, entry, held)]));
  const sizes = part.notes.map(({ size }) => size);
  const nodes = nodesOf(leaves, part.hashes, sizes);
  const found = await treeRoots(leaves, nodes, sizes);
  const isIncluded = part.notes.every((note) => equal(found.get(note.size), note.root));
  const rows = [isIncluded
    ? ["inclusion", "passed", `all ${leaves.size} entries are in the tree of ${part.origin}`]
    : ["inclusion", "failed", "the entries are not those of the checkpoint: an entry was changed, or the log was rewritten"]];
  const notes = new Map(part.notes.map((note) => [note.size, note]));
  for (const { size, bytes } of part.anchors) rows.push(anchored(bytes, notes.get(size)));
  const operated = operatedBy(part.origin, operators, trusted);
  const judged = await each(part.notes, (note) => (trusted ? noteRows(note, trusted, now, operated) : UNTRUSTED));
  rows.push(...told(judged, part.origin, trusted));
  return { part, origin: part.origin, rows, isIncluded, leaves, nodes, covers: covers(part.notes, judged) };
}

function anchored(bytes, note) {
  try {
    return anchorRow(bytes, note);
  } catch (error) {
    return ["anchor", "failed", error instanceof Refused ? error.message : "it could not be read"];
  }
}

// Of each checkpoint, from the largest down, the best that it or a larger one says of what it covers.
function covers(notes, judged) {
  let best = null;
  return notes.map(({ size }, at) => ({ size, found: judged[at] })).reverse().map(({ size, found }) => {
    if (best === null || !isBetter(best, found)) best = found;
    return { size, best };
  });
}

const UNTRUSTED = { rows: [["checkpoint", "not_checked", "you named no log that you trust: anyone may have signed for it"]], time: null, failures: 0 };

async function noteRows(note, trusted, now, operated) {
  const holds = await byLog(note, trusted);
  const quorum = trusted.quorum === null ? null : await quorumTime(note, trusted, now, operated);
  const rows = [];
  if (holds === null) rows.push(["checkpoint", "failed", `${note.origin} is none of the logs that you trust`]);
  else rows.push(["checkpoint", holds ? "passed" : "failed", holds ? `${note.origin} signed its checkpoint` : `${note.origin} did not sign a checkpoint`]);
  if (trusted.quorum === null) rows.push(["witnesses", "not_checked", "the log policy asks for no witness"]);
  else if (quorum === null) rows.push(["witnesses", "failed", `too few witnesses cosigned the checkpoint of size ${note.size}`]);
  else rows.push(["witnesses", "passed", "the quorum cosigned"]);
  const failures = rows.filter(([, state]) => state === "failed").length;
  return { rows, time: holds ? quorum : null, failures, holds };
}

// Rows on a log as a whole. One that does not count fails nothing by itself: another may count. A
// signature in a trusted log's name that does not hold fails.
function told(judged, origin, trusted) {
  if (!trusted) return UNTRUSTED.rows;
  if (judged.some(({ holds }) => holds === false)) return [["checkpoint", "failed", `${origin} did not sign a checkpoint`]];
  if (judged.some(({ holds }) => holds === null)) return [["checkpoint", "not_checked", `${origin} is none of the logs that you trust`]];
  const rows = [["checkpoint", "passed", `${origin} signed ${judged.length === 1 ? "its checkpoint" : `all ${judged.length} checkpoints`}`]];
  const times = judged.map(({ time }) => time).filter((time) => time !== null);
  const first = times.reduce((one, other) => Math.min(one, other), Infinity);
  if (times.length) rows.push(["witnesses", "passed", `the quorum cosigned${times.length < judged.length ? ` ${times.length} of ${judged.length} checkpoints` : ""}, first at ${said(first)}`]);
  else rows.push(["witnesses", "not_checked", judged[0].rows[1][1] === "failed" ? "too few witnesses cosigned" : judged[0].rows[1][2]]);
  return rows;
}

// Witness keys (hex) that stand in one key document with a key of this log: it would be its own witness.
function operatedBy(origin, operators, trusted) {
  return new Set((trusted?.logs.get(origin) ?? []).flatMap(({ key }) => operators.get(hex(key)) ?? []));
}

// Map of a log's key to the witnesses' keys (all hex) that stand beside it in a key document
function operatorsIn(identities) {
  const found = new Map();
  for (const one of identities.values()) {
    const [log, witness] = [one.key("log"), one.key("witness")];
    if (log && witness) listed(found, hex(log.raw), hex(witness.raw));
  }
  return found;
}

// Rows on where one statement or identity stands.
export function placeRows(place, trusted) {
  if (!place) return [trusted
    ? ["inclusion", "failed", "it is in no log, and you asked for one: whoever holds it can hide that it was said"]
    : ["inclusion", "not_checked", "it is in no log: nothing says when it was said"]];
  const wrong = place.rows.filter(([, state]) => state === "failed");
  if (wrong.length || place.time === null) return wrong.length ? wrong : place.rows.filter(([, state]) => state === "not_checked");
  return [["time", "passed", `said no later than ${said(place.time)}`]];
}
