"""Fuzz targets for what reaches an agent, and for what it says of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Any

from teeproof.agents.answers import content_of
from teeproof.agents.instructions import parse_instruction
from teeproof.agents.journal import GENESIS, read_entries
from teeproof.agents.mandate import Mandate
from teeproof.agents.orders import parse_order
from teeproof.agents.records import Ending, Intent
from teeproof.agents.statements import (
    Action,
    agent_digest,
    materials_of,
    subjects_of,
    turn_digest,
)
from teeproof.agents.verify import judge_action
from teeproof.core.digests import named
from teeproof.core.errors import Error, Malformed, NotAuthentic
from teeproof.proof import canonical
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.source import Read, read_record
from teeproof.proof.statement import Statement
from tests.agents.people import NOW, answer, decided, facts, instruction, mandate, response
from tests.proof.people import workload_named


def fuzz_agent_order(data: bytes) -> None:
    """What is accepted is written as it was, and is a part of something."""
    with suppress(Malformed):
        text = data.decode("latin-1")
        order = parse_order(text)
        assert order.encode() == text
        value = json.loads(text)
        assert set(value) <= {"sell", "buy", "part", "below", "above"}
        assert 0 < value["part"] <= 1


def fuzz_agent_mandate(data: bytes) -> None:
    """What is accepted has one spelling, and can be followed."""
    with suppress(Malformed):
        one = Mandate.parse(data)
        assert one.encode() == data
        decided(by=one)


def fuzz_agent_instruction(data: bytes) -> None:
    """What is accepted is one line of printable ASCII."""
    with suppress(Malformed):
        given = parse_instruction(data, time=NOW)
        assert given.text.isascii()
        assert given.text.isprintable()


def fuzz_agent_response(data: bytes) -> None:
    """What a service sends is one finished message, or nothing; either way it is decided upon."""
    text = data.decode("utf-8", "replace")
    with suppress(Malformed):
        assert isinstance(content_of(text), str)
    result = decided(said=answer(response=text))
    assert result.decision in ("trade", "wait", "refuse")


def fuzz_agent_journal(data: bytes) -> None:
    """What is accepted is one chain."""
    with suppress(Malformed, NotAuthentic):
        entries = read_entries(iter(data.split(b"\n")))
        heads = [GENESIS, *(entry.digest for entry in entries)]
        assert [entry.previous for entry in entries] == heads[:-1]


def fuzz_agent_action(data: bytes) -> None:
    """Whatever an agent says, its judge comes to an end, and passes nothing that it cannot see."""
    with suppress(Error):
        statement = Statement.parse(data)
        read = read_record(_author().sign(statement).encode())
        if isinstance(statement.predicate, Action):
            checks = {check.name: check.state for check in judge_action(read, Nothing())}
            assert checks["action-on-chain"] == "not_checked"
            assert checks["action-effect"] == "failed"  # there is no identity to be its agent


class Nothing:
    """A proof that holds nothing else."""

    def statement(self, name: str) -> Read | None:
        return None

    def author(self, name: str) -> bytes | None:
        return None

    def identity(self, digest: bytes) -> IdentityRecord | None:
        return None

    def facts(self, digest: bytes) -> Mapping[str, Any]:
        return {}


@cache
def _author() -> Any:
    return workload_named("agent")


def _action() -> bytes:
    by, result = mandate(), decided()
    digest = agent_digest(chain_id=by.chain_id, fund=by.fund, agent="0x" + "a9" * 20)
    intent = Intent(
        agent="0x" + "a9" * 20, number=1, previous=digest, journal="sha256:" + "11" * 32,
        instruction=instruction(), mandate=by.digest, answer=answer(), order=result.order,
        facts=facts(), findings=result.findings, decision="trade", trade=result.trade,
        provenance=(),
    )  # fmt: skip
    ending = Ending(
        action=named(intent.digest), outcome="failed", rules=(), detail="", effect=None,
        journal="sha256:" + "22" * 32,
    )  # fmt: skip
    materials = materials_of(intent, previous=named(turn_digest(digest, 0)))
    action = Action(
        author=_author().name, materials=materials, mandate=by, intent=intent, ending=ending
    )
    return Statement.of(action, subjects=subjects_of(by, intent, ending)).payload


def _journal() -> bytes:
    lines, previous = [], GENESIS
    for seq in range(3):
        entry = {"body": {"n": seq}, "kind": "note", "previous": previous, "seq": seq}
        lines.append(canonical.encode(entry))
        previous = read_entries(iter(lines))[-1].digest
    return b"\n".join(lines)


SEEDS = {
    "fuzz_agent_order": lambda: [
        b'{"sell":"ETH","part":0.5,"below":2000}',
        b'{"buy":"BTC","part":1}',
    ],
    "fuzz_agent_mandate": lambda: [mandate().encode(), mandate(instructors=("ab" * 32,)).encode()],
    "fuzz_agent_instruction": lambda: [b'{"id":"abababababababab","text":"sell half my ETH"}'],
    "fuzz_agent_response": lambda: [response('{"sell":"ETH","part":0.5}').encode()],
    "fuzz_agent_journal": lambda: [_journal()],
    "fuzz_agent_action": lambda: [_action()],
}
