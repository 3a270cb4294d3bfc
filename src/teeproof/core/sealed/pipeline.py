"""Take, work on and write segments: taken and written in order, worked on by several cores.

Each thread takes a segment, works on it beside the others, and waits until it is its turn to
write. So memory is a few segments, whatever the file's size. The calling thread is one of the
threads. Where segments fail, the error of the earliest is raised, whichever thread was first, and
nothing behind it is written.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

__all__ = ["MAX_THREADS", "in_order"]

MAX_THREADS = 64
_Slot = TypeVar("_Slot")


def in_order(
    slots: Sequence[_Slot],
    *,
    read: Callable[[_Slot], bool],
    work: Callable[[_Slot], None],
    write: Callable[[_Slot], None],
) -> None:
    """Run ``read``, ``work``, ``write`` for each segment, with one thread per slot.

    Args:
        slots: what each thread keeps its segment in.
        read: fills a slot; False where nothing is left.
        work: called for several slots at once.
        write: called in the order in which ``read`` filled the slots.
    """
    line = _Line(read, work, write)
    others = [threading.Thread(target=line.run, args=(slot,), daemon=True) for slot in slots[1:]]
    try:
        for thread in others:
            thread.start()
        line.run(slots[0])
    except BaseException as error:  # an interrupt between two steps
        line.fail(error)
        raise
    finally:
        for thread in others:
            if thread.ident is not None:
                thread.join()
    if line.failure is not None:
        raise line.failure


class _Line(Generic[_Slot]):
    def __init__(
        self,
        read: Callable[[_Slot], bool],
        work: Callable[[_Slot], None],
        write: Callable[[_Slot], None],
    ) -> None:
        self._read, self._work, self._write = read, work, write
        self._reading = threading.Lock()
        self._turns = threading.Condition()
        self._taken = self._written = 0
        self._ended = False
        self.failure: BaseException | None = None

    def run(self, slot: _Slot) -> None:
        """Take segments until none is left, or one failed."""
        while (turn := self._take(slot)) is not None:
            error: Exception | None = None
            try:
                self._work(slot)
            except Exception as problem:
                error = problem
            if not self._finish(turn, slot, error):
                return

    def fail(self, error: BaseException) -> None:
        """Let every thread end, now."""
        with self._turns:
            self.failure = error if self.failure is None else self.failure
            self._turns.notify_all()

    def _take(self, slot: _Slot) -> int | None:
        with self._reading:
            if self._ended or self.failure is not None:
                return None
            turn = self._taken
            try:
                self._ended = not self._read(slot)
            except Exception as error:
                self._ended = True
                problem = error
            else:
                if self._ended:
                    return None
                self._taken += 1
                return turn
        self._finish(turn, slot, problem)
        return None

    def _finish(self, turn: int, slot: _Slot, error: Exception | None) -> bool:
        """Write a segment, or fail, once all segments before it are written."""
        with self._turns:
            self._turns.wait_for(lambda: self._written == turn or self.failure is not None)
            if self.failure is not None:
                return False
            try:
                if error is not None:
                    raise error
                self._write(slot)
                self._written += 1
            except BaseException as problem:
                self.failure = problem
            self._turns.notify_all()
            return self.failure is None
