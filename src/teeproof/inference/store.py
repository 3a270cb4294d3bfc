"""Receipts on disk: durable before the answer ends, found by either id, across restarts.

One SQLite file. A receipt is there, on the disk, when ``put`` returns; whether the log has it too
is a flag, so that what could not be appended is appended later. Beside the receipts stand the
identities that signed them: a restart makes new keys, and old receipts must stay checkable. No
bodies and no credentials are kept, only digests.

Trusts: the disk to keep what it has synced.  Does not trust: nothing; records were made here.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from teeproof.core.errors import Unavailable
from teeproof.proof.receipt import Receipt

__all__ = ["Kept", "ReceiptStore"]

_SCHEMA = """
CREATE TABLE receipt (
    number INTEGER PRIMARY KEY, receipt_id TEXT NOT NULL UNIQUE, chat_id TEXT NOT NULL UNIQUE,
    credential BLOB, logged INTEGER NOT NULL DEFAULT 0, document BLOB NOT NULL);
CREATE INDEX unlogged ON receipt (number) WHERE logged = 0;
CREATE TABLE identity (keyset TEXT PRIMARY KEY, record BLOB NOT NULL);
CREATE TABLE blob (keyset TEXT NOT NULL, digest TEXT NOT NULL, content BLOB NOT NULL,
    PRIMARY KEY (keyset, digest));
PRAGMA user_version = 1;
"""


class Kept(NamedTuple):
    """A receipt as it was kept: the document, and the digest of the credential that guards it."""

    document: bytes
    credential: bytes | None


class ReceiptStore:
    """The receipts of one service; may be called from any thread.

    Args:
        path: the file; it is made if there is none.

    Raises:
        Unavailable: it cannot be opened, or another version wrote it (``receipts_unavailable``).
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        try:
            self._base = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=FULL")
            version = self._base.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                self._base.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}COMMIT;")
            elif version != 1:
                raise sqlite3.DatabaseError(f"format {version}")
        except sqlite3.Error as error:
            raise _unavailable(error) from None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._base.close()

    def put(self, receipt: Receipt, *, credential: bytes | None) -> None:
        """Keep a receipt; it is durable when this returns.

        Raises:
            Unavailable: the disk does not take it.
        """
        self._write(
            "INSERT INTO receipt (receipt_id, chat_id, credential, document) VALUES (?, ?, ?, ?)",
            (receipt.body["receipt_id"], receipt.body["chat_id"], credential, receipt.encode()),
        )

    def find(self, name: str) -> Kept | None:
        """Return the receipt with this receipt id or chat id."""
        rows = self._read(
            "SELECT document, credential FROM receipt WHERE receipt_id = ?1 OR chat_id = ?1",
            (name,),
        )
        return Kept(*rows[0]) if rows else None

    def unlogged(self, most: int = 64) -> list[tuple[int, bytes]]:
        """Return receipts that no log has taken yet, oldest first, by number."""
        return self._read(
            "SELECT number, document FROM receipt WHERE logged = 0 ORDER BY number LIMIT ?", (most,)
        )

    def set_logged(self, number: int) -> None:
        """Note that the log has a receipt."""
        self._write("UPDATE receipt SET logged = 1 WHERE number = ?", (number,))

    @property
    def counts(self) -> tuple[int, int]:
        """How many receipts there are, and how many of them wait for the log."""
        rows = self._read("SELECT count(*), count(*) FILTER (WHERE logged = 0) FROM receipt", ())
        return rows[0]

    def put_identity(self, keyset: str, record: bytes, blobs: Mapping[str, bytes]) -> None:
        """Keep an identity and its evidence."""
        self._write(
            "INSERT OR IGNORE INTO identity (keyset, record) VALUES (?, ?)", (keyset, record)
        )
        for digest, content in blobs.items():
            self._write("INSERT OR IGNORE INTO blob VALUES (?, ?, ?)", (keyset, digest, content))

    def identity(self, keyset: str) -> tuple[bytes, dict[str, bytes]] | None:
        """Return the record and the evidence of the identity with a keyset (``sha256:…``)."""
        found = self._read("SELECT record FROM identity WHERE keyset = ?", (keyset,))
        if not found:
            return None
        return found[0][0], dict(
            self._read("SELECT digest, content FROM blob WHERE keyset = ?", (keyset,))
        )

    def identities(self) -> list[str]:
        """Return the keysets of all identities that are kept."""
        return [row[0] for row in self._read("SELECT keyset FROM identity ORDER BY rowid", ())]

    def _read(self, statement: str, values: tuple[object, ...]) -> list[tuple]:  # type: ignore[type-arg]
        with self._lock:
            try:
                return self._base.execute(statement, values).fetchall()
            except sqlite3.Error as error:
                raise _unavailable(error) from None

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        self._read(statement, values)


def _unavailable(error: sqlite3.Error) -> Unavailable:
    return Unavailable(
        "receipts cannot be kept or read here: look at the disk of the state folder",
        code="receipts_unavailable",
        got=str(error)[:200],
    )
