"""What a kind of statement claims is judged by its judge, from the proof alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from teeproof.core.errors import Malformed, Usage
from teeproof.evidence.verdict import Check, failed, passed
from teeproof.proof.links import Subject
from teeproof.proof.source import Read
from teeproof.proof.statement import Predicate, Statement, predicate_type
from teeproof.proof.verify import claims
from teeproof.proof.verify.claims import View
from tests.proof.people import digest, step, workload_named
from tests.proof.world import World, failures

KIND = "urn:teeproof:test-sum:v1"


@predicate_type(KIND)
class Sum(Predicate, frozen=True, kw_only=True):
    """How many inputs there are."""

    inputs: str


@pytest.fixture
def judges() -> Iterator[None]:
    before = dict(claims._JUDGES)
    yield
    claims._JUDGES.clear()
    claims._JUDGES.update(before)


def told(inputs: str = "1") -> tuple[World, Statement]:
    author = workload_named("author")
    world = World()
    world.add(author)
    parent = world.say(step(author, "collect", "raw"), author)
    made = step(author, "sum", "total", of=[("raw", "raw", parent)])
    statement = Statement.of(
        Sum(author=author.name, materials=made.predicate.materials, inputs=inputs),
        subjects=(Subject({"sha256": digest("total")}, name="total"),),
    )
    world.say(statement, author)
    world.publish()
    return world, statement


def count(read: Read, view: View) -> Iterable[Check]:
    parents = [view.statement(f"sha256:{one.statement.hex()}") for one in read.links]  # type: ignore[union-attr]
    there = len([one for one in parents if one is not None])
    said = read.statement.predicate.inputs  # type: ignore[union-attr]
    yield (
        passed("sum", "as many inputs as it says")
        if said == str(there)
        else failed("sum", "sum_wrong", "another number", expected=said, got=str(there))
    )
    author = view.author(f"sha256:{read.id.hex()}")
    assert author is not None
    assert author == read.author
    assert view.identity(author) is not None
    assert view.facts(author)
    assert view.facts(bytes(32)) == {}


def test_a_claim_that_the_proof_bears_out_is_a_check_that_passed(judges: None) -> None:
    claims.judge(KIND)(count)
    world, statement = told()
    verdict = world.verify(world.export(statement))
    assert verdict.ok, verdict.faults
    assert "sum" in {check.name for check in verdict.statement(statement.name).checks}


def test_a_claim_that_it_does_not_bear_out_fails_and_is_named(judges: None) -> None:
    claims.judge(KIND)(count)
    world, statement = told(inputs="2")
    verdict = world.verify(world.export(statement))
    assert failures(verdict) == {"sum": "sum_wrong"}
    assert verdict.exit_code == 2


def test_author_writes_what_its_judge_cannot_read(judges: None) -> None:
    def unable(read: Read, view: View) -> Iterable[Check]:
        raise Malformed("no number", got="x")

    claims.judge(KIND)(unable)
    world, statement = told()
    assert failures(world.verify(world.export(statement))) == {"claim": "claim_unreadable"}


def test_what_has_no_judge_gets_no_further_check(judges: None) -> None:
    world, statement = told(inputs="9")
    verdict = world.verify(world.export(statement))
    assert verdict.ok
    assert "sum" not in {check.name for check in verdict.statement(statement.name).checks}


def test_a_kind_has_one_judge(judges: None) -> None:
    claims.judge(KIND)(count)
    assert KIND in claims.judged_types()
    with pytest.raises(Usage) as refused:
        claims.judge(KIND)(lambda read, view: ())
    assert refused.value.code == "type_taken"
