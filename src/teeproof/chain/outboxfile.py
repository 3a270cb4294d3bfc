"""What an outbox keeps: one SQLite file that one process owns.

    sends      by the caller's key: what is to be done, under which nonce, and how it ended
    attempts   every signed form of it; more than one where the fees were raised

A row of ``sends`` and its first attempt come to stand there together or not at all: a nonce is
never taken without the bytes that use it.

Trusts: the file.  Does not trust: that there is no other process.
"""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from teeproof.chain.account import Fields, Signed
from teeproof.core.errors import NotAuthentic, Unavailable
from teeproof.core.transaction import transaction

__all__ = ["Attempt", "OutboxFile", "Row"]

_FORMAT = 1
_TABLES = """
CREATE TABLE sends (
  key TEXT PRIMARY KEY, request BLOB NOT NULL, nonce INTEGER NOT NULL UNIQUE, receiver TEXT,
  data BLOB NOT NULL, value TEXT NOT NULL, gas INTEGER NOT NULL, ended TEXT
) WITHOUT ROWID;
CREATE TABLE attempts (
  nonce INTEGER NOT NULL, hash TEXT PRIMARY KEY, raw BLOB NOT NULL, max_fee TEXT NOT NULL,
  max_tip TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX nonces ON attempts (nonce);
CREATE TABLE owner (account TEXT NOT NULL, chain TEXT NOT NULL);
"""


class Row(NamedTuple):
    """One thing to be done; ``ended`` is the hash that stands for good, or None."""

    key: str
    request: bytes
    nonce: int
    to: str | None
    data: bytes
    value: int
    gas: int
    ended: str | None


class Attempt(NamedTuple):
    """One signed form of it, with what it offers in wei per unit of gas."""

    hash: str
    raw: bytes
    max_fee: int
    max_tip: int


class OutboxFile:
    """The file of one account on one chain.

    Args:
        path: the file; it is made if there is none.
        account: the account's address.
        chain: what tells the chain from every other, as text.

    Raises:
        Unavailable: another process has it (``outbox_taken``), or it cannot be opened.
        NotAuthentic: it is another account's, or of another chain (``outbox_other``).
    """

    def __init__(self, path: Path, *, account: str, chain: str) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = open(f"{path}.lock", "ab")  # noqa: SIM115  held until it is closed
        except OSError as error:
            raise _unavailable(path, error.strerror or "") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        except BlockingIOError:
            self._lock.close()
            raise Unavailable(
                f"another process sends from {path}: stop it, or use another file and account",
                code="outbox_taken",
                got=str(path),
            ) from None
        except sqlite3.Error as error:
            self._lock.close()
            raise _unavailable(path, str(error)) from None
        try:
            self._prepare(account, chain)
        except sqlite3.Error as error:
            self.close()
            raise _unavailable(path, str(error)) from None
        except BaseException:
            self.close()
            raise

    def _prepare(self, account: str, chain: str) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            self._db.execute(f"PRAGMA {pragma}").fetchall()
        if self._db.execute("PRAGMA user_version").fetchone() == (0,):
            with self._changing():
                for statement in _TABLES.split(";"):
                    self._db.execute(statement)
                self._db.execute("INSERT INTO owner VALUES (?, ?)", (account, chain))
                self._db.execute(f"PRAGMA user_version={_FORMAT}")
        found = self._db.execute("SELECT account, chain FROM owner").fetchone()
        if found != (account, chain):
            raise NotAuthentic(
                "this outbox is of another account or chain: use a file for each",
                code="outbox_other",
                expected=f"{account} on {chain}",
                got=f"{found[0]} on {found[1]}",
            )

    def close(self) -> None:
        """Give the file back."""
        self._db.close()
        self._lock.close()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        try:
            with transaction(self._db):
                yield
        except sqlite3.Error as error:
            raise Unavailable(
                f"the outbox cannot be written: {error}", code="outbox_unavailable"
            ) from None

    def add(
        self,
        key: str,
        request: bytes,
        *,
        least: int,
        fields: Fields,
        sign: Callable[[Fields], Signed],
    ) -> Row:
        """Take the next nonce, sign, and keep both in one transaction.

        Args:
            key: the caller's.
            request: what tells this request from another under the same key.
            least: the least nonce that the chain would take.
            fields: what is to be sent; its nonce is replaced.
            sign: signs it.
        """
        with self._changing():
            nonce = max(least, self._highest() + 1)
            fields = fields._replace(nonce=nonce)
            row = (key, request, nonce, fields.to, fields.data, str(fields.value), fields.gas, None)
            self._db.execute("INSERT INTO sends VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            self._attempt(nonce, fields, sign(fields))
        return _row(row)

    def _highest(self) -> int:
        (highest,) = self._db.execute("SELECT MAX(nonce) FROM sends").fetchone()
        return -1 if highest is None else int(highest)

    def add_attempt(self, nonce: int, fields: Fields, signed: Signed) -> None:
        """Keep another signed form of what has this nonce."""
        with self._changing():
            self._attempt(nonce, fields, signed)

    def _attempt(self, nonce: int, fields: Fields, signed: Signed) -> None:
        values = (nonce, "0x" + signed.hash.hex(), signed.raw)
        self._db.execute(
            "INSERT INTO attempts VALUES (?, ?, ?, ?, ?)",
            (*values, str(fields.max_fee), str(fields.max_tip)),
        )

    def renew(
        self, row: Row, *, least: int, fields: Fields, sign: Callable[[Fields], Signed]
    ) -> Row:
        """Give a send whose nonce is lost the next one."""
        with self._changing():
            self._db.execute("DELETE FROM sends WHERE key=?", (row.key,))
            nonce = max(least, row.nonce + 1, self._highest() + 1)
            fields = fields._replace(nonce=nonce)
            values = (*row[:2], nonce, row.to, row.data, str(row.value), row.gas, None)
            self._db.execute("INSERT INTO sends VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
            self._attempt(nonce, fields, sign(fields))
        return _row(values)

    def end(self, key: str, tx_hash: str) -> None:
        """Keep which attempt stands for good."""
        self._db.execute("UPDATE sends SET ended=? WHERE key=?", (tx_hash, key))

    def row(self, key: str) -> Row | None:
        """Return what has this key."""
        found = self._db.execute("SELECT * FROM sends WHERE key=?", (key,)).fetchone()
        return None if found is None else _row(found)

    def open_rows(self) -> list[Row]:
        """Return what has not ended for good, in the order of the nonces."""
        rows = self._db.execute("SELECT * FROM sends WHERE ended IS NULL ORDER BY nonce")
        return [_row(row) for row in rows]

    def attempts(self, nonce: int) -> list[Attempt]:
        """Return the signed forms under a nonce; the one that offers most is the last."""
        rows = self._db.execute(
            "SELECT hash, raw, max_fee, max_tip FROM attempts WHERE nonce=?", (nonce,)
        )
        found = [Attempt(row[0], row[1], int(row[2]), int(row[3])) for row in rows]
        return sorted(found, key=lambda attempt: attempt.max_fee)


def _row(values: tuple[Any, ...]) -> Row:
    return Row._make((*values[:5], int(values[5]), *values[6:]))


def _unavailable(path: Path, why: str) -> Unavailable:
    return Unavailable(
        f"the outbox {path} cannot be opened: {why}", code="outbox_unavailable", got=str(path)
    )
