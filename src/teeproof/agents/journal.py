"""An agent's journal: entries chained by hashes, each on the disk before the next thing is done.

    {"body":{…},"kind":"intent","previous":"sha256:…","seq":7}

An entry is canonical JSON and its digest is over those bytes; it names the digest of the one
before it. Beside each stands an HMAC with a key that the machine derives for this code alone, so a
host that edits, moves or removes an entry, or writes one, is found when the journal is next opened.
What a host can do is put an old copy of the whole file back: the chain's nonce and the log tell,
and the kernel asks both before it acts.

SQLite in WAL mode with ``synchronous=FULL``: ``append`` returns once the entry would survive a loss
of power. The file has one user at a time.

Trusts: the key, SQLite.  Does not trust: the host, which keeps the file.
"""

from __future__ import annotations

import hmac
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import msgspec

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Malformed, NotAuthentic, Unavailable
from teeproof.core.transaction import transaction
from teeproof.proof import canonical

__all__ = ["GENESIS", "Entry", "Journal", "no_fault", "read_entries"]

T = TypeVar("T")

GENESIS = named(bytes(32))
"""What the first entry names as the one before it."""
MAX_ENTRY = 256 << 10
_MAC_LABEL = b"teeproof.journal.v1"
_PATIENCE = 0.2  # seconds to wait for another user of the file
_TABLE = (
    "CREATE TABLE IF NOT EXISTS entries"
    " (seq INTEGER PRIMARY KEY, line BLOB NOT NULL, mac BLOB NOT NULL) STRICT"
)


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    body: msgspec.Raw
    kind: str
    previous: str
    seq: int


class Entry(NamedTuple):
    """One entry.

    Attributes:
        seq: its place, from 0.
        kind: what it is, a word.
        previous: ``sha256:…`` of the entry before it.
        line: its bytes.
    """

    seq: int
    kind: str
    previous: str
    line: bytes

    @property
    def digest(self) -> str:
        """``sha256:…`` of its bytes."""
        return named(sha256(self.line))

    def body(self, kind: type[T]) -> T:
        """Return what it says."""
        return msgspec.json.decode(_split(self.line).body, type=kind)


def no_fault(point: str) -> None:
    """Do nothing: where a test would kill the process."""


class Journal:
    """The journal of one agent; make one with ``open``.

    Attributes:
        entries: all of them.
    """

    def __init__(
        self, database: sqlite3.Connection, key: bytes, fault: Callable[[str], None]
    ) -> None:
        self._database = database
        self._key = key
        self._fault = fault
        self.entries: list[Entry] = []

    @classmethod
    def open(cls, path: Path, *, key: bytes, fault: Callable[[str], None] = no_fault) -> Self:
        """Return the journal in a file, every entry checked; a new one where there is no file.

        Args:
            path: the file.
            key: 32 bytes that the host cannot know.
            fault: called around each write with its name.

        Raises:
            NotAuthentic: code ``journal_edited``; an entry is not as it was written.
            Unavailable: code ``journal_busy`` or ``journal_unreadable``.
        """
        try:
            database = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=_PATIENCE
            )
        except sqlite3.Error as error:
            raise _unreadable(path, error) from None
        journal = cls(database, key, fault)
        try:
            for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=FULL"):
                database.execute(f"PRAGMA {pragma}")
            with transaction(database):
                database.execute(_TABLE)
            rows = database.execute("SELECT seq, line, mac FROM entries ORDER BY seq").fetchall()
            journal.entries += journal._checked(rows)
        except BaseException as error:
            database.close()
            if isinstance(error, sqlite3.Error):
                raise _unreadable(path, error) from None
            raise
        return journal

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @property
    def head(self) -> str:
        """``sha256:…`` of the last entry."""
        return self.entries[-1].digest if self.entries else GENESIS

    def append(self, kind: str, body: Any) -> Entry:
        """Write an entry, and return it once it is durable.

        Raises:
            Unavailable: code ``journal_unreadable``; the disk did not take it, nothing was written.
        """
        seq, previous = len(self.entries), self.head
        line = canonical.encode({"body": body, "kind": kind, "previous": previous, "seq": seq})
        self._fault(f"before {kind}")
        try:
            self._database.execute(
                "INSERT INTO entries VALUES (?, ?, ?)", (seq, line, self._mac(line))
            )
        except sqlite3.Error as error:
            raise _unreadable(Path("journal"), error) from None
        self._fault(f"after {kind}")
        entry = Entry(seq, kind, previous, line)
        self.entries.append(entry)
        return entry

    def _mac(self, line: bytes) -> bytes:
        return hmac.digest(self._key, _MAC_LABEL + line, "sha256")

    def _checked(self, rows: Iterable[tuple[int, bytes, bytes]]) -> Iterator[Entry]:
        previous = GENESIS
        for place, (seq, line, mac) in enumerate(rows):
            if not hmac.compare_digest(self._mac(line), mac):
                raise _edited(place, "it was not written by this agent")
            entry = _read(line)
            if (entry.seq, seq) != (place, place) or entry.previous != previous:
                raise _edited(place, "the entry before it is missing, or another")
            previous = entry.digest
            yield entry


def read_entries(lines: Iterator[bytes]) -> tuple[Entry, ...]:
    """Return the entries in a copy of a journal, as ``GET /v1/journal`` gives it.

    Raises:
        Malformed: a line is none.
        NotAuthentic: code ``journal_edited``; they are not one chain from the first on.
    """
    found: list[Entry] = []
    previous = GENESIS
    for place, line in enumerate(lines):
        entry = _read(line)
        if entry.seq != place or entry.previous != previous:
            raise _edited(place, "the entry before it is missing, or another")
        previous = entry.digest
        found.append(entry)
    return tuple(found)


def _split(line: bytes) -> _Line:
    return msgspec.json.decode(line, type=_Line)


def _read(line: bytes) -> Entry:
    canonical.decode(line, limit=MAX_ENTRY, what="journal entry")
    try:
        found = _split(line)
    except msgspec.MsgspecError as error:
        raise Malformed(
            "this is no journal entry", code="journal_entry_malformed", got=str(error)[:200]
        ) from None
    return Entry(found.seq, found.kind, found.previous, line)


def _edited(place: int, what: str) -> NotAuthentic:
    return NotAuthentic(
        f"the journal was changed: entry {place} does not hold: {what}. Put the file back as the"
        " agent left it",
        code="journal_edited",
        got=f"entry {place}",
    )


def _unreadable(path: Path, error: sqlite3.Error) -> Unavailable:
    if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
        return Unavailable(
            f"another process has {path.name} open: an agent has one journal and one process",
            code="journal_busy",
        )
    return Unavailable(
        f"{path.name} cannot be read or written: {error}", code="journal_unreadable", got=str(path)
    )
