"""Which of a log's entries stands for a statement that was entered several times.

A log takes what it cannot verify, so somebody may have entered a statement or an identity before
its author did, with signatures that are none, or beside a quote that nobody has.

Trusts: the log's directory.  Does not trust: the records in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import NamedTuple, Protocol

from teeproof.core.errors import Error
from teeproof.proof.choosing import HOLDS, NEVER, Chooser
from teeproof.proof.log.formats.entry import IDENTITY
from teeproof.proof.log.storage.stored import Stored

__all__ = ["Choice", "Entries"]

_MOST_REMEMBERED = 65_536


class Entries(Protocol):
    """What is asked of a log."""

    @property
    def size(self) -> int:
        """How many entries there are."""

    def places(self, statement_id: bytes) -> Iterator[int]:
        """Yield the entries of a statement in order."""

    def stored(self, index: int) -> Stored:
        """Return all that the log has of an entry."""

    def blob(self, digest: str) -> bytes:
        """Return bytes by their ``sha256:…``."""


class _Chosen(NamedTuple):
    size: int  # of the log, when it was chosen
    place: int
    grade: int


class Choice:
    """Finds the first entry of a statement that holds; else the best there is.

    What was found is remembered: else whoever enters many bad twins of an identity would have all
    of them verified again for each statement of its author.

    Args:
        log: an open log.
        owner: from a keyset's ``sha256:…`` to the digest of the identity whose it is.
    """

    def __init__(self, log: Entries, owner: Callable[[str], bytes | None]) -> None:
        self._log = log
        self._chooser = Chooser(identity=self._identity, owner=owner, blob=self._blob)
        self._chosen: dict[bytes, _Chosen] = {}

    def found(self, statement_id: bytes) -> tuple[int, Stored] | None:
        """Return place and content of a statement, a receipt or an identity; None if unknown."""
        known = self._remembered(statement_id)
        if known is None:
            size, places = self._log.size, self._log.places(statement_id)
            first = next(places, None)
            if first is None:
                return None
            second = next(places, None)
            if second is None:  # as long as the log has not grown
                known = self._keep(statement_id, _Chosen(size, first, NEVER))
            else:
                known = self._remember(statement_id, first, chain((first, second), places))
        return known.place, self._log.stored(known.place)

    def is_made(self, statement_id: bytes) -> bool:
        """Return whether the log has a statement or receipt that all who must sign signed."""
        known = self._remembered(statement_id)
        if known is not None and known.grade == HOLDS:
            return True
        found = self.found(statement_id)
        return found is not None and found[1].kind != IDENTITY and self._grade(found[1]) == HOLDS

    def _remembered(self, statement_id: bytes) -> _Chosen | None:
        """Return an earlier choice; one that did not hold counts until the log has grown."""
        known = self._chosen.get(statement_id)
        if known is None or (known.grade < HOLDS and known.size != self._log.size):
            return None
        return known

    def _remember(self, statement_id: bytes, first: int, places: Iterable[int]) -> _Chosen:
        best = _Chosen(self._log.size, first, NEVER)
        for place in places:
            grade = self._grade(self._log.stored(place))
            if grade > best.grade:
                best = best._replace(place=place, grade=grade)
            if grade == HOLDS:
                break
        return self._keep(statement_id, best)

    def _keep(self, statement_id: bytes, chosen: _Chosen) -> _Chosen:
        if len(self._chosen) >= _MOST_REMEMBERED:
            self._chosen.clear()
        self._chosen[statement_id] = chosen
        return chosen

    def _grade(self, entry: Stored) -> int:
        return self._chooser.judge(entry.record, is_identity=entry.kind == IDENTITY)

    def _identity(self, digest: bytes) -> bytes | None:
        found = self.found(digest)
        return None if found is None or found[1].kind != IDENTITY else found[1].record

    def _blob(self, digest: str) -> bytes | None:
        try:
            return self._log.blob(digest)
        except Error:
            return None
