// A dstack event log: JSON to events, what their digests cover, and the registers that they replay to.
// The rules are those of teeproof.evidence.eventlog.parse, payloads and replay.

import { Refused, Unable, concat, equal, fromHex, sha384, utf8, view } from "./bytes.js";
import { anyJson, isTextOrNull, shapedMap } from "./anyjson.js";
import { isText } from "./json.js";

const MOST_BYTES = 1 << 20;
const MOST_EVENTS = 4096;
const MOST_NAME = 256;
const DIGEST = 48; // SHA-384
const RUNTIME = 0x08000001n; // dstack's own event type
const PLATFORM_CONFIG_FLAGS = 0xan;
// TCG PC Client Platform Firmware Profile 1.06, 10.4.1: digests over the payload, or the variable in it
const OVER_PAYLOAD = new Set([0x4n, 0x80000007n, 0x80000001n, 0x800000e0n]);
const OVER_VARIABLE = 0x80000002n;

const isBelow = (bound) => (value) => typeof value === "bigint" && value >= 0n && value < bound;
const FIELDS = {
  imr: isBelow(4n), event_type: isBelow(1n << 32n), event: isText, event_payload: isText, "digest?": isText,
  "version?": (value) => value === 1n || value === 2n, "preimage?": isTextOrNull,
};

// bytes -> events in their order; nothing is believed
export async function parse(bytes) {
  const found = anyJson(bytes, MOST_BYTES, "an event log");
  if (!Array.isArray(found) || found.length > MOST_EVENTS) throw new Refused("no event log, or one that is too long");
  const events = [];
  for (const given of found) events.push(await event(given));
  return events;
}

async function event(given) {
  shapedMap(given, FIELDS, "an event");
  const payload = fromHex(given.get("event_payload"));
  const claimed = fromHex(given.get("digest") ?? "");
  const [type, version, preimage] = [given.get("event_type"), given.get("version") ?? 1n, given.get("preimage") ?? null];
  const isRuntime = type === RUNTIME;
  if (claimed.length !== DIGEST && (claimed.length || !isRuntime)) throw new Refused("an event whose digest is none");
  const made = { imr: Number(given.get("imr")), type, isRuntime, payload, claimed };
  if (!isRuntime) {
    if (version !== 1n || preimage !== null) throw new Refused("an event of firmware with what only dstack's have");
    return { ...made, name: "", digest: claimed };
  }
  const name = given.get("event");
  requireName(name, version);
  const over = preimageOf(name, given.get("event_payload"), payload, version);
  return { ...made, name, version, over, preimage: preimage === null ? null : fromHex(preimage), digest: await sha384(over) };
}

function requireName(name, version) {
  if (/[\x00-\x1f\x7f]/.test(name) || !name || Array.from(name).length > MOST_NAME) throw new Refused("an event without a name, or with one that is none");
  // Which others can be printed depends on the release of Unicode.
  if (/[^\x20-\x7e]/.test(name)) throw new Unable("an event log with names beyond ASCII: use the command");
  if (version === 1n && name.includes(":")) throw new Refused("an event whose name can be read in two ways");
}

// What a runtime event's digest is over: dstack cc-eventlog, runtime_events.rs
function preimageOf(name, digits, payload, version) {
  if (version === 1n) return concat([1, 0, 0, 8], utf8(`:${name}:`), payload);
  return utf8(`{"name":${JSON.stringify(name)},"payload":"${digits}","type":${RUNTIME}}`);
}

// Refuse an event that says another thing than was measured.
export async function requirePayloads(events) {
  for (const one of events) {
    const holds = one.isRuntime ? isSaid(one) : await isCovered(one);
    if (!holds) throw new Refused("an event that does not say what was measured");
  }
}

function isSaid({ claimed, digest, version, preimage, over }) {
  if (claimed.length && !equal(claimed, digest)) return false;
  return preimage === null ? version === 1n : equal(preimage, over);
}

async function isCovered({ type, payload, digest }) {
  if (!payload.length || !(OVER_PAYLOAD.has(type) || type === OVER_VARIABLE)) return true;
  if (equal(await sha384(payload), digest)) return true;
  const data = type === OVER_VARIABLE ? variable(payload) : null;
  return data !== null && equal(await sha384(data), digest);
}

// The data of a UEFI_VARIABLE_DATA; null where its lengths do not add up
function variable(payload) {
  if (payload.length < 32) return null;
  const [units, size] = [view(payload).getBigUint64(16, true), view(payload).getBigUint64(24, true)];
  return 32n + 2n * units + size === BigInt(payload.length) ? payload.subarray(payload.length - Number(size)) : null;
}

// events -> RTMR0 to RTMR3 after them
export async function replay(events) {
  const registers = Array.from({ length: 4 }, () => new Uint8Array(DIGEST));
  for (const { imr, digest } of events) registers[imr] = await sha384(registers[imr], digest);
  return registers;
}

// Whether only what a certificate carries is left: RTMR3's events, and the three of ACPI.
export const isStripped = (events) => events.every(({ imr, type }) => imr === 3 || (imr === 0 && type === PLATFORM_CONFIG_FLAGS));
