// Statements and receipts, read: who says what of which outputs and inputs. Nothing is judged here.
// The rules are those of teeproof.proof.envelope, statement, receipt and foreign.

import { Refused, concat, framed, fromBase64, fromHex, named, parseNamed, sha256, utf8 } from "./bytes.js";
import { isKnown, isPredicate } from "./forms.js";
import { canonical, isListOf, isMapOf, isObject, isText, shaped, strictJson } from "./json.js";

const IN_TOTO = "application/vnd.in-toto+json";
const STATEMENT = "https://in-toto.io/Statement/v1";
const OURS = "urn:teeproof:";
const MOST_PAYLOAD = 256 * 1024; // as proof.envelope has it
const MOST_RECEIPT = 256 * 1024;
const MOST_SIGNATURE = 8192;
const MOST_EVENTS = 4096;
const DIGESTS = { sha256: 64, sha384: 96, sha512: 128, blake3: 64, gitCommit: 40 };
const BODIES = { "request.received": 1, "request.forwarded": 2, "response.returned": 3 };

export const seal = (...parts) => framed("teeproof.seal.v1", ...parts);

// DSSE, protocol.md: what each signature is over
export function signedBytes(payload, type) {
  return concat(utf8(`DSSEv1 ${utf8(type).length} ${type} ${payload.length} `), payload);
}

export function envelope(value) {
  shaped(value, { payload: isText, payloadType: isText, signatures: isListOf(isObject) }, "an envelope");
  const payload = fromBase64(value.payload);
  if (value.payloadType !== IN_TOTO) throw new Refused("signed as something else than a statement");
  if (payload.length > MOST_PAYLOAD) throw new Refused("a statement that is too long");
  if (!value.signatures.length || value.signatures.length > 16) throw new Refused("no signature, or too many");
  const signatures = value.signatures.map((one) => fromBase64(shaped(one, { keyid: isText, sig: isText }, "a signature").sig));
  if (signatures.some(({ length }) => !length || length > MOST_SIGNATURE)) throw new Refused("a signature of an unusual length");
  return { payload, signatures, signed: signedBytes(payload, value.payloadType) };
}

// A member's bytes -> a statement or a receipt
export async function readStatement(bytes) {
  const value = strictJson(bytes, "a statement");
  if (!isObject(value)) throw new Refused("neither a statement nor a receipt");
  if (Object.hasOwn(value, "payload")) return statement(envelope(value));
  if (Object.hasOwn(value, "attachments") || !Object.hasOwn(value, "event_log")) throw new Refused("neither a statement nor a receipt");
  if (bytes.length > MOST_RECEIPT) throw new Refused("a receipt that is too long");
  return receipt(value);
}

async function receipt({ signature, ...body }) {
  requireAscii(body);
  const events = body.event_log;
  if (body.api_version !== "aci/1" || !isText(body.key_id) || !isListOf(isObject)(events)) throw new Refused("a receipt of another form");
  parseNamed(body.workload_keyset_digest);
  if (!events.length || events.length > MOST_EVENTS || events[0].type !== "request.received") throw new Refused("a receipt that does not begin with a request");
  if (!events.every(({ type }) => isText(type))) throw new Refused("an event of another form");
  const bodies = events.filter(({ type }) => Object.hasOwn(BODIES, type));
  if (new Set(bodies.map(({ type }) => type)).size !== bodies.length) throw new Refused("two events of one type");
  bodies.forEach((event) => parseNamed(event.body_hash));
  const links = events.filter(({ type }) => type === "x.model" || type === "x.links");
  const signed = utf8(canonical(body));
  const raw = fromHex(signature, 64);
  return {
    id: named(await sha256(signed)),
    title: "answer",
    body,
    kind: 2,
    type: "aci/1",
    known: true,
    signed,
    signatures: [raw],
    keyId: body.key_id,
    seal: await seal(raw),
    keyset: body.workload_keyset_digest,
    author: null,
    cosigners: [],
    outputs: new Set(bodies.map((event) => event.body_hash)),
    outside: 0,
    inputs: links.map((event) => link(event.type === "x.model" ? "model" : event.role, event.digest, event.statement ?? undefined)),
  };
}

// Names beyond ASCII are sorted by some in another way than by us.
function requireAscii(value) {
  if (Array.isArray(value)) value.forEach(requireAscii);
  else if (isObject(value)) {
    for (const [name, inner] of Object.entries(value)) {
      if (!/^[\x00-\x7f]*$/.test(name)) throw new Refused("a receipt with a name beyond ASCII");
      requireAscii(inner);
    }
  }
}

function link(role, digest, parent) {
  if (!isText(role) || !role) throw new Refused("an input without a role");
  parseNamed(digest);
  if (parent !== undefined) parseNamed(parent);
  return { role, digest, statement: parent };
}

async function statement(dsse) {
  const body = strictJson(dsse.payload, "a statement");
  shaped(body, { _type: (value) => value === STATEMENT, subject: isListOf(isObject), predicateType: isText, predicate: () => true }, "a statement");
  const { predicate, predicateType: type } = body;
  if (!body.subject.length) throw new Refused("a statement of nothing");
  body.subject.forEach((subject) => described(subject, {}));
  const ours = type.startsWith(OURS);
  if (isKnown(type) && !isPredicate(type, predicate)) throw new Refused(`a statement of ${type} with another form than it has`);
  const { author, cosigners, inputs, outside } = ours ? own(predicate) : foreign(type, predicate);
  return {
    id: named(await sha256(dsse.payload)),
    title: (type === "urn:teeproof:step:v1" ? predicate.step : type.split(":").at(-2))?.slice(0, 80) ?? "statement",
    body,
    kind: 1,
    type,
    known: isKnown(type),
    signed: dsse.signed,
    signatures: dsse.signatures,
    seal: await seal(...dsse.signatures.slice(0, 1 + cosigners.length)),
    keyset: null,
    author,
    cosigners,
    outputs: new Set(body.subject.map(({ digest }) => `sha256:${digest.sha256}`)),
    outside,
    inputs,
  };
}

const FEW = { "name?": isText, "uri?": isText, "mediaType?": isText };

function described(value, further) {
  shaped(value, { digest: isMapOf(isText), ...FEW, ...further }, "an output or input");
  digests(value.digest);
  if (!Object.hasOwn(value.digest, "sha256")) throw new Refused("an output or input without a SHA-256");
}

function digests(found) {
  for (const [algorithm, digits] of Object.entries(found)) {
    const size = Object.hasOwn(DIGESTS, algorithm) ? DIGESTS[algorithm] : digits.length;
    if (digits.length !== size || !/^[0-9a-f]*$/.test(digits)) throw new Refused("a digest that is none");
  }
}

// What every predicate of ours begins with
function own(predicate) {
  if (!isObject(predicate)) throw new Refused("a predicate of another form");
  const { author, cosigners = [], materials = [] } = predicate;
  if (!isListOf(isText)(cosigners) || !isListOf(isObject)(materials)) throw new Refused("a predicate of another form");
  [author, ...cosigners].forEach(parseNamed);
  if (cosigners.length > 15 || new Set([author, ...cosigners]).size !== cosigners.length + 1) throw new Refused("somebody who signs twice, or too many");
  const inputs = materials.map((one) => {
    described(one, { role: isText, "statement?": isText });
    return link(one.role, `sha256:${one.digest.sha256}`, one.statement);
  });
  return { author, cosigners, inputs, outside: 0 };
}

// SLSA provenance v1, and its verification summary v1
const FOREIGN = {
  "https://slsa.dev/provenance/v1": ["dependency", ["runDetails", "builder", "id"], ["buildDefinition", "resolvedDependencies"]],
  "https://slsa.dev/verification_summary/v1": ["attestation", ["verifier", "id"], ["inputAttestations"]],
};
const IDENTITY_URN = "urn:teeproof:identity:";
const STATEMENT_URN = "urn:teeproof:statement:";

function foreign(type, predicate) {
  const found = { author: null, cosigners: [], inputs: [], outside: 0 };
  if (!Object.hasOwn(FOREIGN, type)) return found;
  const at = (path) => path.reduce((value, name) => (isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined), predicate);
  const [role, who, what] = FOREIGN[type];
  const [name, given] = [at(who), at(what) ?? []];
  if (isText(name) && name.startsWith(IDENTITY_URN)) found.author = name.slice(IDENTITY_URN.length);
  if (found.author !== null) parseNamed(found.author);
  if (!Array.isArray(given)) throw new Refused("inputs of another form");
  for (const input of given) {
    if (!isObject(input)) throw new Refused("an input without a digest");
    const { digest = {}, uri } = input;
    const joined = isText(uri) && uri.startsWith(STATEMENT_URN);
    if (!isMapOf(isText)(digest)) throw new Refused("an input without a digest");
    digests(digest);
    if (joined || Object.hasOwn(digest, "sha256")) {
      if (!digest.sha256) throw new Refused("an input without a digest");
      found.inputs.push(link(role, `sha256:${digest.sha256}`, joined ? uri.slice(STATEMENT_URN.length) : undefined));
    } else if (isText(uri) || Object.keys(digest).length) {
      found.outside += 1;
    } else {
      throw new Refused("an input without a digest");
    }
  }
  return found;
}
