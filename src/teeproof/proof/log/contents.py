"""A log's directory as a source of statements: by id, by what they made, by keyset.

The log itself finds entries by id and by author. Which statement made a digest, and whose keyset
one is, stands in ``links.db`` beside it: SQLite, derived from the records and from nothing else,
brought up to date when it is asked, and made anew where it is missing.

Trusts: nothing; a record is held against its id by whoever reads it.  Does not trust: the index.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

from teeproof.core.digests import parse_named
from teeproof.core.errors import Error, Unavailable
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.log import admission
from teeproof.proof.log.checkpoint import SignedCheckpoint
from teeproof.proof.log.disk import touch_private
from teeproof.proof.log.entry import IDENTITY
from teeproof.proof.log.log import Log
from teeproof.proof.log.stored import Stored
from teeproof.proof.source import Logged, read_record

__all__ = ["Contents"]

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE made (digest BLOB, id BLOB, PRIMARY KEY (digest, id)) WITHOUT ROWID;
CREATE TABLE keysets (keyset BLOB PRIMARY KEY, identity BLOB) WITHOUT ROWID;
"""
_VERSION = 1
_GROUP = 4096

Accept = Callable[[SignedCheckpoint], bool]


class Contents:
    """What a log holds, as ``source.Source``.

    Args:
        log: an open log.
        accept: which checkpoints count when the first one that covers an entry is looked for; where
            none does, the first of all is taken.
        progress: called with entries read and entries in all, while the index is brought up to
            date.
    """

    def __init__(
        self,
        log: Log,
        *,
        accept: Accept | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.log = log
        self._accept = accept
        self._progress = progress
        self._lock = threading.Lock()
        self._owners: dict[str, bytes] = {}  # by keyset, read from their records
        self._index = _connect(log.directory / "links.db", log.verifier.text())

    def close(self) -> None:
        """Close the index; the log stays open."""
        self._index.close()

    def add_identity(self, data: bytes, blobs: Mapping[str, bytes]) -> bytes:
        """Append an identity record, its evidence first; return its digest.

        Raises:
            Malformed, TooLarge: it is no record.
            Usage, Unavailable: the log is open for reading only, or did not take it.
        """
        record = IdentityRecord.parse(data)
        for blob in blobs.values():
            self.log.put_blob(blob)
        self._append(IDENTITY, record.digest, record.digest, data)
        return record.digest

    def add_statement(self, data: bytes) -> bytes:
        """Append an envelope or a receipt; return its id.

        Raises:
            Malformed, TooLarge: it is neither.
            Unavailable: nobody knows the receipt's author (``identity_unknown``).
            Usage, Unavailable: the log is open for reading only, or did not take it.
        """
        record = admission.read_record(data, identity_of_keyset=self.identity_of_keyset)
        self._append(record.kind, record.id, record.identity, data)
        return record.id

    def publish(self) -> None:
        """Publish, if something waits to be."""
        if self.log.size > self.log.published_size:
            self.log.publish()

    def _append(self, kind: int, statement_id: bytes, identity: bytes, data: bytes) -> None:
        self.log.append(kind=kind, statement_id=statement_id, identity=identity, record=data)

    def statement(self, statement_id: bytes) -> bytes | None:
        """Return an envelope or a receipt; None if the log has none, or an identity, by this id."""
        found = self._stored(statement_id)
        return None if found is None or found.kind == IDENTITY else found.record

    def identity(self, digest: bytes) -> bytes | None:
        """Return an identity record."""
        found = self._stored(digest)
        return None if found is None or found.kind != IDENTITY else found.record

    def identity_of_keyset(self, keyset_digest: str) -> bytes | None:
        """Return the digest of the first identity in the log with this keyset.

        A receipt is entered under what this returns, so the index is held against the record.

        Raises:
            Unavailable: the index names an identity with another keyset (``log_index``).
        """
        if keyset_digest in self._owners:
            return self._owners[keyset_digest]
        query = "SELECT identity FROM keysets WHERE keyset = ?"
        for identity in self._ask(query, parse_named(keyset_digest)):
            record = self.identity(identity)
            if record is None or IdentityRecord.parse(record).keyset_digest != keyset_digest:
                raise _broken("it names an identity with another keyset")
            self._owners[keyset_digest] = identity
            return identity
        return None

    def blob(self, digest: str) -> bytes | None:
        """Return bytes that lie beside the log; NotAuthentic if they were changed."""
        try:
            return self.log.blob(digest)
        except Unavailable:
            return None

    def producers(self, digest: str) -> Iterable[bytes]:
        """Return the ids of the statements that made this ``sha256:…``."""
        return self._ask("SELECT id FROM made WHERE digest = ?", parse_named(digest))

    def statements(self) -> Iterator[bytes]:
        """Return the ids of all statements and receipts, in the log's order."""
        return (found.statement_id for found in self.log.iterate() if found.kind != IDENTITY)

    def identities(self) -> Iterator[bytes]:
        """Return the digests of all identities, in the log's order."""
        return (found.statement_id for found in self.log.iterate() if found.kind == IDENTITY)

    def logged(self, statement_id: bytes) -> Logged | None:
        """Return the place of an entry, under the first checkpoint that counts."""
        place = self.log.find(statement_id)
        if place is None or place.index >= self.log.published_size:
            return None
        checkpoint = self._first(place.index)
        kind = self.log.stored(place.index).kind
        return Logged(kind, place.index, place.salt, checkpoint, self.log.node)

    def _first(self, index: int) -> SignedCheckpoint:
        if self._accept is not None:
            try:
                return self.log.first_checkpoint(index, accept=self._accept)
            except Unavailable:
                pass
        return self.log.first_checkpoint(index)

    def _stored(self, statement_id: bytes) -> Stored | None:
        place = self.log.find(statement_id)
        return None if place is None else self.log.stored(place.index)

    def _ask(self, query: str, key: bytes) -> list[bytes]:
        with self._lock, _errors():
            self._follow()
            return [_id(row[0]) for row in self._index.execute(query, (key,))]

    def _follow(self) -> None:
        """Read what the log has taken in since; another process may be doing the same."""
        size, end = self.log.size, -1
        entries: Iterator[Stored] = iter(())
        while (done := _position(self._index)) < size:
            with _transaction(self._index) as write:
                done = _position(self._index)
                if done != end:  # the first time, or where another process goes on
                    entries = self.log.iterate(done)
                end = max(done, min(size, done + _GROUP))
                for found in islice(entries, end - done):
                    _insert(write, found)
                write.execute("REPLACE INTO meta VALUES ('position', ?)", (end,))
            if self._progress is not None:
                self._progress(end, size)


def _insert(write: sqlite3.Connection, found: Stored) -> None:
    try:
        if found.kind == IDENTITY:
            keyset = parse_named(IdentityRecord.parse(found.record).keyset_digest)
            write.execute(
                "INSERT OR IGNORE INTO keysets VALUES (?, ?)", (keyset, found.statement_id)
            )
            return
        subjects = read_record(found.record).subjects
    except Error:
        return  # nothing that could be exported or verified; the log still has it
    write.executemany(
        "INSERT OR IGNORE INTO made VALUES (?, ?)",
        [(parse_named(subject.sha256), found.statement_id) for subject in subjects],
    )


def _connect(path: Path, log: str) -> sqlite3.Connection:
    """Open the index; where the directory cannot be written, it lives in memory for a while."""
    try:
        with suppress(OSError):  # SQLite says why
            touch_private(path)
        return _prepared(str(path), log)
    except _OfAnotherError:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        with suppress(OSError):
            touch_private(path)
    except sqlite3.OperationalError:
        return _prepared(":memory:", log)
    with _errors():
        return _prepared(str(path), log)


def _prepared(name: str, log: str) -> sqlite3.Connection:
    index = sqlite3.connect(name, isolation_level=None, check_same_thread=False, timeout=30)
    try:
        index.execute("PRAGMA trusted_schema = OFF")  # whoever wrote the file runs nothing here
        index.execute("PRAGMA journal_mode = WAL")
        index.execute("PRAGMA synchronous = NORMAL")
        with _transaction(index):
            if index.execute("PRAGMA user_version").fetchone() == (0,):
                for statement in _SCHEMA.strip().split(";\n"):
                    index.execute(statement.removesuffix(";"))
                index.execute("INSERT INTO meta VALUES ('log', ?)", (log,))
                index.execute(f"PRAGMA user_version = {_VERSION}")
        version = index.execute("PRAGMA user_version").fetchone()
        if version != (_VERSION,) or _meta(index, "log") != log:
            raise _OfAnotherError
    except sqlite3.OperationalError:
        index.close()
        raise
    except sqlite3.DatabaseError:
        index.close()
        raise _OfAnotherError from None
    except _OfAnotherError:
        index.close()
        raise
    return index


class _OfAnotherError(Exception):
    """The file is no index, or one of another log."""


def _id(value: object) -> bytes:
    if isinstance(value, bytes) and len(value) == 32:
        return value
    raise sqlite3.DatabaseError("it holds what was not written by this program")


def _position(index: sqlite3.Connection) -> int:
    found = _meta(index, "position")
    return max(0, found) if isinstance(found, int) else 0


def _meta(index: sqlite3.Connection, key: str) -> object:
    row = index.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return row[0] if row else None


@contextmanager
def _transaction(index: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    index.execute("BEGIN IMMEDIATE")
    try:
        yield index
    except BaseException:
        index.execute("ROLLBACK")
        raise
    index.execute("COMMIT")


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise _broken(str(error)) from None


def _broken(got: str) -> Unavailable:
    return Unavailable(
        "links.db beside the log cannot be used: delete it, it will be made anew",
        code="log_index",
        got=got,
    )
