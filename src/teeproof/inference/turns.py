"""Who may have an answer in the making: so many at once, so many who wait, and no more.

One thread runs the model, a step of one answer after a step of another, so that the event loop
stays free, long answers do not hold up short ones, and an answer that nobody wants just stops.

Trusts: nothing.  Does not trust: clients to be few.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from teeproof.core.errors import Unavailable

__all__ = ["Turns"]

T = TypeVar("T")


class Turns:
    """The places of one service; call it from its event loop only.

    Args:
        running: answers in the making at once.
        waiting: requests that may wait for one of these places.
    """

    def __init__(self, *, running: int, waiting: int) -> None:
        self._running, self._waiting = running, waiting
        self._free: asyncio.Semaphore | None = None
        self._inside = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")

    @property
    def busy(self) -> int:
        """How many requests run or wait."""
        return self._inside

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for a place, and hold it.

        Raises:
            Unavailable: code ``service_busy``: too many wait already.
        """
        if self._inside >= self._running + self._waiting:
            raise Unavailable(
                "too many questions wait for an answer here: ask again in a moment",
                code="service_busy",
                expected=f"at most {self._running + self._waiting} at once",
                got=f"{self._inside}",
            )
        if self._free is None:  # it belongs to the loop that runs now
            self._free = asyncio.Semaphore(self._running)
        self._inside += 1
        try:
            async with self._free:
                yield
        finally:
            self._inside -= 1

    async def step(self, work: Callable[[], T]) -> T:
        """Return what a piece of the model's work returns, done in its thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def close(self) -> None:
        """End the thread once it has done what it is doing."""
        self._thread.shutdown(wait=False, cancel_futures=True)
