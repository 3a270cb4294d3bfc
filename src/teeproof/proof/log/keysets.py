"""Whose keyset is it? Receipts name a keyset, and log entries name an identity.

Learned from the identity records in the log itself: the first identity with a keyset has it. A
keyset names its key document, and an identity proves that it holds those keys, so another identity
with the same keyset is by the same workload.

Trusts: the log's own records.  Does not trust: nothing; signatures are checked by who relies on it.
"""

from __future__ import annotations

from teeproof.core.errors import Error
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.log.admission import Record
from teeproof.proof.log.entry import IDENTITY, Entry
from teeproof.proof.log.served import ServedLog

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
        for index in range(log.size):
            if Entry.parse(log.entry(index)).kind != IDENTITY:
                continue
            try:
                record = IdentityRecord.parse(log.record(index))
                self._owners.setdefault(record.keyset_digest, record.digest)
            except Error:
                continue
