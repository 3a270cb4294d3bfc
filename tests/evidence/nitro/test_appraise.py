"""Expectations of an enclave: what is not asked is not checked, and what is asked is held."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from teeproof.core.errors import Usage
from teeproof.evidence.binding import binding
from teeproof.evidence.nitro import appraise
from teeproof.evidence.nitro.chain import AWS_NITRO_ROOT
from teeproof.evidence.nitro.document import parse
from teeproof.evidence.policy import Policy
from teeproof.evidence.simulated.nitro import Enclave
from teeproof.evidence.simulated.states.enclaves import simulate_nitro
from tests.evidence.nitro.scenes import (
    AWS,
    NOW,
    OPT_IN,
    T,
    failures,
    judge,
    made,
    state_of,
    verified,
)

KEYSET = "sha256:" + "ab" * 32
REGISTERS = ("pcr0", "pcr1", "pcr2", "pcr3", "pcr4", "pcr8")
BOUND = Enclave(user_data=binding(KEYSET, nonce="mine"), nonce=b"mine")


def expecting(**fields: Any) -> Policy:
    return msgspec.structs.replace(OPT_IN, **fields)


def test_what_is_not_asked_is_not_checked():
    checks = judge(made())
    for name in (*REGISTERS, "user-data", "nonce", "replay", "age"):
        assert state_of(checks, name) == "not_checked"
    assert state_of(checks, "debug") == "passed"


@pytest.mark.parametrize("name", REGISTERS)
def test_a_register_is_held_against_the_list(name):
    value = Enclave().pcrs[int(name[3:])].hex()
    assert state_of(judge(made(), expecting(**{name: ("00" * 47 + "01", value)})), name) == "passed"
    others = judge(made(), expecting(**{name: ("00" * 47 + "01",)}))
    assert failures(others) == [(name, f"{name}_mismatch")]
    assert failures(judge(made(), expecting(**{name: ()}))) == [(name, f"{name}_mismatch")]


def test_a_register_that_the_document_does_not_have_is_not_met():
    few = Enclave(pcrs={0: Enclave().pcrs[0]})
    document = AWS.document(few, now=NOW)
    wanted = expecting(pcr8=("00" * 48,))
    assert failures(judge(document, wanted)) == [("pcr8", "pcr8_unknown")]


def test_a_debug_enclave_is_refused_unless_the_policy_asks_for_one():
    debug = simulate_nitro("nitro-debug", platform=AWS, now=NOW)
    for expected in (OPT_IN, expecting(debug=False)):
        assert failures(judge(debug, expected)) == [("debug", "debug_on")]
    assert failures(judge(debug, expecting(debug=True))) == []
    assert failures(judge(made(), expecting(debug=True))) == [("debug", "debug_off")]


def test_user_data_and_nonce_are_bound_as_the_recipe_says():
    wanted = expecting(keyset_digest=KEYSET, nonce="mine")
    checks = judge(made(BOUND), wanted)
    assert failures(checks) == []
    assert state_of(checks, "user-data") == state_of(checks, "nonce") == "passed"
    exact = expecting(user_data=binding(KEYSET, nonce="mine").hex())
    assert failures(judge(made(BOUND), exact)) == []


def test_client_answers_with_a_document_for_another_challenge_and_is_refused():
    wanted = expecting(keyset_digest=KEYSET, nonce="yours")
    both = [("user-data", "user_data_mismatch"), ("nonce", "nonce_mismatch")]
    assert failures(judge(made(BOUND), wanted)) == both
    assert failures(judge(made(), wanted)) == both


def test_a_binding_is_32_bytes_or_those_with_32_zeros_behind_and_nothing_else():
    bound = BOUND.user_data or b""
    mine = expecting(keyset_digest=KEYSET, nonce="mine")
    for data in (bound, bound + bytes(32)):
        assert failures(judge(made(replace(BOUND, user_data=data)), mine)) == []
    for data in (
        bound[:-1], bound + b"\0", bound + bytes(31), bound + bytes(33), bound + bytes(31) + b"\1",
        bytes(32) + bound, bound[:-1] + bytes([bound[-1] ^ 1]) + bytes(32), b"", None,
    ):  # fmt: skip
        refused = failures(judge(made(replace(BOUND, user_data=data)), mine))
        assert refused == [("user-data", "user_data_mismatch")], data
    exact = expecting(user_data=bound.hex(), nonce="mine")
    padded = made(replace(BOUND, user_data=bound + bytes(32)))
    assert failures(judge(padded, exact)) == [("user-data", "user_data_mismatch")]


def test_network_replays_a_document_and_is_found_out():
    document = parse(made(BOUND))
    facts = verified(document).facts
    assert facts is not None
    seen = {document.user_data}
    checks = appraise.checks(facts, OPT_IN, now=T, seen=seen)
    assert failures(tuple(checks)) == [("replay", "report_data_reused")]
    other = appraise.checks(facts, OPT_IN, now=T, seen={bytes(64)})
    assert "a first time proves nothing" in next(c for c in other if c.name == "replay").detail
    none = appraise.checks(facts, OPT_IN, now=T, seen=None)
    assert "was given no earlier evidence" in next(c for c in none if c.name == "replay").detail


@pytest.mark.parametrize(
    ("fields", "now", "expected"),
    [
        ({"max_age_seconds": 60}, T + 60, None),
        ({"max_age_seconds": 60}, T + 61, "too_old"),
        ({"max_age_seconds": 60}, T - 2, None),
        ({"max_age_seconds": 60, "nonce": "mine", "nonce_issued_at": NOW}, T + 60, None),
        ({"max_age_seconds": 60, "nonce": "mine", "nonce_issued_at": NOW}, T + 61, "too_old"),
        (
            {
                "max_age_seconds": 60,
                "nonce": "mine",
                "nonce_issued_at": NOW + timedelta(seconds=9),
            },
            T,
            "nonce_from_the_future",
        ),
    ],
    ids=str,
)
def test_the_age_is_that_of_the_nonce_or_else_of_the_document(fields, now, expected):
    checks = judge(made(BOUND), expecting(**fields), now=now)
    assert failures(checks) == ([("age", expected)] if expected else [])


def test_without_the_nonce_nobody_knows_the_age():
    wanted = expecting(max_age_seconds=60, nonce="yours", nonce_issued_at=NOW)
    assert failures(judge(made(BOUND), wanted)) == [
        ("nonce", "nonce_mismatch"),
        ("age", "age_unknown"),
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"pcr0": ("00",)},
        {"pcr0": ("AB" * 48,)},
        {"pcr0": "00" * 48},
        {"pcr8": ["00" * 48]},
        {"roots": ("641a",)},
        {"simulated_roots": ("sha256:AB",)},
        {"user_data": "0"},
        {"user_data": "zz"},
        {"keyset_digest": "md5:00"},
        {"keyset_digest": KEYSET, "user_data": "00"},
        {"max_age_seconds": -1},
        {"nonce_issued_at": NOW},
        {"nonce": "a", "nonce_issued_at": datetime(2026, 1, 1)},
    ],
    ids=str,
)
def test_an_expectation_that_cannot_be_met_is_refused(fields):
    with pytest.raises(Usage):
        Policy(tee="nitro", **({"roots": (AWS_NITRO_ROOT,)} | fields))
