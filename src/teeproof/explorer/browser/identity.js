// An identity: a key document, and the machine that commits to it.
//     key document -> keyset -> D -> report_data of the quote

import { Refused, concat, equal, hex, named, parseNamed, sha256, utf8 } from "./bytes.js";
import { possesses } from "./curves.js";
import * as dstack from "./dstack.js";
import { canonical, isListOf, isMapOf, isObject, isText, shaped, strictJson } from "./json.js";
import { keysetOf, readKeys, signing } from "./keys.js";
import * as nitro from "./nitro.js";
import { row } from "./roots.js";
import * as snp from "./snp.js";
import { envelope, seal } from "./statements.js";
import * as tdx from "./tdx.js";

const MOST_RECORD = 512 * 1024; // as proof.identity has it
const MOST_NONCE = 256;
const PARTS = /^(quote|event_log|compose|mr_config|certificate|certificates|gpus|firmware_log|tpm|platform_key|collateral|(manifest|ocsp)\.(0|[1-9][0-9]{0,2}))$/;

// The bytes of identities/<digest>.json -> what it says; nothing is judged
export async function readIdentity(bytes) {
  if (bytes.length > MOST_RECORD) throw new Refused("an identity record that is too long");
  const record = strictJson(bytes, "an identity record");
  shaped(record, { attachments: isMapOf(isText), envelope: isObject }, "an identity record");
  const attached = Object.entries(record.attachments).sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, digest] of attached) {
    if (!PARTS.test(name)) throw new Refused("evidence with a part that there is not");
    parseNamed(digest);
  }
  const dsse = envelope(record.envelope);
  const statement = strictJson(dsse.payload, "an identity statement");
  const isOne = (type) => (value) => value === type;
  shaped(statement, { _type: isOne("https://in-toto.io/Statement/v1"), subject: Array.isArray, predicate: isObject, predicateType: isOne("urn:teeproof:identity:v1") }, "an identity statement");
  const claim = shaped(statement.predicate, { keys: isObject, evidence: isListOf(isObject), "nonce?": isText }, "an identity");
  if (claim.evidence.length !== 1) throw new Refused("an identity with another number of pieces of evidence than one");
  parseNamed(shaped(claim.evidence[0], { kind: isText, id: isText }, "an identity's evidence").id);
  if (Array.from(claim.nonce ?? "").length > MOST_NONCE) throw new Refused("a nonce that is too long");
  const keys = readKeys(claim.keys);
  const document = utf8(canonical(claim.keys));
  const digest = hex(await sha256(document));
  const subject = [{ digest: { sha256: digest }, name: `urn:teeproof:keys:sha256:${digest}` }];
  if (canonical(statement.subject) !== canonical(subject)) throw new Refused("an identity of another key document");
  return {
    id: named(await sha256(dsse.payload)),
    claim,
    keys,
    signed: dsse.signed,
    signatures: dsse.signatures,
    attachments: record.attachments,
    seal: await seal(...dsse.signatures, ...attached.map(([name, one]) => utf8(`${name}=${one}`))),
    keyset: await keysetOf(claim.keys, keys, document),
    key: (role) => keys.find((key) => key.role === role),
  };
}

// The digest to which a machine must commit, in 64 bytes
async function commitment({ keyset, claim }) {
  const committed = canonical({ keyset_digest: keyset, nonce: claim.nonce ?? null, purpose: "aci.report_data.v1" });
  return concat(await sha256(utf8(committed)), new Uint8Array(32));
}

// Rows [name, state, sentence] of an identity whose attachments' bytes are in `blobs`, as of a time:
// the one that a log vouches for, or, where `timed` is false, the visitor's own.
export async function judge(identity, blobs, { roots, time, timed }) {
  const rows = [await possession(identity), dates(identity.claim.keys, time, timed)];
  const lacking = Object.entries(identity.attachments).find(([, digest]) => !blobs.has(digest));
  if (lacking) return [...rows, ["evidence", "failed", `the ${lacking[0]} of the machine's evidence is not in the file`]];
  const part = (name) => blobs.get(identity.attachments[name]);
  const quote = part("quote");
  if (!quote) return [...rows, ["evidence", "failed", "there is no quote among the machine's evidence"]];
  const [evidence] = identity.claim.evidence;
  const [kind, vendor] = KINDS.find(([, { looksLike }]) => looksLike?.(quote)) ?? other(quote);
  if (!vendor) return [...rows, ["evidence", "not_checked", `evidence of the kind ${evidence.kind.slice(0, 40)} is not checked here: use the command`]];
  const found = await vendor.verify(quote, { certificates: part("certificates"), roots, time });
  rows.push(...found.rows);
  const beside = Object.keys(identity.attachments).filter((name) => BESIDE.test(name));
  if (beside.length) {
    rows.push(["evidence name", "not_checked", `the machine is named with its ${beside.join(", ")}, which is not checked here: use the command`]);
  } else {
    rows.push(row("evidence name", found.id === evidence.id && kind === evidence.kind, "it is the evidence that the identity names", "other evidence than the identity names"));
  }
  rows.push(row("key binding", equal(found.reportData, await commitment(identity)), "the machine commits to exactly these keys", "the machine commits to other keys"));
  if (found.registers) rows.push(...(await explain(rows, found.registers, part)));
  const explained = Object.keys(identity.attachments).filter((name) => (found.registers ? UNREAD : EXPLAINED).test(name));
  if (explained.length) rows.push(["what it measured", "not_checked", `whether ${explained.join(", ")} fits what was measured is not checked here: use the command`]);
  return rows;
}

// Rows on what a machine measured, once its quote holds.
async function explain(before, registers, part) {
  if (before.some(([, state]) => state === "failed")) return [["what it measured", "not_checked", "its evidence has failed already"]];
  return dstack.explain(registers, { log: part("event_log"), compose: part("compose"), config: part("mr_config") });
}

// Rows of evidence that came without an identity.
export async function judgeAlone(quote, { roots, time }) {
  const [kind, vendor] = KINDS.find(([, { looksLike }]) => looksLike?.(quote)) ?? other(quote);
  if (!vendor) throw new Refused("this is neither a proof file nor evidence that is read here: the command reads more kinds");
  if (vendor === snp) return [["evidence", "not_checked", "AMD's certificates lie in a file of their own: use the command, with both"]];
  const { rows } = await vendor.verify(quote, { roots, time });
  return [["kind", "passed", { tdx: "a quote of Intel TDX", sgx: "a quote of Intel SGX", nitro: "a document of AWS Nitro Enclaves" }[kind]], ...rows];
}

const KINDS = [["sev-snp", snp], ["nitro", nitro], ["tdx", tdx], ["sgx", tdx]];
const BESIDE = /^(gpus|tpm|manifest\.\d+|ocsp\.\d+)$/;
const UNREAD = /^(certificate|firmware_log|platform_key)$/;
const EXPLAINED = /^(event_log|compose|mr_config|certificate|firmware_log|platform_key)$/;

// As evidence.recognise: both of Intel's begin with their version; JSON and CBOR are of kinds that are not read.
function other(quote) {
  if (tdx.isSgx(quote)) return KINDS[3];
  const isTdx = (quote[0] === 4 || quote[0] === 5) && quote[1] === 0;
  return isTdx ? KINDS[2] : ["", null];
}

async function possession(identity) {
  const keys = signing(identity.keys);
  if (keys.length !== identity.signatures.length) return ["possession", "failed", "not every key signed the identity"];
  for (const [at, key] of keys.entries()) {
    if (!(await possesses(key, identity.signed, identity.signatures[at]))) return ["possession", "failed", `the ${key.role} key did not sign the identity`];
  }
  return ["possession", "passed", `${keys.length} signing keys signed the identity`];
}

const SKEW = 300; // seconds by which an honest machine's clock may be ahead
export const said = (time) => new Date(time * 1000).toISOString().replace(".000", "");

function dates({ not_before: begins, not_after: ends }, time, timed) {
  const words = `the keys are valid from ${said(begins)} until ${said(ends)}`;
  if (time < begins - SKEW) return ["dates of keys", "failed", `${words}, which is after ${timed ? "they were seen" : "now"}`];
  if (time <= ends) return ["dates of keys", "passed", words];
  if (!timed) return ["dates of keys", "not_checked", `${words}, and nothing says that they were used in time`];
  return ["dates of keys", "failed", `${words}, and were first seen afterwards`];
}

// A row on whether the keys of all who signed were valid when something was said.
export function expiry(signers, time, now) {
  const begins = Math.max(...signers.map(({ claim }) => claim.keys.not_before));
  const ends = Math.min(...signers.map(({ claim }) => claim.keys.not_after));
  const at = time ?? now;
  if (at < begins - SKEW) return ["dates of keys", "failed", `the keys were made at ${said(begins)}, after it was said`];
  if (at <= ends) return ["dates of keys", "passed", `said while the keys were valid: until ${said(ends)}`];
  return ["dates of keys", "failed", time === null
    ? `the keys ended at ${said(ends)}, and nothing says that it was said before`
    : `it was seen only after the keys had ended, at ${said(ends)}`];
}
