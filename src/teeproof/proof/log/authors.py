"""Whether whoever an entry names as its author signed it: one signature, and no more of a verdict.

Whoever may write to a log may write in anybody's name. What finds statements asks here first, so
that what nobody signed costs those who look for a statement nothing.

Trusts: nothing; the keys are those that the author's digest covers.
Does not trust: whoever wrote the records.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress

from teeproof.core.errors import Error
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.log.formats.entry import IDENTITY
from teeproof.proof.log.storage.reader import Reader
from teeproof.proof.log.storage.stored import Stored
from teeproof.proof.source import Read

__all__ = ["Authors"]

_MOST_RECORDS = 256  # of half a megabyte each, at the most


class Authors:
    """The identities of one log, as far as a signature needs them.

    An identity's digest covers its keys, so any copy of its record tells them.
    """

    def __init__(self) -> None:
        self._records: OrderedDict[bytes, IdentityRecord] = OrderedDict()

    def signed(self, log: Reader, stored: Stored, read: Read) -> bool:
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

    def _record(self, log: Reader, digest: bytes) -> IdentityRecord | None:
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
