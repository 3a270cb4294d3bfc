// Signatures and keys. WebCrypto where it has the curve; where it has not, noble's (vendor/VENDORED.md).
// What counts as a signature or a key is what teeproof.proof.signing and points say, twin for twin.

import { concat, equal, hex, integer, sha256, utf8 } from "./bytes.js";
import { edwards } from "./vendor/noble-curves/abstract/edwards.js";
import { ecdsa, weierstrass } from "./vendor/noble-curves/abstract/weierstrass.js";
import { sha256 as sha256Hash, sha512 as sha512Hash } from "./vendor/noble-hashes/sha2.js";
import { keccak_256 as keccakHash } from "./vendor/noble-hashes/sha3.js";
import { ml_dsa44 as lattice } from "./vendor/noble-post-quantum/ml-dsa.js";

export const keccak256 = (...parts) => keccakHash(concat(...parts));

const once = (make) => {
  let made;
  return () => (made ??= make());
};

// RFC 8032, 5.1; SEC 2, 2.4.1 and 2.4.2
const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const Edwards = once(() => edwards({
  p: P, n: L, h: 8n, a: P - 1n,
  d: 0x52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3n,
  Gx: 0x216936d3cd6e53fec0a4e231fdd6dc5c692cc7609525a7b2c9562d608f25d51an,
  Gy: 0x6666666666666666666666666666666666666666666666666666666666666658n,
}));
const Koblitz = once(() => weierstrass({
  p: 2n ** 256n - 2n ** 32n - 977n,
  n: 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n,
  h: 1n, a: 0n, b: 7n,
  Gx: 0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798n,
  Gy: 0x483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8n,
}));
const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const Nist = once(() => {
  const p = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n;
  return weierstrass({
    p, n: P256_ORDER, h: 1n, a: p - 3n,
    b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
    Gx: 0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n,
    Gy: 0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n,
  });
});
const koblitzSignatures = once(() => ecdsa(Koblitz(), sha256Hash));

const little = (bytes) => integer(bytes.toReversed());
const toLittle = (number) => Uint8Array.from(number.toString(16).padStart(64, "0").match(/../g), (pair) => parseInt(pair, 16)).reverse();

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

const plain = (point) => Uint8Array.from(point, (byte, at) => (at === 31 ? byte & 0x7f : byte));
const weak = (point) => SMALL.has(hex(plain(point)));

// As libsodium: no weak key, no weak R, each number below its bound, one R for one signature.
export async function ed25519(publicKey, message, signature) {
  if (signature.length !== 64 || publicKey.length !== 32) return false;
  const [r, s] = [signature.subarray(0, 32), little(signature.subarray(32))];
  if (weak(publicKey) || weak(r) || little(plain(publicKey)) >= P || s >= L) return false;
  try {
    const key = await crypto.subtle.importKey("raw", publicKey, "Ed25519", false, ["verify"]);
    return await crypto.subtle.verify("Ed25519", key, signature, message);
  } catch (error) {
    return error.name === "NotSupportedError" && ed25519Here(publicKey, message, r, s);
  }
}

// RFC 8032, 5.1.7, without the cofactor: s·B - k·A must be R, byte for byte.
function ed25519Here(publicKey, message, r, s) {
  try {
    const k = little(sha512Hash(concat(r, publicKey, message))) % L;
    const { BASE } = Edwards();
    const key = Edwards().fromBytes(publicKey);
    return equal(BASE.multiplyUnsafe(s).add(key.negate().multiplyUnsafe(k)).toBytes(), r);
  } catch {
    return false; // a key that is no point
  }
}

const CURVES = { "P-256": ["SHA-256", 32], "P-384": ["SHA-384", 48] };

// A key is x and y, a signature r and s, each number as long as the curve's field.
async function nist(curve, point, message, signature) {
  const [hash, size] = CURVES[curve];
  if (point.length !== 2 * size || signature.length !== 2 * size) return false;
  const algorithm = { name: "ECDSA", namedCurve: curve };
  try {
    const key = await crypto.subtle.importKey("raw", concat([4], point), algorithm, false, ["verify"]);
    return await crypto.subtle.verify({ name: "ECDSA", hash }, key, signature, message);
  } catch {
    return false; // a point that is on no curve
  }
}

export const p256 = (point, message, signature) => nist("P-256", point, message, signature);
export const p384 = (point, message, signature) => nist("P-384", point, message, signature);

// FIPS 204, ML-DSA-44 without a context; a message that is null was signed by nobody.
export function mldsa44(key, message, signature) {
  return message !== null && key.length === 1312 && signature.length === 2420 && lattice.verify(signature, message, key);
}

// RSASSA-PSS with SHA-384, MGF1 of it and 48 bytes of salt, as AMD signs; the key is its SPKI.
export async function pss384(spki, message, signature) {
  try {
    const key = await crypto.subtle.importKey("spki", spki, { name: "RSA-PSS", hash: "SHA-384" }, false, ["verify"]);
    return await crypto.subtle.verify({ name: "RSA-PSS", saltLength: 48 }, key, signature, message);
  } catch {
    return false; // no RSA key
  }
}

// A compressed point (33 bytes) -> x and y; null where it is on no curve
export function decompressed(point) {
  try {
    return point.length === 33 ? Nist().fromBytes(point).toBytes(false).subarray(1) : null;
  } catch {
    return null;
  }
}

// Whether a signing key of a key document signed an identity statement: of two twins the low one.
export async function possesses({ algorithm, raw }, message, signature) {
  if (algorithm === "ed25519") return ed25519(raw, message, signature);
  if (signature.length !== 64) return false;
  if (algorithm === "p256") return integer(signature.subarray(32)) <= P256_ORDER / 2n && p256(decompressed(raw), message, signature);
  try {
    return koblitzSignatures().verify(signature, await typed(message), raw, { prehash: false, lowS: true });
  } catch {
    return false;
  }
}

// EIP-712: domain "teeproof", version "1"; Identity(bytes32 statement) with SHA-256 of the message
async function typed(message) {
  const domain = keccak256(...["EIP712Domain(string name,string version)", "teeproof", "1"].map((one) => keccak256(utf8(one))));
  return keccak256([0x19, 0x01], domain, keccak256(keccak256(utf8("Identity(bytes32 statement)")), await sha256(message)));
}

// Whether bytes are a key of an algorithm that a private key can stand behind.
export function isKey(algorithm, raw) {
  try {
    return KEYS[algorithm](raw);
  } catch {
    return false;
  }
}

const KEYS = {
  ed25519: (raw) => raw.length === 32 && !weak(raw) && Edwards().fromBytes(raw).isTorsionFree(),
  x25519: (raw) => raw.length === 32 && KEYS.ed25519(toLittle(edwardsY(little(raw)))),
  p256: (raw) => decompressed(raw) !== null,
  secp256k1: (raw) => raw.length === 33 && Koblitz().fromBytes(raw) !== null,
  "mlkem768-x25519": (raw) => raw.length === 1184 + 32 && isLattice(raw.subarray(0, 1152)) && KEYS.x25519(raw.subarray(1184)),
};

// RFC 7748, 4.1: from Curve25519 to edwards25519, and back
function edwardsY(u) {
  if (u >= P - 1n) throw new RangeError("a twin of another key");
  const { Fp } = Edwards();
  return Fp.mul(Fp.sub(u, 1n), Fp.inv(Fp.add(u, 1n)));
}

function montgomeryU(raw) {
  const [y, { Fp }] = [little(plain(raw)), Edwards()];
  return toLittle(Fp.mul(Fp.add(1n, y), Fp.inv(Fp.sub(1n, y))));
}

// FIPS 203, 7.2: each 12 bits are a number below 3329
function isLattice(bytes) {
  for (let at = 0; at < bytes.length; at += 3) {
    if ((bytes[at] | ((bytes[at + 1] & 15) << 8)) >= 3329 || ((bytes[at + 1] >> 4) | (bytes[at + 2] << 4)) >= 3329) return false;
  }
  return true;
}

// What must differ between the keys of a document, as text: the secrets behind them are told by these.
export function secrets(algorithm, raw) {
  if (algorithm === "mlkem768-x25519") return [hex(raw.subarray(0, 1184)), hex(raw.subarray(1184))];
  if (algorithm === "ed25519") return [hex(montgomeryU(raw))];
  return [hex(algorithm === "x25519" ? raw : raw.subarray(1))];
}
