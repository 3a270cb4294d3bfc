// Bytes, digests and texts: what every other module counts on. No network, no clock, no state.

export class Refused extends Error {}

// Not the file's fault: this browser, or how the page came, does not allow the check.
export class Unable extends Error {}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }); // a mark in front is bytes too

export const utf8 = (text) => encoder.encode(text);

export function text(bytes) {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new Refused("bytes that are no UTF-8 text");
  }
}

export const concat = (...parts) => joined(parts);

// As concat, of more parts than a call takes arguments.
export function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export const equal = (a, b) => a.length === b.length && a.every((byte, at) => byte === b[at]);

export const isZero = (bytes) => bytes.every((byte) => byte === 0);

export const view = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

export function fromHex(digits, size) {
  if (typeof digits !== "string" || !/^([0-9a-f]{2})*$/.test(digits)) throw new Refused("not lower-case hex");
  const bytes = Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  if (size !== undefined && bytes.length !== size) throw new Refused(`${bytes.length} bytes where ${size} belong`);
  return bytes;
}

export function fromBase64(given) {
  let raw;
  try {
    raw = atob(given);
  } catch {
    throw new Refused("not base64");
  }
  if (btoa(raw) !== given) throw new Refused("base64 with another spelling than its one");
  return Uint8Array.from(raw, (character) => character.charCodeAt(0));
}

// sha256:<64 hex digits> -> 32 bytes
export function parseNamed(name) {
  if (typeof name !== "string" || !name.startsWith("sha256:")) throw new Refused("not a digest's name");
  return fromHex(name.slice(7), 32);
}

export const named = (digest) => `sha256:${hex(digest)}`;

export const sha256 = async (...parts) =>
  new Uint8Array(await crypto.subtle.digest("SHA-256", concat(...parts)));

export const sha384 = async (...parts) =>
  new Uint8Array(await crypto.subtle.digest("SHA-384", concat(...parts)));

export function uint64(value) {
  const bytes = new Uint8Array(8);
  view(bytes).setBigUint64(0, BigInt(value));
  return bytes;
}

// SHA-256 over parts, each behind its length in 8 bytes.
export const framed = (label, ...parts) =>
  sha256(...[utf8(label), ...parts].flatMap((part) => [uint64(part.length), part]));

// What a function makes of each, in order; some at a time, since each waits for the browser's threads.
export async function each(items, made, together = 64) {
  const found = [];
  const all = [...items];
  for (let at = 0; at < all.length; at += together) found.push(...(await Promise.all(all.slice(at, at + together).map(made))));
  return found;
}

// A Map of key to list, with one value more for a key
export function listed(lists, key, value) {
  if (lists.has(key)) lists.get(key).push(value);
  else lists.set(key, [value]);
}

// Big-endian bytes -> BigInt
export const integer = (bytes) => BigInt(`0x${hex(bytes) || "0"}`);
