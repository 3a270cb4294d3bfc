"""The writing half of an open log: recovered, locked, with its threads.

Trusts: the disk to keep what it said it has.  Does not trust: how the last writer ended.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import ExitStack

from teeproof.core.errors import Unavailable
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.log.formats.note import VerifierKey
from teeproof.proof.log.storage.committer import Committer
from teeproof.proof.log.storage.directory import Directory
from teeproof.proof.log.storage.faults import corrupt
from teeproof.proof.log.storage.frames import Record
from teeproof.proof.log.storage.index import Index
from teeproof.proof.log.storage.journal import Journal
from teeproof.proof.log.storage.lookup import Lookup
from teeproof.proof.log.storage.publisher import Publisher, served
from teeproof.proof.log.storage.segments import START
from teeproof.proof.log.storage.stored import CHECKPOINT
from teeproof.proof.log.storage.tilestore import TileStore

__all__ = ["Progress", "Writing"]

Progress = Callable[[int, int], None]
"""Told how many entries are done, and of how many."""


class Writing:
    """Everything that one writer holds; ``close`` gives it back.

    Args:
        places: the log's directory.
        key: its public key.
        tiles: the tree on disk.
        random: salts come from here.
        segment_limit: bytes in a file of the journal, about.
        progress: told how far the index, or the tiles, are made anew, if they are.

    Attributes:
        journal: the journal.
        index: reaches at least as far as the last checkpoint.
        lookup: finds in both.
        committer: appends to the journal.
        publisher: grows the tree.

    Raises:
        Unavailable: code ``log_locked`` or ``log_disk``.
        NotAuthentic: code ``log_corrupt``.
    """

    def __init__(
        self,
        places: Directory,
        key: VerifierKey,
        tiles: TileStore,
        *,
        random: Callable[[int], bytes],
        segment_limit: int,
        progress: Progress | None,
    ) -> None:
        self._places, self._indexing = places, threading.Lock()
        try:
            self._begin(key, tiles, random, segment_limit, progress)
        except Unavailable:
            if not getattr(getattr(self, "index", None), "broken", False):
                raise
            # Closing has removed it; a look at all of it each time would take as long as it is.
            self._begin(key, tiles, random, segment_limit, progress)

    def _begin(
        self,
        key: VerifierKey,
        tiles: TileStore,
        random: Callable[[int], bytes],
        segment_limit: int,
        progress: Progress | None,
    ) -> None:
        places = self._places
        with ExitStack() as stack:
            stack.callback(os.close, places.lock())
            places.mend()
            places.tidy()
            name, signer = places.name(key), places.signer()
            self.journal = Journal(
                places.journal,
                name,
                disk=places.disk,
                scratch=places.scratch,
                limit=segment_limit,
            )
            self.journal.open()
            self.index = Index(places.index, name)
            stack.callback(self.index.close)
            stack.callback(self.journal.close)
            self.lookup = Lookup(self.journal, self.index)
            self._recover(key, progress)
            self.committer = Committer(
                self.journal, self.index, find=self.lookup.find, random=random
            )
            stack.callback(self.committer.close)
            self.publisher = Publisher(
                tiles,
                journal=self.journal,
                committer=self.committer,
                index=self.index,
                sync=self.sync,
                signer=signer,
                disk=places.disk,
                scratch=places.scratch,
            )
            self.publisher.restore(progress=progress)
            self._stack = stack.pop_all()

    def close(self) -> None:
        """Write what waits, bring the index up to date, end the threads, let others write."""
        self.committer.close()
        try:
            self.sync()
        finally:
            self._stack.close()

    def sync(self) -> None:
        """Bring the index to the end of what is durable."""
        with self._indexing:
            self.index.follow(self.journal.scan(self.index.mark, self.committer.mark))
            self.committer.release(self.index.mark.size)

    def rebuild_index(self, progress: Progress | None) -> None:
        """Make the index anew from the journal."""
        with self._indexing:
            target = self.committer.mark
            self.index.clear()
            found = self.journal.scan(START, target)
            self.index.follow(found, progress=_of(target.size, progress))

    def _recover(self, key: VerifierKey, progress: Progress | None) -> None:
        """Find the journal's end, make it durable, and bring the index to it."""
        journal, index = self.journal, self.index
        journal.check(index.mark)
        seen = served(self._places.public, key)
        known = seen is None or _is(index.checkpoint(seen.checkpoint.size), seen)
        for frame in journal.recover(index.mark):
            known = known or any(_is_record_of(seen, record) for record in frame.records)
        if seen and not known:  # checked before anything is cut off
            raise corrupt(
                "a checkpoint was served that the journal does not have",
                expected=f"size {seen.checkpoint.size}, root {seen.checkpoint.root.hex()}",
                got=f"another one, or none, in a journal of {journal.mark.size} entries",
            )
        journal.settle()
        found = journal.scan(index.mark, journal.mark)
        index.follow(found, progress=_of(journal.mark.size, progress))


def _is(known: SignedCheckpoint | None, seen: SignedCheckpoint) -> bool:
    return known is not None and known.note.text == seen.note.text


def _is_record_of(seen: SignedCheckpoint | None, record: Record) -> bool:
    kind, content = record
    return seen is not None and kind == CHECKPOINT and content.startswith(seen.note.text + b"\n")


def _of(total: int, progress: Progress | None) -> Callable[[int], None] | None:
    return (lambda done: progress(done, total)) if progress else None
