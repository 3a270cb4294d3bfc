"""Of several records of one thing, the one to rely on: its signatures hold, its quote is at hand.

Whoever may add to a source can copy an identity or a statement, and change what its id does not
cover: the signatures, and which bytes are the quote. So the first to come is not yet the right one.

Trusts: nothing; the verifier checks what was chosen.  Does not trust: whoever added the records.
"""

from __future__ import annotations

from collections.abc import Callable

from teeproof.core.errors import Error, Unavailable
from teeproof.evidence.naming import name_evidence
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.source import read_record

__all__ = ["HOLDS", "NEVER", "POSSESSED", "Chooser", "possessed"]

NEVER, POSSESSED, HOLDS = 0, 1, 2
"""Nothing holds; an identity's signatures do, and its evidence is not; all holds."""

_MOST_RECORDS = 1024


class Chooser:
    """Judges the records of one source.

    Args:
        identity: from an identity's digest to its record.
        owner: from a keyset's ``sha256:…`` to the digest of the identity whose it is.
        blob: bytes by their ``sha256:…``.
    """

    def __init__(
        self,
        *,
        identity: Callable[[bytes], bytes | None],
        owner: Callable[[str], bytes | None],
        blob: Callable[[str], bytes | None],
    ) -> None:
        self._identity, self._owner, self._blob = identity, owner, blob
        self._records: dict[bytes, tuple[bytes, IdentityRecord]] = {}  # read once, by digest

    def judge(self, data: bytes, *, is_identity: bool) -> int:
        """Return ``NEVER``, ``POSSESSED`` or ``HOLDS`` for a record's bytes."""
        try:
            if is_identity:
                return self._judge_identity(IdentityRecord.parse(data))
            return HOLDS if read_record(data).is_signed(self._record_of) else NEVER
        except Error:
            return NEVER

    def _judge_identity(self, record: IdentityRecord) -> int:
        if not record.is_possessed:
            return NEVER
        stated = record.claim.evidence[0]
        try:
            found = name_evidence(record.evidence(self._at_hand))
        except Error:
            return POSSESSED
        return HOLDS if found == (stated.kind, stated.id) else POSSESSED

    def _at_hand(self, digest: str) -> bytes:
        data = self._blob(digest)
        if data is None:
            raise Unavailable("a part of the evidence is not at hand", code="evidence_missing")
        return data

    def _record_of(self, name: bytes | str) -> IdentityRecord | None:
        digest = self._owner(name) if isinstance(name, str) else name
        data = None if digest is None else self._identity(digest)
        if digest is None or data is None:
            return None
        known = self._records.get(digest)
        if known is not None and known[0] == data:
            return known[1]
        record = IdentityRecord.parse(data)
        if len(self._records) >= _MOST_RECORDS:
            self._records.clear()
        self._records[digest] = data, record
        return record


def possessed(data: bytes) -> IdentityRecord | None:
    """Return an identity whose keys all signed it; None if they did not, or it is none."""
    try:
        record = IdentityRecord.parse(data)
        return record if record.is_possessed else None
    except Error:
        return None
