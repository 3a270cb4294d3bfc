"""A source as export, reading and merging use it: parsed, canonical, and with all places in logs.

Trusts: nothing; what a source returns is held against its digest here.
Does not trust: the source.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Malformed
from teeproof.proof.file.sheets import Sheet
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.source import Read, Source, read_record

__all__ = ["Library", "canonical_identity", "canonical_statement", "library", "require_blob"]


class Library(ABC):
    """What holds statements and identities. None means "not here"."""

    @abstractmethod
    def statement(self, statement_id: bytes) -> bytes | None:
        """Return a statement or receipt as a proof file holds it."""

    @abstractmethod
    def read(self, statement_id: bytes) -> Read | None:
        """Return the parts of a statement or receipt."""

    @abstractmethod
    def identity(self, digest: bytes) -> bytes | None:
        """Return an identity record as a proof file holds it."""

    @abstractmethod
    def record(self, digest: bytes) -> IdentityRecord | None:
        """Return an identity record, parsed."""

    @abstractmethod
    def blob(self, digest: str) -> bytes | None:
        """Return the bytes with a ``sha256:…``."""

    @abstractmethod
    def producers(self, digest: str) -> Iterable[bytes]:
        """Return the ids of the statements with a ``sha256:…`` among their subjects."""

    @abstractmethod
    def identities_of_keyset(self, keyset_digest: str) -> Sequence[bytes]:
        """Return the identities with a keyset, sorted."""

    @abstractmethod
    def sheets(self, keys: Iterable[bytes]) -> list[Sheet]:
        """Return what logs hold of these statements and identities."""


def library(source: Source | Library) -> Library:
    """Return a source as a library."""
    return source if isinstance(source, Library) else _Plain(source)


class _Plain(Library):
    """Any source: a log's directory, memory."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def statement(self, statement_id: bytes) -> bytes | None:
        data = self._source.statement(statement_id)
        return None if data is None else canonical_statement(data, statement_id)[1]

    def read(self, statement_id: bytes) -> Read | None:
        data = self._source.statement(statement_id)
        return None if data is None else canonical_statement(data, statement_id)[0]

    def identity(self, digest: bytes) -> bytes | None:
        data = self._source.identity(digest)
        return None if data is None else canonical_identity(data, digest)[1]

    def record(self, digest: bytes) -> IdentityRecord | None:
        data = self._source.identity(digest)
        return None if data is None else canonical_identity(data, digest)[0]

    def blob(self, digest: str) -> bytes | None:
        return self._source.blob(digest)

    def producers(self, digest: str) -> Iterable[bytes]:
        return self._source.producers(digest)

    def identities_of_keyset(self, keyset_digest: str) -> Sequence[bytes]:
        one = self._source.identity_of_keyset(keyset_digest)
        return () if one is None else (one,)

    def sheets(self, keys: Iterable[bytes]) -> list[Sheet]:
        found: dict[str, Sheet] = {}
        for key in keys:
            place = self._source.logged(key)
            if place is not None:
                origin = place.checkpoint.checkpoint.origin
                sheet = found.get(origin)
                if sheet is None:
                    sheet = found.setdefault(origin, Sheet(origin, get=place.node))
                sheet.add(key, place)
        return list(found.values())


def canonical_statement(data: bytes, expected: bytes) -> tuple[Read, bytes]:
    """Return a statement or receipt, and the one way in which a proof file holds it.

    Raises:
        Malformed: neither of the two, or another one than asked for (``member_mismatch``).
    """
    read = read_record(data)
    if read.id != expected:
        raise _mismatch("statement", expected, read.id)
    held = read.envelope if read.envelope is not None else read.receipt
    return read, data if held is None else held.encode()


def canonical_identity(data: bytes, expected: bytes) -> tuple[IdentityRecord, bytes]:
    """Return an identity, and the one way in which a proof file holds it; raises as above."""
    record = IdentityRecord.parse(data)
    if record.digest != expected:
        raise _mismatch("identity", expected, record.digest)
    return record, record.encode()


def require_blob(data: bytes, digest: str) -> bytes:
    """Return bytes that have this ``sha256:…``; Malformed (``member_mismatch``) otherwise."""
    if named(sha256(data)) != digest:
        raise Malformed(
            "a blob is not the one that its name says: get it again",
            code="member_mismatch",
            expected=digest,
            got=named(sha256(data)),
        )
    return data


def _mismatch(what: str, expected: bytes, got: bytes) -> Malformed:
    return Malformed(
        f"the {what} is not the one that its name says: get it again",
        code="member_mismatch",
        expected=named(expected),
        got=named(got),
    )
