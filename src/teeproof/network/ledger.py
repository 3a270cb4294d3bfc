"""The market's memory on disk: every change in order, durable before anyone is told of it.

A change is one row: its number, the change, and a code over both and over the code before, made
with a key that the host does not have. So the host cannot alter, remove or insert a change without
the market noticing when it starts again. An older copy of the whole file is not noticed here: what
the log holds is newer then, and says so.

In the same transaction as the change stand the statements that it makes (they are sent to the log
afterwards, and again after a crash) and the answer to an order (so that asking twice gives one).

Source: SQLite, "Write-Ahead Logging" and PRAGMA synchronous.

Trusts: the key.  Does not trust: the host's disk, beyond keeping what it acknowledged.
"""

from __future__ import annotations

import hashlib
import hmac
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self

from teeproof.core.errors import NotAuthentic, Unavailable
from teeproof.core.transaction import transaction

__all__ = ["Ledger"]

_TABLES = """
CREATE TABLE IF NOT EXISTS change
    (number INTEGER PRIMARY KEY, code BLOB NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS answer (name BLOB PRIMARY KEY, code BLOB NOT NULL, body BLOB NOT NULL)
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS unsent (number INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS whole (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL,
    head BLOB NOT NULL, code BLOB NOT NULL, body BLOB NOT NULL);
"""
_START = bytes(32)
_PATIENCE = 1.0  # seconds in which another process may let go of the file


class Ledger:
    """One market's changes; one process at a time. Open with ``open``.

    Attributes:
        number: of the last change; 0 before the first.
    """

    def __init__(self, connection: sqlite3.Connection, *, key: bytes) -> None:
        self._sql, self._key = connection, key
        self.number, self._head = 0, _START

    @classmethod
    def open(cls, path: Path, *, key: bytes) -> Self:
        """Return the ledger in a file, made if there is none; read it with ``whole``, ``changes``.

        Args:
            path: the file.
            key: 32 bytes that only this workload has, the same after each start.

        Raises:
            Unavailable: the file cannot be opened, or another process has it.
        """
        try:
            connection = sqlite3.connect(
                path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
            )
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")  # durable once COMMIT returns
            connection.executescript(_TABLES)
        except sqlite3.Error as error:
            raise _unavailable(path, error) from None
        return cls(connection, key=key)

    def close(self) -> None:
        """Close the file."""
        self._sql.close()

    def whole(self) -> bytes | None:
        """Return the state that was written whole last, if any; ``changes`` go on behind it.

        Raises:
            NotAuthentic: code ``ledger_tampered``; it is not what this workload wrote.
        """
        rows = self._read("SELECT number, head, code, body FROM whole")
        if not rows:
            return None
        number, head, code, body = rows[0]
        self._require(code, b"whole", number, head, body)
        self.number, self._head = number, head
        return bytes(body)

    def changes(self) -> Iterator[bytes]:
        """Yield the changes behind the state that was written whole, in order, checked.

        Raises:
            NotAuthentic: code ``ledger_tampered``; one was altered, removed or inserted.
        """
        rows = self._read(
            "SELECT number, code, body FROM change WHERE number > ? ORDER BY number", self.number
        )
        for number, code, body in rows:
            if number != self.number + 1:
                raise _tampered(f"change {number} behind {self.number}")
            self._require(code, b"change", number, self._head, body)
            self.number, self._head = number, code
            yield bytes(body)

    def append(
        self,
        body: bytes,
        *,
        statements: Iterable[bytes] = (),
        answer: tuple[bytes, bytes] | None = None,
    ) -> int:
        """Write one change; it is durable when this returns.

        Args:
            body: the change.
            statements: envelopes that it makes, in the order in which the log is to get them.
            answer: the name (32 bytes) and the answer of an order that it settles.

        Returns:
            Its number.

        Raises:
            Unavailable: it could not be written, and nothing of it was.
        """
        number = self.number + 1
        code = self._code(b"change", number, self._head, body)
        try:
            with transaction(self._sql):
                self._sql.execute("INSERT INTO change VALUES (?, ?, ?)", (number, code, body))
                for statement in statements:
                    self._sql.execute("INSERT INTO unsent (body) VALUES (?)", (statement,))
                if answer is not None:
                    name, text = answer
                    mark = self._code(b"answer", 0, name, text)
                    self._sql.execute("INSERT INTO answer VALUES (?, ?, ?)", (name, mark, text))
        except sqlite3.Error as error:
            raise _unavailable(None, error) from None
        self.number, self._head = number, code
        return number

    def write_whole(self, body: bytes) -> None:
        """Write the state whole, and forget the changes that led to it."""
        code = self._code(b"whole", self.number, self._head, body)
        row = (1, self.number, self._head, code, body)
        with transaction(self._sql):
            self._sql.execute("INSERT OR REPLACE INTO whole VALUES (?, ?, ?, ?, ?)", row)
            self._sql.execute("DELETE FROM change WHERE number <= ?", (self.number,))

    def answer(self, name: bytes) -> bytes | None:
        """Return the answer that an order got; NotAuthentic if it was altered."""
        rows = self._read("SELECT code, body FROM answer WHERE name = ?", name)
        if not rows:
            return None
        code, body = rows[0]
        self._require(code, b"answer", 0, name, body)
        return bytes(body)

    def unsent(self) -> list[tuple[int, bytes]]:
        """Return the statements that the log may not have yet, in order, by number."""
        return self._read("SELECT number, body FROM unsent ORDER BY number")

    def sent(self, number: int) -> None:
        """Forget a statement that the log has taken."""
        self._sql.execute("DELETE FROM unsent WHERE number = ?", (number,))

    def _read(self, question: str, *values: object) -> list[Any]:
        try:
            return self._sql.execute(question, values).fetchall()
        except sqlite3.Error as error:
            raise _unavailable(None, error) from None

    def _code(self, kind: bytes, number: int, head: bytes, body: bytes) -> bytes:
        parts = kind + b"\0" + number.to_bytes(8, "big") + head + body
        return hmac.digest(self._key, parts, hashlib.sha256)

    def _require(self, code: bytes, kind: bytes, number: int, head: bytes, body: bytes) -> None:
        # SQLite gives a column's value in whatever type the host has put there.
        typed = isinstance(number, int) and all(isinstance(p, bytes) for p in (code, head, body))
        if not typed or not hmac.compare_digest(code, self._code(kind, number, head, body)):
            raise _tampered(f"{kind.decode()} {number}")


def _tampered(got: str) -> NotAuthentic:
    return NotAuthentic(
        "this is not the ledger that this market wrote: its host changed it, or it is another's",
        code="ledger_tampered",
        expected="what this very workload wrote, unchanged",
        got=got,
    )


def _unavailable(path: Path | None, error: sqlite3.Error) -> Unavailable:
    where = "the ledger" if path is None else str(path)
    return Unavailable(
        f"{where} cannot be used: is the disk full, or does another process have it?",
        code="ledger_unavailable",
        got=str(error)[:200],
    )
