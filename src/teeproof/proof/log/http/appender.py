"""Append from an event loop: what arrives while the disk is busy shares the next commit.

Trusts: the log.  Does not trust: nothing; records were read before.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from teeproof.core.errors import Unavailable
from teeproof.proof.log.http.served import ServedLog
from teeproof.proof.log.storage.items import Appended, Item

__all__ = ["MOST_WAITING", "Appender"]

MOST_WAITING = 8192  # entries
_COMMITS = 2  # one is written while the next is prepared

_Waiting = tuple[list[Item], "asyncio.Future[list[Appended]]"]


class Appender:
    """Appends to one log for all requests of one server; call it from its event loop only.

    Args:
        log: the log.
    """

    def __init__(self, log: ServedLog) -> None:
        self._log = log
        self._waiting: list[_Waiting] = []
        self._count = self._running = 0
        self._threads = ThreadPoolExecutor(_COMMITS, thread_name_prefix="append")
        self._tasks: set[asyncio.Task[None]] = set()

    async def append(self, items: list[Item]) -> list[Appended]:
        """Return where the items stand, once all of them are durable.

        Raises:
            Unavailable: code ``log_busy`` where too much waits already; the log's own errors.
        """
        if self._count + len(items) > MOST_WAITING:
            raise Unavailable(
                "too many appends are under way: try again in a moment", code="log_busy"
            )
        done: asyncio.Future[list[Appended]] = asyncio.get_running_loop().create_future()
        self._waiting.append((items, done))
        self._count += len(items)
        if self._running < _COMMITS:
            self._running += 1
            task = asyncio.create_task(self._commit())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            return await done
        finally:
            self._count -= len(items)

    async def _commit(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                taken, self._waiting = self._waiting, []
                items = [item for some, _ in taken for item in some]
                try:
                    placed = await loop.run_in_executor(self._threads, self._log.append_many, items)
                except Exception as error:
                    _fail(taken, error)
                else:
                    _finish(taken, placed)
        finally:
            self._running -= 1


def _finish(taken: list[_Waiting], placed: list[Appended]) -> None:
    start = 0
    for items, done in taken:
        end = start + len(items)
        if not done.done():
            done.set_result(placed[start:end])
        start = end


def _fail(taken: list[_Waiting], error: Exception) -> None:
    for _, done in taken:
        if not done.done():
            done.set_exception(error)
