"""What an agent did, in order, found in any source of statements: its turns, gaps and forks.

    acted = acted_by(source, agent)
    acted.turns          the last of them, oldest first: each with what was said of it
    acted.gaps           numbers of which nothing was said
    acted.forks          turns of which two different things were said

Each action lists its turn among its subjects, a digest of agent and number, so the statements of
one agent are found without reading those of others. Anyone can claim a turn: only what the agent's
own key, shown to be held, stands behind counts here.

Trusts: the source, not to leave anything out; a log's witnesses see to that.
Does not trust: whoever wrote the statements; ``verify`` judges them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from teeproof.agents.authority import agent_address
from teeproof.agents.forks import Fork
from teeproof.agents.statements import ACTION, Action, Recheck, agent_digest, turn_digest
from teeproof.core.digests import named
from teeproof.core.errors import Error
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.source import Read, Source, read_record

__all__ = ["MOST", "Acted", "Did", "Later", "acted_by", "agent_of", "did_of", "numbers_of"]

MOST: Final = 100
"""Turns that are looked at, from the last one back."""
_AHEAD = 8  # numbers that may be missing where the last turn is looked for
_FAR = 1 << 16  # the longest step
_FURTHEST = 1 << 40
_CLAIMS = 256  # statements of one turn that are looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Did:
    """One statement of a turn.

    Attributes:
        number: of the turn, from 1.
        statement: ``sha256:…``.
        author: ``sha256:…`` of the identity that said it.
        action: all that it says.
    """

    number: int
    statement: str
    author: str
    action: Action


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """What an agent said of its trade after the chain was reorganised: which statement, and what.

    Attributes:
        statement: ``sha256:…``.
        recheck: ``traded`` again, in another block, or ``failed``.
    """

    statement: str
    recheck: Recheck


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    """The last turns of an agent, as a source has them.

    Attributes:
        agent: ``sha256:…``, as ``statements.agent_digest`` makes it.
        first: number of the first turn that was looked at.
        last: number of the last one that there is.
        turns: what was said of them, in their order; of a fork, each of its endings.
        gaps: numbers between them of which nothing was said.
        forks: turns with several endings.
        crowded: turns that so many statements claim that not all were looked at.
        later: by the digest of an intent, what its agent said of it after the chain was
            reorganised, in the order of the source.
        authors: every identity that its key said these turns as, each with a statement of its.
    """

    agent: str
    first: int
    last: int
    turns: tuple[Did, ...]
    gaps: tuple[int, ...]
    forks: tuple[Fork, ...]
    crowded: tuple[int, ...] = ()
    later: Mapping[str, tuple[Later, ...]] = field(default_factory=dict)
    authors: Mapping[str, str] = field(default_factory=dict)

    @property
    def latest(self) -> Did:
        """The last that was said of the last turn."""
        return self.turns[-1]


def agent_of(action: Action) -> str:
    """Return ``sha256:…`` of the agent that an action says it is of."""
    mandate = action.mandate
    return agent_digest(chain_id=mandate.chain_id, fund=mandate.fund, agent=action.intent.agent)


def did_of(read: Read) -> Did | None:
    """Return the action that a statement is; None if it is none, or is malformed."""
    predicate = None if read.statement is None else read.statement.predicate
    if read.type != ACTION or not isinstance(predicate, Action) or read.author is None:
        return None
    try:
        predicate.mandate.check()
        predicate.intent.check()
    except Error:
        return None
    return Did(number=predicate.intent.number, statement=named(read.id),
               author=named(read.author), action=predicate)  # fmt: skip


def acted_by(
    source: Source,
    agent: str,
    *,
    hints: Iterable[int] = (),
    rechecks: Iterable[Read] = (),
    most: int = MOST,
) -> Acted | None:
    """Return an agent's last turns; None if the source has none of its.

    Args:
        source: such as a log's directory, or a proof file.
        agent: ``sha256:…`` of the agent.
        hints: numbers of turns that it is known to have, for a source that lacks the first ones.
        rechecks: statements that say what became of trades later, oldest first; of others' trades
            too.
        most: how many turns to look at.
    """
    finder = _Finder(source, agent)
    last = max((one for one in hints if finder.has(one)), default=0)
    last = max(last, finder.last_after(last))
    if last == 0:
        return None
    first = max(1, last - most + 1)
    turns: list[Did] = []
    gaps: list[int] = []
    forks: list[Fork] = []
    authors: dict[str, str] = {}
    for number in range(first, last + 1):
        said = list(finder.said(number))
        authors |= {one.author: one.statement for one in said}
        endings = {one.action.ending.digest: one for one in said}
        turns += endings.values()
        if not endings:
            gaps.append(number)
        elif len(endings) > 1:
            forks.append(Fork(number, tuple(one.statement for one in endings.values())))
    return Acted(agent=agent, first=first, last=last, turns=tuple(turns), gaps=tuple(gaps),
                 forks=tuple(forks), crowded=tuple(sorted(finder.crowded)),
                 later=finder.later(turns, rechecks), authors=authors)  # fmt: skip


class _Finder:
    """Finds what was said of turns; who is the agent's identity is asked once of each."""

    def __init__(self, source: Source, agent: str) -> None:
        self._source, self._agent = source, agent
        self._addresses: dict[str, str | None] = {}
        self.crowded: set[int] = set()

    def has(self, number: int) -> bool:
        """Whether anything was said of a turn."""
        return number > 0 and next(self.said(number), None) is not None

    def last_after(self, known: int) -> int:
        """Return the last turn: from far to near, so that withheld ones hide none that follow.

        Numbers are missing now and then. Where more than eight in a row are, turns behind them are
        found if there are about as many of them.
        """
        step = _FAR
        while step and known + step < _FURTHEST:
            found = self._near(known + step)
            known = found or known
            step = step if found and step == _FAR else step // 2
        return known

    def _near(self, number: int) -> int:
        """Return the first turn from a number on that there is; 0 if there is none nearby."""
        return next((one for one in range(number, number + _AHEAD) if self.has(one)), 0)

    def said(self, number: int) -> Iterator[Did]:
        """Yield what the agent's own key stands behind, of all that was said of a turn."""
        name = named(turn_digest(self._agent, number))
        for place, one in enumerate(self._source.producers(name)):
            if place == _CLAIMS:
                self.crowded.add(number)
                return
            data = self._source.statement(one)
            did = None if data is None else did_of(read_record(data))
            if did is None or did.number != number or agent_of(did.action) != self._agent:
                continue
            if self._address(did.author) == did.action.intent.agent:
                yield did

    def later(self, turns: Iterable[Did], rechecks: Iterable[Read]) -> dict[str, tuple[Later, ...]]:
        """Return what the agent's own key stands behind of what was said of its turns later."""
        owners = {named(one.action.intent.digest): one.action.intent.agent for one in turns}
        found: dict[str, tuple[Later, ...]] = {}
        for read in rechecks:
            said = None if read.statement is None else read.statement.predicate
            if not isinstance(said, Recheck) or read.author is None or said.action not in owners:
                continue
            if self._address(named(read.author)) == owners[said.action]:
                one = Later(statement=named(read.id), recheck=said)
                found[said.action] = (*found.get(said.action, ()), one)
        return found

    def _address(self, identity: str) -> str | None:
        if identity not in self._addresses:
            self._addresses[identity] = self._read(identity)
        return self._addresses[identity]

    def _read(self, identity: str) -> str | None:
        data = self._source.identity(bytes.fromhex(identity.removeprefix("sha256:")))
        try:
            record = None if data is None else IdentityRecord.parse(data)
            held = record is not None and record.is_possessed
            return agent_address(record) if held and record is not None else None
        except Error:
            return None


def numbers_of(reads: Iterable[Read]) -> dict[str, tuple[int, ...]]:
    """Return the agents that statements say they are actions of, with the numbers of their turns.

    Nothing is checked: ``acted_by`` says which of them there are. In the order of the statements.
    """
    found: dict[str, list[int]] = {}
    for read in reads:
        did = did_of(read)
        if did is not None:
            found.setdefault(agent_of(did.action), []).append(did.number)
    return {agent: tuple(numbers) for agent, numbers in found.items()}
