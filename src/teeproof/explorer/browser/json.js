// JSON that has one way of being written, and shapes that values must have.

import { Refused, text } from "./bytes.js";

const DEPTH = 64; // as teeproof.proof.canonical has it

// By code point, as UTF-8 sorts: JavaScript's own order differs beyond U+FFFF.
function byCodePoint(a, b) {
  const [one, other] = [Array.from(a), Array.from(b)];
  for (let at = 0; at < Math.min(one.length, other.length); at += 1) {
    if (one[at] !== other[at]) return one[at].codePointAt(0) - other[at].codePointAt(0);
  }
  return one.length - other.length;
}

// JSON with sorted keys and no spaces; numbers are integers that every reader holds exactly.
export function canonical(value, depth = 1) {
  if (depth > DEPTH) throw new Refused("JSON that is nested too deeply");
  if (typeof value === "number" && !Number.isSafeInteger(value)) throw new Refused("a number with a fraction, or beyond 2^53 - 1");
  if (typeof value === "string" && !value.isWellFormed()) throw new Refused("text that is not Unicode");
  if (Array.isArray(value)) return `[${value.map((one) => canonical(one, depth + 1)).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const keys = Object.keys(value).sort(byCodePoint);
    if (!keys.every((key) => key.isWellFormed())) throw new Refused("text that is not Unicode");
    return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(value[key], depth + 1)}`).join(",")}}`;
  }
  return JSON.stringify(value);
}

// Parse JSON that must be its own canonical text: one reading, no key twice.
export function strictJson(bytes, what) {
  const given = text(bytes);
  let value;
  try {
    value = JSON.parse(given);
  } catch {
    throw new Refused(`${what} is not JSON`);
  }
  if (canonical(value) !== given) throw new Refused(`${what} is not written in the one way`);
  return value;
}

export const isText = (value) => typeof value === "string";
export const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
export const isListOf = (kind) => (value) => Array.isArray(value) && value.every(kind);
export const isMapOf = (kind) => (value) => isObject(value) && Object.values(value).every(kind);

// Refuse an object with other fields than these: each name with what its value must be; a name with
// a question mark behind it may be missing, and then is not spelt out as null either.
export function shaped(value, fields, what) {
  if (!isObject(value)) throw new Refused(`${what} of another form`);
  const left = new Set(Object.keys(value));
  for (const [name, holds] of Object.entries(fields)) {
    const plain = name.replace("?", "");
    if (!left.delete(plain)) {
      if (name === plain) throw new Refused(`${what} without ${plain}`);
    } else if (!holds(value[plain])) {
      throw new Refused(`${what} whose ${plain} is of another form`);
    }
  }
  if (left.size) throw new Refused(`${what} with other fields than it has`);
  return value;
}
