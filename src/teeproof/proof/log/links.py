"""The index of a log's contents: which statement made a digest, whose keyset one is.

SQLite in ``links.db`` beside the log, derived from its records and from nothing else: brought up to
date when it is asked, and made anew where it is missing, broken or of another log.

Trusts: nothing.  Does not trust: its own file; what it names is checked by whoever asked.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

import msgspec

from teeproof.core.digests import parse_named
from teeproof.core.errors import Error, Unavailable
from teeproof.core.transaction import transaction
from teeproof.proof.choosing import possessed
from teeproof.proof.log import crew
from teeproof.proof.log.authors import Authors
from teeproof.proof.log.formats.entry import IDENTITY
from teeproof.proof.log.storage.disk import touch_private
from teeproof.proof.log.storage.reader import Reader
from teeproof.proof.log.storage.stored import Stored
from teeproof.proof.source import read_record

__all__ = ["Joins", "Links", "Progress", "broken", "joining"]

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE made (digest BLOB, id BLOB, PRIMARY KEY (digest, id)) WITHOUT ROWID;
CREATE TABLE keysets (keyset BLOB PRIMARY KEY, identity BLOB) WITHOUT ROWID;
"""
_VERSION = 3  # 2: only identities whose keys signed them own a keyset; 3: makers signed, too
_GROUP = 4096  # entries
_MOST_MADE = 65_536  # outputs
_TASK = "teeproof.proof.log.links:joining"

Progress = Callable[[int, int], None]
"""Called with entries read and entries in all."""


class Joins(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one entry adds to the index.

    Attributes:
        id: 32 bytes, its statement's or identity's.
        made: SHA-256 of each output of a statement that its author signed, 32 bytes each.
        keyset: of an identity whose keys signed it, SHA-256, 32 bytes.
        first: whether it is an identity's first entry: what that said may stand before it.
    """

    id: bytes
    made: tuple[bytes, ...] = ()
    keyset: bytes | None = None
    first: bool = False


_decoder = msgspec.msgpack.Decoder(list[Joins])


class Links:
    """The index beside one log.

    Args:
        log: an open log.
        progress: see ``Progress``.
        hands: how many processes may read it while much is not in the index; with one, only this.
    """

    def __init__(self, log: Reader, *, progress: Progress | None = None, hands: int = 1) -> None:
        self._log = log
        self._progress = progress
        self._hands = hands
        self._lock, self._joins = threading.Lock(), joining(log)
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
        size, end, joins = self._log.size, -1, self._read(0, 0)
        try:
            while (done := _position(self._index)) < size:
                with transaction(self._index) as write:
                    done = _position(self._index)
                    if done != end:  # the first time, or where another process goes on
                        joins.close()
                        joins = self._read(done, max(done, size))
                    group = _group(joins)
                    end = done + len(group)
                    self._insert(write, done, group)
                    write.execute("REPLACE INTO meta VALUES ('position', ?)", (end,))
                if self._progress is not None:
                    self._progress(end, size)
        finally:
            joins.close()

    def _read(self, start: int, stop: int) -> Generator[Joins, None, None]:
        """Yield what each entry joins: found by a crew, if there are many, or else here."""
        if self._hands == 1 or stop - start < crew.LEAST:
            yield from self._read_here(start, stop)
            return
        with crew.Crew(self._log.directory, _TASK, count=self._hands) as hands:
            for first, end, made in hands.read(start, stop):
                yield from _decoder.decode(made) if made else self._read_here(first, end)

    def _read_here(self, start: int, stop: int) -> Iterator[Joins]:
        entries = islice(self._log.iterate(start), stop - start)
        yield from map(self._joins, range(start, stop), entries)

    def _insert(self, write: sqlite3.Cursor, start: int, group: list[Joins]) -> None:
        _insert(write, group)
        for number, one in enumerate(group, start):
            if one.first:
                for early in self._early(one.id, number):
                    _insert(write, early)

    def _early(self, identity: bytes, before: int) -> Iterator[list[Joins]]:
        """Yield what an author said before the log had it, part by part."""
        start = 0
        while found := self._log.entries_by(identity, start=start):
            numbers = [number for number in found if number < before]
            yield [self._joins(number, self._log.stored(number)) for number in numbers]
            if len(numbers) < len(found):
                return
            start = found[-1] + 1


def joining(log: Reader) -> crew.Work:
    """Return what tells of an entry of a log what it joins."""
    authors = Authors()

    def of(number: int, found: Stored) -> Joins:
        try:
            if found.kind == IDENTITY:
                return _of_identity(log, number, found)
            read = read_record(found.record)
            if read.subjects and authors.signed(log, found, read):
                made = tuple(parse_named(subject.sha256) for subject in read.subjects)
                return Joins(found.statement_id, made=made)
        except Error:
            pass  # nothing that could be exported or verified; the log still has it
        return Joins(found.statement_id)

    return of


def _of_identity(log: Reader, number: int, found: Stored) -> Joins:
    record, first = possessed(found.record), log.find(found.statement_id)
    return Joins(
        found.statement_id, keyset=None if record is None else parse_named(record.keyset_digest),
        first=first is not None and first.index == number,
    )  # fmt: skip


def _group(joins: Iterable[Joins]) -> list[Joins]:
    """Return what is written at once: of so many entries, or fewer that made a lot."""
    group, made = list[Joins](), 0
    for one in islice(joins, _GROUP):
        group.append(one)
        made += len(one.made)
        if made >= _MOST_MADE:
            break
    return group


def _insert(write: sqlite3.Cursor, group: list[Joins]) -> None:
    """Write what some entries join, in the order of the table: that touches each page once."""
    made = sorted((digest, one.id) for one in group for digest in one.made)
    write.executemany("INSERT OR IGNORE INTO made VALUES (?, ?)", made)
    owned = [(one.keyset, one.id) for one in group if one.keyset is not None]
    write.executemany("INSERT OR IGNORE INTO keysets VALUES (?, ?)", owned)


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
