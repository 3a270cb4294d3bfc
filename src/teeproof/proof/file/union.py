"""What several proof files or stores hold together, as one library.

Of one statement in two envelopes, all signatures are kept. Of two records of one identity, the one
with more attachments is kept.

Trusts: nothing.  Does not trust: who wrote the files; files that contradict each other are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from teeproof.core.digests import named
from teeproof.core.errors import Malformed, NotAuthentic
from teeproof.proof.envelope import MAX_SIGNATURES, Envelope
from teeproof.proof.file.library import Library, canonical_statement, library
from teeproof.proof.file.sheets import Sheet
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.log.formats.merkle import root
from teeproof.proof.source import Read, Source

__all__ = ["Union"]


class Union(Library):
    """What any of several sources holds.

    Args:
        sources: proof files, logs, memory; where they hold one thing alike, the first answers.

    Its methods raise Malformed (``statement_conflict``) where two hold one thing with different
    signatures, and NotAuthentic (``nodes_mismatch``) where a file's nodes do not lead to its
    checkpoints.
    """

    def __init__(self, sources: Iterable[Source | Library]) -> None:
        self._files = [library(source) for source in sources]

    def statement(self, statement_id: bytes) -> bytes | None:
        return _one(
            (file.statement(statement_id) for file in self._files),
            lambda several: _signed_by_all(several, statement_id),
        )

    def read(self, statement_id: bytes) -> Read | None:
        found = (file.read(statement_id) for file in self._files)
        return next((read for read in found if read is not None), None)

    def identity(self, digest: bytes) -> bytes | None:
        return _one((file.identity(digest) for file in self._files), _fullest)

    def record(self, digest: bytes) -> IdentityRecord | None:
        data = self.identity(digest)
        return None if data is None else IdentityRecord.parse(data)

    def blob(self, digest: str) -> bytes | None:
        found = (file.blob(digest) for file in self._files)
        return next((data for data in found if data is not None), None)

    def producers(self, digest: str) -> Iterable[bytes]:
        return sorted({key for file in self._files for key in file.producers(digest)})

    def identities_of_keyset(self, keyset_digest: str) -> Sequence[bytes]:
        files = self._files
        return sorted({key for file in files for key in file.identities_of_keyset(keyset_digest)})

    def sheets(self, keys: Iterable[bytes]) -> list[Sheet]:
        wanted = list(keys)
        found = [sheet for file in self._files for sheet in file.sheets(wanted)]
        for sheet in found:
            _require_roots(sheet)
        return found


def _one(found: Iterable[bytes | None], choose: Callable[[list[bytes]], bytes]) -> bytes | None:
    several = sorted({data for data in found if data is not None})
    if len(several) > 1:
        return choose(several)
    return several[0] if several else None


def _signed_by_all(several: list[bytes], statement_id: bytes) -> bytes:
    """Return one envelope: the signatures of those who must sign, and whatever else any has."""
    reads = [canonical_statement(data, statement_id)[0] for data in several]
    envelopes = [read.envelope for read in reads if read.envelope is not None]
    if len(envelopes) < len(reads) or len({read.seal for read in reads}) > 1:
        raise _conflict(statement_id)
    first, signers = envelopes[0], 1 + len(reads[0].cosigners)
    further = {
        (signature.keyid, signature.sig): signature
        for envelope in envelopes
        for signature in envelope.signatures[signers:]
    }
    required = min(envelope.signatures[:signers] for envelope in envelopes)
    if signers + len(further) > MAX_SIGNATURES or len({e.payload_type for e in envelopes}) > 1:
        raise _conflict(statement_id)
    ordered = (*required, *(further[key] for key in sorted(further)))
    return Envelope(first.payload, ordered, first.payload_type).encode()


def _fullest(several: list[bytes]) -> bytes:
    """Return the record with the most attachments; of several, the first by its bytes."""
    records = [IdentityRecord.parse(data) for data in several]
    if any(record.envelope != records[0].envelope for record in records):
        raise _conflict(records[0].digest)
    return max(records, key=lambda record: len(record.attachments)).encode()


def _require_roots(sheet: Sheet) -> None:
    """Refuse nodes that do not lead to the checkpoints: in a pool they would hide behind others."""
    for size, signed in sheet.checkpoints.items():
        try:
            found = root(size, lambda level, index: sheet.known[level, index])
        except KeyError:
            continue  # an author's identity is missing, so a leaf is not known
        if found != signed.checkpoint.root:
            raise NotAuthentic(
                "a file's log proof does not lead to its checkpoint: verify it before merging",
                code="nodes_mismatch",
                expected=signed.checkpoint.root.hex(),
                got=found.hex(),
            )


def _conflict(key: bytes) -> Malformed:
    return Malformed(
        "the files hold one thing with different signatures: verify each, and leave one out",
        code="statement_conflict",
        got=named(key),
    )
