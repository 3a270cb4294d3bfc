"""The index of a log's contents: which statement made a digest, whose keyset one is.

SQLite in ``links.db`` beside the log, derived from its records and from nothing else: brought up to
date when it is asked, and made anew where it is missing, broken or of another log.

Trusts: nothing.  Does not trust: its own file; what it names is checked by whoever asked.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

from teeproof.core.digests import parse_named
from teeproof.core.errors import Error, Unavailable
from teeproof.core.transaction import transaction
from teeproof.proof.choosing import possessed
from teeproof.proof.log.authors import Authors
from teeproof.proof.log.formats.entry import IDENTITY
from teeproof.proof.log.storage.disk import touch_private
from teeproof.proof.log.storage.reader import Reader
from teeproof.proof.log.storage.stored import Stored
from teeproof.proof.source import read_record

__all__ = ["Links", "Progress", "broken"]

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE made (digest BLOB, id BLOB, PRIMARY KEY (digest, id)) WITHOUT ROWID;
CREATE TABLE keysets (keyset BLOB PRIMARY KEY, identity BLOB) WITHOUT ROWID;
"""
_VERSION = 3  # 2: only identities whose keys signed them own a keyset; 3: makers signed, too
_GROUP = 4096

Progress = Callable[[int, int], None]
"""Called with entries read and entries in all."""


class Links:
    """The index beside one log.

    Args:
        log: an open log.
        progress: see ``Progress``.
    """

    def __init__(self, log: Reader, *, progress: Progress | None = None) -> None:
        self._log = log
        self._progress = progress
        self._lock, self._authors = threading.Lock(), Authors()
        self._index = _connect(log.directory / "links.db", log.verifier.text())

    def close(self) -> None:
        """Close the index."""
        self._index.close()

    @property
    def behind(self) -> int:
        """How many entries of the log were not read yet."""
        with self._lock, _errors():
            return max(0, self._log.size - _position(self._index))

    def follow(self) -> None:
        """Read what the log has taken in since.

        Raises:
            Unavailable: the index cannot be used (``log_index``).
        """
        with self._lock, _errors():
            self._follow()

    def makers(self, digest: bytes) -> list[bytes]:
        """Return the ids of the statements that made what has this SHA-256, as authors signed."""
        return self._ask("SELECT id FROM made WHERE digest = ?", digest)

    def owners(self, keyset: bytes) -> list[bytes]:
        """Return the first identity whose keys signed it with this keyset, by SHA-256, if any."""
        return self._ask("SELECT identity FROM keysets WHERE keyset = ?", keyset)

    def _ask(self, query: str, key: bytes) -> list[bytes]:
        with self._lock, _errors():
            self._follow()
            return [_id(row[0]) for row in self._index.execute(query, (key,))]

    def _follow(self) -> None:
        """Read what the log has taken in since; another process may be doing the same."""
        size, end = self._log.size, -1
        entries: Iterator[Stored] = iter(())
        while (done := _position(self._index)) < size:
            with transaction(self._index) as write:
                done = _position(self._index)
                if done != end:  # the first time, or where another process goes on
                    entries = self._log.iterate(done)
                end = max(done, min(size, done + _GROUP))
                for number, found in enumerate(islice(entries, end - done), done):
                    self._insert(write, number, found)
                write.execute("REPLACE INTO meta VALUES ('position', ?)", (end,))
            if self._progress is not None:
                self._progress(end, size)

    def _insert(self, write: sqlite3.Cursor, number: int, found: Stored) -> None:
        try:
            if found.kind == IDENTITY:
                self._insert_identity(write, number, found)
                return
            read = read_record(found.record)
            if not read.subjects or not self._authors.signed(self._log, found, read):
                return
        except Error:
            return  # nothing that could be exported or verified; the log still has it
        write.executemany(
            "INSERT OR IGNORE INTO made VALUES (?, ?)",
            [(parse_named(subject.sha256), found.statement_id) for subject in read.subjects],
        )

    def _insert_identity(self, write: sqlite3.Cursor, number: int, found: Stored) -> None:
        record = possessed(found.record)
        if record is not None:
            row = parse_named(record.keyset_digest), found.statement_id
            write.execute("INSERT OR IGNORE INTO keysets VALUES (?, ?)", row)
        first = self._log.find(found.statement_id)
        if first is None or first.index != number:
            return
        earlier, start = self._log.entries_by(found.statement_id), 0
        while earlier := [one for one in earlier if start <= one < number]:
            for one in earlier:  # what its author said before the log had it
                self._insert(write, one, self._log.stored(one))
            start = earlier[-1] + 1
            earlier = self._log.entries_by(found.statement_id, start=start)


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
        if _is_new(index):  # else nobody waits for who is writing it
            with transaction(index):
                if _is_new(index):
                    _make(index, log)
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


def _is_new(index: sqlite3.Connection) -> bool:
    return bool(index.execute("PRAGMA user_version").fetchone() == (0,))


def _make(index: sqlite3.Connection, log: str) -> None:
    for statement in _SCHEMA.strip().split(";\n"):
        index.execute(statement.removesuffix(";"))
    index.execute("INSERT INTO meta VALUES ('log', ?)", (log,))
    index.execute(f"PRAGMA user_version = {_VERSION}")


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
def _errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise broken(str(error)) from None


def broken(got: str) -> Unavailable:
    """Return the error for an index that cannot be used, for a reason."""
    return Unavailable(
        "links.db beside the log cannot be used: delete it, it will be made anew",
        code="log_index",
        got=got,
    )
