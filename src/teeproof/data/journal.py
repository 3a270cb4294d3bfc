"""A pool's state: a journal of what happened, sealed row by row, that survives ``kill -9``.

Every row is AES-256-GCM under a key that only this code gets on this machine, and is bound to its
number and to the row before it: a row that is edited, moved, left out or put in from elsewhere does
not open, and the pool does not start. What a row says is durable before anyone is told.

    events     what arrived, what was decided, what was said, what was withdrawn
    sketches   per file, what near-duplicates are found by; erased when it is withdrawn

What this cannot see is a whole old file put back in place of the new one: the machine has no memory
of its own. The pool then says something else on a place of its order of arrival than it said
before, which ``verify.same_history`` shows to anyone who has both statements.

Trusts: the key, SQLite's durability.  Does not trust: whoever can write to the disk.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from teeproof.cloud.kms.policy import ReleasePolicy
from teeproof.core.digests import sha256
from teeproof.core.errors import NotAuthentic, Unavailable
from teeproof.core.transaction import transaction
from teeproof.data.consent import Consent

__all__ = ["Decided", "Event", "Journal", "Opened", "Received", "Snapshot", "Speaker", "Withdrew"]

_NONCE = 12
_EVENT, _SKETCH = b"teeproof.data-event.v1", b"teeproof.data-sketch.v1"
_EMPTY: Final = bytes(32)
_TABLES = """
CREATE TABLE IF NOT EXISTS events (number INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS sketches (sequence INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT;
"""
_KEEP = "INSERT INTO sketches VALUES (?, ?)"
_ERASE = "DELETE FROM sketches WHERE sequence = ?"


class Opened(msgspec.Struct, frozen=True, tag="opened"):
    """The pool began, under these terms."""

    terms: str


class Received(msgspec.Struct, frozen=True, tag="received"):
    """A contribution has a place in the order of arrival, and its file is on the disk."""

    consent: Consent
    signature: str
    policy: ReleasePolicy


class Decided(msgspec.Struct, frozen=True, tag="decided"):
    """The next contribution was judged; ``sketch`` is the digest of its sealed sketches."""

    envelope: bytes
    sketch: bytes | None = None


class Withdrew(msgspec.Struct, frozen=True, tag="withdrew"):
    """A contribution was taken back; its sketches are gone."""

    sequence: int
    envelope: bytes


class Snapshot(msgspec.Struct, frozen=True, tag="snapshot"):
    """A dataset was stated."""

    envelope: bytes


class Speaker(msgspec.Struct, frozen=True, tag="speaker"):
    """An identity of the pool is about to speak: its record and its evidence."""

    record: bytes
    blobs: dict[str, bytes]


Event = Opened | Speaker | Received | Decided | Withdrew | Snapshot

_decoder = msgspec.json.Decoder(Event)
_encoder = msgspec.json.Encoder()


class Journal:
    """The state in one SQLite file; threads may share it.

    Args:
        path: of the file; made if there is none.
        key: 32 bytes, secret and always the same.
        random: makes nonces.
    """

    def __init__(
        self, path: Path, *, key: bytes, random: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._cipher, self._random = AESGCM(key), random
        self._lock = threading.Lock()
        self._head, self._count = _EMPTY, 0
        try:
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            path.chmod(0o600)
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
                self._database.execute(f"PRAGMA {pragma}")
            self._database.executescript(_TABLES)
        except (sqlite3.Error, OSError) as error:
            raise _unusable(error) from None

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def replay(self) -> list[Event]:
        """Return everything that happened, in order; call it once, before ``append``.

        Raises:
            NotAuthentic: code ``state_edited``; the file is not as this code left it.
        """
        events: list[Event] = []
        try:
            rows = self._database.execute("SELECT number, sealed FROM events ORDER BY number")
            for number, sealed in rows:
                if number != self._count + 1:
                    raise _edited(f"row {number} where {self._count + 1} belongs")
                events.append(_decoder.decode(self._open(sealed, _event(number, self._head))))
                self._head, self._count = sha256(sealed), number
        except sqlite3.Error as error:
            raise _edited(str(error)) from None
        return events

    def append(self, event: Event, *, sketch: tuple[int, bytes] | None = None) -> None:
        """Write what happened; it is durable when this returns.

        Args:
            event: of a decision, without the digest of its sketch.
            sketch: the place of a contribution, and its sketches to keep beside the event. A
                withdrawal erases those of its own place.

        Raises:
            Unavailable: code ``state_unavailable``; nothing was written.
        """
        with self._lock:
            number = self._count + 1
            kept = None
            if sketch is not None and isinstance(event, Decided):
                kept = self._seal(sketch[1], _sketch(sketch[0]))
                event = msgspec.structs.replace(event, sketch=sha256(kept))
            sealed = self._seal(_encoder.encode(event), _event(number, self._head))
            try:
                with transaction(self._database):
                    if sketch is not None and kept is not None:
                        self._database.execute(_KEEP, (sketch[0], kept))
                    if isinstance(event, Withdrew):
                        self._database.execute(_ERASE, (event.sequence,))
                    self._database.execute("INSERT INTO events VALUES (?, ?)", (number, sealed))
            except sqlite3.Error as error:
                raise _unusable(error) from None
            self._head, self._count = sha256(sealed), number
            if isinstance(event, Withdrew):
                self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # no copy in the WAL

    def sketches(self, expected: Mapping[int, bytes]) -> Iterator[tuple[int, bytes]]:
        """Yield the sketches of contributions, whose digests their decisions name.

        Args:
            expected: by the place of a contribution, the digest of its sealed sketches.

        Raises:
            NotAuthentic: code ``state_edited``; others are there than these.
        """
        try:
            found = dict(self._database.execute("SELECT sequence, sealed FROM sketches"))
        except sqlite3.Error as error:
            raise _edited(str(error)) from None
        if {place: sha256(sealed) for place, sealed in found.items()} != expected:
            raise _edited("sketches that no decision names, or not all of them")
        for place in sorted(found):
            yield place, self._open(found[place], _sketch(place))

    def _seal(self, plain: bytes, bound: bytes) -> bytes:
        nonce = self._random(_NONCE)
        return nonce + self._cipher.encrypt(nonce, plain, bound)

    def _open(self, sealed: object, bound: bytes) -> bytes:
        if not isinstance(sealed, bytes) or len(sealed) <= _NONCE:
            raise _edited("a row that is too short")
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], bound)
        except InvalidTag:
            raise _edited("a row that this machine and this code did not write there") from None


def _event(number: int, head: bytes) -> bytes:
    return _EVENT + number.to_bytes(8, "big") + head


def _sketch(sequence: int) -> bytes:
    return _SKETCH + sequence.to_bytes(8, "big")


def _edited(got: str) -> NotAuthentic:
    return NotAuthentic(
        "the pool's state was edited, or belongs to another machine or another code: put the right"
        " file back; the pool does not start with this one",
        code="state_edited",
        expected="every row as it was written",
        got=got,
    )


def _unusable(error: Exception) -> Unavailable:
    return Unavailable(
        "the pool's state cannot be written: make room, or see who else has it open",
        code="state_unavailable",
        got=str(error)[:200],
    )
