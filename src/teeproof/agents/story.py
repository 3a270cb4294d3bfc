"""What a journal tells: each instruction with its intent, its ending and its statement, so far.

    agent         {"agent", "address", "mandate"}           once, first: whose journal it is
    boot          {"identity"}                              at each start
    instruction   Instruction                               begins a turn
    intent        Intent                                    before anything is done
    ending        Ending                                    after it
    statement     {"number", "statement"}                   what was said of it, in the log
    recheck       Changed                                   the chain was reorganised
    restatement   {"number", "statement"}                   what was said of that

A turn that has not all of them was interrupted; the kernel goes on with what is missing.

Trusts: the journal, which checked its entries.  Does not trust: nothing else comes in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from teeproof.agents.journal import Entry
from teeproof.agents.records import Effect, Ending, Instruction, Intent, Outcome
from teeproof.core.digests import named
from teeproof.proof.links import Integer

__all__ = ["Changed", "Said", "Story", "Turn", "outline"]


class Changed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What became of a trade after its ending was written."""

    number: Integer
    outcome: Outcome
    detail: str
    effect: Effect


class Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which statement was made of a turn."""

    number: Integer
    statement: str


@dataclass(slots=True)
class Turn:
    """One instruction and what became of it so far.

    Attributes:
        number: from 1.
        instruction: what was asked for.
        intent: what was decided.
        ending: what came of it.
        statement: ``sha256:…`` of what was said of it.
        changes: after reorganisations of the chain, oldest first.
        unsaid: how many of them no statement tells of.
    """

    number: int
    instruction: Instruction
    intent: Intent | None = None
    ending: Ending | None = None
    statement: str | None = None
    changes: list[Changed] = field(default_factory=list)
    unsaid: int = 0

    @property
    def effect(self) -> Effect | None:
        """The trade's effect as it now stands; None if nothing was signed."""
        if self.changes:
            return self.changes[-1].effect
        return None if self.ending is None else self.ending.effect

    @property
    def outcome(self) -> Outcome | None:
        """What came of it, as it now stands; None while nothing has."""
        if self.changes:
            return self.changes[-1].outcome
        return None if self.ending is None else self.ending.outcome


class Story:
    """All turns of a journal.

    Attributes:
        turns: in their order.
        owner: the body of the first entry; empty in a new journal.
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.turns: list[Turn] = []
        self.owner: dict[str, str] = {}
        self._by_id: dict[str, Turn] = {}
        for entry in entries:
            self.take(entry)

    def take(self, entry: Entry) -> None:
        """Add what an entry tells."""
        getattr(self, f"_{entry.kind}")(entry)

    def named(self, name: str) -> Turn | None:
        """Return the turn of an instruction's id; None if there was none."""
        return self._by_id.get(name)

    @property
    def open(self) -> Turn | None:
        """The turn that was interrupted; only the last can be."""
        last = self.turns[-1] if self.turns else None
        return last if last is not None and last.statement is None else None

    @property
    def trades(self) -> int:
        """How many trades stand on the chain, as far as the journal knows."""
        return sum(turn.outcome == "traded" for turn in self.turns)

    def before(self, number: int) -> tuple[str | None, str | None]:
        """Return digest and statement of the ending before a turn; None twice for the first."""
        if number == 1:
            return None, None
        turn = self.turns[number - 2]
        return (None if turn.ending is None else named(turn.ending.digest)), turn.statement

    def _agent(self, entry: Entry) -> None:
        self.owner = entry.body(dict[str, str])

    def _boot(self, entry: Entry) -> None:
        """Restarts are in the journal for whoever reads it; nothing follows from them."""

    def _instruction(self, entry: Entry) -> None:
        instruction = entry.body(Instruction)
        turn = Turn(len(self.turns) + 1, instruction)
        self.turns.append(turn)
        self._by_id[instruction.id] = turn

    def _intent(self, entry: Entry) -> None:
        self.turns[-1].intent = entry.body(Intent)

    def _ending(self, entry: Entry) -> None:
        self.turns[-1].ending = entry.body(Ending)

    def _statement(self, entry: Entry) -> None:
        said = entry.body(Said)
        self.turns[said.number - 1].statement = said.statement

    def _recheck(self, entry: Entry) -> None:
        changed = entry.body(Changed)
        turn = self.turns[changed.number - 1]
        turn.changes.append(changed)
        turn.unsaid += 1

    def _restatement(self, entry: Entry) -> None:
        self.turns[entry.body(Said).number - 1].unsaid -= 1


def outline(turn: Turn) -> dict[str, Any]:
    """Return a turn in the words of the service's answer."""
    intent, ending = turn.intent, turn.ending
    effect = turn.effect
    return {
        "number": turn.number,
        "id": turn.instruction.id,
        "text": turn.instruction.text,
        "order": None if intent is None or intent.order is None else intent.order.encode(),
        "outcome": turn.outcome,
        "rules": [] if ending is None else list(ending.rules),
        "detail": turn.changes[-1].detail if turn.changes else ending.detail if ending else "",
        "gave": effect.gave if effect else "0",
        "got": effect.got if effect else "0",
        "tx": effect.tx if effect else None,
        "receipt": None if intent is None else intent.answer.receipt,
        "statement": turn.statement,
    }
