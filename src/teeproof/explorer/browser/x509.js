// X.509 certificates as the vendors make them: their fields, and who signed whom. A profile says which
// algorithms a vendor's have. The rules are those of teeproof.evidence.certificate.

import { Refused, concat, equal, fromBase64, hex, named, sha256, text } from "./bytes.js";
import { p256, p384, pss384 } from "./curves.js";
import { elements, only } from "./der.js";

// How a certificate is signed, by its AlgorithmIdentifier (RFC 5758, 3.2; RFC 4055, with both ways of
// writing the trailer field), and what its key is (RFC 5480; RFC 8017).
const PSS = (length, trailer) => `06092a864886f70d01010a30${length}a00f300d06096086480165030402020500a11c301a06092a864886f70d010108300d06096086480165030402020500a203020130${trailer}`;
const SIGNED = { "06082a8648ce3d040302": "p256", "06082a8648ce3d040303": "p384", [PSS("34", "")]: "pss", [PSS("39", "a303020101")]: "pss" };
const KEYS = { "06072a8648ce3d020106082a8648ce3d030107": ["p256", 64], "06072a8648ce3d020106052b81040022": ["p384", 96], "06092a864886f70d0101010500": ["rsa", 0] };
const [BASIC, USAGE] = ["551d13", "551d0f"];
const UNDERSTOOD = new Set([BASIC, USAGE, "551d0e", "551d23", "551d1f"]); // RFC 5280, 4.2
const TEXTS = new Set([0x0c, 0x13, 0x14, 0x16, 0x1c, 0x1e]);
const BLOCK = /-----BEGIN (CERTIFICATE|X509 CRL)-----\r?\n([A-Za-z0-9+/=\r\n]+)\n-----END \1-----/g;
const SIMULATED = "2b0601040181fd59544545"; // a simulator's root says so: evidence.marks
const [MOST_BYTES, MOST] = [64 * 1024, 12];

// PEM text -> certificates (DER) and revocation lists (DER), each in order; nothing else may stand there
export function blocks(pem) {
  if (pem.length > MOST_BYTES) throw new Refused("too many certificates");
  const given = text(pem);
  const found = { CERTIFICATE: [], "X509 CRL": [] };
  for (const [, kind, body] of given.matchAll(BLOCK)) found[kind].push(fromBase64(body.replace(/[\r\n]/g, "")));
  if (/[^ \r\n\0]/.test(given.replace(BLOCK, "")) || found.CERTIFICATE.length > MOST) throw new Refused("no chain of certificates");
  return found;
}

export function certificate(der, profile) {
  const [tbs, algorithm, signature, ...more] = elements(only(der, 0x30));
  if (!signature || more.length || signature.tag !== 3 || signature.body[0] !== 0) throw new Refused("no certificate");
  const parts = elements(tbs.body);
  const tags = parts.map(({ tag }) => tag).join();
  if (tags !== "160,2,48,48,48,48,48,163" || hex(parts[0].body) !== "020102") throw new Refused("a certificate of another version");
  const [, serial, inner, issuer, validity, subject, key, extensions] = parts;
  if (!equal(inner.raw, algorithm.raw) || SIGNED[hex(algorithm.body)] !== profile) throw new Refused("a certificate that is signed in another way");
  const found = extended(extensions.body);
  [issuer, subject].forEach(requireName);
  return {
    der,
    tbs: tbs.raw,
    serial: serial.body,
    issuer: issuer.body,
    subject: subject.body,
    spki: key.raw,
    ...point(key),
    dates: elements(validity.body).map(seconds),
    extensions: found,
    claimsCa: claimsCa(found),
    isCa: claimsCa(found) && (!found.has(USAGE) || (only(found.get(USAGE).value, 3)[1] & 4) !== 0),
    name: commonName(subject.body),
    isSimulated: found.has(SIMULATED),
    signature: signature.body.subarray(1),
  };
}

export const fingerprint = async (root) => named(await sha256(root.spki));

// Whether the second of two certificates issued the first.
export const issued = async (below, above) => equal(below.issuer, above.subject) && signs(above, below.tbs, below.signature);

// Whether a certificate's key signed a message; ECDSA signatures are DER here.
export async function signs({ kind, point: key, spki }, message, signature) {
  if (kind === "rsa") return pss384(spki, message, signature);
  const raw = numbers(signature, key.length / 2);
  return raw !== null && (kind === "p256" ? p256 : p384)(key, message, raw);
}

function point(key) {
  const [algorithm, value] = elements(key.body);
  const [kind, size] = KEYS[hex(algorithm.body)] ?? [];
  if (!kind || value.tag !== 3 || value.body[0] !== 0) throw new Refused("a certificate of another kind of key");
  const raw = value.body.subarray(1);
  if (kind !== "rsa" && (raw.length !== 1 + size || raw[0] !== 4)) throw new Refused("a key that is no point");
  return { kind, point: raw.subarray(1) };
}

function extended(bytes) {
  const found = new Map();
  for (const { tag, body } of elements(only(bytes, 0x30))) {
    const [oid, ...rest] = elements(body);
    const isCritical = rest.length === 2 && hex(rest[0].raw) === "0101ff";
    const value = rest.at(-1);
    if (tag !== 0x30 || oid.tag !== 6 || rest.length !== (isCritical ? 2 : 1) || value.tag !== 4) throw new Refused("an extension of another form");
    const name = hex(oid.body);
    if (found.has(name) || (isCritical && !UNDERSTOOD.has(name))) throw new Refused("an extension twice, or one that must be understood");
    found.set(name, { value: value.body, isCritical });
  }
  return found;
}

function claimsCa(extensions) {
  const found = extensions.get(BASIC);
  return found !== undefined && hex(elements(only(found.value, 0x30))[0]?.raw ?? []) === "0101ff";
}

function requireName({ body }) {
  for (const { tag, body: set } of elements(body)) {
    const pairs = elements(set);
    const plain = pairs.every((pair) => pair.tag === 0x30 && hasText(elements(pair.body)));
    if (tag !== 0x31 || !pairs.length || !plain) throw new Refused("a name of another form");
  }
}

const hasText = (pair) => pair.length === 2 && pair[0].tag === 6 && TEXTS.has(pair[1].tag);

function commonName(name) {
  for (const set of elements(name)) {
    const [type, value] = elements(elements(set.body)[0].body);
    if (hex(type.raw) === "0603550403") return new TextDecoder().decode(value.body);
  }
  return "(no common name)";
}

// UTCTime or GeneralizedTime -> seconds since 1970
function seconds({ tag, body }) {
  const form = { 0x17: /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/, 0x18: /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/ }[tag];
  const parts = form?.exec(text(body));
  if (!parts) throw new Refused("a date in another form than DER's");
  const [year, ...rest] = parts.slice(1);
  const full = tag === 0x18 ? year : `${Number(year) < 50 ? 20 : 19}${year}`;
  const iso = `${full}-${rest[0]}-${rest[1]}T${rest.slice(2).join(":")}Z`;
  const time = Date.parse(iso);
  if (Number.isNaN(time) || new Date(time).toISOString() !== iso.replace("Z", ".000Z")) throw new Refused("a date that there is not");
  return time / 1000;
}

// ECDSA-Sig-Value -> r and s, each of so many bytes; null where it is none
function numbers(der, size) {
  try {
    const parts = elements(only(der, 0x30));
    if (parts.length !== 2) return null;
    return concat(...parts.map(({ tag, body }) => {
      const short = body[0] === 0 ? body.subarray(1) : body;
      const padded = body.length > 1 && body[0] === 0 && body[1] < 0x80;
      if (tag !== 2 || !body.length || body[0] >= 0x80 || padded || short.length > size) throw new Refused("no number");
      return concat(new Uint8Array(size - short.length), short);
    }));
  } catch {
    return null;
  }
}
