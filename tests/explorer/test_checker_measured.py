"""What a dstack guest measured, in the browser's checker: it says what the command says."""

from __future__ import annotations

import json
import random
from typing import Any, NamedTuple

import pytest

from teeproof.evidence import eventlog
from teeproof.evidence.eventlog.mrconfig import mrconfigid_v3
from teeproof.evidence.tdx import quote as tdx_quote
from tests.evidence.eventlog import logs
from tests.evidence.eventlog.test_mrconfig import V1, V2, V3, document
from tests.explorer.checking import results

MUTATIONS = 400

HARNESS = """
const results = [];
const bytes = (digits) => (digits === null ? undefined : $bytes.fromHex(digits));
for (const given of JSON.parse(document.getElementById("trust").textContent)) {
  const quote = { rtmrs: given.rtmrs.map(bytes), mrConfigId: bytes(given.mrconfigid) };
  const [log, compose, config] = [given.log, given.compose, given.config].map(bytes);
  try {
    results.push(await $dstack.explain(quote, { log, compose, config }));
  } catch (error) {
    results.push([[error.constructor.name, "failed", error.message]]);
  }
}
document.getElementById("out").textContent = JSON.stringify(results);
"""


class Case(NamedTuple):
    """What a quote holds, and what was handed over beside it."""

    log: bytes | None
    rtmrs: tuple[bytes, ...]
    mrconfigid: bytes = bytes(48)
    compose: bytes | None = None
    config: bytes | None = None

    def told(self) -> dict[str, Any]:
        def digits(data: bytes | None) -> str | None:
            return None if data is None else data.hex()

        fields = {name: digits(getattr(self, name)) for name in ("log", "compose", "config")}
        registers = [one.hex() for one in self.rtmrs]
        return fields | {"rtmrs": registers, "mrconfigid": self.mrconfigid.hex()}


def command(case: Case) -> dict[str, str]:
    """What the command finds, by the names of the browser's rows."""
    checks, _ = eventlog.verify(
        case.log, rtmrs=case.rtmrs, mrconfigid=case.mrconfigid, compose=case.compose,
        mr_config=case.config,
    )  # fmt: skip
    states = {check.name: check.state for check in checks}
    if "failed" in [check.state for check in checks[:4]]:
        return {"event log": "failed"}
    found = {"code": states["compose"], "configuration": states["mrconfigid"]}
    if case.log is not None:
        found["event log"] = "passed"
        if states["event-log-replay"] == "not_checked":
            found["boot log"] = "not_checked"
        if states["event-log-order"] == "not_checked":
            found["application"] = "not_checked"
    return {name: state for name, state in found.items() if said(name, state, case)}


def said(name: str, state: str, case: Case) -> bool:
    """Whether the browser has a row on it: none on what was not given."""
    if name == "code":
        return case.compose is not None
    return name != "configuration" or state != "not_checked" or any(case.mrconfigid)


def browser(folder, cases: list[Case]) -> list[list[tuple[str, str, str]]]:
    return results(folder, HARNESS, [], [case.told() for case in cases])


def agree(folder, cases: list[Case]) -> list[dict[str, str]]:
    expected = [command(case) for case in cases]
    told = browser(folder, cases)
    for number, (one, rows) in enumerate(zip(expected, told, strict=True)):
        states = {name: state for name, state, _ in rows}
        assert states == one, f"case {number}: {rows}"
        assert len(rows) == len(states)
    return expected


def made(log: logs.Log, **more: Any) -> Case:
    return Case(logs.encode(log), logs.rtmrs(log), **more)


@pytest.fixture(params=["dstack-quote-report", "dstack-tdx-lite"])
def real(request, vectors):
    folder = vectors / "dcap" / request.param
    body = tdx_quote.parse((folder / "quote.bin").read_bytes()).body
    log = (folder / "event_log.json").read_bytes()
    return Case(log, body.rtmrs, mrconfigid=body.mrconfigid)


def test_a_real_log_replays_and_its_compose_hash_is_the_configurations(tmp_path, real):
    (rows,) = browser(tmp_path, [real])
    assert rows[0][:2] == ["event log", "passed"]
    assert rows[0][2].endswith("RTMR0, RTMR1, RTMR2 and RTMR3")
    agree(tmp_path, [real])


def test_host_changes_one_digit_of_a_real_log_anywhere(tmp_path, real):
    cases = {}
    for at, event in enumerate(json.loads(real.log)):
        for field in ("digest", "event_payload"):
            if event[field]:
                changed = json.loads(real.log)
                digits = event[field]
                changed[at][field] = digits[:-1] + ("0" if digits[-1] != "0" else "1")
                cases[at, field] = real._replace(log=json.dumps(changed).encode())
    expected = dict(zip(cases, agree(tmp_path, list(cases.values())), strict=True))
    measured = {i for i, event in enumerate(json.loads(real.log)) if event["imr"] == 3}
    for (at, field), found in expected.items():  # no digest covers what the firmware says of some
        if field == "digest" or at in measured:
            assert found == {"event log": "failed"}, (at, field)


def test_the_page_says_which_code_ran(tmp_path):
    case = made(logs.whole(), compose=logs.COMPOSE)
    (rows,) = browser(tmp_path, [case])
    assert rows[1][:2] == ["code", "passed"]
    assert logs.COMPOSE_HASH.hex() in rows[1][2]


def test_host_hands_over_another_compose_file_by_one_byte(tmp_path):
    twin = made(logs.whole(), compose=logs.COMPOSE.replace(b'"app"', b'"apq"'))
    (rows,) = browser(tmp_path, [twin])
    assert rows[1][:2] == ["code", "failed"]


def stripped() -> Case:
    log = logs.whole()
    return Case(logs.encode([one for one in log if one["imr"] == 3]), logs.rtmrs(log))


def with_events(*events: dict[str, Any], before: str | None = None) -> Case:
    log = logs.whole()
    at = len(log) if before is None else logs.place(log, before)
    log[at:at] = events
    return made(log)


def without(name: str) -> Case:
    return made([event for event in logs.whole() if event["event"] != name])


def written(text: bytes) -> Case:
    return Case(text, logs.rtmrs([]))


def each_log() -> dict[str, Case]:
    whole, second = logs.whole(), logs.whole(logs.v2)
    swapped = logs.whole()
    at = logs.place(swapped, "app-id")
    swapped[at], swapped[at + 1] = swapped[at + 1], swapped[at]
    true = Case(logs.encode(whole), logs.rtmrs(whole))
    plain = logs.v1("a", b"b")
    return {
        "whole": true,
        "of version 2": made(second),
        "of version 2 without its preimage": made(
            [{k: v for k, v in one.items() if k != "preimage"} for one in second]
        ),
        "only RTMR3": stripped(),
        "none": Case(None, logs.rtmrs(whole)),
        "of another machine": Case(true.log, logs.rtmrs(whole[:-1])),
        "no application yet": made(whole[:-1]),
        "no dstack": made(logs.early()),
        "swapped": made(swapped),
        "without an app id": without("app-id"),
        "without a key provider": without("key-provider"),
        "an app's event": with_events(logs.v1("mine", b"x")),
        "an app's event in the system's name": with_events(logs.v1("app-id", logs.APP_ID)),
        "an event twice": with_events(logs.v1("app-id", logs.APP_ID), before="compose-hash"),
        "an event of no rank": with_events(logs.v1("more", b"x"), before="compose-hash"),
        "an event that is a prototype's": with_events(logs.v1("constructor"), before="app-id"),
        "an event in another register": with_events(logs.v1("x", imr=2), before="app-id"),
        "a hidden event": with_events(logs.boot(3, 6, b"x"), before="app-id"),
        "a short app id": with_events(logs.v1("app-id", b"x"), before="app-id"),
        "five scripts": with_events(
            *[logs.v1("init-script-hash", bytes([n]) * 32) for n in range(5)], before="instance-id"
        ),
        "six scripts": with_events(
            *[logs.v1("init-script-hash", bytes([n]) * 32) for n in range(6)], before="instance-id"
        ),
        "a variable": with_events(
            logs.boot(0, 0x80000002, logs.variable("Boot0000"), digest=sha384(b"\1")),
            before="system-preparing",
        ),
        "a variable of other data": with_events(
            logs.boot(0, 0x80000002, logs.variable("Boot0000", b"\2"), digest=sha384(b"\1")),
            before="system-preparing",
        ),
        "no list": written(b"{}"),
        "empty": written(b""),
        "an empty list": written(b"[]"),
        "a number": written(b"[1]"),
        "4,096 events": made([plain] * 4096),
        "4,097 events": made([plain] * 4097),
    } | {
        f"spelling {number}": Case(text, logs.rtmrs([plain]))
        for number, text in enumerate(spellings(logs.encode([plain]).decode()))
    }  # fmt: skip


def sha384(data: bytes) -> bytes:
    return bytes.fromhex(logs.boot(0, 0, data)["digest"])


def spellings(plain: str) -> list[bytes]:
    register, name, payload, end = '"imr":3', '"event":"a"', '"event_payload":"62"', "}]"
    changes = {
        register: [
            "3.0", "3e0", '"3"', "4", "-1", "true", '3,"imr":3', '2,"\\u0069mr":3', "-0",
            "9" * 5000, "1e999", "NaN", "03", "[3]", f"{'[' * 70}{']' * 70}",
        ],
        name: [
            '""', '"a:b"', r'"\n"', r'"\u007f"', r'"\ud800"', f'"{"a" * 257}"', "null", r'"\u0061"',
        ],
        payload: ['"6"', '"6A"', '"6 2"', "62"],
        end: [
            '"version":1', '"version":2', '"version":3', '"version":null', '"version":1.0',
            '"preimage":null', '"preimage":"61"', '"more":1', '"__proto__":1',
        ],
    }  # fmt: skip
    changed = [(old, f"{old.partition(':')[0]}:{new}") for old in changes for new in changes[old]]
    changed = [
        (old, new.replace(f"{end}:", ",") + (end if old == end else "")) for old, new in changed
    ]
    changed += [
        (end, "}] "), (end, "}],"), (end, "}]x"), (end, "},]"), (end, "}]\0"), ("[{", "\ufeff[{"),
        ("[{", " [\n{ "), ("[{", "[" * 65 + "{"), (f"{register},", ""), ("134217729", "4294967296"),
    ]  # fmt: skip
    return [plain.replace(old, new).encode() for old, new in changed] + [b'["\xff"]']


def test_host_writes_logs_of_every_kind(tmp_path):
    cases = each_log()
    expected = dict(zip(cases, agree(tmp_path, list(cases.values())), strict=True))
    assert expected["whole"]["event log"] == "passed"
    assert expected["only RTMR3"]["boot log"] == "not_checked"
    assert expected["an event of no rank"]["event log"] == "passed"
    assert sum(one == {"event log": "failed"} for one in expected.values()) > len(cases) / 2


def test_a_name_beyond_ascii_leaves_it_open_and_never_holds(tmp_path):
    (rows,) = browser(tmp_path, [with_events(logs.v1("é", b"x"))])
    assert rows[0][0] == "Unable"


def test_host_fixes_a_configuration_in_each_of_its_forms(tmp_path):
    own = document()
    pinning = [
        document(**field)
        for field in (
            {"app_id": "66" * 20}, {"compose_hash": "66" * 32}, {"instance_id": "66" * 20},
            {"key_provider": "tpm"}, {"key_provider": ["kms"]}, {"key_provider_id": "66"},
            {"gpu_policy_hash": "66" * 32}, {"init_script_hashes": ["66" * 32]},
            {"init_script_hashes": []}, {"init_script_hashes": None}, {"app_id": None},
            {"app_id": "AB"}, {"version": 2}, {"version": 3.0}, {"version": None}, {"more": 1},
            {"compose_hash": None},
        )
    ]  # fmt: skip
    cases = []
    for value in (
        V1,
        V2,
        V3,
        V1[:-1] + b"\1",
        V2[:5] + b"\0" + V2[6:],
        b"\4" + bytes(47),
        b"\2" * 48,
    ):
        for log in (logs.encode(logs.whole()), None):
            for compose in (logs.COMPOSE, logs.COMPOSE + b" ", b"[]", b'{"runner":1}', None):
                for config in (own, None):
                    cases.append(Case(log, logs.rtmrs(logs.whole()), value, compose, config))
    for config in pinning:
        for log in (logs.encode(logs.whole()), None):
            fixed = mrconfigid_v3(config)
            cases.append(Case(log, logs.rtmrs(logs.whole()), fixed, logs.COMPOSE, config))
    expected = agree(tmp_path, cases)
    states = [one.get("configuration") for one in expected]
    assert {"passed", "failed", "not_checked"} <= set(states)


def test_host_changes_logs_at_random_and_both_say_the_same(tmp_path):
    drawn = random.Random(2026)
    plain = logs.encode(logs.whole())
    registers = logs.rtmrs(logs.whole())
    cases = []
    for _ in range(MUTATIONS):
        at = drawn.randrange(len(plain))
        change = drawn.choice(
            (b"", plain[at : at + 1] * 2, bytes([drawn.choice(b'0a"{}[],:1 \\\x80')]))
        )
        cases.append(Case(plain[:at] + change + plain[at + 1 :], registers))
    expected = agree(tmp_path, cases)
    assert sum(one == {"event log": "failed"} for one in expected) > MUTATIONS * 0.8
