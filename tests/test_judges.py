"""Whoever signs a statement, and whatever is in it: a judge answers, or raises an error of ours."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from teeproof.core.digests import named
from teeproof.core.errors import Malformed
from teeproof.proof.verify import claims
from tests import claim_codes
from tests.bending import (
    Bent,
    Truth,
    bent,
    document_of,
    each_bent,
    judged_bent,
    judgement,
    read_of,
    truths,
)

KINDS = sorted(claim_codes.judges())
EXAMPLES = 150  # of each kind; all of them take ten seconds
each_kind = pytest.mark.parametrize("kind", KINDS)


@each_kind
def test_a_true_statement_passes_and_reads_back_as_itself(kind: str) -> None:
    truth = truths()[kind]
    assert {check.state for check in judgement(truth, truth.view)} <= {"passed", "not_checked"}
    for read in truth.reads.values():
        if read.type in KINDS:
            assert read_of(read, document_of(read)) == read


@each_kind
def test_author_signs_each_value_that_breaks_readers_and_the_judge_answers(kind: str) -> None:
    truth = truths()[kind]
    made = list(each_bent(truth.root))
    assert len(made) > 10
    for read in made:
        judged_bent(truth, named(truth.root.id), read)


@each_kind
@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(source=st.randoms(use_true_random=False))
def test_author_signs_whatever_he_likes_and_the_judge_answers(
    kind: str, source: random.Random
) -> None:
    truth = truths()[kind]
    root = named(truth.root.id)
    parents = [name for name, read in truth.reads.items() if read.type in KINDS]
    which = root if source.random() < 0.6 else source.choice(parents)
    read = bent(source, truth.reads[which])
    if read is not None:
        judged_bent(truth, which, read)


@pytest.mark.parametrize("error", [ValueError, KeyError, TypeError, OverflowError, RecursionError])
def test_author_finds_a_fault_in_a_judge_and_does_not_end_the_verifier(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    truth = truths()["urn:teeproof:dataset:v1"]

    def faulty(*_: Any) -> Any:
        raise error("no hex")

    monkeypatch.setitem(claims._JUDGES, truth.root.type, faulty)
    (check,) = claims.judged(truth.root, truth.view)
    assert (check.name, check.state, check.code) == ("claim", "failed", "claim_unreadable")
    assert "please report it" in check.detail
    assert "no hex" in (check.got or "")


@pytest.mark.parametrize("error", [MemoryError, ImportError, OSError])
def test_what_this_machine_lacks_is_no_fault_of_the_proof(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    truth = truths()["urn:teeproof:dataset:v1"]

    def lacking(*_: Any) -> Any:
        raise error

    monkeypatch.setitem(claims._JUDGES, truth.root.type, lacking)
    with pytest.raises(error):
        claims.judged(truth.root, truth.view)


def test_what_cannot_be_read_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = truths()["urn:teeproof:dataset:v1"]

    def unreadable(*_: Any) -> Any:
        raise Malformed("it is a poem", expected="prose", got="verse")

    monkeypatch.setitem(claims._JUDGES, truth.root.type, unreadable)
    (check,) = claims.judged(truth.root, truth.view)
    assert (check.code, check.expected, check.got) == ("claim_unreadable", "prose", "verse")
    assert "it is a poem" in check.detail


ASKS_FOR_CODE = {
    "contribution": ("pool-code", "pool_code_other"),
    "dataset": ("pool-code", "pool_code_other"),
    "withdrawn": ("pool-code", "pool_code_other"),
    "training": ("training-code", "trainer_not_listed"),
    "release": ("release-code", "release_code_other"),
}


def states(truth: Truth, facts: Any) -> dict[str, tuple[str, str | None]]:
    found = judgement(truth, Bent(truth.view, facts_are=facts))
    return {check.name: (check.state, check.code) for check in found}


@pytest.mark.parametrize("kind", ASKS_FOR_CODE)
@pytest.mark.parametrize("application", [None, {}, {"compose_hash": None}, {"compose_hash": ""}])
def test_operator_takes_a_machine_whose_evidence_names_no_code(kind: str, application: Any) -> None:
    truth, (check, code) = truths()[f"urn:teeproof:{kind}:v1"], ASKS_FOR_CODE[kind]
    assert states(truth, {"root": "x", "application": application})[check] == ("failed", code)
    assert states(truth, {})[check] == ("not_checked", None)  # the evidence itself fails then


def test_node_says_its_own_admission_from_a_machine_that_names_no_code() -> None:
    """Two machines without a name for their code are not one market."""
    match = truths()["urn:teeproof:match:v1"]
    admission = truths()["urn:teeproof:admission:v1"].root
    node = truths()["urn:teeproof:node:v1"].root
    own = {named(admission.id): admission._replace(author=node.author)}
    unnamed = {"root": "x", "application": None}
    (check,) = [
        one
        for one in judgement(match, Bent(match.view, own, facts_are=unnamed))
        if one.name == "market"
    ]
    assert (check.state, check.code) == ("failed", "market_differs")
    assert states(match, unnamed)["market"] == ("passed", None)  # the same identity said both
    assert states(match, {})["market"] == ("not_checked", None)
