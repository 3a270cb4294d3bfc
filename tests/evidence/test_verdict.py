"""Verdicts: what they say survives JSON, and none is replayed for something else."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core import strictjson
from teeproof.core.errors import Error, Malformed, NotAuthentic, TooLarge
from teeproof.evidence.policy import Policy
from teeproof.evidence.verdict import (
    MAX_VERDICT_BYTES,
    Check,
    Concern,
    Verdict,
    failed,
    not_checked,
    passed,
    summary,
)
from tests.evidence.scenes import judge, opt_in, state

GOOD = judge()
replace = msgspec.structs.replace
_CONCERNS: tuple[Concern, ...] = ("authenticity", "availability", "policy")


def _with(*checks: Check) -> Verdict:
    return replace(GOOD, checks=checks, level="hardware")


def _failed(concern: Concern) -> Check:
    return failed("a-check", "a_code", "A sentence.", concern, expected="this", got="that")


@pytest.mark.parametrize(
    "name", ["up-to-date", "debug", "revoked", "collateral-missing", "impostor-root", "event-twice"]
)
def test_a_verdict_is_the_same_after_json_and_back(name: str) -> None:
    verdict = judge(state(name))
    text = strictjson.dumps(verdict.to_json())
    again = Verdict.from_json(text)
    assert again == verdict
    assert again.key == verdict.key
    body = json.loads(text)
    assert body["type"] == "urn:teeproof:verdict:v1"
    assert (body["exit_code"], body["authentic"], body["key"]) == (
        verdict.exit_code,
        verdict.authentic,
        verdict.key,
    )


@pytest.mark.parametrize("concerns", [*product(_CONCERNS, repeat=2)])
def test_the_gravest_concern_decides_the_exit_code(concerns: tuple[Concern, Concern]) -> None:
    verdict = _with(*map(_failed, concerns))
    codes: dict[str, int] = {"authenticity": 2, "availability": 3, "policy": 4}
    assert verdict.exit_code == min(codes[concern] for concern in concerns)
    assert verdict.authentic is (set(concerns) == {"policy"})
    assert len(verdict.failures) == 2


def test_without_a_failure_the_exit_code_is_0_whatever_was_not_checked() -> None:
    verdict = _with(passed("a", "It held."), not_checked("b", "Nobody asked."))
    assert (verdict.exit_code, verdict.failures, verdict.authentic) == (0, (), True)


@pytest.mark.parametrize("given", [Policy(roots=()), opt_in()], ids=["not accepted", "accepted"])
def test_host_a_root_that_anyone_can_mark_as_simulated_makes_nothing_authentic(
    given: Policy,
) -> None:
    verdict = judge(policy=given)
    accepted = given is opt_in()
    assert verdict.level == "simulated"
    assert (verdict.authentic, verdict.exit_code) == (accepted, 0 if accepted else 4)
    assert verdict.to_json()["authentic"] is accepted
    body = json.loads(strictjson.dumps(verdict.to_json()))
    assert Verdict.from_json(json.dumps(body)) == verdict
    with pytest.raises(Malformed):
        Verdict.from_json(json.dumps(body | {"authentic": not accepted}))


def test_host_a_simulated_verdict_from_which_the_opt_in_was_cut_is_not_authentic() -> None:
    checks = tuple(check for check in GOOD.checks if check.name != "simulated-root")
    assert len(checks) == len(GOOD.checks) - 1
    assert GOOD.authentic
    assert not replace(GOOD, checks=checks).authentic


def test_a_check_is_found_by_its_name() -> None:
    assert GOOD.check("quote-signature").state == "passed"
    with pytest.raises(KeyError, match="no-such-check"):
        GOOD.check("no-such-check")


def test_client_a_verdict_is_not_taken_for_one_on_other_evidence() -> None:
    assert GOOD.subject is not None
    GOOD.require_subject(GOOD.subject)
    other = "sha256:" + "00" * 32
    with pytest.raises(NotAuthentic) as caught:
        GOOD.require_subject(other)
    assert caught.value.code == "verdict_of_another_subject"
    assert (caught.value.expected, caught.value.got) == (other, GOOD.subject)
    with pytest.raises(NotAuthentic):
        replace(GOOD, subject=None).require_subject(GOOD.subject)


@pytest.mark.parametrize(
    "name",
    [
        "policy_digest",
        "roots_digest",
        "endorsements_digest",
        "inputs_digest",
        "time",
        "verifier",
        "second_path",
    ],
)
def test_the_key_changes_with_each_part_of_its_provenance(name: str) -> None:
    assert getattr(GOOD.provenance, name)
    for value in ("other", ""):
        changed = replace(GOOD, provenance=replace(GOOD.provenance, **{name: value}))
        assert changed.key != GOOD.key


def test_the_key_changes_with_the_subject() -> None:
    assert replace(GOOD, subject="sha256:" + "00" * 32).key != GOOD.key
    assert replace(GOOD, subject=None).key != GOOD.key


def test_client_a_verdict_of_one_memory_has_no_key_to_keep_it_under_for_another() -> None:
    asked = replace(GOOD, provenance=replace(GOOD.provenance, replay_memory=True))
    assert GOOD.key is not None
    assert asked.key is None
    assert asked.to_json()["key"] is None
    text = strictjson.dumps(asked.to_json())
    assert Verdict.from_json(text) == asked
    with pytest.raises(Malformed):
        Verdict.from_json(json.dumps(json.loads(text) | {"key": GOOD.key}))


def test_parts_of_the_key_do_not_run_into_each_other() -> None:
    how = GOOD.provenance
    moved = replace(how, time=how.time + how.verifier[:1], verifier=how.verifier[1:])
    assert replace(GOOD, provenance=moved).key != GOOD.key


WRONG: list[dict[str, Any]] = [
    {"type": "urn:teeproof:verdict:v2"},
    {"checks": [{"name": "x"}]},
    {"checks": None},
    {"level": "certain"},
    {"ok": "true"},
    {"facts": []},
    {"provenance": {}},
    {"checks": [{"name": "x", "state": "green", "detail": "y"}]},
]


@pytest.mark.parametrize("changes", WRONG, ids=str)
def test_what_is_no_verdict_is_refused(changes: dict[str, Any]) -> None:
    body = json.loads(strictjson.dumps(GOOD.to_json()))
    assert Verdict.from_json(json.dumps(body)) == GOOD
    with pytest.raises(Malformed) as caught:
        Verdict.from_json(json.dumps(body | changes))
    assert caught.value.code == "verdict_malformed"


def test_a_huge_or_repeating_verdict_is_refused() -> None:
    with pytest.raises(TooLarge):
        Verdict.from_json(b" " * (MAX_VERDICT_BYTES + 1))
    with pytest.raises(Malformed):
        Verdict.from_json('{"ok": true, "ok": false}')


@given(st.text(max_size=50))
def test_whatever_is_read_nothing_but_our_errors_come(text: str) -> None:
    with pytest.raises(Error):
        Verdict.from_json(text)


@pytest.mark.parametrize(
    "changes", [{"ok": True}, {"exit_code": 0}, {"authentic": False}, {"key": "sha256:00"}], ids=str
)
def test_host_a_saved_verdict_that_contradicts_its_checks_is_refused(
    changes: dict[str, Any],
) -> None:
    # Whoever reads `ok` or `exit_code` alone must not be told otherwise than the checks say.
    bad = replace(_with(_failed("policy")), ok=False)
    body = json.loads(strictjson.dumps(bad.to_json()))
    assert Verdict.from_json(json.dumps(body)) == bad
    with pytest.raises(Malformed) as caught:
        Verdict.from_json(json.dumps(body | changes))
    assert "contradicts" in str(caught.value.got)
    summary = ("exit_code", "authentic", "key")
    assert Verdict.from_json(json.dumps({k: v for k, v in body.items() if k not in summary})) == bad


@pytest.mark.parametrize(
    ("code", "level", "words"),
    [
        (0, "hardware", "AUTHENTIC AND ALLOWED"),
        (0, "simulated", "SIMULATED, AND ALLOWED AS SUCH"),
        (2, "simulated", "NOT AUTHENTIC"),
        (3, None, "CANNOT TELL: something needed is missing"),
        (4, "hardware", "AUTHENTIC, NOT ALLOWED"),
        (4, "simulated", "SIMULATED, NOT ALLOWED"),
    ],
)
def test_an_outcome_has_its_words(code: int, level: str | None, words: str) -> None:
    assert summary(code, level) == words


def test_a_verdict_prints_as_one_line_that_counts() -> None:
    verdict = _with(passed("root", "x"), _failed("policy"))
    assert str(verdict) == "AUTHENTIC, NOT ALLOWED · checks: 1 passed, 1 failed, 0 not checked"
