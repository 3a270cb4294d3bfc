// A key document: which public key a workload uses for what, and until when; and the keyset that it
// determines, to which a machine commits. The rules are those of teeproof.proof.keys and keyset.

import { Refused, concat, fromHex, hex, named, parseNamed, sha256, utf8 } from "./bytes.js";
import { decompressed, isKey, secrets } from "./curves.js";
import { canonical, isListOf, isObject, isText, shaped } from "./json.js";

const ROLES = {
  statement: ["ed25519"], receipt: ["ed25519"], chain: ["secp256k1"], legacy: ["secp256k1", "ed25519"],
  seal: ["x25519", "mlkem768-x25519"], e2ee: ["x25519"], tls: ["p256"], model: ["p256"], log: ["ed25519"],
  witness: ["ed25519"], verdict: ["ed25519"],
};
const SIGNING = ["ed25519", "p256", "secp256k1"];
const LONGEST = 30 * 86400;
const LAST_SECOND = 253402300799; // of the year 9999
const P256_SPKI = fromHex("3059301306072a8648ce3d020106082a8648ce3d03010703420004"); // RFC 5480

const FIELDS = {
  type: (value) => value === "urn:teeproof:keys:v1",
  not_before: Number.isSafeInteger,
  not_after: Number.isSafeInteger,
  keys: isListOf(isObject),
  "previous?": isText,
};
const KEY = { role: isText, algorithm: isText, public_key: isText, "domain?": isText };

// A key document's JSON -> its keys with their bytes, in order
export function readKeys(document) {
  shaped(document, FIELDS, "a key document");
  const { not_before: begins, not_after: ends } = document;
  if (!(begins > 0 && begins < ends && ends <= LAST_SECOND && ends - begins <= LONGEST)) throw new Refused("keys with impossible dates");
  if (document.previous !== undefined) parseNamed(document.previous);
  const keys = document.keys.map(readKey);
  const places = keys.map(({ role, algorithm }) => `${role} ${algorithm}`);
  if (places.some((place, at) => at && !(places[at - 1] < place))) throw new Refused("keys twice, or in no order");
  const seen = keys.flatMap(({ algorithm, raw }) => secrets(algorithm, raw));
  if (new Set(seen).size !== seen.length) throw new Refused("one key in two roles");
  if (!keys.some(({ role }) => role === "statement")) throw new Refused("no key for statements");
  return keys;
}

function readKey(key) {
  shaped(key, KEY, "a key");
  if (!Object.hasOwn(ROLES, key.role) || !ROLES[key.role].includes(key.algorithm)) throw new Refused("a key of a role or algorithm that there is not");
  if (key.domain !== undefined && (key.role !== "tls" || !isHost(key.domain))) throw new Refused("a key of another host than there is");
  const raw = fromHex(key.public_key);
  if (!isKey(key.algorithm, raw)) throw new Refused(`a ${key.role} key that is none of ${key.algorithm}`);
  return { ...key, raw };
}

const isHost = (domain) => domain.length <= 253 && domain.split(".").every((label) => /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(label));

export const signing = (keys) => keys.filter(({ algorithm }) => SIGNING.includes(algorithm));

// The name of ACI's keyset (sha256:…) of a key document with these bytes
export async function keysetOf(document, keys, bytes) {
  const of = (role) => keys.filter((key) => key.role === role);
  const spki = async ({ raw, domain }) => {
    const digest = hex(await sha256(concat(P256_SPKI, decompressed(raw))));
    return domain === undefined ? { spki_sha256: digest } : { spki_sha256: digest, domain };
  };
  const keyset = {
    subject: `urn:teeproof:keys:${named(await sha256(bytes))}`,
    not_after: document.not_after,
    receipt_signing_keys: of("receipt").map((key) => ({ key_id: "receipt", algo: key.algorithm, public_key: key.public_key })),
    e2ee_public_keys: of("e2ee").map((key) => ({ key_id: "e2ee", algo: "x25519-aes-256-gcm-hkdf-sha256", public_key: key.public_key })),
    tls_public_keys: await Promise.all(of("tls").map(spki)),
  };
  return named(await sha256(utf8(canonical(keyset))));
}
