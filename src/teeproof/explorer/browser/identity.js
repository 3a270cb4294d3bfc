// An identity: a key document, and the machine that commits to it.
//     key document -> keyset -> D -> report_data of the quote

import { Refused, canonical, concat, ed25519, equal, framed, fromBase64, fromHex, hex, named, only, p256, sha256, strictJson, utf8 } from "./bytes.js";
import * as tdx from "./tdx.js";

const IN_TOTO = "application/vnd.in-toto+json";
const MOST_PAYLOAD = 256 * 1024; // as proof.envelope and proof.identity have them
const MOST_RECORD = 512 * 1024;
const SIGNING = ["ed25519", "p256", "secp256k1"];
const PRIME = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n; // FIPS 186-5, P-256
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const P256_SPKI = fromHex("3059301306072a8648ce3d020106082a8648ce3d03010703420004");

// DSSE, protocol.md: what each signature is over
export function signedBytes(payload, type) {
  return concat(utf8(`DSSEv1 ${utf8(type).length} ${type} ${payload.length} `), payload);
}

export const seal = (...parts) => framed("teeproof.seal.v1", ...parts);

export function envelope(value) {
  only(value, ["payload", "payloadType", "signatures"], "an envelope");
  const payload = fromBase64(value.payload);
  if (value.payloadType !== IN_TOTO) throw new Refused("signed as something else than a statement");
  if (payload.length > MOST_PAYLOAD) throw new Refused("a statement that is too long");
  if (!value.signatures.length || value.signatures.length > 16) throw new Refused("no signature, or too many");
  const signatures = value.signatures.map((one) => fromBase64(only(one, ["keyid", "sig"], "a signature").sig));
  return { payload, signatures, signed: signedBytes(payload, value.payloadType) };
}

// The bytes of identities/<digest>.json -> what it says, and rows of what was checked of it
export async function readIdentity(bytes) {
  if (bytes.length > MOST_RECORD) throw new Refused("an identity record that is too long");
  const record = strictJson(bytes, "an identity record");
  only(record, ["attachments", "envelope"], "an identity record");
  const dsse = envelope(record.envelope);
  const statement = strictJson(dsse.payload, "an identity statement");
  if (statement.predicateType !== "urn:teeproof:identity:v1") throw new Refused("not an identity statement");
  const claim = statement.predicate;
  if (claim.evidence.length !== 1) throw new Refused("an identity with another number of pieces of evidence than one");
  const document = utf8(canonical(claim.keys));
  if (statement.subject?.[0]?.digest?.sha256 !== hex(await sha256(document))) {
    throw new Refused("an identity of another key document");
  }
  const attached = Object.entries(record.attachments).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    id: named(await sha256(dsse.payload)),
    claim,
    dsse,
    attachments: record.attachments,
    seal: await seal(...dsse.signatures, ...attached.map(([name, digest]) => utf8(`${name}=${digest}`))),
    keyset: named(await sha256(utf8(canonical(await keyset(claim.keys, document))))),
    key: (role) => claim.keys.keys.find((key) => key.role === role),
  };
}

// ACI's keyset, which the key document determines.
async function keyset(keys, document) {
  const of = (role) => keys.keys.filter((key) => key.role === role);
  return {
    subject: `urn:teeproof:keys:${named(await sha256(document))}`,
    not_after: keys.not_after,
    receipt_signing_keys: of("receipt").map((key) => ({ key_id: "receipt", algo: key.algorithm, public_key: key.public_key })),
    e2ee_public_keys: of("e2ee").map((key) => ({ key_id: "e2ee", algo: "x25519-aes-256-gcm-hkdf-sha256", public_key: key.public_key })),
    tls_public_keys: await Promise.all(of("tls").map(async (key) => {
      const spki = hex(await sha256(P256_SPKI, decompressed(fromHex(key.public_key, 33))));
      return key.domain === undefined ? { spki_sha256: spki } : { spki_sha256: spki, domain: key.domain };
    })),
  };
}

// Rows [name, state, sentence] of an identity whose attachments' bytes are in `blobs`.
export async function judge(identity, blobs, { roots }) {
  const rows = [await possession(identity)];
  const [evidence] = identity.claim.evidence;
  if (evidence.kind !== "tdx") {
    return [...rows, ["evidence", "not_checked", `evidence of the kind ${evidence.kind} is not checked here: use the command`]];
  }
  const bytes = blobs.get(identity.attachments.quote);
  if (!bytes) return [...rows, ["evidence", "failed", "the quote is not in the file"]];
  const quote = tdx.parse(bytes);
  const found = await tdx.verify(quote, { roots });
  const nonce = identity.claim.nonce ?? null;
  const committed = canonical({ keyset_digest: identity.keyset, nonce, purpose: "aci.report_data.v1" });
  const expected = concat(await sha256(utf8(committed)), new Uint8Array(32));
  rows.push(
    ...found.rows,
    tdx.row("evidence name", found.id === evidence.id, "it is the quote that the identity names", "another quote than the identity names"),
    tdx.row("key binding", equal(expected, quote.reportData), "the machine commits to exactly these keys", "the machine commits to other keys"),
    tdx.row("debug", !quote.debug, "its host cannot look into it", "in debug mode, its host reads its memory, and these keys"),
  );
  const others = Object.keys(identity.attachments).filter((name) => name === "gpus");
  if (others.length) rows.push(["GPUs", "not_checked", "evidence of GPUs is not checked here: use the command"]);
  return rows;
}

async function possession(identity) {
  const keys = identity.claim.keys.keys.filter((key) => SIGNING.includes(key.algorithm));
  const signatures = identity.dsse.signatures;
  if (keys.length !== signatures.length) return ["possession", "failed", "not every key signed the identity"];
  let unknown = 0;
  for (const [at, key] of keys.entries()) {
    if (key.algorithm === "secp256k1") unknown += 1;
    else if (!(await holds(key, identity.dsse.signed, signatures[at]))) {
      return ["possession", "failed", `the ${key.role} key did not sign the identity`];
    }
  }
  if (unknown) return ["possession", "not_checked", `${unknown} of ${keys.length} signing keys are of secp256k1, which is not checked here`];
  return ["possession", "passed", `${keys.length} signing keys signed the identity`];
}

async function holds(key, message, signature) {
  if (key.algorithm === "ed25519") return ed25519(fromHex(key.public_key, 32), message, signature);
  const low = signature.length === 64 && integer(signature.subarray(32)) <= ORDER / 2n;
  return low && p256(decompressed(fromHex(key.public_key, 33)), message, signature);
}

const integer = (bytes) => BigInt(`0x${hex(bytes) || "0"}`);

// SEC 1, 2.3.4: x and the parity of y -> x and y
function decompressed(point) {
  const x = integer(point.subarray(1));
  const square = (((x * x - 3n) * x + B) % PRIME + PRIME) % PRIME;
  let y = power(square, (PRIME + 1n) / 4n);
  if ((y * y) % PRIME !== square || x >= PRIME || (point[0] !== 2 && point[0] !== 3)) throw new Refused("a point that is on no curve");
  if (y % 2n !== BigInt(point[0] - 2)) y = PRIME - y;
  return fromHex(x.toString(16).padStart(64, "0") + y.toString(16).padStart(64, "0"));
}

function power(base, exponent) {
  let result = 1n;
  for (let [square, rest] = [base, exponent]; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % PRIME;
    square = (square * square) % PRIME;
  }
  return result;
}

