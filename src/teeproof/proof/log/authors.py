"""Whether whoever an entry names as its author signed it: one signature, and no more of a verdict.

Whoever may write to a log may write in anybody's name. What finds statements asks here first, so
that what nobody signed costs those who look for a statement nothing.

Trusts: nothing; the keys are those that the author's digest covers.
Does not trust: whoever wrote the records.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from typing import NamedTuple

from teeproof.core.errors import Error
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.keys import Key
from teeproof.proof.log.formats.entry import IDENTITY
from teeproof.proof.log.storage.reader import Reader
from teeproof.proof.log.storage.stored import Stored
from teeproof.proof.source import Read

__all__ = ["Authors"]

_MOST = 16_384  # authors whose keys are remembered, each some hundred bytes


class _Author(NamedTuple):
    """The keys of an identity that sign statements and receipts."""

    keyset_digest: str
    statement_key: bytes
    receipt_key: Key | None

    def key(self, role: str) -> Key | None:
        """Return the key of the role ``receipt``."""
        return self.receipt_key if role == "receipt" else None


class Authors:
    """The identities of one log, as far as a signature needs them.

    An identity's digest covers its keys, so any copy of its record tells them.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, _Author] = OrderedDict()

    def signed(self, log: Reader, stored: Stored, read: Read) -> bool:
        """Return whether the author that an entry names signed what it holds."""
        with suppress(Error):
            author = self._author(log, stored.identity)
            if author is None:
                return False
            named = stored.identity == read.author if read.receipt is None else (
                author.keyset_digest == read.keyset
            )  # fmt: skip
            return named and read.is_signed_by(author)
        return False

    def _author(self, log: Reader, digest: bytes) -> _Author | None:
        known = self._known.get(digest)
        if known is not None:
            self._known.move_to_end(digest)
            return known
        found = log.find(digest)
        stored = None if found is None else log.stored(found.index)
        if stored is None or stored.kind != IDENTITY:
            return None
        record = IdentityRecord.parse(stored.record)
        if record.digest != digest:
            return None
        made = _Author(record.keyset_digest, record.statement_key, record.key("receipt"))
        self._known[digest] = made
        while len(self._known) > _MOST:
            self._known.popitem(last=False)
        return made
