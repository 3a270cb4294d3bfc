// Signed notes, checkpoints, cosignatures and log policies: c2sp.org/signed-note, tlog-checkpoint,
// tlog-cosignature, tlog-policy. Logs sign with Ed25519, witnesses with it or with ML-DSA-44.

import { Refused, Unable, concat, equal, fromBase64, hex, integer, sha256, text, uint64, utf8 } from "./bytes.js";
import { ed25519, isKey, mldsa44 } from "./curves.js";

const LOG_KEY = 1;
const WITNESS_KEYS = { 4: 32, 6: 1312 }; // Ed25519, ML-DSA-44
const MOST_BYTES = 1 << 18; // both as proof.log.formats.note has them
const MOST_SIGNATURES = 64;
const MOST_NUMBER = 2n ** 63n - 1n;
const CLOCKS_DIFFER = 300; // seconds by which a witness's clock may be ahead
const NAME = /^[^+\x00-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$/;
const CONTROL = /[\x00-\x09\x0b-\x1f]/;
const UNREADABLE = /[^\t\n\x20-\x7e\x80-\u{10ffff}]/u; // both as proof.log.formats.policy has them
const MOST_NAMES = 256; // of each kind
const EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

export function checkpoint(bytes) {
  if (bytes.length > MOST_BYTES) throw new Refused("a checkpoint that is too long");
  const whole = text(bytes);
  const cut = whole.lastIndexOf("\n\n");
  if (cut < 0 || !whole.endsWith("\n") || CONTROL.test(whole)) throw new Refused("a checkpoint that nobody signed, or that does not end");
  const signed = whole.slice(0, cut + 1);
  const [origin, size, given, ...extensions] = signed.split("\n").slice(0, -1);
  if (given === undefined || !origin || extensions.includes("")) throw new Refused("a checkpoint with too few lines, or an empty one");
  if (!/^(0|[1-9][0-9]{0,18})$/.test(size) || BigInt(size) > MOST_NUMBER) throw new Refused("a checkpoint without a size");
  if (!Number.isSafeInteger(Number(size))) throw new Unable("a log of more entries than a browser can count: use the command");
  const root = fromBase64(given);
  if (root.length !== 32 || (size === "0" && hex(root) !== EMPTY)) throw new Refused("a checkpoint without a root");
  const lines = whole.slice(cut + 2).split("\n").slice(0, -1).map(signatureLine);
  if (!lines.length || lines.length > MOST_SIGNATURES) throw new Refused("a checkpoint with no signature, or too many");
  return { origin, size: Number(size), root, signed: utf8(signed), lines };
}

function signatureLine(line) {
  const [dash, name, given, ...more] = line.split(" ");
  if (dash !== "—" || more.length || !NAME.test(name ?? "")) throw new Refused("a signature line of another form");
  const raw = fromBase64(given ?? "");
  if (raw.length <= 4) throw new Refused("a signature that is shorter than its key's id");
  return { name, id: raw.subarray(0, 4), signature: raw.subarray(4) };
}

// name+id+key -> { name, id, kind, key }; the id must be the one of name and key
async function verifierKey(given, sizes) {
  const [name, digits, ...rest] = (given ?? "").split("+");
  if (!NAME.test(name) || !/^[0-9a-f]{8}$/.test(digits ?? "") || !rest.length) throw new Refused("a key of another form in the log policy");
  const raw = fromBase64(rest.join("+"));
  const [kind, key] = [raw[0], raw.subarray(1)];
  const id = (await sha256(utf8(`${name}\n`), raw)).subarray(0, 4);
  if (hex(id) !== digits) throw new Refused("a key whose id is not its own");
  if (sizes[kind] !== key.length || (key.length === 32 && !isKey("ed25519", key))) throw new Refused("a key of another kind than may stand there");
  return { name, id, kind, key };
}

// The text of a log policy -> { logs, witnesses, groups, quorum }
export async function policy(given) {
  const found = { logs: new Map(), witnesses: new Map(), groups: new Map(), quorums: [] };
  const [keys, members] = [{ log: new Set(), witness: new Set() }, new Set()];
  const lines = given.split("\n");
  if (lines.pop() !== "") throw new Refused("a log policy that does not end");
  if (UNREADABLE.test(given)) throw new Refused("a log policy with a control character");
  const add = async (kind, text_, sizes) => {
    const key = await verifierKey(text_, sizes);
    if (keys[kind].has(hex(key.key))) throw new Refused("one key twice in the log policy");
    keys[kind].add(hex(key.key));
    return key;
  };
  const refer = (name) => {
    if (!found.witnesses.has(name) && !found.groups.has(name)) throw new Refused("a name in the log policy that is not defined before");
    return name;
  };
  const define = (name) => {
    if (name === "none" || found.witnesses.has(name) || found.groups.has(name)) throw new Refused("a name twice in the log policy");
    return name;
  };
  for (const line of lines) {
    const [word, ...rest] = line.replace(/^[ \t]+|[ \t]+$/g, "").split(/[ \t]+/);
    if (!word || word.startsWith("#")) continue;
    if (word === "log" && rest.length >= 1 && rest.length <= 2) {
      const key = await add("log", rest[0], { [LOG_KEY]: 32 });
      found.logs.set(key.name, [...(found.logs.get(key.name) ?? []), key]);
    } else if (word === "witness" && rest.length >= 2 && rest.length <= 3) {
      found.witnesses.set(define(rest[0]), await add("witness", rest[1], WITNESS_KEYS));
    } else if (word === "group" && rest.length >= 3) {
      const [name, threshold, ...names] = rest;
      const least = threshold === "any" ? 1 : threshold === "all" ? names.length : /^[1-9][0-9]*$/.test(threshold) ? Number(threshold) : 0;
      define(name);
      if (least < 1 || least > names.length || names.some((one) => members.has(refer(one)))) throw new Refused("a group whose threshold is out of range, or a member of two");
      if (new Set(names).size !== names.length) throw new Refused("a group with one member twice");
      names.forEach((one) => members.add(one));
      found.groups.set(name, { least, members: names });
    } else if (word === "quorum" && rest.length === 1) {
      found.quorums.push(rest[0] === "none" ? null : refer(rest[0]));
    } else {
      throw new Refused("a line of a log policy that is not understood");
    }
  }
  if ([...Object.values(keys), found.groups].some(({ size }) => size > MOST_NAMES)) throw new Refused("a log policy with too many names");
  if (found.quorums.length !== 1 || [...keys.log].some((key) => keys.witness.has(key))) throw new Refused("a log policy without one quorum, or with a witness that is a log");
  return { ...found, quorum: found.quorums[0] };
}

const owns = (key, line) => key.name === line.name && equal(key.id, line.id);

// Whether a log that the policy names signed a checkpoint: true, false, or null if it names none.
export async function byLog(note, trusted) {
  const keys = trusted.logs.get(note.origin);
  if (!keys) return null;
  let holds = false;
  for (const key of keys) {
    for (const line of note.lines.filter((candidate) => owns(key, candidate))) {
      if (!(await ed25519(key.key, note.signed, line.signature))) return false;
      holds = true;
    }
  }
  return holds;
}

// When the quorum had cosigned, in seconds since 1970; null if it has not. `operated` are keys (hex) of
// witnesses of the log's operator.
export async function quorumTime(note, trusted, now, operated) {
  const times = new Map();
  for (const [name, key] of trusted.witnesses) {
    for (const line of note.lines.filter((candidate) => owns(key, candidate))) {
      const time = await cosigned(note, line, key);
      if (time === null) return null; // a bad signature in a known witness's name counts against all
      if (!time || sameOperator(note.origin, key.name) || operated.has(hex(key.key))) continue;
      if (time <= now + CLOCKS_DIFFER && !(times.get(name) <= time)) times.set(name, time);
    }
  }
  for (const [name, { least, members }] of trusted.groups) {
    const reached = members.filter((member) => times.has(member)).map((member) => times.get(member)).sort((a, b) => a - b);
    if (reached.length >= least) times.set(name, reached[least - 1]);
  }
  return times.get(trusted.quorum) ?? null;
}

// The time of a cosignature; 0 where it states none, null where it does not hold.
async function cosigned(note, { signature }, { kind, name, key }) {
  const time = integer(signature.subarray(0, 8));
  if (![72, 8 + 2420].includes(signature.length) || time > MOST_NUMBER) return null;
  if (time === 0n) return 0;
  const rest = signature.subarray(8);
  const holds = kind === 4 ? await ed25519(key, concat(utf8(`cosignature/v1\ntime ${time}\n`), note.signed), rest) : mldsa44(key, subtree(name, note, time), rest);
  return holds ? Number(time) : null;
}

// cosigned_message: what an ML-DSA cosigner signs of the whole tree
function subtree(name, { origin, size, root }, time) {
  const [cosigner, log] = [utf8(name), utf8(origin)];
  if (cosigner.length > 255 || log.length > 255) return null; // it has no form for longer names
  return concat(utf8("subtree/v1\n\0"), [cosigner.length], cosigner, uint64(time), [log.length], log, uint64(0), uint64(size), root);
}

// As str.casefold: ß is ss, and each of the three sigmas is one. Where they differ, more is alike here.
const folded = (text_) => text_.toLowerCase().toUpperCase().toLowerCase().replaceAll("ς", "σ");

// A witness that the log's operator runs vouches for nothing: the hosts in their names say so.
function sameOperator(origin, witness) {
  const host = (name) => (name.startsWith("oid/") ? name : folded(name.split("/")[0].split(":")[0].replace(/\.+$/, "")));
  const [log, other] = [host(origin), host(witness)];
  return log === other || log.endsWith(`.${other}`) || other.endsWith(`.${log}`);
}
