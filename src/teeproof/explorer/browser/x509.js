// X.509 certificates of P-256 keys, as far as a chain to a pinned key needs them: DER, strictly.

import { Refused, concat, equal, fromBase64, hex, p256, text } from "./bytes.js";

const ECDSA_SHA256 = "06082a8648ce3d040302"; // RFC 5758
const P256_KEY = "301306072a8648ce3d020106082a8648ce3d030107"; // RFC 5480: id-ecPublicKey, prime256v1
const BASIC_CONSTRAINTS = "0603551d13"; // RFC 5280
const MOST = 8;

// PEM text -> certificates, the leaf first
export function chain(pem) {
  const bodies = [...text(pem).matchAll(/-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]*)-----END CERTIFICATE-----/g)];
  if (!bodies.length || bodies.length > MOST) throw new Refused("no chain of certificates");
  return bodies.map((body) => certificate(fromBase64(body[1].replace(/\s/g, ""))));
}

export function certificate(der) {
  const whole = read(der, 0, 0x30);
  if (whole.end !== der.length) throw new Refused("bytes behind a certificate");
  const [tbs, algorithm, signature] = list(whole.body);
  if (hex(algorithm.body) !== ECDSA_SHA256) throw new Refused("a certificate that is not signed by ECDSA with SHA-256");
  const parts = list(tbs.body);
  const [, , , issuer, , subject, key, ...rest] = parts[0].tag === 0xa0 ? parts : [null, ...parts];
  return {
    tbs: tbs.raw,
    issuer: issuer.raw,
    subject: subject.raw,
    spki: key.raw,
    point: point(key),
    isAuthority: isAuthority(rest.find((part) => part.tag === 0xa3)),
    name: commonName(subject),
    signature: signature64(bits(signature)),
  };
}

// Whether the first of two certificates was signed by the second, an authority.
export async function signedBy(below, above) {
  if (!above.isAuthority || !equal(below.issuer, above.subject)) return false;
  return p256(above.point, below.tbs, below.signature);
}

function point(key) {
  const [algorithm, value] = list(key.body);
  const raw = bits(value);
  if (hex(algorithm.raw) !== P256_KEY || raw.length !== 65 || raw[0] !== 4) throw new Refused("a key that is not of P-256");
  return raw.subarray(1);
}

function isAuthority(extensions) {
  if (!extensions) return false;
  for (const extension of list(read(extensions.body, 0, 0x30).body)) {
    const parts = list(extension.body);
    if (hex(parts[0].raw) !== BASIC_CONSTRAINTS) continue;
    const value = list(read(parts.at(-1).body, 0, 0x30).body);
    return value.length > 0 && hex(value[0].raw) === "0101ff";
  }
  return false;
}

function commonName(subject) {
  for (const set of list(subject.body)) {
    const [type, value] = list(read(set.body, 0, 0x30).body);
    if (hex(type.raw) === "0603550403") return text(value.body).slice(0, 80);
  }
  return "without a name";
}

// ECDSA-Sig-Value -> r and s, 32 bytes each
function signature64(der) {
  const parts = list(read(der, 0, 0x30).body);
  if (parts.length !== 2) throw new Refused("a signature of another form");
  return concat(...parts.map(({ body }) => {
    const plain = body[0] === 0 ? body.subarray(1) : body;
    if (plain.length > 32) throw new Refused("a signature that is too long");
    return concat(new Uint8Array(32 - plain.length), plain);
  }));
}

function bits(part) {
  if (part.tag !== 0x03 || part.body[0] !== 0) throw new Refused("no bit string where one belongs");
  return part.body.subarray(1);
}

function list(bytes) {
  const found = [];
  for (let at = 0; at < bytes.length; at = found.at(-1).end) found.push(read(bytes, at));
  return found;
}

function read(bytes, at, tag) {
  if (at + 2 > bytes.length || (tag !== undefined && bytes[at] !== tag)) throw new Refused("DER of another form");
  let [size, start] = [bytes[at + 1], at + 2];
  if (size > 0x80) {
    const digits = size - 0x80;
    if (digits > 3 || start + digits > bytes.length) throw new Refused("DER with an impossible length");
    size = bytes.subarray(start, start + digits).reduce((sum, byte) => sum * 256 + byte, 0);
    start += digits;
  } else if (size === 0x80) {
    throw new Refused("DER without a length");
  }
  const end = start + size;
  if (end > bytes.length) throw new Refused("DER that does not end");
  return { tag: bytes[at], body: bytes.subarray(start, end), raw: bytes.subarray(at, end), end };
}
