// MRCONFIGID of a quote: what the host fixed about a dstack guest's application before it started.
//     1  the compose hash;  2  Keccak-256 of compose hash, app id and key provider
//     3  SHA-256 of a document that says more; it may pin what was measured
// The rules are those of teeproof.evidence.eventlog.mrconfig.

import { Refused, concat, equal, fromHex, isZero, sha256, utf8 } from "./bytes.js";
import { anyJson, isTextOrNull, shapedMap } from "./anyjson.js";
import { keccak256 } from "./curves.js";
import { isListOf, isText } from "./json.js";
import { row } from "./roots.js";

const MOST_BYTES = 64 << 10;
const PROVIDERS = { none: 0, "local-sgx": 1, kms: 2, tpm: 3 }; // dstack-types, key_provider_kind_byte
const EVENT_NAMES = { none: "none", local: "local-sgx", kms: "kms", tpm: "tpm" };
const FIELDS = {
  compose_hash: isText, key_provider: (value) => isText(value) && Object.hasOwn(EVENT_NAMES, value), "version?": (value) => value === 3n,
  "app_id?": isTextOrNull, "gpu_policy_hash?": isTextOrNull, "key_provider_id?": isTextOrNull, "instance_id?": isTextOrNull,
  "init_script_hashes?": (value) => value === null || isListOf(isText)(value),
};
const PINS = [["compose_hash", 32, "compose-hash"], ["app_id", 20, "app-id"], ["instance_id", 20, "instance-id"], ["gpu_policy_hash", 32, "gpu-policy-hash"]];

// Rows on 48 bytes of a quote; facts are of the event log, or null; compose and config bytes or undefined
export async function configured(mrConfigId, facts, compose, config) {
  const version = mrConfigId[0];
  if (config !== undefined && version !== 3) throw new Refused("a document is given, and MRCONFIGID fixes none");
  const expected = await fixedBy(version, facts, compose, config);
  if (expected === undefined) return isZero(mrConfigId) ? [] : [["configuration", "not_checked", "nothing in the file explains MRCONFIGID"]];
  const holds = expected !== null && equal(mrConfigId, expected);
  if (holds && version === 3) await requirePins(config, facts, compose);
  return [row("configuration", holds, "MRCONFIGID, which the host fixed before the start, is this application's", "MRCONFIGID is another application's")];
}

const fixing = (version, digest) => concat([version], digest, new Uint8Array(15));

// The 48 bytes that must be there; null where none fit, undefined where nothing says
async function fixedBy(version, facts, compose, config) {
  if (version === 3 && config !== undefined) return fixing(3, await sha256(utf8("dstack-mr-config-v3:\0"), config));
  if (version === 1 && facts === null && compose !== undefined) return fixing(1, await sha256(compose));
  if (facts === null || (version !== 1 && version !== 2)) return undefined;
  if (version === 1) return fixing(1, facts.of("compose-hash"));
  const { name, id } = facts.provider ?? { name: "" };
  if (!Object.hasOwn(PROVIDERS, name)) return null;
  return fixing(2, keccak256(facts.of("compose-hash"), facts.of("app-id"), [PROVIDERS[name]], id));
}

async function requirePins(bytes, facts, compose) {
  const document = shapedMap(anyJson(bytes, MOST_BYTES, "a configuration"), FIELDS, "a configuration");
  const pin = (name, size) => (isText(document.get(name)) ? fromHex(document.get(name), size) : undefined);
  const pins = PINS.map(([name, size, event]) => [name, pin(name, size), event]);
  const provider = pin("key_provider_id");
  const scripts = document.get("init_script_hashes")?.map((one) => fromHex(one, 32));
  const require = (name, holds) => {
    if (!holds) throw new Refused(`the configuration pins another ${name} than was measured`);
  };
  const is = (pinned, measured) => pinned === undefined || (measured !== undefined && equal(pinned, measured));
  if (facts === null) {
    require("compose_hash", compose === undefined || is(pins[0][1], await sha256(compose)));
    return;
  }
  require("key_provider", facts.provider?.name === EVENT_NAMES[document.get("key_provider")]);
  for (const [name, pinned, event] of pins) require(name, is(pinned, facts.of(event)));
  require("key_provider_id", is(provider, facts.provider?.id));
  require("init_script_hashes", !scripts || (scripts.length === facts.scripts.length && scripts.every((one, at) => equal(one, facts.scripts[at]))));
}
