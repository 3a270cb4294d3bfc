"""Whose keyset is it? Receipts name a keyset, and log entries name an identity.

Learned from the identity records in the log itself: the first identity with a keyset that its keys
signed has it. A keyset names its key document, so another identity that these keys signed is by the
same workload.

Trusts: the log's own records.  Does not trust: an identity that its own keys did not sign.
"""

from __future__ import annotations

from collections.abc import Iterator

from teeproof.core.errors import Error
from teeproof.proof.choosing import possessed
from teeproof.proof.log.admission import Record
from teeproof.proof.log.formats.entry import IDENTITY, Entry
from teeproof.proof.log.formats.tiles import TILE_WIDTH, decode_entries, entries_path
from teeproof.proof.log.http.served import ServedLog

__all__ = ["Keysets"]


class Keysets:
    """Identities by their keyset's ``sha256:…``."""

    def __init__(self) -> None:
        self._owners: dict[str, bytes] = {}

    def identity_of(self, keyset: str) -> bytes | None:
        """Return the digest of the identity with this keyset; None if it is not known."""
        return self._owners.get(keyset)

    def learn(self, record: Record) -> None:
        """Take note of a record that is in the log, if it is an identity's."""
        if record.keyset is not None:
            self._owners.setdefault(record.keyset, record.id)

    def read(self, log: ServedLog) -> None:
        """Take note of all identities in a log; one that cannot be read any more is left out."""
        for index in _identities(log):
            try:
                record = possessed(log.record(index))
            except Error:
                continue
            if record is not None:  # else who copies a key document would have its keyset
                self._owners.setdefault(record.keyset_digest, record.digest)


def _identities(log: ServedLog) -> Iterator[int]:
    """Yield where identities stand: out of the bundles, and behind them out of the journal."""
    end = log.published_size
    for start in range(0, end, TILE_WIDTH):
        path = entries_path(start // TILE_WIDTH, min(TILE_WIDTH, end - start))
        for index, entry in enumerate(decode_entries((log.public / path).read_bytes()), start):
            if Entry.parse(entry).kind == IDENTITY:
                yield index
    for index, found in enumerate(log.iterate(end), end):
        if found.kind == IDENTITY:
            yield index
