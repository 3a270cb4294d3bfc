"""Group commit: what waits is written in one frame and synced once; then all of it is acknowledged.

Callers encode their entries and give them their places; one thread writes. While it waits for the
disk, callers prepare what comes next.

Trusts: the journal.  Does not trust: callers; ids that come twice; the disk to have room.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from zlib import crc32

from teeproof.core.errors import Error, Unavailable, Usage
from teeproof.proof.log.bloom import prefix_of
from teeproof.proof.log.entry import SALT_BYTES
from teeproof.proof.log.faults import poisoned
from teeproof.proof.log.frames import TABLE_ROW
from teeproof.proof.log.index import Index
from teeproof.proof.log.items import Appended, Item, check_item
from teeproof.proof.log.journal import Journal
from teeproof.proof.log.stored import ENTRY, KINDS

__all__ = ["BATCH", "Batch", "Committer"]

BATCH = 256  # entries in one commit, at most
_BATCH_BYTES = 4 << 20  # a commit is closed when it has this; with one more record it still fits
_WAITING = 16  # commits that may wait before callers do
_KIND = {kind: bytes([kind]) for kind in KINDS}


class Batch:
    """One commit while it waits and is written."""

    __slots__ = ("bytes", "contents", "done", "error", "futures", "ids", "table")

    def __init__(self) -> None:
        self.table: list[bytes] = []
        self.contents: list[bytes] = []
        self.ids: list[bytes] = []
        self.bytes = 0
        self.futures: list[tuple[Future[Appended], Appended]] = []
        self.error: Error | None = None
        self.done = threading.Event()

    def wait(self) -> None:
        """Return once the commit is durable.

        Raises:
            Unavailable: it is not, and nothing of it was acknowledged.
        """
        self.done.wait()
        if self.error:
            raise type(self.error)(self.error.detail, code=self.error.code, got=self.error.got)

    def tell(self) -> None:
        """Complete the futures; ``done`` is set, and ``error`` too if the commit failed."""
        for future, appended in self.futures:
            if self.error:
                future.set_exception(self.error)
            else:
                future.set_result(appended)


class Committer:
    """The one writer of a journal, in a thread of its own.

    Args:
        journal: opened and settled.
        index: reaches as far as the journal.
        find: looks an id up in the index.
        random: salts come from here.
        batch: entries in one commit, at most.

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
        batch: int = BATCH,
    ) -> None:
        self._journal, self._index, self._find = journal, index, find
        self._random, self._batch = random, batch
        self.mark = journal.mark
        self._next = journal.mark.size
        self._pending: dict[bytes, tuple[Appended, Batch]] = {}
        self._durable: deque[tuple[int, list[bytes]]] = deque()
        self._queue: deque[Batch] = deque([Batch()])  # the last one still takes entries
        self._changed = threading.Condition()
        self._closing = False
        self._failure: str | None = None
        self._thread = threading.Thread(target=self._run, name="teeproof-log", daemon=True)
        self._thread.start()

    @property
    def pending(self) -> int:
        """How many ids are known here because the index may not have them yet."""
        return len(self._pending)

    def stage(self, items: Sequence[Item]) -> tuple[list[Appended], list[Batch]]:
        """Give items their places; they are appended once every one of the batches is done.

        An id that the log has already gets its first place again.

        Raises:
            Usage, TooLarge: an item is not one; nothing was staged.
            Unavailable: the log takes no entries.
        """
        for item in items:
            check_item(item)
        salts = self._random(SALT_BYTES * len(items))
        with self._changed:
            self._room()
            found: list[Appended] = []
            batches: dict[Batch, None] = {}
            for at, item in enumerate(items):
                known = self._known(item.statement_id)
                if known is None:
                    salt = salts[at * SALT_BYTES : (at + 1) * SALT_BYTES]
                    known = self._add(item, salt)
                found.append(known[0])
                if known[1]:
                    batches[known[1]] = None
            self._changed.notify_all()
        return found, list(batches)

    def submit(self, item: Item) -> Future[Appended]:
        """Return a future that is done once the item is durable."""
        future: Future[Appended] = Future()
        future.set_running_or_notify_cancel()
        (appended,), batches = self.stage([item])
        with self._changed:
            if batches and not batches[0].done.is_set():
                batches[0].futures.append((future, appended))
                return future
        if batches and batches[0].error:
            future.set_exception(batches[0].error)
        else:
            future.set_result(appended)
        return future

    def commit(self, kind: int, content: bytes) -> None:
        """Write one record that is no entry; it is durable when this returns.

        Raises:
            Unavailable: it could not be written.
        """
        with self._changed:
            self._room()
            batch = self._put(kind, content)
            self._changed.notify_all()
        batch.wait()

    def durable(self, statement_id: bytes) -> Appended | None:
        """Return where an id stands that is durable and perhaps not in the index."""
        known = self._pending.get(statement_id)
        return known[0] if known and known[0].index < self.mark.size else None

    def release(self, size: int) -> None:
        """Forget the ids of the first ``size`` entries: the index has them."""
        with self._changed:
            while self._durable and self._durable[0][0] <= size:
                for statement_id in self._durable.popleft()[1]:
                    del self._pending[statement_id]

    def close(self) -> None:
        """Write what waits, then end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()

    def _room(self) -> None:
        while len(self._queue) > _WAITING and not self._closing and not self._failure:
            self._changed.wait()
        if self._failure:
            raise poisoned(self._failure)
        if self._closing:
            raise Usage("the log is closed: open it again", code="log_closed")

    def _known(self, statement_id: bytes) -> tuple[Appended, Batch | None] | None:
        known = self._pending.get(statement_id)
        if known is None and prefix_of(statement_id) in self._index.known:
            found = self._find(statement_id)
            return (found, None) if found else None
        return known

    def _add(self, item: Item, salt: bytes) -> tuple[Appended, Batch]:
        statement_id = item.statement_id
        content = b"".join((_KIND[item.kind], salt, statement_id, item.identity, item.record))
        batch = self._put(ENTRY, content)
        batch.ids.append(statement_id)
        added = (Appended(self._next, salt), batch)
        self._next += 1
        self._pending[statement_id] = added
        return added

    def _put(self, kind: int, content: bytes) -> Batch:
        batch = self._queue[-1]
        if len(batch.table) >= self._batch or batch.bytes >= _BATCH_BYTES:
            batch = Batch()
            self._queue.append(batch)
        batch.table.append(TABLE_ROW.pack(kind, len(content), crc32(content)))
        batch.contents.append(content)
        batch.bytes += len(content)
        return batch

    def _run(self) -> None:
        try:
            while batch := self._take():
                self._write(batch)
        except BaseException as error:
            self._fail_all(poisoned(f"its writer ended with {error!r}"), for_good=True)
            raise

    def _take(self) -> Batch | None:
        """Return the next commit; the first in the queue stays there while it is written."""
        with self._changed:
            while not self._queue[0].table:
                if self._closing:
                    return None
                self._changed.wait()
            if len(self._queue) == 1:
                self._queue.append(Batch())
            return self._queue[0]

    def _write(self, batch: Batch) -> None:
        try:
            self._journal.append(batch.table, batch.contents, len(batch.ids))
        except Unavailable as error:
            self._fail_all(error, for_good=error.code == "log_poisoned")
            return
        batch.table, batch.contents = [], []
        with self._changed:
            self.mark = self._journal.mark
            self._queue.popleft()
            self._durable.append((self.mark.size, batch.ids))
            batch.done.set()
            self._changed.notify_all()
        batch.tell()

    def _fail_all(self, error: Error, *, for_good: bool) -> None:
        """Fail every commit that waits: the places of those behind are no longer right."""
        with self._changed:
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
        for batch in failed:
            batch.tell()
