// A quote of Intel TDX, or of SGX (version 3): signed by a key that Intel's quoting enclave vouches for, in a
// chain to a pinned root. The two differ in the body that is signed, and in how the chain is wrapped.
// What needs Intel's current word (TCB, revocation) or your policy is not checked here.

import { Refused, equal, framed, hex, isZero, named, sha256, view } from "./bytes.js";
import { p256 } from "./curves.js";
import { INTEL_ROOT, datesRow, rootRow, row } from "./roots.js";
import { blocks, certificate, issued } from "./x509.js";

const HEADER = 48;
const BODIES = { 2: 584, 3: 648 }; // TD report 1.0 and 1.5
const SIGNED_LEAST = 64 + 64 + 384 + 64 + 8; // signature, key, the enclave's report and signature, two lengths
const INTEL_QE = "939a7233f79c4ca9940a0db3957f0607"; // who made the quoting enclave

const SGX_REPORT = 384; // Intel SGX SDK, sgx_report_body_t

export const isSgx = (quote) => quote[0] === 3 && quote[1] === 0; // its version

// An enclave's quote, by the layout of teeproof.evidence.sgx
export function parseSgx(quote) {
  const end = HEADER + SGX_REPORT;
  if (quote.length < end + 4 + SIGNED_LEAST || quote.length > 65536) throw new Refused("no SGX quote");
  const fields = view(quote);
  if (fields.getUint16(0, true) !== 3 || fields.getUint32(4, true) !== 0) throw new Refused("a quote that is not of SGX");
  const section = end + 4 + fields.getUint32(end, true);
  if (section > quote.length || section < end + 4 + SIGNED_LEAST) throw new Refused("a part that does not end");
  return {
    signed: quote.subarray(0, end),
    isIntels: fields.getUint16(2, true) === 2 && hex(quote.subarray(12, 28)) === INTEL_QE,
    debug: (quote[HEADER + 48] & 2) !== 0, // ATTRIBUTES.DEBUG
    reportData: quote.subarray(HEADER + 320, end),
    tail: quote.subarray(section),
    ...certified(quote.subarray(end + 4, section), 128),
  };
}

export function parse(quote) {
  if (quote.length < HEADER + 584 + 4 || quote.length > 65536) throw new Refused("no TDX quote");
  const fields = view(quote);
  const version = fields.getUint16(0, true);
  if (fields.getUint32(4, true) !== 0x81) throw new Refused("a quote that is not of TDX");
  let [start, size] = [HEADER, 584];
  if (version === 5) {
    size = fields.getUint32(HEADER + 2, true);
    start = HEADER + 6;
    if (BODIES[fields.getUint16(HEADER, true)] !== size) throw new Refused("a TD report of another size");
  } else if (version !== 4) {
    throw new Refused("a quote of another version than 4 or 5");
  }
  const end = start + size;
  if (end + 4 > quote.length) throw new Refused("a quote that does not end");
  const section = end + 4 + fields.getUint32(end, true);
  if (section > quote.length) throw new Refused("a part that does not end");
  return {
    signed: quote.subarray(0, end),
    isIntels: fields.getUint16(2, true) === 2 && hex(quote.subarray(12, 28)) === INTEL_QE,
    debug: quote[start + 120] !== 0, // TDATTRIBUTES.TUD: each of its bits opens the domain to its host
    mrtd: hex(quote.subarray(start + 136, start + 184)),
    mrConfigId: quote.subarray(start + 184, start + 232),
    rtmrs: [328, 376, 424, 472].map((at) => quote.subarray(start + at, start + at + 48)),
    reportData: quote.subarray(start + 520, start + 584),
    tail: quote.subarray(section),
    ...signatures(quote.subarray(end + 4, section)),
  };
}

// Every length must add up exactly.
function signatures(section) {
  const fields = view(section);
  if (section.length < 584 || fields.getUint16(128, true) !== 6 || fields.getUint32(130, true) !== section.length - 134) {
    throw new Refused("no certification by a quoting enclave");
  }
  return certified(section, 134);
}

// The quoting enclave's report from `start`, its signature, and the chain of certificates behind it
function certified(section, start) {
  const fields = view(section);
  const data = start + 450;
  const at = data + fields.getUint16(data - 2, true);
  if (at + 6 > section.length || fields.getUint16(at, true) !== 5 || fields.getUint32(at + 2, true) !== section.length - at - 6) {
    throw new Refused("no chain of certificates in the quote");
  }
  return {
    signature: section.subarray(0, 64),
    attestationKey: section.subarray(64, 128),
    qeReport: section.subarray(start, start + 384),
    qeSignature: section.subarray(start + 384, start + 448),
    authentication: section.subarray(data, at),
    pem: section.subarray(at + 6),
  };
}

// PEM -> leaf, authority and root
function chain(pem) {
  const found = blocks(pem);
  if (found.CERTIFICATE.length !== 3 || found["X509 CRL"].length || pem.length > 32768) throw new Refused("a chain that is not of three certificates");
  return found.CERTIFICATE.map((der) => {
    const one = certificate(der, "p256");
    if (one.kind !== "p256" || one.serial[0] >= 0x80 || isZero(one.serial)) throw new Refused("a certificate that Intel does not make");
    return one;
  });
}

// What the quote is called: over the signed region, the attestation key and the leaf's TBSCertificate.
export const identity = async (quote, leaf, kind = "tdx") =>
  named(await framed(`teeproof.evidence.${kind}.v1`, quote.signed, quote.attestationKey, leaf.tbs));

// A quote's bytes -> { id, reportData, rows }: rows are [name, state, sentence]
export async function verify(bytes, { roots, time }) {
  const sgx = isSgx(bytes);
  const quote = sgx ? parseSgx(bytes) : parse(bytes);
  const [leaf, authority, root] = chain(quote.pem);
  const signed = authority.isCa && root.isCa && (await issued(leaf, authority)) && (await issued(authority, root)) && (await issued(root, root));
  const isLeaf = leaf.name.includes("SGX PCK Certificate") && !leaf.claimsCa;
  const bound = await sha256(quote.attestationKey, quote.authentication);
  const rows = [
    await rootRow(root, { pinned: [INTEL_ROOT], vendor: "Intel", accepted: sgx ? [] : roots }), // SGX has no simulator
    row("certificate chain", signed && isLeaf, `${root.name} signed ${authority.name}, which signed ${leaf.name}`,
      "a certificate was not signed by the one above it, or was made for something else"),
    datesRow([leaf, authority, root], time),
    row("quoting enclave", quote.isIntels && (await p256(leaf.point, quote.qeReport, quote.qeSignature)),
      "the machine's key signed the report of its quoting enclave", "the machine's key did not sign this report"),
    row("attestation key", equal(quote.qeReport.subarray(320, 352), bound), "the quoting enclave names the key that signed the quote",
      "the quoting enclave names another key"),
    row("quote signature", await p256(quote.attestationKey, quote.signed, quote.signature),
      "that key signed what the machine measured", "the quote was changed after it was signed"),
  ];
  if (!isZero(quote.tail)) rows.push(["quote tail", "not_checked", `${quote.tail.length} bytes behind the signature, which nobody signed`]);
  rows.push(row("debug", !quote.debug, "debug mode is off", "in debug mode, its host reads its memory, and these keys"));
  const id = await identity(quote, leaf, sgx ? "sgx" : "tdx");
  return { id, reportData: quote.reportData, rows, registers: sgx ? undefined : quote };
}
