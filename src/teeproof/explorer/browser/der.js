// DER, as X.509 needs it: tag, length, value, in the shortest form only.

import { Refused } from "./bytes.js";

// bytes -> the elements that stand in them: { tag, body, raw }
export function elements(bytes) {
  const found = [];
  for (let at = 0; at < bytes.length; at = found.at(-1).end) found.push(read(bytes, at));
  return found;
}

// The value of the one element in these bytes, which must have this tag
export function only(bytes, tag) {
  const found = elements(bytes);
  if (found.length !== 1 || found[0].tag !== tag) throw new Refused("DER of another form");
  return found[0].body;
}

function read(bytes, at) {
  if (at + 2 > bytes.length) throw new Refused("DER that does not end");
  let [size, start] = [bytes[at + 1], at + 2];
  if (size >= 0x80) {
    const digits = bytes.subarray(start, start + (size & 0x7f));
    size = digits.reduce((sum, byte) => sum * 256 + byte, 0);
    if (digits.length < 1 || digits.length > 3 || digits[0] === 0 || size < 0x80) throw new Refused("DER with an impossible length");
    start += digits.length;
  }
  const end = start + size;
  if (end > bytes.length) throw new Refused("DER that does not end");
  return { tag: bytes[at], body: bytes.subarray(start, end), raw: bytes.subarray(at, end), end };
}
