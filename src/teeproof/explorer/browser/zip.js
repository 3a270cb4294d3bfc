// Proof files: a ZIP archive that has exactly one way of being written (docs/reference/proof-file.md).
// So it is written again from its members, and whatever differs from that is refused.

import { Refused, equal, joined, text, utf8 } from "./bytes.js";

export const MOST_BYTES = 64 * 1024 * 1024;
const MOST_MEMBERS = 65534;
const DATE = 0x0021; // 1980-01-01

// bytes -> Map of name to bytes, in the file's order
export function members(bytes) {
  if (bytes.length > MOST_BYTES) throw new Refused("larger than any proof file");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = new Map();
  let at = 0;
  while (at + 30 <= bytes.length && view.getUint32(at, true) === 0x04034b50) {
    const [size, length] = [view.getUint32(at + 22, true), view.getUint16(at + 26, true)];
    const start = at + 30 + length;
    if (start + size > bytes.length) throw new Refused("a member that does not end");
    const name = text(bytes.subarray(at + 30, start));
    if (found.has(name) || found.size === MOST_MEMBERS) throw new Refused("a member twice, or too many");
    found.set(name, bytes.subarray(start, start + size));
    at = start + size;
  }
  if (!found.size) throw new Refused("this is no proof file");
  if (!equal(written(found), bytes)) throw new Refused("the archive is not written in the one way, or was changed");
  return found;
}

function written(found) {
  const local = [];
  const central = [];
  let at = 0;
  for (const [given, content] of found) {
    const name = utf8(given);
    const shared = [...two(10, 0, 0, 0, DATE), ...four(crc32(content), content.length, content.length), ...two(name.length, 0)];
    local.push(Uint8Array.from([...four(0x04034b50), ...shared]), name, content);
    central.push(Uint8Array.from([...four(0x02014b50), ...two(10), ...shared, ...two(0, 0, 0), ...four(0, at)]), name);
    at += 30 + name.length + content.length;
  }
  const size = central.reduce((sum, part) => sum + part.length, 0);
  const end = Uint8Array.from([...four(0x06054b50), ...two(0, 0, found.size, found.size), ...four(size, at), ...two(0)]);
  return joined([...local, ...central, end]);
}

const two = (...values) => values.flatMap((value) => [value & 255, (value >> 8) & 255]);
const four = (...values) => values.flatMap((value) => [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24]);

const TABLE = Uint32Array.from({ length: 256 }, (_, start) => {
  let value = start;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function crc32(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = TABLE[(value ^ byte) & 255] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}
