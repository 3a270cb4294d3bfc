// What a dstack guest measured of its application: its event log, compose file and configuration, held
// against a quote's registers. The rules are those of teeproof.evidence.eventlog. What a guest measures
// counts for as much as its system image does, and which image you trust is for your policy to say.

import { Refused, equal, fromHex, hex, isZero, sha256 } from "./bytes.js";
import { anyJson, isTextOrNull } from "./anyjson.js";
import { isStripped, parse, replay, requirePayloads } from "./eventlog.js";
import { isListOf, isText } from "./json.js";
import { configured } from "./mrconfig.js";
import { row } from "./roots.js";

const READY = "system-ready"; // behind it the application speaks
// The system's events in dstack's order; equal ranks may swap (dstack-util, system_setup.rs).
const RANK = {
  "system-preparing": 0, "app-id": 1, "compose-hash": 2, "init-script-hash": 3, "gpu-policy-hash": 3, "gpu-attestation": 3,
  "instance-id": 4, "boot-mr-done": 5, "os-image-hash": 6, "key-provider": 7, "storage-fs": 8, [READY]: 9,
};
const LENGTHS = { "app-id": [20], "compose-hash": [32], "init-script-hash": [32], "gpu-policy-hash": [32], "instance-id": [0, 20], "os-image-hash": [32] };
const MOST_SCRIPTS = 5;
const [MOST_PROVIDER, MOST_COMPOSE] = [4096, 1 << 20];

const isKnown = (name) => Object.hasOwn(RANK, name);

// Rows on log, compose file and document (bytes, or undefined) of a quote { rtmrs, mrConfigId }
export async function explain({ rtmrs, mrConfigId }, { log, compose, config }) {
  const rows = [];
  const facts = log === undefined ? null : await held(rows, "event log", () => logged(rows, log, rtmrs));
  if (facts === undefined) return rows; // it failed, and nothing is taken from it
  if (compose !== undefined) await held(rows, "code", () => composed(rows, compose, facts, mrConfigId));
  await held(rows, "configuration", async () => rows.push(...(await configured(mrConfigId, facts, compose, config))));
  return rows;
}

async function held(rows, name, check) {
  try {
    return await check();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    rows.push([name, "failed", error.message]);
    return undefined;
  }
}

async function logged(rows, log, rtmrs) {
  const events = await parse(log);
  await requirePayloads(events);
  const wrong = (await replay(events)).flatMap((one, at) => (equal(one, rtmrs[at]) ? [] : [`RTMR${at}`]));
  const isPart = wrong.length > 0 && !wrong.includes("RTMR3") && isStripped(events);
  if (wrong.length && !isPart) throw new Refused(`it does not replay to ${wrong.join(", ")}: events are missing, added, reordered or changed`);
  const facts = factsOf(events);
  rows.push(["event log", "passed", isPart ? "event log replays to RTMR3" : "event log replays to RTMR0, RTMR1, RTMR2 and RTMR3"]);
  if (isPart) rows.push(["boot log", "not_checked", `events of firmware and kernel were left out: ${wrong.join(", ")} unexplained`]);
  if (facts === null) rows.push(["application", "not_checked", "no event says where the system ends and the application begins"]);
  return facts;
}

// What the events of RTMR3 establish; null where nothing marks where the application begins to speak
function factsOf(events) {
  const own = events.filter(({ imr }) => imr === 3);
  if (events.some(({ imr, isRuntime }) => isRuntime && imr !== 3)) throw new Refused("an event of dstack in another register than RTMR3");
  if (own.some(({ isRuntime }) => isRuntime) && !own.every(({ isRuntime }) => isRuntime)) throw new Refused("an event of RTMR3 that cannot be seen");
  const end = own.findIndex(({ name }) => name === READY) + 1;
  if (!end) return null;
  const system = own.slice(0, end);
  if (own.slice(end).some(({ name }) => isKnown(name))) throw new Refused("the application speaks in the system's name");
  return givenBy(system.filter(({ name }) => isKnown(name)));
}

function givenBy(system) {
  const found = new Map();
  const scripts = [];
  for (const [at, { name, payload }] of system.entries()) {
    if (name === "init-script-hash") scripts.push(payload);
    else if (found.has(name)) throw new Refused(`an event that is given twice: ${name}`);
    if (at && RANK[name] < RANK[system[at - 1].name]) throw new Refused("events in an order in which no dstack guest measures");
    if (Object.hasOwn(LENGTHS, name) && !LENGTHS[name].includes(payload.length)) throw new Refused(`an event of an impossible length: ${name}`);
    found.set(name, payload);
  }
  for (const name of ["app-id", "compose-hash", "instance-id"]) if (!found.has(name)) throw new Refused(`there is no event ${name}`);
  if (scripts.length > MOST_SCRIPTS) throw new Refused("more scripts than a dstack guest runs");
  const info = found.get("key-provider");
  return { of: (name) => found.get(name), scripts, provider: info === undefined ? null : provider(info) };
}

function provider(info) {
  const said = anyJson(info, MOST_PROVIDER, "a key provider");
  const [name, id] = said instanceof Map && said.size === 2 ? [said.get("name"), said.get("id")] : [];
  if (!isText(name) || !/^[a-z0-9-]{1,32}$/.test(name) || !isText(id)) throw new Refused("a key provider of another form");
  return { name, id: fromHex(id) };
}

const optional = (holds) => (value) => value === undefined || holds(value);

async function composed(rows, compose, facts, mrConfigId) {
  const fixed = mrConfigId[0] === 1 && isZero(mrConfigId.subarray(33)) ? mrConfigId.subarray(1, 33) : null;
  const measured = facts === null ? fixed : facts.of("compose-hash");
  if (measured === null) {
    rows.push(["code", "not_checked", "nothing verified says which compose file was measured"]);
    return;
  }
  const file = anyJson(compose, MOST_COMPOSE, "a compose file");
  const holds = file instanceof Map && isText(file.get("runner")) && optional(isText)(file.get("name"))
    && optional(isTextOrNull)(file.get("docker_compose_file")) && optional(isListOf(isText))(file.get("allowed_envs"));
  if (!holds) throw new Refused("a compose file of another form");
  const digest = await sha256(compose);
  rows.push(row("code", equal(digest, measured), `the machine measured this app-compose.json: SHA-256 ${hex(digest)}`,
    `another app-compose.json was measured: SHA-256 ${hex(measured)}`));
}
