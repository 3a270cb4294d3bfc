// Signed notes, checkpoints, cosignatures and log policies: c2sp.org/signed-note, tlog-checkpoint,
// tlog-cosignature, tlog-policy. Ed25519 only; what another algorithm signed is not counted.

import { Refused, concat, ed25519, equal, fromBase64, sha256, text, uint64, utf8 } from "./bytes.js";

const LOG_KEY = 1;
const WITNESS_KEY = 4;
const MOST_BYTES = 1 << 18; // both as proof.log.formats.note has them
const MOST_SIGNATURES = 64;
const CLOCKS_DIFFER = 300; // seconds by which a witness's clock may be ahead

export function checkpoint(bytes) {
  if (bytes.length > MOST_BYTES) throw new Refused("a checkpoint that is too long");
  const whole = text(bytes);
  const cut = whole.lastIndexOf("\n\n");
  if (cut < 0 || !whole.endsWith("\n")) throw new Refused("a checkpoint that nobody signed, or that does not end");
  const signed = whole.slice(0, cut + 1);
  const [origin, size, root] = signed.split("\n");
  if (!/^(0|[1-9][0-9]{0,15})$/.test(size ?? "") || !Number.isSafeInteger(Number(size))) throw new Refused("a checkpoint without a size");
  const lines = whole.slice(cut + 2).split("\n").slice(0, -1).map(signatureLine);
  if (!lines.length || lines.length > MOST_SIGNATURES) throw new Refused("a checkpoint with no signature, or too many");
  return { origin, size: Number(size), root: fromBase64(root), signed: utf8(signed), lines };
}

function signatureLine(line) {
  const parts = /^— (\S+) (\S+)$/.exec(line);
  if (!parts) throw new Refused("a signature line of another form");
  const raw = fromBase64(parts[2]);
  return { name: parts[1], id: raw.subarray(0, 4), signature: raw.subarray(4) };
}

// name+id+key -> { name, id, kind, key }; the id must be the one of name and key
async function verifierKey(given) {
  const parts = /^(\S+)\+([0-9a-f]{8})\+(\S+)$/.exec(given);
  if (!parts) throw new Refused("a key of another form in the log policy");
  const raw = fromBase64(parts[3]);
  const id = (await sha256(utf8(`${parts[1]}\n`), raw)).subarray(0, 4);
  if (parts[2] !== Array.from(id, (byte) => byte.toString(16).padStart(2, "0")).join("")) {
    throw new Refused("a key whose id is not its own");
  }
  return { name: parts[1], id, kind: raw[0], key: raw.subarray(1) };
}

// The text of a log policy -> { logs, witnesses, groups, quorum }
export async function policy(given) {
  const found = { logs: new Map(), witnesses: new Map(), groups: new Map(), quorum: null };
  for (const line of given.split("\n")) {
    const [word, ...rest] = line.trim().split(/[ \t]+/);
    if (!word || word.startsWith("#")) continue;
    if (word === "log") {
      const key = await verifierKey(rest[0]);
      found.logs.set(key.name, [...(found.logs.get(key.name) ?? []), key]);
    } else if (word === "witness") {
      found.witnesses.set(rest[0], await verifierKey(rest[1]));
    } else if (word === "group") {
      const [name, threshold, ...members] = rest;
      const least = threshold === "any" ? 1 : threshold === "all" ? members.length : Number(threshold);
      if (!(least >= 1 && least <= members.length)) throw new Refused("a group whose threshold is out of range");
      found.groups.set(name, { least, members });
    } else if (word === "quorum") {
      found.quorum = rest[0] === "none" ? null : rest[0];
    } else {
      throw new Refused("a line of a log policy that is not understood");
    }
  }
  return found;
}

const owns = (key, line) => key.name === line.name && equal(key.id, line.id);

// Whether a log that the policy names signed a checkpoint: true, false, or null if it names none.
export async function byLog(note, trusted) {
  const keys = trusted.logs.get(note.origin);
  if (!keys) return null;
  let holds = false;
  for (const key of keys.filter(({ kind }) => kind === LOG_KEY)) {
    for (const line of note.lines.filter((candidate) => owns(key, candidate))) {
      if (!(await ed25519(key.key, note.signed, line.signature))) return false;
      holds = true;
    }
  }
  return holds;
}

// When the quorum had cosigned, in seconds since 1970; null if it has not, or the policy asks for none.
export async function quorumTime(note, trusted, now) {
  if (trusted.quorum === null) return null;
  const times = new Map();
  for (const [name, key] of trusted.witnesses) {
    if (key.kind !== WITNESS_KEY || sameOperator(note.origin, key.name)) continue;
    for (const line of note.lines.filter((candidate) => owns(key, candidate))) {
      const time = await cosigned(note, line, key);
      if (time === null) return null; // a bad signature in a known witness's name counts against all
      if (time <= now + CLOCKS_DIFFER && !(times.get(name) <= time)) times.set(name, time);
    }
  }
  for (const [name, { least, members }] of trusted.groups) {
    const reached = members.filter((member) => times.has(member)).map((member) => times.get(member)).sort((a, b) => a - b);
    if (reached.length >= least) times.set(name, reached[least - 1]);
  }
  return times.get(trusted.quorum) ?? null;
}

async function cosigned(note, line, key) {
  if (line.signature.length !== 72) return null;
  const stated = line.signature.subarray(0, 8);
  const time = Number(new DataView(stated.slice().buffer).getBigUint64(0));
  if (!time || !equal(uint64(time), stated)) return null;
  const message = concat(utf8(`cosignature/v1\ntime ${time}\n`), note.signed);
  return (await ed25519(key.key, message, line.signature.subarray(8))) ? time : null;
}

// A witness that the log's operator runs vouches for nothing: the hosts in their names say so.
function sameOperator(origin, witness) {
  const host = (name) => (name.startsWith("oid/") ? name : name.split("/")[0].split(":")[0].replace(/\.+$/, "").toLowerCase());
  const [log, other] = [host(origin), host(witness)];
  return log === other || log.endsWith(`.${other}`) || other.endsWith(`.${log}`);
}
