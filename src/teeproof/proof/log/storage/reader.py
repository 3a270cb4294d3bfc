"""Read a log's directory: entries, records, proofs and checkpoints. Many may, beside one writer.

Trusts: whoever may write to the directory, for salts and records; the tree is signed.
Does not trust: the disk.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from teeproof.core.errors import Unavailable, Usage
from teeproof.proof.log.formats import rfc6962
from teeproof.proof.log.formats.checkpoint import Accept, SignedCheckpoint
from teeproof.proof.log.formats.note import VerifierKey
from teeproof.proof.log.storage.directory import Directory
from teeproof.proof.log.storage.disk import Disk
from teeproof.proof.log.storage.index import Index
from teeproof.proof.log.storage.items import Appended
from teeproof.proof.log.storage.lookup import Lookup
from teeproof.proof.log.storage.publisher import served
from teeproof.proof.log.storage.segments import Segments
from teeproof.proof.log.storage.stored import Stored
from teeproof.proof.log.storage.tilestore import TileStore

__all__ = ["Reader"]

_SETTLED = 100_000_000  # ns; files written closer to each other may have one time


def _any(_: SignedCheckpoint) -> bool:
    return True


class Reader:
    """What a log's directory says. It sees what is published.

    Attributes:
        directory: where the log lies.
        verifier: the log's public key.
        exposed: what others might use when the log was opened, and should not: file names, the key
            first. Whoever opens the log for writing takes their rights to it.
    """

    directory: Path
    verifier: VerifierKey
    exposed: tuple[str, ...]
    _places: Directory
    _index: Index
    _lookup: Lookup
    _tiles: TileStore
    _served: str
    _seen: tuple[tuple[int, ...], SignedCheckpoint] | None = None  # and of which file

    def _begin(self, directory: Path, disk: Disk) -> None:
        self.directory, self._places = directory, Directory(directory, disk)
        self.verifier, self.exposed = self._places.key(), self._places.exposed()
        self._tiles = TileStore(self._places.public)
        self._served = str(self._places.public / "checkpoint")  # it is asked for very often

    def _begin_reading(self) -> None:
        name = self._places.name(self.verifier)
        segments = Segments(self._places.journal, name)
        segments.open()
        self._index = Index(self._places.index, name, writable=False)
        self._lookup = Lookup(segments, self._index)

    @property
    def origin(self) -> str:
        """The log's name, which its checkpoints say."""
        return self.verifier.name

    @property
    def public(self) -> Path:
        """The folder that may be served as it is."""
        return self._places.public

    @property
    def size(self) -> int:
        """How many entries can be read."""
        return self.published_size

    @property
    def published_size(self) -> int:
        """How many entries the latest checkpoint covers."""
        return self.checkpoint().checkpoint.size

    def checkpoint(self) -> SignedCheckpoint:
        """Return the latest checkpoint, with all cosignatures that are known."""
        identity = _identity(self._served)
        if self._seen and identity == self._seen[0]:
            return self._seen[1]
        signed = served(self._places.public, self.verifier)
        if signed is None:
            raise _unserved(self._places.public, self._index.checkpoint())
        if identity and time.time_ns() - identity[-1] > _SETTLED:
            self._seen = identity, signed
        return signed

    def first_checkpoint(self, index: int, *, accept: Accept = _any) -> SignedCheckpoint:
        """Return the earliest published checkpoint that covers an entry and that ``accept`` takes.

        Raises:
            Usage: code ``outside_log``.
            Unavailable: code ``checkpoint_unknown``; there is none yet.
        """
        self._require_entry(index)
        for signed in self._index.checkpoints(index):
            if accept(signed):
                return signed
        raise Unavailable(
            "no checkpoint that covers the entry is what was asked for: wait for cosignatures",
            code="checkpoint_unknown",
            got=f"entry {index}",
        )

    def cosigned(self, index: int) -> Iterator[SignedCheckpoint]:
        """Yield the published checkpoints that cover an entry and that not the log alone signed.

        The smallest first; whose the further signatures are, and whether they hold, is not looked
        at.

        Raises:
            Usage: code ``outside_log``.
        """
        self._require_entry(index)
        return self._index.checkpoints(index, cosigned=True)

    def stored(self, index: int) -> Stored:
        """Return all that the log has of an entry.

        Raises:
            Usage: code ``outside_log``.
            NotAuthentic: code ``log_corrupt``; it is not what was appended.
        """
        self._require_entry(index)
        return self._lookup.stored(index)

    def iterate(self, start: int = 0) -> Iterator[Stored]:
        """Yield all entries from one on, in their order, up to the size that the log has now.

        Raises:
            Usage: code ``outside_log``; ``start`` is negative.
            NotAuthentic: code ``log_corrupt``; an entry is not what was appended.
        """
        size = self.size
        if start < 0:
            self._require_entry(start)
        return self._lookup.iterate(start, size)

    def entry(self, index: int) -> bytes:
        """Return the 66 bytes that stand for an entry in the tree."""
        return self.stored(index).entry()

    def record(self, index: int) -> bytes:
        """Return the record that was submitted."""
        return self.stored(index).record

    def find(self, statement_id: bytes) -> Appended | None:
        """Return where a statement stands; None if the log does not have it."""
        found = self._lookup.find(statement_id)
        return found if found and found.index < self.size else None

    def places(self, statement_id: bytes) -> Iterator[int]:
        """Yield the entries of a statement in order: one for each way in which it was signed.

        Anybody may enter a statement once more, so whoever found what they wanted asks no further.
        """
        size = self.size
        return (index for index in self._lookup.places(statement_id) if index < size)

    def entries_by(self, identity: bytes, *, start: int = 0, limit: int = 1000) -> list[int]:
        """Return the places of one author's entries, in order, from ``start`` on."""
        size = self.size
        found = self._index.entries_by(identity, start=start, limit=limit)
        return [index for index in found if index < size]

    def node(self, level: int, index: int) -> bytes:
        """Return the root of a complete subtree of the published tree."""
        return self._tiles.node(level, index, self.published_size)

    def inclusion_proof(self, index: int, size: int | None = None) -> list[bytes]:
        """Return the hashes from an entry to the root of a published size; by default, the latest.

        Raises:
            Usage: code ``outside_tree``.
        """
        tree = self.published_size
        return rfc6962.inclusion_proof(index, _within(size, tree), self._tiles.get(tree))

    def consistency_proof(self, old: int, new: int | None = None) -> list[bytes]:
        """Return the hashes which show that one published tree extends another.

        Raises:
            Usage: code ``outside_tree``.
        """
        tree = self.published_size
        return rfc6962.consistency_proof(old, _within(new, tree), self._tiles.get(tree))

    def blob(self, digest: str) -> bytes:
        """Return a blob by its digest, ``sha256:…``.

        Raises:
            Unavailable: code ``blob_unknown``.
            NotAuthentic: code ``log_corrupt``; it was changed.
        """
        return self._places.blob(digest)

    def _require_entry(self, index: int) -> None:
        size = self.size
        if not 0 <= index < size:
            raise Usage(
                "the log has no such entry",
                code="outside_log",
                expected=f"below {size}",
                got=str(index),
            )


def _identity(path: str) -> tuple[int, ...] | None:
    """Return what a file that replaces this one would not have alike, its time last."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _unserved(public: Path, latest: SignedCheckpoint | None) -> Unavailable:
    """Return the error for a checkpoint that is not served; ``latest`` is the last one signed."""
    if latest is None:
        return Unavailable("the log has published nothing yet", code="checkpoint_unknown")
    return Unavailable(
        "what the log has published is missing: it is made anew by whatever opens the log for"
        " writing, such as: teeproof log publish",
        code="served_missing",
        expected=f"a checkpoint of {latest.checkpoint.size} entries",
        got=f"no {public / 'checkpoint'}",
    )


def _within(size: int | None, tree: int) -> int:
    if size is None:
        return tree
    if not 0 <= size <= tree:
        raise Usage(
            "the log has not published a tree of this size",
            code="outside_tree",
            expected=f"at most {tree}",
            got=str(size),
        )
    return size
