"""Publish a log: tiles first, then a signed checkpoint in the journal, then the one that is served.

In this order no crash can make the log sign two roots for one size, or a smaller tree than one that
was seen: a checkpoint is durable before anyone sees it, and all that it covers before it is signed.

Trusts: the journal.  Does not trust: tiles that are there already; cosignatures, which are kept
unchecked for those who know the witnesses' keys.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path

from teeproof.core.errors import Error, TooLarge, Unavailable
from teeproof.proof.log.formats.checkpoint import (
    Checkpoint,
    SignedCheckpoint,
    sign_checkpoint,
    verify_checkpoint,
)
from teeproof.proof.log.formats.note import MAX_SIGNATURES, NoteSigner, SignatureLine, VerifierKey
from teeproof.proof.log.storage.committer import Committer
from teeproof.proof.log.storage.disk import PUBLIC, Disk
from teeproof.proof.log.storage.faults import corrupt, refused
from teeproof.proof.log.storage.index import Index
from teeproof.proof.log.storage.journal import Journal
from teeproof.proof.log.storage.segments import START, Mark, entries_in
from teeproof.proof.log.storage.stored import (
    CHECKPOINT,
    COSIGNATURES,
    encode_cosignatures,
    entry_of,
)
from teeproof.proof.log.storage.tilestore import TileStore, read_file
from teeproof.proof.log.storage.tilewriter import TileWriter

__all__ = ["Publisher", "served"]


def served(public: Path, key: VerifierKey) -> SignedCheckpoint | None:
    """Return the checkpoint that is served; None if there is none yet.

    Raises:
        NotAuthentic: code ``log_corrupt``; it is not by this log.
    """
    data = read_file(public / "checkpoint")
    if data is None:
        return None
    try:
        signed = SignedCheckpoint.parse(data)
        verify_checkpoint(signed, key)
    except Error as error:
        raise corrupt(f"the served checkpoint: {error.detail}") from None
    return signed


class Publisher:
    """Grows the tree of one log.

    Args:
        store: the tiles.
        journal: where entries come from.
        committer: what makes checkpoints durable.
        index: reaches as far as the journal.
        sync: brings the index up to date.
        signer: the log's key.
        disk: where writes go.
        scratch: a folder for files that are not done.

    Attributes:
        latest: the last checkpoint with all cosignatures that are known.
    """

    latest: SignedCheckpoint

    def __init__(
        self,
        store: TileStore,
        *,
        journal: Journal,
        committer: Committer,
        index: Index,
        sync: Callable[[], None],
        signer: NoteSigner,
        disk: Disk,
        scratch: Path,
    ) -> None:
        self._store, self._journal, self._committer = store, journal, committer
        self._index, self._sync, self._signer = index, sync, signer
        self._disk, self._scratch = disk, scratch
        self._lock = threading.RLock()
        self._writer: TileWriter | None = None
        self._next = START
        self._served = False

    def restore(self, *, progress: Callable[[int, int], None] | None = None) -> None:
        """Go on from the last checkpoint; sign that of the empty tree if there is none.

        Raises:
            NotAuthentic: code ``log_corrupt``; tiles or journal have another root than was signed.
        """
        latest = self._index.checkpoint()
        if latest is None:
            with self._lock:
                self._sign(self._fresh(), START)
            return
        verify_checkpoint(latest, self._signer.verifier)
        self.latest = latest
        self._next = self._index.start_of(latest.checkpoint.size)
        self._writer = self._restored(latest.checkpoint, progress)
        sizes = self._index.sizes(3)
        for before, now in pairwise(sizes[:-1]):
            self._writer.prune(before, now)
        self._serve(latest)

    def publish(self) -> SignedCheckpoint:
        """Take what is durable into the tree, and sign and serve its checkpoint.

        Raises:
            Unavailable: the disk refused; what was published before is still served.
        """
        with self._lock:
            target, size = self._committer.mark, self.latest.checkpoint.size
            if target.size > size:
                writer = self._writer or self._reloaded(size)
                self._writer = None  # if anything fails, begin again from what was published
                self._extend(writer, self._next, target)
                self._sign(writer, target)
            elif not self._served:
                self._serve(self.latest)
            return self.latest

    def cosign(self, size: int, lines: Iterable[SignatureLine]) -> None:
        """Keep cosignatures of the checkpoint of one size; those that are known change nothing.

        Raises:
            Unavailable: code ``checkpoint_unknown``; none of this size was published.
            TooLarge: a checkpoint carries 64 signatures at most.
        """
        with self._lock:
            signed = self.latest
            if signed.checkpoint.size != size:
                self._sync()
                signed = self._index.checkpoint(size) or _no_checkpoint(size)
            new = tuple(line for line in dict.fromkeys(lines) if line not in signed.note.signatures)
            if not new:
                return
            if len(signed.note.signatures) + len(new) > MAX_SIGNATURES:
                raise TooLarge(
                    "the checkpoint has too many cosignatures",
                    code="cosignatures_too_many",
                    expected=f"at most {MAX_SIGNATURES}",
                )
            self._committer.commit(COSIGNATURES, encode_cosignatures(size, new))
            if size == self.latest.checkpoint.size:
                self.latest = signed.with_(*new)
                self._serve(self.latest)
            self._sync()

    def _extend(self, writer: TileWriter, start: Mark, target: Mark) -> None:
        try:
            for _, frame in self._journal.scan(start, target):
                writer.extend([entry_of(content) for content in entries_in(frame)])
            writer.flush()
        except OSError as error:
            raise refused("tiles cannot be written", self._store.public, error) from None
        if writer.size != target.size:
            raise corrupt(
                "the journal has another number of entries than it had",
                expected=f"{target.size}",
                got=f"{writer.size}",
            )

    def _sign(self, writer: TileWriter, target: Mark) -> None:
        origin = self._signer.verifier.name
        signed = sign_checkpoint(Checkpoint(origin, writer.size, writer.root()), self._signer)
        self._committer.commit(CHECKPOINT, signed.encode())
        before = self._index.sizes(2)
        self._next, self._writer = target, writer
        try:
            self._sync()
            self._serve(signed)
        finally:  # it is durable: what comes next follows it, served or not
            self.latest = signed
        if len(before) == 2:
            writer.prune(*before)

    def _serve(self, signed: SignedCheckpoint) -> None:
        public, data = self._store.public, signed.encode()
        self._served = False
        try:
            if read_file(public / "checkpoint") != data:
                scratch = self._scratch / "checkpoint"
                self._disk.place(public / "checkpoint", data, scratch=scratch, mode=PUBLIC)
            self._disk.sync_directory(public)
        except OSError as error:
            raise refused("the checkpoint cannot be served", public, error) from None
        self._served = True

    def _restored(
        self, signed: Checkpoint, progress: Callable[[int, int], None] | None
    ) -> TileWriter:
        try:
            writer = self._reloaded(signed.size)
        except Error:  # tiles are derived: what is missing is made again, what differs is refused
            writer = self._rewritten(signed.size, progress)
        if writer.root() != signed.root:
            raise corrupt(
                "the tree has another root than the log has signed",
                expected=f"size {signed.size}, root {signed.root.hex()}",
                got=writer.root().hex(),
            )
        return writer

    def _reloaded(self, size: int) -> TileWriter:
        writer = self._fresh()
        writer.load(size)
        return writer

    def _rewritten(self, size: int, progress: Callable[[int, int], None] | None) -> TileWriter:
        writer = self._fresh()
        try:
            for _, frame in self._journal.scan(START, self._next):
                writer.extend([entry_of(content) for content in entries_in(frame)])
                if progress:
                    progress(writer.size, size)
            writer.flush()
        except OSError as error:
            raise refused("tiles cannot be written", self._store.public, error) from None
        return writer

    def _fresh(self) -> TileWriter:
        return TileWriter(self._store, disk=self._disk, scratch=self._scratch)


def _no_checkpoint(size: int) -> SignedCheckpoint:
    raise Unavailable(
        "the log has published no checkpoint of this size", code="checkpoint_unknown", got=str(size)
    )
