"""Find entries: the index says where, the journal says what.

Trusts: the journal's checksums.  Does not trust: the index; two ids may begin alike.
"""

from __future__ import annotations

from collections.abc import Iterator

from teeproof.proof.log.storage.index import Index
from teeproof.proof.log.storage.items import Appended
from teeproof.proof.log.storage.segments import Segments, entries_in
from teeproof.proof.log.storage.stored import Stored

__all__ = ["Lookup"]


class Lookup:
    """The entries of a journal that an index knows."""

    def __init__(self, segments: Segments, index: Index) -> None:
        self.segments, self.index = segments, index

    def stored(self, entry: int) -> Stored:
        """Return all that the journal has of an entry.

        Raises:
            NotAuthentic: code ``log_corrupt``; it is not what was appended.
        """
        first, segment, offset = self.index.place(entry)
        return Stored.parse(self.segments.entry(segment, offset, entry - first, first=first))

    def iterate(self, start: int, stop: int) -> Iterator[Stored]:
        """Yield entries in their order; all before ``stop`` are durable.

        Raises:
            NotAuthentic: code ``log_corrupt``; one is not what was appended.
        """
        if start >= stop:
            return
        for frame in self.segments.follow(self.index.mark_before(start)):
            entries = entries_in(frame)
            for content in entries[max(0, start - frame.first) : stop - frame.first]:
                yield Stored.parse(content)
            if frame.first + len(entries) >= stop:
                return

    def places(self, statement_id: bytes) -> Iterator[int]:
        """Yield where a statement stands: once for each seal; each entry is read when it is due."""
        for entry in self.index.candidates(statement_id):
            if self.stored(entry).statement_id == statement_id:
                yield entry

    def find(self, statement_id: bytes) -> Appended | None:
        """Return where a statement stands first; None if the index does not know it.

        Args:
            statement_id: 32 bytes; with its seal behind it, 64, an entry with another is passed by.
        """
        for entry in self.index.candidates(statement_id):
            stored = self.stored(entry)
            if statement_id in (stored.statement_id, stored.statement_id + stored.seal):
                return Appended(entry, stored.salt)
        return None
