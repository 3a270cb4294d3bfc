// A TDX quote: signed by a key that Intel's quoting enclave vouches for, in a chain to a pinned root.
// What needs Intel's current word (TCB, revocation, dates) or your policy is not checked here.

import { Refused, equal, framed, hex, named, p256, sha256 } from "./bytes.js";
import { chain, signedBy } from "./x509.js";

// SHA-256 of the SubjectPublicKeyInfo of "Intel SGX Root CA".
export const INTEL_ROOT = "sha256:a0af031289f5d5d4132f9186068a7fc13628633ba235777472e29b6b6c67a49e";

const HEADER = 48;
const BODIES = { 2: 584, 3: 648 }; // TD report 1.0 and 1.5

export function parse(quote) {
  if (quote.length < HEADER + 584 + 4 || quote.length > 65536) throw new Refused("no TDX quote");
  const view = new DataView(quote.buffer, quote.byteOffset, quote.byteLength);
  const version = view.getUint16(0, true);
  if (view.getUint32(4, true) !== 0x81) throw new Refused("a quote that is not of TDX");
  if (view.getUint16(2, true) !== 2) throw new Refused("a quote of another kind of key than ECDSA P-256");
  let [start, size] = [HEADER, 584];
  if (version === 5) {
    size = view.getUint32(HEADER + 2, true);
    start = HEADER + 6;
    if (BODIES[view.getUint16(HEADER, true)] !== size) throw new Refused("a TD report of another size");
  } else if (version !== 4) {
    throw new Refused("a quote of another version than 4 or 5");
  }
  const end = start + size;
  const section = take(quote, end + 4, view.getUint32(end, true));
  return {
    signed: quote.subarray(0, end),
    debug: (quote[start + 120] & 1) === 1, // TDATTRIBUTES.TUD, bit 0
    mrtd: hex(quote.subarray(start + 136, start + 184)),
    reportData: quote.subarray(start + 520, start + 584),
    ...signatures(section),
  };
}

function signatures(section) {
  const view = new DataView(section.buffer, section.byteOffset, section.byteLength);
  if (section.length < 134 || view.getUint16(128, true) !== 6) throw new Refused("no certification by a quoting enclave");
  const inner = take(section, 134, view.getUint32(130, true));
  const reader = new DataView(inner.buffer, inner.byteOffset, inner.byteLength);
  if (inner.length < 450) throw new Refused("a certification that does not end");
  const authentication = take(inner, 450, reader.getUint16(448, true));
  const at = 450 + authentication.length;
  if (at + 6 > inner.length || reader.getUint16(at, true) !== 5) throw new Refused("no chain of certificates in the quote");
  return {
    signature: section.subarray(0, 64),
    attestationKey: section.subarray(64, 128),
    qeReport: inner.subarray(0, 384),
    qeSignature: inner.subarray(384, 448),
    authentication,
    pem: trimmed(take(inner, at + 6, reader.getUint32(at + 2, true))),
  };
}

function take(bytes, start, size) {
  if (start + size > bytes.length) throw new Refused("a part that does not end");
  return bytes.subarray(start, start + size);
}

function trimmed(pem) {
  let end = pem.length;
  while (end && pem[end - 1] === 0) end -= 1;
  return pem.subarray(0, end);
}

// What the quote is called: over the signed region, the attestation key and the leaf's TBSCertificate.
export const identity = async (quote, leaf) =>
  named(await framed("teeproof.evidence.tdx.v1", quote.signed, quote.attestationKey, leaf.tbs));

// quote -> { id, root, rows }: rows are [name, state, sentence]
export async function verify(quote, { roots }) {
  const [leaf, authority, root] = chain(quote.pem);
  if (!root) throw new Refused("a chain that is not of three certificates");
  const fingerprint = named(await sha256(root.spki));
  const signed = (await signedBy(leaf, authority)) && (await signedBy(authority, root)) && (await signedBy(root, root));
  const bound = await sha256(quote.attestationKey, quote.authentication);
  const report = quote.qeReport.subarray(320, 384);
  const named32 = equal(report.subarray(0, 32), bound) && report.subarray(32).every((byte) => byte === 0);
  const rows = [
    rootRow(fingerprint, roots, root.name),
    row("certificate chain", signed, `${root.name} signed ${authority.name}, which signed ${leaf.name}`,
      "a certificate was not signed by the one above it"),
    row("quoting enclave", await p256(leaf.point, quote.qeReport, quote.qeSignature),
      "the machine's key signed the report of its quoting enclave", "the machine's key did not sign this report"),
    row("attestation key", named32, "the quoting enclave names the key that signed the quote",
      "the quoting enclave names another key"),
    row("quote signature", await p256(quote.attestationKey, quote.signed, quote.signature),
      "that key signed what the machine measured", "the quote was changed after it was signed"),
  ];
  return { id: await identity(quote, leaf), root: fingerprint, rows };
}

function rootRow(fingerprint, roots, name) {
  if (fingerprint === INTEL_ROOT) return ["root", "passed", "Intel's root, which is built in here"];
  const detail = `${name}, ${fingerprint.slice(0, 23)}…`;
  if (roots.includes(fingerprint)) return ["root", "simulated", `SIMULATED: a root that you accept as such: ${detail}`];
  return ["root", "failed", `not Intel's root, and none that you accept: ${detail}`];
}

export const row = (name, holds, good, bad) => [name, holds ? "passed" : "failed", holds ? good : bad];
