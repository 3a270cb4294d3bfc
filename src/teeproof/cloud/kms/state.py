"""What the KMS remembers, sealed at rest: each row encrypted, and all of them counted.

Rows are AES-256-GCM under a key that the machine derives for this code only; a row's place is bound
into it. The head row holds a keyed sum over all others, so rows of different days cannot be put
together. A running process remembers what it wrote, row by row: a file that is changed or put back
under it is noticed at the next look. What a start cannot show by itself is that the whole file is
an old one: see ``journal``.

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
from teeproof.core.transaction import transaction
from teeproof.proof import canonical

__all__ = ["State"]

HEAD: Final = "head"
_NONCE = 12
_FAULTS = (sqlite3.Error, UnicodeDecodeError)  # the words of an error come from the file too
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
        self._terms: dict[str, int] = {}  # of each row but the head: what the disk must hold

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
        except _FAULTS as error:
            raise Unavailable(
                f"the state in {path.name} cannot be read: {error}", code="state_unavailable"
            ) from None
        return state

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def get(self, place: str) -> Any:
        """Return a row's value; None where there is none.

        Raises:
            NotAuthentic: code ``state_not_authentic``: the disk does not hold what was written.
            Unavailable: code ``state_unavailable``.
        """
        with self._lock:
            query = "SELECT box FROM sealed WHERE place = ?"
            try:
                row = self._connection.execute(query, (place,)).fetchone()
            except _FAULTS as error:
                raise _unavailable("read", error) from None
            self._require_written(place, row)
        return None if row is None else self._open(place, row[0])

    def under(self, prefix: str) -> Iterator[tuple[str, Any]]:
        """Return the rows whose place begins with a prefix, by place; errors as ``get``."""
        with self._lock:
            places = sorted(place for place in self._terms if place.startswith(prefix))
        return ((place, self.get(place)) for place in places)

    def change(self, rows: Mapping[str, Any]) -> int:
        """Write rows, delete those whose value is None, all or nothing; return the new version."""
        with self._lock:
            with self._transaction():
                terms = {place: self._replace(place, value) for place, value in rows.items()}
                after = {
                    place: term for place, term in (self._terms | terms).items() if term is not None
                }
                self._connection.execute("DELETE FROM sealed WHERE place = ?", (HEAD,))
                self._insert(HEAD, {"version": self.version + 1, "sum": _sum(after)})
            self.version, self._terms = self.version + 1, after
            return self.version

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            with transaction(self._connection):
                yield
        except _FAULTS as error:
            raise _unavailable("written", error) from None

    def _replace(self, place: str, value: Any) -> int | None:
        query = "DELETE FROM sealed WHERE place = ? RETURNING box"
        self._require_written(place, self._connection.execute(query, (place,)).fetchone())
        return None if value is None else self._insert(place, value)

    def _require_written(self, place: str, row: tuple[Any] | None) -> None:
        """Raise unless this is the row that was written there, or none where none was."""
        found = None if row is None else self._term(place, row[0])
        if found != self._terms.get(place):
            raise _changed()

    def _insert(self, place: str, value: Any) -> int:
        nonce = self._random(_NONCE)
        box = nonce + self._cipher.encrypt(nonce, canonical.encode(value), place.encode())
        self._connection.execute("INSERT INTO sealed VALUES (?, ?)", (place, box))
        return self._term(place, box)

    def _load(self) -> None:
        rows = self._connection.execute("SELECT place, box FROM sealed").fetchall()
        terms = {place: self._term(place, box) for place, box in rows}
        head = next((self._open(place, box) for place, box in rows if place == HEAD), None)
        if head is None and not rows:
            return
        terms.pop(HEAD, None)
        if head is None or len(terms) + 1 != len(rows) or head["sum"] != _sum(terms):
            raise _changed()
        self.version, self._terms = head["version"], terms

    def _term(self, place: Any, box: Any) -> int:
        if not isinstance(place, str) or not isinstance(box, bytes):
            raise _changed()  # the file has another table than ours
        data = len(place).to_bytes(8, "big") + place.encode() + box
        return int.from_bytes(hmac.digest(self._sum_key, data, "sha256"), "big")

    def _open(self, place: str, box: bytes) -> Any:
        try:
            data = self._cipher.decrypt(box[:_NONCE], box[_NONCE:], place.encode())
        except (InvalidTag, ValueError):
            raise _changed() from None
        return canonical.decode(data, limit=_MAX_ROW, what="row of the state")


def _sum(terms: Mapping[str, int]) -> str:
    return f"{sum(terms.values()) % _MODULUS:064x}"


def _unavailable(what: str, error: Exception) -> Unavailable:
    return Unavailable(f"the state cannot be {what}: {error}", code="state_unavailable")


def _changed() -> NotAuthentic:
    return NotAuthentic(
        "the KMS's state was changed by somebody else, or belongs to other code or another"
        " platform: put back what this KMS wrote",
        code="state_not_authentic",
    )
