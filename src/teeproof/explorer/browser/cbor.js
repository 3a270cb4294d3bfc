// CBOR (RFC 8949), strictly: one reading of the bytes, or none. The rules are those of teeproof.evidence.cbor.

import { Refused, concat, text } from "./bytes.js";

const [MOST_DEPTH, MOST_ITEMS] = [8, 4096];
const SIMPLE = { 20: false, 21: true, 22: null };

// bytes -> number, BigInt beyond 2^53, Uint8Array, string, boolean, null, Array or Map; with a tag, { tag, value }.
// Where openMap is true, the outermost map may have no length.
export function cbor(bytes, { tags = [], openMap = false } = {}) {
  const reader = { bytes, at: 0, items: 0, tags };
  const value = openMap && bytes[0] === 0xbf ? open(reader) : read(reader, 0);
  if (reader.at !== bytes.length) throw new Refused("bytes behind CBOR");
  return value;
}

// bytes -> a byte string in CBOR
export function octets(bytes) {
  const size = bytes.length;
  if (size < 24) return concat([0x40 | size], bytes);
  if (size < 256) return concat([0x58, size], bytes);
  if (size < 65536) return concat([0x59, size >> 8, size & 255], bytes);
  return concat([0x5a, size >>> 24, (size >> 16) & 255, (size >> 8) & 255, size & 255], bytes);
}

function take(reader, size) {
  if (size > reader.bytes.length - reader.at) throw new Refused("CBOR that does not end");
  reader.at += Number(size);
  return reader.bytes.subarray(reader.at - Number(size), reader.at);
}

// Major type, additional information, argument
function head(reader) {
  const first = take(reader, 1)[0];
  const [major, info] = [first >> 5, first & 31];
  if (info < 24) return [major, info, info];
  if (info > 27) throw new Refused("CBOR without a length");
  const width = 1 << (info - 24);
  const argument = take(reader, width).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  if (argument < (width === 1 ? 24n : 1n << BigInt(4 * width))) throw new Refused("CBOR with a number in more bytes than it needs");
  return [major, info, argument <= 0x1fffffffffffffn ? Number(argument) : argument];
}

function read(reader, depth) {
  reader.items += 1;
  if (reader.items > MOST_ITEMS || depth > MOST_DEPTH) throw new Refused("CBOR with too many values, or too deep");
  const [major, info, argument] = head(reader);
  if (major === 7) {
    if (!Object.hasOwn(SIMPLE, info)) throw new Refused("CBOR with another value than we read");
    return SIMPLE[info];
  }
  if (major === 0) return argument;
  if (major === 1) return typeof argument === "number" ? -1 - argument : -1n - argument;
  if (major === 2) return take(reader, argument);
  if (major === 3) return text(take(reader, argument));
  if (major === 6) {
    if (!reader.tags.includes(argument)) throw new Refused("CBOR with an unexpected tag");
    return { tag: argument, value: read(reader, depth + 1) };
  }
  if (argument * (major - 3) > reader.bytes.length - reader.at) throw new Refused("CBOR that does not end");
  if (major === 4) return Array.from({ length: argument }, () => read(reader, depth + 1));
  const found = new Map();
  for (let at = 0; at < argument; at += 1) entry(reader, found, depth + 1);
  return found;
}

function open(reader) {
  reader.at = 1;
  const found = new Map();
  while (reader.bytes[reader.at] !== 0xff) entry(reader, found, 1);
  reader.at += 1;
  return found;
}

function entry(reader, found, depth) {
  const key = read(reader, depth);
  if (typeof key !== "number" && typeof key !== "string") throw new Refused("CBOR with another key than text or number");
  if (found.has(key)) throw new Refused("CBOR with one key twice");
  found.set(key, read(reader, depth));
}
