"""An agent's turns in a source: in order, with gaps and forks, and nobody else's claims."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from teeproof.agents import acted as module
from teeproof.agents.acted import acted_by, agent_of, did_of, numbers_of
from teeproof.agents.authority import agent_address
from teeproof.agents.mandate import Mandate
from teeproof.agents.records import Effect, Ending, Intent
from teeproof.agents.statements import Action, Recheck, recheck_subject, subjects_of
from teeproof.agents.telling import journal
from teeproof.core.digests import named
from teeproof.proof.log.contents import Contents
from teeproof.proof.log.storage.log import Log
from teeproof.proof.memory import MemorySource
from teeproof.proof.source import Read, read_record
from teeproof.proof.statement import Statement
from teeproof.proof.workload import Identity
from tests.agents import people
from tests.agents.world import CHAIN_SECRET, agent_identity

NONE = named(bytes(32))


def intent(number: int, address: str, mandate: Mandate, text: str) -> Intent:
    return Intent(
        agent=address, number=number, previous=NONE, journal=NONE,
        instruction=people.instruction(text), mandate=mandate.digest, answer=people.answer(),
        order=None, facts=None, findings=(), decision="refuse", trade=None, provenance=(),
    )  # fmt: skip


def say(
    by: Identity, number: int, *, of: str | None = None, text: str = "sell", mandate: Mandate
) -> str:
    """Have an identity say that an agent did something, and return the statement's id."""
    address = of or agent_address(by.record) or ""
    meant = intent(number, address, mandate, text)
    ending = Ending(action=named(meant.digest), outcome="refused", rules=("form",), detail="no",
                    effect=None, journal=NONE)  # fmt: skip
    action = Action(author=by.name, materials=(), mandate=mandate, intent=meant, ending=ending)
    return by.keep(Statement.of(action, subjects=subjects_of(mandate, meant, ending))).name


class Agent:
    """An agent that says what the test has it say."""

    def __init__(self, log: Log | None = None) -> None:
        self.source = Contents(log) if log else MemorySource()
        self.mandate = people.mandate()
        self.identity = agent_identity(self.source)
        self.address = agent_address(self.identity.record) or ""
        self.said: list[str] = []

    def say(self, number: int, **more: str) -> str:
        self.said.append(say(self.identity, number, mandate=self.mandate, **more))
        return self.said[-1]

    @property
    def name(self) -> str:
        read = read_record(self.source.statement(bytes.fromhex(self.said[0][7:])) or b"")
        did = did_of(read)
        assert did is not None
        assert numbers_of([read, read]) == {agent_of(did.action): (did.number, did.number)}
        return agent_of(did.action)


@pytest.mark.parametrize("last", [1, 2, 3, 7, 8, 9, 31, 100])
def test_turns_are_found_in_order_up_to_the_last(last: int):
    agent = Agent()
    for number in range(1, last + 1):
        agent.say(number)
    found = acted_by(agent.source, agent.name)
    assert found is not None
    assert (found.first, found.last, found.gaps, found.forks) == (1, last, (), ())
    assert [one.statement for one in found.turns] == agent.said
    few = acted_by(agent.source, agent.name, most=2)
    assert few is not None
    assert [one.statement for one in few.turns] == agent.said[-2:]


def test_host_that_withholds_turns_leaves_gaps():
    agent = Agent()
    for number in (1, 2, 4, 5, 9):
        agent.say(number)
    found = acted_by(agent.source, agent.name)
    assert found is not None
    assert (found.last, found.gaps) == (9, (3, 6, 7, 8))


@pytest.mark.parametrize("withheld", [9, 10, 40])
def test_host_that_withholds_many_turns_hides_none_that_follow(withheld: int):
    agent = Agent()
    for number in (*range(1, 6), *range(6 + withheld, 6 + 2 * withheld)):
        agent.say(number)
    found = acted_by(agent.source, agent.name)
    assert found is not None
    assert (found.last, len(found.gaps)) == (5 + 2 * withheld, withheld)


def test_a_turn_far_behind_a_gap_is_found_by_whoever_knows_of_it():
    agent = Agent()
    for number in (1, 2, 50):
        agent.say(number)
    assert acted_by(agent.source, agent.name).last == 2  # type: ignore[union-attr]
    found = acted_by(agent.source, agent.name, hints=(50, 10**30, -1, 7))
    assert found is not None
    assert (found.last, len(found.gaps)) == (50, 47)


def test_host_that_forks_the_journal_is_seen():
    agent = Agent()
    agent.say(1)
    both = {agent.say(2, text="sell"), agent.say(2, text="buy")}
    agent.say(3)
    found = acted_by(agent.source, agent.name)
    assert found is not None
    ((number, statements),) = found.forks
    assert (number, set(statements)) == (2, both)
    assert len(found.turns) == 4


def test_stranger_who_claims_a_turn_is_passed_over():
    agent = Agent()
    agent.say(1)
    other = agent_identity(agent.source, secret=CHAIN_SECRET[:-1] + b"\x0c")  # another key
    keyless = Identity.boot(
        people_attester(), store=agent.source, now=lambda: datetime(2026, 3, 1, tzinfo=UTC)
    )
    for stranger in (other, keyless):
        say(stranger, 1, of=agent.address, text="all is lost", mandate=agent.mandate)
        say(stranger, 2, of=agent.address, mandate=agent.mandate)
    found = acted_by(agent.source, agent.name)
    assert found is not None
    assert [one.statement for one in found.turns] == agent.said
    assert acted_by(agent.source, "sha256:" + "ab" * 32) is None


def test_strangers_who_crowd_a_turn_are_told_of(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_CLAIMS", 2)
    agent = Agent()
    first = agent.say(1)
    other = agent_identity(agent.source, secret=CHAIN_SECRET[:-1] + b"\x0c")
    for text in ("a", "b"):
        say(other, 1, of=agent.address, text=text, mandate=agent.mandate)
    found = acted_by(agent.source, agent.name)
    assert found is not None
    assert (found.crowded, [one.statement for one in found.turns]) == ((1,), [first])


def test_what_became_of_a_trade_later_is_the_agents_own_word_alone():
    agent = Agent()
    agent.say(1)
    found = acted_by(agent.source, agent.name)
    assert found is not None
    action = named(found.latest.action.intent.digest)
    other = agent_identity(agent.source, secret=CHAIN_SECRET[:-1] + b"\x0c")
    reads = [
        recheck(agent.identity, agent.source, action, "failed"),
        recheck(other, agent.source, action, "traded"),
        recheck(agent.identity, agent.source, NONE, "failed"),
    ]
    found = acted_by(agent.source, agent.name, rechecks=[*reads, *reads[:1]])
    assert found is not None
    assert {key: [one.statement for one in many] for key, many in found.later.items()} == {
        action: [named(reads[0].id)] * 2
    }
    (row,) = journal(found)
    assert [one["outcome"] for one in row["later"]] == ["failed", "failed"]


def recheck(by: Identity, source: MemorySource, action: str, outcome: str) -> Read:
    """Have an identity say what became of a trade."""
    effect = Effect(signature="ab" * 65)
    said = Recheck(author=by.name, materials=(), action=action, outcome=outcome, detail="gone",
                   effect=effect)  # fmt: skip
    kept = by.keep(Statement.of(said, subjects=(recheck_subject(said),)))
    return read_record(source.statement(kept.id) or b"")


def people_attester():
    from tests.proof.people import attester

    return attester()
