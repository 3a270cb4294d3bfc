"""Whether whoever a statement names signed it: what lists take in, and how much they leave out.

Whoever may write to a log may write in anybody's name. One signature is checked of each entry,
once, when the index reads it, so what nobody signed crowds nothing out of a list, however much of
it there is. It is the cheap part of a verdict and no more: an author may lie, and signs it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from teeproof.proof.log.authors import Authors

__all__ = ["MOST_THINGS", "Authors", "LeftOut"]

MOST_THINGS: Final = 100_000
"""Things of which the statements that are left out are counted, each by itself."""


@dataclass(slots=True)
class LeftOut:
    """How many statements were left out of lists, because whom they name did not sign them.

    Attributes:
        total: all of them.
    """

    total: int = 0
    _of: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, *things: tuple[str, str]) -> None:
        """Count a statement, for each list of which it was left out: a relation and a name."""
        self.total += 1
        for thing in things:
            if thing in self._of or len(self._of) < MOST_THINGS:
                self._of[thing] += 1

    def of(self, relation: str, name: str) -> int:
        """Return how many were left out of one list; beyond ``MOST_THINGS`` lists, none is told."""
        return self._of.get((relation, name), 0)
