"""Processes that verify, so that what a stranger sends can be ended: in time, and in memory.

A worker reads questions on standard input and answers on standard output, one at a time, each as
four bytes of length and then so many bytes. Its first frame is empty: it has begun, and no question
pays for that. One that takes too long is ended, and another takes its place; one whose parent is
gone reads the end of its input, and ends.

Trusts: the program that it starts.  Does not trust: that it answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import IO, TypeVar

from teeproof.core.errors import Unavailable

__all__ = ["MAX_FRAME", "Workers", "read_frame", "write_frame"]

MAX_FRAME = 64 << 20
T = TypeVar("T")
_BEGIN = 120.0  # seconds that a worker may take to begin
_GRACE = 60.0  # seconds that workers have to end


def read_frame(stream: IO[bytes]) -> bytes | None:
    """Return the next frame; None at the end.

    Raises:
        EOFError: it ends within a frame, or a frame is larger than any can be.
    """
    head = stream.read(4)
    if not head:
        return None
    size = int.from_bytes(head, "big")
    if len(head) < 4 or size > MAX_FRAME:
        raise EOFError
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def write_frame(stream: IO[bytes], data: bytes) -> None:
    """Write a frame."""
    stream.write(len(data).to_bytes(4, "big") + data)
    stream.flush()


class Workers:
    """A number of workers.

    Args:
        words: the command that starts one.
        size: how many there are.
        waiting: how many further questions may wait.
        seconds: how long a question may take.
    """

    def __init__(
        self, words: Sequence[str], *, size: int, waiting: int = 64, seconds: float = 10.0
    ) -> None:
        self._most, self._seconds, self._under_way = size + waiting, seconds, 0
        self._threads = ThreadPoolExecutor(max_workers=size)
        self._workers = [_Worker(tuple(words)) for _ in range(size)]
        self._idle: asyncio.Queue[_Worker] = asyncio.Queue()
        for worker in self._workers:
            worker.start()
            self._idle.put_nowait(worker)

    @property
    def under_way(self) -> int:
        """How many questions are asked or wait."""
        return self._under_way

    async def ask(self, question: bytes) -> bytes:
        """Return a worker's answer.

        Raises:
            Unavailable: codes ``verifier_busy``, ``verification_timeout``, ``verification_ended``.
        """
        if self._under_way >= self._most:
            raise Unavailable(
                "the verifier has too much to do: try again in a moment", code="verifier_busy"
            )
        self._under_way += 1
        try:
            worker = await self._idle.get()
            try:
                return await self._asked(worker, question)
            finally:
                self._idle.put_nowait(worker)
        finally:
            self._under_way -= 1

    def close(self) -> None:
        """End all of them."""
        for worker in self._workers:
            worker.end()
        self._threads.shutdown()

    async def _asked(self, worker: _Worker, question: bytes) -> bytes:
        try:
            await self._timed(worker, _BEGIN, worker.begun)
        except (OSError, EOFError):
            raise Unavailable(
                "no process begins that would verify this: try again in a moment",
                code="verifier_busy",
            ) from None
        try:
            return await self._timed(worker, self._seconds, lambda: worker.ask(question))
        except (OSError, EOFError):
            raise self._silent(worker.given_up) from None

    async def _timed(self, worker: _Worker, seconds: float, work: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        alarm = loop.call_later(seconds, worker.give_up)
        try:
            return await loop.run_in_executor(self._threads, work)
        finally:
            alarm.cancel()

    def _silent(self, late: bool) -> Unavailable:
        if late:
            return Unavailable(
                f"this evidence took longer than {self._seconds:g} seconds, and was given up",
                code="verification_timeout",
            )
        return Unavailable(
            "the process that verified this evidence ended: it may have taken too much memory",
            code="verification_ended",
        )


class _Worker:
    """One process, started again where it ended."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self._words = words
        self._process: subprocess.Popen[bytes] | None = None
        self._has_begun = self.given_up = False

    def start(self) -> None:
        self.end()
        self._has_begun = self.given_up = False
        self._process = subprocess.Popen(  # noqa: S603  our own program
            self._words, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def begun(self) -> None:
        """Return once it takes questions, started again if it has ended."""
        if self.given_up or self._process is None or self._process.poll() is not None:
            self.start()
        if not self._has_begun:
            self._said(None)
            self._has_begun = True

    def ask(self, question: bytes) -> bytes:
        return self._said(question)

    def _said(self, question: bytes | None) -> bytes:
        """Return the next frame that it writes, to a question if there is one."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise EOFError
        try:
            if question is not None:
                write_frame(process.stdin, question)
            answer = read_frame(process.stdout)
            if answer is None:
                raise EOFError
        except (OSError, EOFError):
            self.end()  # what it would say now is no answer to the next question
            raise
        return answer

    def give_up(self) -> None:
        self.given_up = True
        if self._process is not None:
            self._process.kill()

    def end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        process.wait(_GRACE)
