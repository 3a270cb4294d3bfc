"""Did an agent say two things of one turn? Whoever has the log can ask.

Each action lists its turn among its subjects: a digest of the agent and the turn's number. Two
statements of one turn with the same ending are one thing said twice, which a restart may do; with
two endings they show that two copies of the agent acted, or that an old journal was put back.

Trusts: the log, not to leave anything out; its witnesses see to that.
Does not trust: the agent, its host.
"""

from __future__ import annotations

from typing import NamedTuple

from teeproof.agents.statements import Action, turn_digest
from teeproof.core.digests import named
from teeproof.proof.source import Source, read_record

__all__ = ["Fork", "forks"]


class Fork(NamedTuple):
    """A turn with several endings: the statement of each, ``sha256:…``."""

    number: int
    statements: tuple[str, ...]


def forks(source: Source, agent: str) -> tuple[Fork, ...]:
    """Return the turns of which an agent said several things, up to its last turn in the source.

    Args:
        source: where its statements are, such as a log's directory.
        agent: ``sha256:…`` of the agent, as ``statements.agent_digest`` makes it.
    """
    found, number = [], 1
    while said := tuple(source.producers(named(turn_digest(agent, number)))):
        endings: dict[bytes, str] = {}
        for one in said:
            action = _action(source.statement(one))
            if action is not None:
                endings.setdefault(action.ending.digest, named(one))
        if len(endings) > 1:
            found.append(Fork(number, tuple(endings.values())))
        number += 1
    return tuple(found)


def _action(data: bytes | None) -> Action | None:
    read = None if data is None else read_record(data)
    predicate = None if read is None or read.statement is None else read.statement.predicate
    return predicate if isinstance(predicate, Action) else None
