"""Find what the journal has: by statement, by author, by place; and its checkpoints by size.

SQLite in WAL mode, derived from the journal and from nothing else: it may be deleted at any time.
It is written after the journal is durable, so it never knows of more than the journal has.

Trusts: nothing; what it points to is checked in the journal.  Does not trust: its own file.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from teeproof.core.errors import Error, Unavailable
from teeproof.core.transaction import transaction
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.log.storage.bloom import Bloom, prefix_of
from teeproof.proof.log.storage.frames import Frame
from teeproof.proof.log.storage.indexfile import (
    FAULTS,
    Damaged,
    blames_file,
    connect,
    decode_mark,
    remove,
    unavailable,
)
from teeproof.proof.log.storage.indexing import COSIGNED, SCHEMA, Place, insert
from teeproof.proof.log.storage.segments import START, Mark, after

__all__ = ["Index"]

_VERSION = 1
_GROUP, _GROUP_BYTES = 1 << 14, 16 << 20  # entries, and bytes of journal, in one transaction
_SAVE_AFTER = 1 << 16  # ids; so many are read at most to bring a saved filter up to date
_TABLES = ("ids", "authors", "frames", "checkpoints")


class Index:
    """The index of one log.

    Args:
        path: the SQLite file. One that cannot be read, or is of another log, is made anew.
        log: 32 bytes that name the log.
        writable: whether to keep it up to date; otherwise it is only read.

    Attributes:
        mark: to where in the journal it reaches.
        known: the filter before ``candidates``.
        broken: whether it was found to be damaged; if it is writable, ``close`` removes it.

    Raises:
        Unavailable: code ``log_index``.
    """

    def __init__(self, path: Path, log: bytes, *, writable: bool = True) -> None:
        self.path, self._log = path, log
        self._reading, self._writing = threading.Lock(), threading.RLock()
        self.known, self.broken, self._writable = Bloom(), False, writable
        if not writable:
            self._reader = self._writer = self._connected("ro")
            try:
                with self._errors():
                    self.mark = self._mark()
            except Unavailable:
                self._reader.close()
                raise
            return
        try:
            self._open()
        except (*FAULTS, TypeError, Damaged):
            self._remove()
            with self._errors():
                self._open()

    def close(self) -> None:
        """Close the file; what was applied is in it. A broken one is removed by its writer."""
        with self._writing, self._reading, self._errors():
            if self.broken and self._writable:
                self._remove()
            self._reader.close()
            self._writer.close()

    def apply(self, found: Iterable[tuple[int, Frame]], mark: Mark) -> None:
        """Take in frames that are durable, all or none, up to a mark of the journal.

        Raises:
            NotAuthentic: code ``log_corrupt``; one size has two checkpoints.
            Unavailable: code ``log_index``.
        """
        with self._writing, self._errors(), transaction(self._writer) as write:
            prefixes = insert(write, found)
            write.execute("REPLACE INTO meta VALUES ('mark', ?)", (msgspec.msgpack.encode(mark),))
            self.known.update(prefixes)  # if this fails, it says "perhaps" once too often
            self._remember(write, prefixes, mark.size)
        self.mark = mark

    def follow(
        self,
        found: Iterable[tuple[int, Frame]],
        *,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Take in many frames, in several transactions; ``progress`` is told how many entries."""
        group: list[tuple[int, Frame]] = []
        held = 0
        for number, frame in found:
            group.append((number, frame))
            held += frame.end - frame.offset
            if frame.first - self.mark.size >= _GROUP or held >= _GROUP_BYTES:
                self._take(group, progress)
                group, held = [], 0
        if group:
            self._take(group, progress)

    def _take(self, group: list[tuple[int, Frame]], progress: Callable[[int], None] | None) -> None:
        self.apply(group, after(*group[-1]))
        if progress:
            progress(self.mark.size)

    def clear(self) -> None:
        """Forget everything, to apply the journal from its beginning."""
        with self._writing, self._errors(), transaction(self._writer) as write:
            for table in (*_TABLES, "recent"):
                write.execute(f"DELETE FROM {table}")  # noqa: S608  our own names
            write.execute("DELETE FROM meta WHERE key != 'log'")
        self.mark = START

    def candidates(self, statement_id: bytes) -> list[int]:
        """Return the entries whose statement id may be this one, the first one first."""
        rows = self._numbers("SELECT entry FROM ids WHERE prefix = ?", prefix_of(statement_id))
        return [entry for (entry,) in rows]

    def entries_by(self, identity: bytes, *, start: int = 0, limit: int = 1000) -> list[int]:
        """Return entries of one author in their order, from ``start`` on."""
        query = "SELECT entry FROM authors WHERE identity = ? AND entry >= ? LIMIT ?"
        return [entry for (entry,) in self._numbers(query, identity, start, limit)]

    def place(self, entry: int) -> Place:
        """Return the frame that holds an entry.

        Raises:
            Unavailable: code ``log_index``; the index does not reach so far.
        """
        rows = self._last_frame(entry)
        if not rows:
            raise unavailable("it has no frames")
        return rows[0]

    def mark_before(self, entry: int) -> Mark:
        """Return where a frame begins that holds an entry, or comes before it."""
        rows = self._last_frame(entry)
        if not rows:
            return START
        first, segment, offset = rows[0]
        return Mark(segment, offset, 0, START.check, first)

    def start_of(self, size: int) -> Mark:
        """Return where in the journal the entries after the first ``size`` begin."""
        rows = self._numbers("SELECT segment, offset FROM frames WHERE first = ?", size)
        if not rows:
            return self.mark
        segment, offset = rows[0]
        return Mark(segment, offset, 0, START.check, size)

    def checkpoint(self, size: int | None = None) -> SignedCheckpoint | None:
        """Return the checkpoint of one size, or the last one; None if there is none."""
        where = "ORDER BY size DESC LIMIT 1" if size is None else "WHERE size = ?"
        values = () if size is None else (size,)
        rows = self._read(f"SELECT note FROM checkpoints {where}", *values)  # noqa: S608
        return self._signed(rows[0][0]) if rows else None

    def checkpoints(self, above: int, *, cosigned: bool = False) -> Iterator[SignedCheckpoint]:
        """Yield those of more than ``above`` entries, the smallest first; or the cosigned alone."""
        only = COSIGNED if cosigned else ""
        query = f"SELECT size, note FROM checkpoints WHERE size > ?{only} ORDER BY size LIMIT 64"  # noqa: S608  our own words
        while rows := self._read(query, above):
            for size, note in rows:
                signed = self._signed(note)
                if signed.checkpoint.size != size:
                    raise self._damaged(f"under size {size} it has another checkpoint")
                yield signed
            above = rows[-1][0]

    def sizes(self, count: int) -> list[int]:
        """Return the sizes of the last checkpoints, the smallest first."""
        rows = self._numbers("SELECT size FROM checkpoints ORDER BY size DESC LIMIT ?", count)
        return [size for (size,) in reversed(rows)]

    def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return everything that it says, for comparison."""
        return {
            table: sorted(self._read(f"SELECT * FROM {table}"))  # noqa: S608
            for table in _TABLES
        }

    def _open(self) -> None:
        self._writer = self._connected("rwc")
        self._reader = self._connected("rwc")
        if self._writer.execute("PRAGMA user_version").fetchone() != (_VERSION,):
            with transaction(self._writer) as write:
                for statement in SCHEMA.split(";"):
                    write.execute(statement)
                write.execute("INSERT INTO meta VALUES ('log', ?)", (self._log,))
                write.execute(f"PRAGMA user_version = {_VERSION}")
        if self._meta("log") != self._log:
            raise Damaged("it is of another log")
        self.mark = self._mark()
        self.known = Bloom(self._meta("known"))
        self.known.update(p for (p,) in self._writer.execute("SELECT prefix FROM recent"))

    def _connected(self, mode: str) -> sqlite3.Connection:
        with self._errors(only=mode == "ro"):
            return connect(self.path, mode)

    def _remove(self) -> None:
        for name in ("_reader", "_writer"):
            with suppress(AttributeError, sqlite3.Error):
                getattr(self, name).close()
        remove(self.path)

    def _meta(self, key: str) -> bytes | None:
        row = self._writer.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        value = row[0] if row else None
        if value is None or isinstance(value, bytes):
            return value
        raise Damaged(f"its {key} is no blob")

    def _mark(self) -> Mark:
        return decode_mark(self._meta("mark"))

    def _signed(self, note: object) -> SignedCheckpoint:
        try:
            if isinstance(note, bytes):
                return SignedCheckpoint.parse(note)
        except Error as error:
            raise self._damaged(f"a checkpoint: {error.detail}") from None
        raise self._damaged("a checkpoint is no blob")

    def _damaged(self, why: str) -> Unavailable:
        self.broken = True
        return unavailable(why)

    def _remember(self, write: sqlite3.Cursor, prefixes: Sequence[int], size: int) -> None:
        """Keep the filter: whole from time to time, and what came since one by one."""
        write.executemany("INSERT INTO recent VALUES (?)", [(p,) for p in prefixes])
        ((recent,),) = write.execute("SELECT count(*) FROM recent").fetchall()
        if recent < max(_SAVE_AFTER, size // 16):
            return
        if self.known.is_full(size):
            self.known = Bloom.roomy(size)
            self.known.update(p for (p,) in write.execute("SELECT prefix FROM ids"))
        write.execute("REPLACE INTO meta VALUES ('known', ?)", (bytes(self.known.bits),))
        write.execute("DELETE FROM recent")

    def _last_frame(self, entry: int) -> list[Place]:
        query = "SELECT * FROM frames WHERE first <= ? ORDER BY first DESC LIMIT 1"
        return self._numbers(query, entry)

    def _numbers(self, query: str, *values: object) -> list[Any]:
        """Return rows of numbers that are not below 0, as all in the index are but prefixes."""
        rows = self._read(query, *values)
        for row in rows:
            for value in row:
                if not isinstance(value, int) or value < 0:
                    raise self._damaged("a number in it is none, or below 0")
        return rows

    def _read(self, query: str, *values: object) -> list[Any]:
        with self._reading, self._errors():
            return self._reader.execute(query, values).fetchall()

    @contextmanager
    def _errors(self, *, only: bool = True) -> Iterator[None]:
        try:
            yield
        except FAULTS as error:
            if not only:
                raise
            self.broken = self.broken or blames_file(error)
            raise unavailable(str(error)) from None
        except Damaged as error:
            raise self._damaged(str(error)) from None
