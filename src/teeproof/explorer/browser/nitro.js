// An attestation document of AWS Nitro Enclaves: COSE_Sign1, in a chain to the pinned root. The rules are
// those of teeproof.evidence.nitro; AWS has no revocation here, and your policy is not checked.

import { Refused, concat, framed, hex, isZero, named, sha256, utf8 } from "./bytes.js";
import { cbor, octets } from "./cbor.js";
import { p384 } from "./curves.js";
import { elements, only } from "./der.js";
import { AWS_NITRO_ROOT, datesRow, rootRow, row } from "./roots.js";
import { certificate, fingerprint, issued } from "./x509.js";

// SHA-256 of the one certificate of AWS's root
const G1 = "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b";
const HEADS = ["8444a1013822", "d28444a1013822"]; // a list of 4, {1: -35}
const MOST = 16384;
const LAST = 253402300799999; // of the year 9999, in milliseconds
const SKEW = 300; // seconds between the hypervisor's clock and whoever chose the time
const [BASIC, USAGE] = ["551d13", "551d0f"];

const isBytes = (least, most = 1024) => (value) => value instanceof Uint8Array && value.length >= least && value.length <= most;
const optional = (holds) => (value) => value === undefined || value === null || holds(value);
const FIELDS = {
  module_id: (value) => typeof value === "string" && Array.from(value).length > 0 && Array.from(value).length < 257,
  digest: (value) => value === "SHA384",
  timestamp: (value) => typeof value === "number" && value > 0 && value <= LAST,
  pcrs: (value) => value instanceof Map && value.has(0)
    && [...value].every(([at, pcr]) => Number.isInteger(at) && at >= 0 && at < 32 && pcr instanceof Uint8Array && [32, 48, 64].includes(pcr.length)),
  certificate: isBytes(1),
  cabundle: (value) => Array.isArray(value) && value.length > 0 && value.length <= 8 && value.every(isBytes(1)),
  public_key: optional(isBytes(1)),
  user_data: optional(isBytes(0)),
  nonce: optional(isBytes(0)),
};

export const looksLike = (bytes) => HEADS.some((head) => hex(bytes.subarray(0, head.length / 2)) === head);

export function parse(bytes) {
  if (bytes.length > MOST + 256) throw new Refused("a document that is too long");
  const outer = cbor(bytes, { tags: [18] });
  const message = outer?.tag === 18 ? outer.value : outer;
  if (!Array.isArray(message) || message.length !== 4) throw new Refused("no signed document");
  const [header, unsigned, payload, signature] = message;
  if (![header, payload, signature].every((part) => part instanceof Uint8Array)) throw new Refused("no signed document");
  if (!(unsigned instanceof Map) || unsigned.size || header.length > 1024 || signature.length !== 96 || payload.length > MOST) throw new Refused("a document with what nobody signed");
  const parameters = cbor(header);
  if (!(parameters instanceof Map) || parameters.get(1) !== -35 || [...parameters.keys()].some((key) => ![1, 3, 4].includes(key))) throw new Refused("a document that is signed in another way");
  const said = cbor(payload, { openMap: true });
  if (!(said instanceof Map) || [...said.keys()].some((name) => !Object.hasOwn(FIELDS, name))) throw new Refused("a document with other fields than it has");
  for (const [name, holds] of Object.entries(FIELDS)) if (!holds(said.get(name))) throw new Refused(`a document whose ${name} is of another form`);
  return { said, signature, signed: concat([0x84, 0x6a], utf8("Signature1"), octets(header), [0x40], octets(payload)) };
}

export const identity = async (document) => named(await framed("teeproof.evidence.nitro.v1", document.signed));

export async function verify(bytes, { roots, time }) {
  const document = parse(bytes);
  const { said } = document;
  const chain = [...said.get("cabundle"), said.get("certificate")].map(load);
  const [root, leaf] = [chain[0], chain.at(-1)];
  const own = Math.floor(said.get("timestamp") / 1000);
  const dated = chain.every(({ dates }) => dates[0] <= own && own <= dates[1]);
  const rows = [
    await rootRow(root, { pinned: [AWS_NITRO_ROOT], vendor: "AWS", accepted: roots }),
    row("certificate chain", await holds(chain), `${root.name} and ${chain.length - 2} authorities below it signed one another`,
      "a certificate was not signed by the one above it, or may not sign"),
    datesRow(chain, time),
    row("document time", dated && own <= time + SKEW, "made while its certificates were in force, by the machine's clock",
      "by its own time it was made while its certificates were not in force, or later than it was seen"),
    row("document signature", leaf.kind === "p384" && (await p384(leaf.point, document.signed, document.signature)),
      "the certified key signed the whole document", "the document was changed after it was signed"),
    row("debug", !isZero(said.get("pcrs").get(0)), "debug mode is off", "in debug mode, its parent instance reads its console"),
  ];
  const data = said.get("user_data") ?? new Uint8Array();
  const reportData = data.length === 32 ? concat(data, new Uint8Array(32)) : data;
  return { id: await identity(document), reportData, rows };
}

function load(der) {
  const one = certificate(der, "p384");
  const critical = [...one.extensions].filter(([, { isCritical }]) => isCritical).map(([name]) => name);
  if (one.kind !== "p384" || one.serial[0] >= 0x80 || isZero(one.serial)) throw new Refused("a certificate that AWS does not make");
  if (critical.some((name) => name !== BASIC && name !== USAGE)) throw new Refused("an extension that must be understood");
  return { ...one, ...constraints(one.extensions.get(BASIC)), usage: usage(one.extensions.get(USAGE)) };
}

function constraints(extension) {
  if (!extension) return { isAuthority: false, below: null };
  const parts = elements(only(extension.value, 0x30));
  const isAuthority = parts.length > 0 && hex(parts[0].raw) === "0101ff";
  const rest = parts.slice(isAuthority ? 1 : 0);
  if (rest.length > 1 || rest.some(({ tag, body }) => tag !== 2 || !body.length || body.length > 2 || body[0] >= 0x80)) throw new Refused("constraints of another form");
  const below = rest.length ? rest[0].body.reduce((sum, byte) => sum * 256 + byte, 0) : null;
  return { isAuthority: isAuthority && extension.isCritical, below };
}

function usage(extension) {
  if (!extension) return 0;
  const value = only(extension.value, 3);
  if (value.length < 2 || value.length > 3 || value[0] > 7) throw new Refused("a key usage of another form");
  return value[1];
}

const [SIGNS_DATA, SIGNS_CERTIFICATES] = [0x80, 0x04];

async function holds(chain) {
  const [root, leaf, authorities] = [chain[0], chain.at(-1), chain.slice(0, -1)];
  const isRoot = (await fingerprint(root)) === AWS_NITRO_ROOT ? hex(await sha256(root.der)) === G1 : await issued(root, root);
  const may = authorities.every(({ isAuthority, below, usage: use }, at) =>
    isAuthority && (use & SIGNS_CERTIFICATES) && (below === null || authorities.length - 1 - at <= below));
  const isLeaf = !leaf.isAuthority && leaf.below === null && (leaf.usage & SIGNS_DATA) && !(leaf.usage & SIGNS_CERTIFICATES);
  if (!isRoot || !may || !isLeaf) return false;
  for (const [at, authority] of authorities.entries()) if (!(await issued(chain[at + 1], authority))) return false;
  return true;
}
