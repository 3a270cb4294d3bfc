"""What a server asks of a log; ``log.Log`` offers it.

Trusts: nothing.  Does not trust: nothing; it only names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from teeproof.proof.log.formats.checkpoint import Accept, SignedCheckpoint
from teeproof.proof.log.formats.note import SignatureLine, VerifierKey
from teeproof.proof.log.storage.items import Appended, Item
from teeproof.proof.log.storage.stored import Stored

__all__ = ["ServedLog"]


class ServedLog(Protocol):
    """A log on disk, as far as it is served."""

    @property
    def origin(self) -> str:
        """The log's name."""

    @property
    def verifier(self) -> VerifierKey:
        """The log's key."""

    @property
    def size(self) -> int:
        """How many entries are durable."""

    @property
    def published_size(self) -> int:
        """How many entries the newest checkpoint covers."""

    @property
    def public(self) -> Path:
        """The folder that anyone may read: ``checkpoint``, ``tile/``."""

    def append_many(self, items: Iterable[Item]) -> list[Appended]:
        """Append items; they are durable when this returns."""

    def publish(self) -> SignedCheckpoint:
        """Sign a checkpoint over all that is durable."""

    def checkpoint(self) -> SignedCheckpoint:
        """Return the newest checkpoint."""

    def add_cosignatures(self, size: int, lines: Iterable[SignatureLine]) -> None:
        """Keep cosignatures of the checkpoint of a size."""

    def first_checkpoint(self, index: int, *, accept: Accept = ...) -> SignedCheckpoint:
        """Return the earliest checkpoint that covers an entry and is accepted."""

    def iterate(self, start: int = 0) -> Iterator[Stored]:
        """Yield the durable entries from one on, in their order."""

    def stored(self, index: int) -> Stored:
        """Return all that the log has of an entry."""

    def entry(self, index: int) -> bytes:
        """Return an entry's 66 bytes."""

    def record(self, index: int) -> bytes:
        """Return the record of an entry."""

    def find(self, statement_id: bytes) -> Appended | None:
        """Return where a statement stands."""

    def places(self, statement_id: bytes) -> Iterator[int]:
        """Yield the entries of a statement in order: one for each way in which it was signed."""

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a complete subtree."""

    def inclusion_proof(self, index: int, size: int) -> list[bytes]:
        """Return the path of an entry in the tree of a size."""

    def put_blob(self, data: bytes) -> str:
        """Store bytes; return their ``sha256:…``."""

    def blob(self, digest: str) -> bytes:
        """Return bytes by their ``sha256:…``."""
