"""Whether whoever a statement names signed it: what lists take in, and how much they leave out.

Whoever may write to a log may write in anybody's name. One signature is checked of each entry,
once, when the index reads it, so what nobody signed crowds nothing out of a list, however much of
it there is. It is the cheap part of a verdict and no more: an author may lie, and signs it.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from teeproof.core.errors import Error
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.log.formats.entry import IDENTITY
from teeproof.proof.log.storage.log import Log
from teeproof.proof.log.storage.stored import Stored
from teeproof.proof.source import Read

__all__ = ["MOST_THINGS", "Authors", "LeftOut"]

MOST_THINGS: Final = 100_000
"""Things of which the statements that are left out are counted, each by itself."""
_MOST_RECORDS = 256  # of half a megabyte each, at the most


class Authors:
    """The identities of one log, as far as a signature needs them.

    An identity's digest covers its keys, so any copy of its record tells them.
    """

    def __init__(self) -> None:
        self._records: OrderedDict[bytes, IdentityRecord] = OrderedDict()

    def signed(self, log: Log, stored: Stored, read: Read) -> bool:
        """Return whether the author that an entry names signed what it holds."""
        with suppress(Error):
            author = self._record(log, stored.identity)
            if author is None:
                return False
            named = author.digest == read.author if read.receipt is None else (
                author.keyset_digest == read.keyset
            )  # fmt: skip
            return named and read.is_signed_by(author)
        return False

    def _record(self, log: Log, digest: bytes) -> IdentityRecord | None:
        known = self._records.get(digest)
        if known is not None:
            self._records.move_to_end(digest)
            return known
        found = log.find(digest)
        stored = None if found is None else log.stored(found.index)
        if stored is None or stored.kind != IDENTITY:
            return None
        record = IdentityRecord.parse(stored.record)
        if record.digest != digest:
            return None
        self._records[digest] = record
        while len(self._records) > _MOST_RECORDS:
            self._records.popitem(last=False)
        return record


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
