"""An append-only log on disk: acknowledged once durable, published within a stated delay.

    with Log.create(directory, origin="log.example/a") as log:
        done = log.append(kind=STATEMENT, statement_id=i, identity=who, seal=s, record=envelope)
        log.publish()
        proof = log.inclusion_proof(done.index)

One process writes and others may read. The journal is the one thing that must not be lost; tiles,
checkpoints and index follow from it and are checked against it, or made again, when it is opened.

Trusts: the disk to keep what it said it has.  Does not trust: crashes, power, clocks, callers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from itertools import islice
from operator import attrgetter
from os import PathLike
from pathlib import Path
from typing import Self

from teeproof.core.errors import Error, Usage
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.log.formats.note import NoteSigner, SignatureLine
from teeproof.proof.log.storage.background import Background
from teeproof.proof.log.storage.batch import BATCH, Batch
from teeproof.proof.log.storage.directory import SEED_BYTES, Directory
from teeproof.proof.log.storage.disk import Disk
from teeproof.proof.log.storage.items import MAX_RECORD_BYTES, Appended, Item
from teeproof.proof.log.storage.journal import SEGMENT_LIMIT, Journal
from teeproof.proof.log.storage.reader import Reader
from teeproof.proof.log.storage.stored import Stored
from teeproof.proof.log.storage.writing import Progress, Writing

__all__ = ["Appended", "Item", "Log"]

_record = attrgetter("record")
_UNINDEXED = 1 << 16  # ids in memory; with more, appending waits for the index


class Log(Reader):
    """A log in one directory. Its methods may be called from any thread.

    Attributes:
        directory: where it lies.
        verifier: its public key.
    """

    def __init__(self) -> None:
        self._open = True
        self._writing: Writing | None = None
        self._background: Background | None = None

    @classmethod
    def create(
        cls,
        directory: str | PathLike[str],
        *,
        origin: str,
        seed: bytes | None = None,
        disk: Disk | None = None,
        random: Callable[[int], bytes] = os.urandom,
    ) -> Self:
        """Make a log and open it.

        Args:
            directory: a new or empty one.
            origin: the log's name; by convention its URL without the scheme.
            seed: the 32 bytes of its Ed25519 key; by default, new ones.
            disk: where writes go.
            random: the seed and the salts come from here.

        Raises:
            Usage: code ``log_exists``.
            Unavailable: code ``log_disk``.
        """
        disk = disk or Disk()
        seed = random(SEED_BYTES) if seed is None else seed
        key = NoteSigner(origin, seed).verifier
        places = Directory(Path(directory), disk)
        places.prepare(seed)
        name = places.name(key)
        Journal(places.journal, name, disk=disk, scratch=places.scratch).create()
        places.finish(key)
        return cls.open(directory, disk=disk, random=random)

    @classmethod
    def open(
        cls,
        directory: str | PathLike[str],
        *,
        read_only: bool = False,
        disk: Disk | None = None,
        random: Callable[[int], bytes] = os.urandom,
        segment_limit: int = SEGMENT_LIMIT,
        progress: Progress | None = None,
    ) -> Self:
        """Open a log, and repair what a crash has left.

        Args:
            directory: where it lies.
            read_only: see what is published, beside the one writer.
            disk: where writes go.
            random: salts come from here.
            segment_limit: bytes in a file of the journal, about.
            progress: told how far the index, or the tiles, are made anew, if they are.

        Raises:
            Unavailable: code ``log_missing``, ``log_locked`` or ``log_disk``.
            NotAuthentic: code ``log_corrupt``; something that was durable is not what it was.
        """
        log = cls()
        log._begin(Path(directory), disk or Disk())
        if read_only:
            log._begin_reading()
        else:
            writing = log._writing = Writing(
                log._places,
                log.verifier,
                log._tiles,
                random=random,
                segment_limit=segment_limit,
                progress=progress,
            )
            log._index, log._lookup = writing.index, writing.lookup
        return log

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what waits, bring the index up to date, and let others write. Publishes nothing."""
        if not self._open:
            return
        self._open = False
        if self._background:
            self._background.close()
        if self._writing:
            self._writing.close()
        else:
            self._index.close()

    @property
    def size(self) -> int:
        """How many entries are durable; for a log opened read-only, published."""
        return self._writing.committer.mark.size if self._writing else self.published_size

    def append(
        self, *, kind: int, statement_id: bytes, identity: bytes, seal: bytes, record: bytes
    ) -> Appended:
        """Append an entry; it is durable when this returns. One that is there keeps its place.

        Args:
            kind: ``STATEMENT``, ``RECEIPT`` or ``IDENTITY``.
            statement_id: 32 bytes.
            identity: 32 bytes, the digest of the author's identity.
            seal: 32 bytes, the digest of the signatures; with another one, the same statement is
                another entry.
            record: the envelope, opaque to the log; at most 1 MiB.

        Raises:
            Usage: code ``log_item``, ``log_closed`` or ``log_read_only``.
            TooLarge: the record has more than 1 MiB.
            Unavailable: code ``log_disk`` or ``log_poisoned``; it was not acknowledged.
        """
        return self.append_many([Item(kind, statement_id, identity, seal, record)])[0]

    def append_many(self, items: Iterable[Item]) -> list[Appended]:
        """Append entries in their order; all are durable when this returns.

        Raises:
            As ``append``. Entries before the one that failed may have been appended.
        """
        found: list[Appended] = []
        waiting: list[Batch] = []
        for chunk in _chunks(items):
            committer = self._writer().committer
            staged, batch = committer.stage(chunk)
            found += staged
            waiting += [batch] if batch else []
        for batch in reversed(waiting):  # the last one is done when all are
            committer.wait(batch)
        return found

    def submit(self, item: Item) -> Future[Appended]:
        """Return a future that is done once the entry is durable; it fails as ``append`` does."""
        return self._writer().committer.submit(item)

    def put_blob(self, data: bytes) -> str:
        """Store a blob, such as evidence, and return its digest; it is durable when this returns.

        Raises:
            TooLarge: more than 64 MiB.
            Unavailable: code ``log_disk``.
        """
        self._writer()
        return self._places.put_blob(data)

    def publish(self) -> SignedCheckpoint:
        """Take all durable entries into the tree; return its checkpoint, which is served now.

        Raises:
            Unavailable: the disk refused; what was published before is still served.
        """
        return self._writer().publisher.publish()

    def add_cosignatures(self, size: int, lines: Iterable[SignatureLine]) -> None:
        """Keep cosignatures of the checkpoint of one size; they are durable when this returns.

        They are not verified here: whoever asked the witness knows its key.

        Raises:
            Unavailable: code ``checkpoint_unknown``; none of this size was published.
            TooLarge: code ``cosignatures_too_many``.
        """
        self._writer().publisher.cosign(size, lines)

    def start_publisher(
        self, interval: float = 1.0, *, failed: Callable[[Error], None] | None = None
    ) -> None:
        """Publish every ``interval`` seconds until the log is closed.

        Args:
            interval: seconds; with the time that publishing takes, the log's maximum merge delay.
            failed: told of each failure; the next attempt comes as planned.
        """
        publisher = self._writer().publisher
        if self._background:
            raise Usage("the publisher runs already", code="log_publisher")
        self._background = Background(publisher.publish, interval=interval, failed=failed)

    def checkpoint(self) -> SignedCheckpoint:
        """Return the latest checkpoint, with all cosignatures that are known."""
        return self._writing.publisher.latest if self._writing else super().checkpoint()

    def rebuild_index(self, *, progress: Progress | None = None) -> None:
        """Make the index anew from the journal."""
        self._writer().rebuild_index(progress)

    def stored(self, index: int) -> Stored:
        """Return all that the log has of a durable entry."""
        self._require_entry(index)
        if self._writing and index >= self._index.mark.size:
            self._writing.sync()
        return self._lookup.stored(index)

    def find(self, statement_id: bytes) -> Appended | None:
        """Return where a durable statement stands; None if the log does not have it."""
        if self._writing:
            self._writing.sync()
        return super().find(statement_id)

    def places(self, statement_id: bytes) -> Iterator[int]:
        """Yield the durable entries of a statement, in order."""
        if self._writing:
            self._writing.sync()
        return super().places(statement_id)

    def entries_by(self, identity: bytes, *, start: int = 0, limit: int = 1000) -> list[int]:
        """Return the places of one author's entries, in order, from ``start`` on."""
        if self._writing:
            self._writing.sync()
        return super().entries_by(identity, start=start, limit=limit)

    def _writer(self) -> Writing:
        if not self._open:
            raise Usage("the log is closed: open it again", code="log_closed")
        if self._writing is None:
            raise Usage("the log is open for reading only", code="log_read_only")
        if self._writing.committer.pending > _UNINDEXED:
            self._writing.sync()
        return self._writing


def _chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Cut items into parts that are staged at once: 256, or some MiB."""
    rest = iter(items)
    while chunk := list(islice(rest, BATCH)):
        while sum(map(len, map(_record, chunk))) > MAX_RECORD_BYTES:
            half = len(chunk) // 2
            if not half:
                break
            yield from _chunks(chunk[:half])
            chunk = chunk[half:]
        yield chunk
