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

export function uint64(value) {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
}

// SHA-256 over parts, each behind its length in 8 bytes.
export const framed = (label, ...parts) =>
  sha256(...[utf8(label), ...parts].flatMap((part) => [uint64(part.length), part]));

// JSON with sorted keys and no spaces. Keys are ASCII, numbers are integers: then this is RFC 8785.
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const keys = Object.keys(value).sort();
    return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(",")}}`;
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

// Refuse an object with other fields than these, which are sorted.
export function only(value, fields, what) {
  const found = Object.keys(value).sort();
  if (found.join() !== fields.join()) throw new Refused(`${what} with other fields than it has`);
  return value;
}

export async function ed25519(publicKey, message, signature) {
  if (signature.length !== 64 || publicKey.length !== 32 || weak(publicKey)) return false;
  try {
    const key = await crypto.subtle.importKey("raw", publicKey, "Ed25519", false, ["verify"]);
    return await crypto.subtle.verify("Ed25519", key, signature, message);
  } catch (error) {
    if (error.name === "NotSupportedError") throw new Unable("this browser has no Ed25519: use a newer one, or the command");
    return false;
  }
}

// Points of small order: for them anyone can sign. RFC 8032 encodings, the sign bit left aside.
const SMALL = new Set([
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]);

function weak(publicKey) {
  const plain = Uint8Array.from(publicKey);
  plain[31] &= 0x7f;
  return SMALL.has(hex(plain));
}

// P-256 with SHA-256; the key is x and y (64 bytes), the signature r and s (64 bytes).
export async function p256(point, message, signature) {
  if (point.length !== 64 || signature.length !== 64) return false;
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  try {
    const key = await crypto.subtle.importKey("raw", concat([4], point), algorithm, false, ["verify"]);
    return await crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, key, signature, message);
  } catch {
    return false; // a point that is on no curve
  }
}
