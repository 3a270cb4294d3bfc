// An SEV-SNP report: signed by the key of one chip, or one that AMD lent to a cloud, in a chain to a
// pinned root. The rules are those of teeproof.evidence.sev_snp; revocation and your policy are not here.

import { Refused, concat, equal, framed, hex, isZero, named, text, view } from "./bytes.js";
import { p384 } from "./curves.js";
import { elements, only } from "./der.js";
import { AMD_ROOTS, datesRow, rootRow, row } from "./roots.js";
import { blocks, certificate, issued, signs } from "./x509.js";

// AMD 56860, table "ATTESTATION_REPORT"
const [SIZE, BODY, NUMBER] = [1184, 672, 72];
const SIGNERS = { 0: "VCEK", 1: "VLEK" };
const ARC = "2b060104019c7801"; // 1.3.6.1.4.1.3704.1; AMD 57230
const PARTS = { Milan: [1, 2, 4, 5, 6, 7, 3, 8], Genoa: [1, 2, 4, 5, 6, 7, 3, 8], Turin: [9, 1, 2, 3, 5, 6, 7, 8] };
const MODELS = { 0x19: [[0x00, 0x0f, "Milan"], [0x10, 0x1f, "Genoa"], [0xa0, 0xaf, "Genoa"]], 0x1a: [[0x00, 0x11, "Turin"]] };

export const looksLike = (bytes) => bytes.length === SIZE && [2, 3, 4, 5].includes(view(bytes).getUint32(0, true));

export function parse(bytes) {
  const fields = view(bytes);
  const version = fields.getUint32(0, true);
  const section = bytes.subarray(BODY);
  const numbers = [section.subarray(0, NUMBER), section.subarray(NUMBER, 2 * NUMBER)];
  if (fields.getUint32(0x34, true) !== 1) throw new Refused("a report that is signed in another way than by P-384");
  if (!numbers.every((number) => isZero(number.subarray(48))) || !isZero(section.subarray(2 * NUMBER))) throw new Refused("a report with bytes that nobody signed");
  return {
    version,
    signed: bytes.subarray(0, BODY),
    signature: concat(...numbers.map((number) => number.subarray(0, 48).toReversed())),
    debug: (bytes[0x0a] & 8) !== 0, // guest policy, bit 19
    signer: SIGNERS[(fields.getUint32(0x48, true) >> 2) & 7],
    reportData: bytes.subarray(0x50, 0x90),
    reported: bytes.subarray(0x180, 0x188),
    product: version < 3 ? undefined : (MODELS[bytes[0x188]] ?? []).find(([first, last]) => first <= bytes[0x189] && bytes[0x189] <= last)?.[2] ?? null,
    chip: bytes.subarray(0x1a0, 0x1e0),
  };
}

export const identity = async (report) => named(await framed("teeproof.evidence.sev-snp.v1", report.signed));

export async function verify(bytes, { certificates, roots, time }) {
  const report = parse(bytes);
  const { id, reportData } = { id: await identity(report), reportData: report.reportData };
  if (!certificates) return { id, reportData, rows: [["certificates", "failed", "AMD's certificates for its key are not in the file"]] };
  const path = await pathOf(certificates, report);
  const [leaf, authority, root] = path;
  const key = endorsement(leaf);
  const signed = authority !== root && !leaf.isCa && authority.isCa && root.isCa
    && (await issued(root, root)) && (await issued(authority, root)) && (await issued(leaf, authority)) && isNamed(path, key);
  const masked = isZero(report.chip);
  const rows = [
    await rootRow(root, { pinned: AMD_ROOTS, vendor: "AMD", accepted: roots }),
    row("certificate chain", signed, `${root.name} signed ${authority.name}, which signed ${leaf.name}`,
      "a certificate was not signed by the one above it, or is another product's"),
    datesRow(path, time),
    row("report signature", await p384(leaf.point, report.signed, report.signature), "that key signed what the machine measured",
      "the report was changed after it was signed, or another key signed it"),
    row("signing key", report.signer === key.kind, `${key.kind}: ${key.kind === "VCEK" ? "the chip's own key" : `a key that AMD lent to ${key.cloud}`}`,
      "the report names another kind of key than the certificate is for"),
    report.product === undefined
      ? ["product", "not_checked", "a report of version 2 does not say which processor made it"]
      : row("product", report.product === key.product, `made by a ${key.product} processor, which the key is for`, "made by another processor than the key is for"),
    row("reported TCB", equal(report.reported, key.tcb), "the key was derived for the firmware that the report claims", "the key was derived for other firmware than the report claims"),
  ];
  if (key.chip && !masked) rows.push(row("chip", equal(report.chip, key.chip), "the key is the one of the chip that the report names", "the certificate is another chip's"));
  else rows.push(["chip", "not_checked", key.chip ? "the host masked which chip it is" : "the key belongs to a cloud, and names no chip"]);
  rows.push(row("debug", !report.debug, "debug mode is off", "in debug mode, its host reads its memory, and these keys"));
  return { id, reportData, rows };
}

// PEM -> leaf, authority and root of this report: by their names, and who signed where several fit
async function pathOf(pem, report) {
  const found = [...new Map(blocks(pem).CERTIFICATE.map((der) => [hex(der), der])).values()].map(load);
  const leaves = found.filter(({ kind }) => kind === "p384");
  const leaf = leaves.length > 1 ? await ofReport(leaves, found, report) : leaves[0];
  const authority = leaf && (await issuerOf(leaf, found));
  const root = authority && (await issuerOf(authority, found));
  if (!root) throw new Refused("a certificate between AMD's root and the machine's key is not in the file");
  return [leaf, authority, root];
}

function load(der) {
  const one = certificate(der, "pss");
  const isLong = one.kind === "rsa" && is4096(one);
  if ((one.kind !== "p384" && !isLong) || one.serial[0] >= 0x80 || one.serial.length > 21) throw new Refused("a certificate that AMD does not make");
  return one;
}

function is4096({ spki }) {
  const bits = elements(only(spki, 0x30))[1].body.subarray(1);
  const [modulus] = elements(only(bits, 0x30));
  return modulus.body.length === 513 && modulus.body[0] === 0 && modulus.body[1] >= 0x80;
}

async function issuerOf(child, found) {
  const candidates = found.filter(({ subject }) => equal(subject, child.issuer));
  for (const one of candidates) if (one.kind === "rsa" && (await signs(one, child.tbs, child.signature))) return one;
  return candidates[0];
}

async function ofReport(leaves, found, report) {
  const claiming = leaves.filter((leaf) => fits(leaf, report));
  const held = [];
  for (const leaf of claiming) {
    const issuer = await issuerOf(leaf, found);
    if (issuer?.kind === "rsa" && (await issued(leaf, issuer))) held.push(leaf);
  }
  const fitting = held.length ? held : claiming;
  if (fitting.length !== 1) throw new Refused("certificates of several machines' keys");
  return fitting[0];
}

function fits(leaf, report) {
  try {
    const key = endorsement(leaf);
    const chip = report.signer !== "VCEK" || isZero(report.chip) || !key.chip || equal(key.chip, report.chip);
    return chip && key.kind === report.signer && equal(key.tcb, report.reported);
  } catch {
    return false;
  }
}

// What AMD writes into the certificate of an endorsement key
function endorsement({ extensions }) {
  const value = (arc) => extensions.get(ARC + arc)?.value;
  const words = (bytes) => {
    const found = text(only(bytes, 0x16));
    if (!/^[\x20-\x7e]{1,128}$/.test(found)) throw new Refused("a text of AMD's that is none");
    return found;
  };
  const [named_, chip, cloud] = [value("02"), value("04"), value("05")];
  if (!named_ || !chip === !cloud) throw new Refused("a key that is for no machine");
  const family = words(named_).split("-")[0];
  const product = { Siena: "Genoa" }[family] ?? family;
  if (!Object.hasOwn(PARTS, product)) throw new Refused("a product of AMD's that is not known here");
  return {
    kind: chip ? "VCEK" : "VLEK",
    product,
    tcb: Uint8Array.from(PARTS[product], (arc) => part(value(`03${hex([arc])}`))),
    chip: chip && chipId(chip, product === "Turin" ? 8 : 64),
    cloud: cloud && words(cloud),
  };
}

function part(value) {
  const digits = value && only(value, 2);
  const isOne = digits?.length === 1 && digits[0] < 0x80;
  const isTwo = digits?.length === 2 && digits[0] === 0 && digits[1] >= 0x80;
  if (!isOne && !isTwo) throw new Refused("a security version of AMD's that is none");
  return digits.at(-1);
}

// AMD writes it bare, and into some certificates as OCTET STRING; Turin's are shorter than a report's.
function chipId(value, size) {
  const bare = value.length === size + 2 && value[0] === 4 && value[1] === size ? value.subarray(2) : value;
  if (bare.length !== size) throw new Refused("a chip's name of another length");
  return concat(bare, new Uint8Array(64 - size));
}

function isNamed(path, { kind, product }) {
  const maker = path[2].isSimulated ? "SIMULATED " : "";
  const lent = kind === "VLEK" ? "VLEK-" : "";
  const names = [`SEV-${kind}`, `SEV-${lent}${product}`, `ARK-${product}`];
  return names.every((name, at) => path[at].name === maker + name);
}
