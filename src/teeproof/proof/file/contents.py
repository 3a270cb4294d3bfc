"""The statements, identities and blobs of a proof file, each in its one form.

Statements and identities are read once when the file is opened, to learn what joins them; blobs are
read when they are asked for.

Trusts: nothing.  Does not trust: whoever wrote the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from teeproof.core.errors import Malformed
from teeproof.proof.file import names
from teeproof.proof.file.library import (
    Library,
    canonical_identity,
    canonical_statement,
    require_blob,
)
from teeproof.proof.file.zipread import ZipReader
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.source import Read

__all__ = ["NOBODY", "Contents"]

NOBODY = bytes(32)  # stands for the author in the log entry of a statement that names none
_KEPT = 16 << 20  # bytes of members that stay parsed; further ones are parsed again when needed


class Contents(Library):
    """All of a file but its logs.

    Args:
        file: the archive.
        groups: names of its members, by rank.

    Attributes:
        roots: ids of the statements that the file proves, sorted.
        statement_ids: sorted.
        identity_digests: sorted.
        blob_digests: ``sha256:…``, sorted.
        authors: of each statement, the identity that its log entry names; of a receipt, the keyset.
        seals: of each statement and identity, the digest of its signatures.

    Raises:
        Malformed: codes ``member_mismatch``, ``not_canonical`` and those of what cannot be parsed.
    """

    def __init__(self, file: ZipReader, groups: Sequence[Sequence[str]]) -> None:
        self._zip = file
        self.roots = names.read_manifest(file.read(names.MANIFEST))
        self.statement_ids = tuple(bytes.fromhex(name[-69:-5]) for name in groups[2])
        self.identity_digests = tuple(bytes.fromhex(name[-69:-5]) for name in groups[3])
        self.blob_digests = tuple("sha256:" + name[-64:] for name in groups[4])
        self.authors: dict[bytes, bytes | str] = {}
        self.seals: dict[bytes, bytes] = {}
        self._statements = frozenset(self.statement_ids)
        self._identities = frozenset(self.identity_digests)
        self._reads: dict[bytes, Read] = {}
        self._records: dict[bytes, IdentityRecord] = {}
        self._producers: dict[str, list[bytes]] = {}
        self._left = _KEPT
        self._index()

    def statement(self, statement_id: bytes) -> bytes | None:
        """Return an envelope or a receipt."""
        if statement_id not in self._statements:
            return None
        return self._zip.read(names.statement_name(statement_id))

    def read(self, statement_id: bytes) -> Read | None:
        """Return a statement's parts."""
        found = self._reads.get(statement_id)
        if found is not None or statement_id not in self._statements:
            return found
        return self._parse_statement(statement_id)

    def identity(self, digest: bytes) -> bytes | None:
        """Return an identity record."""
        if digest not in self._identities:
            return None
        return self._zip.read(names.identity_name(digest))

    def record(self, digest: bytes) -> IdentityRecord | None:
        """Return an identity record, parsed."""
        found = self._records.get(digest)
        if found is not None or digest not in self._identities:
            return found
        return self._parse_identity(digest)

    def identities_of_keyset(self, keyset_digest: str) -> Sequence[bytes]:
        """Return the identities with a keyset, sorted."""
        return self._keysets.get(keyset_digest, ())

    def identity_of_keyset(self, keyset_digest: str) -> bytes | None:
        """Return the identity with a keyset: the first, if there are several."""
        return next(iter(self.identities_of_keyset(keyset_digest)), None)

    def blob(self, digest: str) -> bytes | None:
        """Return bytes by their ``sha256:…``; Malformed (``member_mismatch``) if they differ."""
        name = names.blob_name(digest)
        return require_blob(self._zip.read(name), digest) if name in self._zip.members else None

    def producers(self, digest: str) -> Sequence[bytes]:
        """Return the ids of statements with this ``sha256:…`` among their subjects."""
        return self._producers.get(digest, ())

    @cached_property
    def _keysets(self) -> dict[str, list[bytes]]:
        found: dict[str, list[bytes]] = {}
        for digest in self.identity_digests:
            record = self.record(digest)
            if record is not None:
                found.setdefault(record.keyset_digest, []).append(digest)
        return found

    def _parse_statement(self, statement_id: bytes) -> Read:
        name = names.statement_name(statement_id)
        data = self._zip.read(name)
        read, canonical = canonical_statement(data, statement_id)
        _require_canonical(name, data, canonical)
        return read

    def _parse_identity(self, digest: bytes) -> IdentityRecord:
        name = names.identity_name(digest)
        data = self._zip.read(name)
        record, canonical = canonical_identity(data, digest)
        _require_canonical(name, data, canonical)
        return record

    def _keep(self, name: str) -> bool:
        self._left -= self._zip.members[name][1]
        return self._left >= 0

    def _index(self) -> None:
        """Read every statement and identity, and what joins them."""
        for key in self.statement_ids:
            read = self._parse_statement(key)
            self.authors[key] = read.keyset or read.author or NOBODY
            self.seals[key] = read.seal
            for subject in dict.fromkeys(subject.sha256 for subject in read.subjects):
                self._producers.setdefault(subject, []).append(key)
            if self._keep(names.statement_name(key)):
                self._reads[key] = read
        for digest in self.identity_digests:
            record = self._parse_identity(digest)
            self.seals[digest] = record.seal
            if self._keep(names.identity_name(digest)):
                self._records[digest] = record


def _require_canonical(name: str, data: bytes, canonical: bytes) -> None:
    if data != canonical:
        raise Malformed(
            f"{name} is not written in the one way of proof files: export it again",
            code="not_canonical",
        )
