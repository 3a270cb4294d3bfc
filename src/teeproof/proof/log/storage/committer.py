"""Group commit: what waits is written in one frame and synced once; then all of it is acknowledged.

Callers encode their entries and give them their places. Who waits for a commit writes it, if nobody
else is writing; a thread writes what nobody waits for, what has come meanwhile, and for who has so
much to append that the next commits can be prepared while it waits for the disk.

Trusts: the journal.  Does not trust: callers; ids that come twice; the disk to have room.
"""

from __future__ import annotations

import struct
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from zlib import crc32

from teeproof.core.errors import Error, Unavailable, Usage
from teeproof.proof.log.formats.entry import SALT_BYTES
from teeproof.proof.log.storage.batch import Batch, Buffers, Part
from teeproof.proof.log.storage.faults import poisoned
from teeproof.proof.log.storage.frames import encode_table
from teeproof.proof.log.storage.index import Index
from teeproof.proof.log.storage.items import Appended, Item
from teeproof.proof.log.storage.journal import Journal
from teeproof.proof.log.storage.stored import ENTRY

__all__ = ["Committer"]

_WAITING = 2  # full commits that may wait before callers do; more would only take memory


class Committer:
    """The one writer of a journal.

    Args:
        journal: opened and settled.
        index: reaches as far as the journal.
        find: looks an id up in the index.
        random: salts come from here.

    Attributes:
        mark: the end of what is durable.
    """

    def __init__(
        self,
        journal: Journal,
        index: Index,
        *,
        find: Callable[[bytes], Appended | None],
        random: Callable[[int], bytes],
    ) -> None:
        self._journal, self._index, self._find = journal, index, find
        self._random, self._buffers = random, Buffers()
        self.mark = journal.mark
        self._next = journal.mark.size
        self._pending: dict[bytes, Appended] = {}
        self._durable: deque[tuple[int, list[bytes]]] = deque()
        self._queue: deque[Batch] = deque([Batch()])  # the last one still takes records
        self._released = 0
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)  # there is room, or none will come
        self._work = threading.Condition(self._lock)  # the thread should write, or end
        self._busy = self._wanted = self._closing = False
        self._failure: str | None = None
        self._thread = threading.Thread(target=self._run, name="teeproof-log", daemon=True)
        self._thread.start()

    @property
    def pending(self) -> int:
        """How many ids are known here because the index may not have them yet."""
        return len(self._pending)

    def stage(self, items: Sequence[Item]) -> tuple[list[Appended], Batch | None]:
        """Give items their places; they are appended once the batch is done, if there is one.

        An id that the log has already gets its first place again.

        Args:
            items: at most ``BATCH``, of some MiB together.

        Raises:
            Usage, TooLarge: an item is not one; nothing was staged.
            Unavailable: the log takes no entries.
        """
        ids = [item.statement_id + item.seal for item in items]  # ``name``, without the calls
        salts = self._salts(len(items))
        part = self._buffers.encode(items, salts)
        released, indexed = self._released, self._indexed(ids)
        with self._lock:
            self._room(part)
            if released != self._released:  # what was pending may be in the index only by now
                indexed = self._indexed(ids)
            if not indexed and len(set(ids)) == len(ids) and self._pending.keys().isdisjoint(ids):
                found = list(map(Appended, range(self._next, self._next + len(ids)), salts))
                return found, self._put_entries(ids, found, part)
            return self._stage_some(items, salts, indexed)

    def submit(self, item: Item) -> Future[Appended]:
        """Return a future that is done once the item is durable."""
        future: Future[Appended] = Future()
        future.set_running_or_notify_cancel()
        (appended,), batch = self.stage([item])
        with self._lock:
            if batch and not batch.done.is_set():
                batch.futures.append((future, appended))
                self._hurry()
                return future
        if batch and batch.error:
            future.set_exception(batch.error)
        else:
            future.set_result(appended)
        return future

    def commit(self, kind: int, content: bytes) -> None:
        """Write one record that is no entry; it is durable when this returns.

        Raises:
            Unavailable: it could not be written.
        """
        part = Part([len(content)], content, crc32(content))
        with self._lock:
            self._room(part)
            batch = self._put(kind, part)
        self.wait(batch)

    def wait(self, batch: Batch) -> None:
        """Return once a commit is durable; it is written here if nobody else is writing.

        Raises:
            Unavailable: it could not be written.
        """
        while not batch.done.is_set():
            with self._lock:
                first = self._claim()
            if first:
                self._write(first)
            else:  # who is writing hands what waits to the thread
                batch.done.wait()
        batch.require()

    def release(self, size: int) -> None:
        """Forget the ids of the first ``size`` entries: the index has them."""
        with self._lock:
            self._released += 1
            while self._durable and self._durable[0][0] <= size:
                for statement_id in self._durable.popleft()[1]:
                    del self._pending[statement_id]

    def close(self) -> None:
        """Write what waits, then end the thread."""
        with self._lock:
            self._closing = True
            self._changed.notify_all()
            self._hurry()
        self._thread.join()

    def _salts(self, count: int) -> list[bytes]:
        return list(struct.unpack(f"{SALT_BYTES}s" * count, self._random(SALT_BYTES * count)))

    def _indexed(self, ids: list[bytes]) -> dict[bytes, Appended]:
        """Return those of the ids that the index has."""
        perhaps = [ids[at] for at in self._index.known.perhaps(ids)]
        return {name: found for name in perhaps if (found := self._find(name))}

    def _room(self, part: Part) -> None:
        while not (
            self._queue[-1].has_room(part)
            or len(self._queue) <= _WAITING
            or self._closing
            or self._failure
        ):
            self._hurry()
            self._changed.wait()
        if self._failure:
            raise poisoned(self._failure)
        if self._closing:
            raise Usage("the log is closed: open it again", code="log_closed")

    def _stage_some(
        self, items: Sequence[Item], salts: list[bytes], indexed: dict[bytes, Appended]
    ) -> tuple[list[Appended], Batch | None]:
        """As ``stage``, where some ids are known or come twice."""
        new: dict[bytes, Item] = {}
        for item in items:
            name = item.name
            if name not in indexed and name not in self._pending:
                new.setdefault(name, item)
        if new:
            found = [Appended(self._next + at, salts[at]) for at in range(len(new))]
            part = self._buffers.encode(list(new.values()), salts[: len(new)])
            self._put_entries(list(new), found, part)
        ids = [item.name for item in items]
        found = [indexed.get(name) or self._pending[name] for name in ids]
        last = max(appended.index for appended in found)
        # Commits are done in their order: the one that holds the last entry is done last.
        waiting = [batch for batch in self._queue if batch.ids and batch.first <= last]
        return found, waiting[-1] if waiting else None

    def _put_entries(self, ids: list[bytes], found: list[Appended], part: Part) -> Batch:
        batch = self._put(ENTRY, part)
        batch.first = batch.first if batch.ids else self._next
        batch.ids += ids
        self._pending.update(zip(ids, found, strict=True))
        self._next += len(ids)
        return batch

    def _put(self, kind: int, part: Part) -> Batch:
        batch = self._queue[-1]
        if not batch.has_room(part):
            batch = Batch()
            self._queue.append(batch)
        batch.add(kind, part)
        return batch

    def _hurry(self) -> None:
        """Let the thread write what waits."""
        self._wanted = True
        if not self._busy:
            self._work.notify()

    def _run(self) -> None:
        while batch := self._take():
            with suppress(BaseException):  # whoever waits is told
                self._write(batch)

    def _take(self) -> Batch | None:
        """Wait for a commit that nobody else writes; None once the log is closed."""
        with self._lock:
            while not (self._wanted and (batch := self._claim())):
                if self._closing and not self._busy:
                    return None
                self._work.wait()
            return batch

    def _claim(self) -> Batch | None:
        """Return what waits longest, to be written; it takes no more. None if another writes."""
        if self._busy or not self._queue[0].kinds:
            return None
        if len(self._queue) == 1:
            self._queue.append(Batch())
        self._busy, self._wanted = True, False
        return self._queue[0]

    def _write(self, batch: Batch) -> None:
        """Make a commit durable and say so, or say that it failed."""
        try:
            table = encode_table(batch.kinds, batch.lengths)
            contents = [part.contents for part in batch.parts]
            self._journal.append(table, contents, batch.crc, entries=len(batch.ids))
            self._succeed(batch)
        except Unavailable as error:
            self._fail_all(error, for_good=error.code == "log_poisoned")
        except BaseException as error:  # such as Ctrl-C: nobody knows what was written
            self._fail_all(poisoned(f"its writer ended with {error!r}"), for_good=True)
            raise
        else:
            batch.tell()

    def _succeed(self, batch: Batch) -> None:
        self._buffers.take_back(batch.parts)
        batch.parts = []
        with self._lock:
            self.mark = self._journal.mark
            batch.done.set()
            self._queue.popleft()
            self._durable.append((self.mark.size, batch.ids))
            self._changed.notify_all()
            self._rest()

    def _rest(self) -> None:
        """End a claim; the thread takes what has come meanwhile."""
        self._busy = False
        if self._queue[0].kinds or self._closing:
            self._hurry()

    def _fail_all(self, error: Error, *, for_good: bool) -> None:
        """Fail every commit that waits: the places of those behind are no longer right."""
        with self._lock:
            if for_good:
                self._failure = str(error.detail)
            failed, self._queue = list(self._queue), deque([Batch()])
            self._next = self.mark.size
            for batch in failed:
                for statement_id in batch.ids:
                    del self._pending[statement_id]
                batch.error = error
                batch.done.set()
            self._changed.notify_all()
            self._rest()
        for batch in failed:
            batch.tell()
