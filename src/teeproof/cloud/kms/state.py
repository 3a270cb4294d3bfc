"""What the KMS remembers, sealed at rest: each row encrypted, and all of them counted.

Rows are AES-256-GCM under a key that the machine derives for this code only; a row's place is bound
into it. The head row holds a keyed sum over all others, so rows of different days cannot be put
together. What it cannot show by itself is that the whole file is an old one: see ``journal``.

What was deleted is overwritten (SQLite's ``secure_delete``). A host that copied the file before
keeps what it copied, and only this code on this platform can open it, which refuses an old file.

Trusts: the key, this process.  Does not trust: whoever holds the file.
"""

from __future__ import annotations

import hmac
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from teeproof.core.digests import framed_sha256
from teeproof.core.errors import NotAuthentic, Unavailable
from teeproof.proof import canonical

__all__ = ["State"]

HEAD: Final = "head"
_NONCE = 12
_MAX_ROW = 1 << 20
_MODULUS = 1 << 256
_SCHEMA = "CREATE TABLE IF NOT EXISTS sealed (place TEXT PRIMARY KEY, box BLOB NOT NULL) STRICT"


class State:
    """Sealed rows by place, changed in transactions; open one with ``open``.

    Attributes:
        version: how many times it was changed.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        key: bytes,
        *,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._connection, self._random = connection, random
        self._cipher = AESGCM(framed_sha256("teeproof.kms-state.v1", key))
        self._sum_key = framed_sha256("teeproof.kms-sum.v1", key)
        self._lock = threading.RLock()
        self.version = 0
        self._sum = 0

    @classmethod
    def open(cls, path: Path, *, key: bytes, random: Callable[[int], bytes] = os.urandom) -> Self:
        """Return the state in a file; an empty one where there is none.

        Raises:
            NotAuthentic: code ``state_not_authentic``: it was changed, or belongs to other code or
                another platform.
            Unavailable: code ``state_unavailable``.
        """
        try:
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA secure_delete=ON")
            connection.execute(_SCHEMA)
            state = cls(connection, key, random=random)
            state._load()
        except sqlite3.Error as error:
            raise Unavailable(
                f"the state in {path.name} cannot be read: {error}", code="state_unavailable"
            ) from None
        return state

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def get(self, place: str) -> Any:
        """Return a row's value; None where there is none."""
        with self._lock:
            row = self._connection.execute(
                "SELECT box FROM sealed WHERE place = ?", (place,)
            ).fetchone()
        return None if row is None else self._open(place, row[0])

    def under(self, prefix: str) -> Iterator[tuple[str, Any]]:
        """Return the rows whose place begins with a prefix, in order of place."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT place, box FROM sealed WHERE substr(place, 1, ?) = ? ORDER BY place",
                (len(prefix), prefix),
            ).fetchall()
        return ((place, self._open(place, box)) for place, box in rows)

    def change(self, rows: Mapping[str, Any]) -> int:
        """Write rows, delete those whose value is None, all or nothing; return the new version."""
        with self._lock, self._transaction():
            total = self._sum
            for place, value in rows.items():
                total = (total - self._delete(place) + self._insert(place, value)) % _MODULUS
            head = {"version": self.version + 1, "sum": f"{total:064x}"}
            self._delete(HEAD)
            self._insert(HEAD, head)
        with self._lock:
            self.version, self._sum = self.version + 1, total
            return self.version

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise Unavailable(
                f"the state cannot be written: {error}", code="state_unavailable"
            ) from None

    def _delete(self, place: str) -> int:
        query = "DELETE FROM sealed WHERE place = ? RETURNING box"
        row = self._connection.execute(query, (place,)).fetchone()
        return 0 if row is None else self._term(place, row[0])

    def _insert(self, place: str, value: Any) -> int:
        if value is None:
            return 0
        nonce = self._random(_NONCE)
        box = nonce + self._cipher.encrypt(nonce, canonical.encode(value), place.encode())
        self._connection.execute("INSERT INTO sealed VALUES (?, ?)", (place, box))
        return self._term(place, box)

    def _load(self) -> None:
        rows = self._connection.execute("SELECT place, box FROM sealed").fetchall()
        head = next((self._open(place, box) for place, box in rows if place == HEAD), None)
        total = sum(self._term(*row) for row in rows if row[0] != HEAD) % _MODULUS
        if head is None and not rows:
            return
        if head is None or head["sum"] != f"{total:064x}":
            raise _changed()
        self.version, self._sum = head["version"], total

    def _term(self, place: str, box: bytes) -> int:
        data = len(place).to_bytes(8, "big") + place.encode() + box
        return int.from_bytes(hmac.digest(self._sum_key, data, "sha256"), "big")

    def _open(self, place: str, box: bytes) -> Any:
        try:
            data = self._cipher.decrypt(box[:_NONCE], box[_NONCE:], place.encode())
        except (InvalidTag, ValueError):
            raise _changed() from None
        return canonical.decode(data, limit=_MAX_ROW, what="row of the state")


def _changed() -> NotAuthentic:
    return NotAuthentic(
        "the KMS's state was changed by somebody else, or belongs to other code or another"
        " platform: put back what this KMS wrote",
        code="state_not_authentic",
    )
