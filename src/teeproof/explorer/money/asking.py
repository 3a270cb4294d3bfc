"""What a node said is shown for a few seconds: whoever reloads a page does not reload the node."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

from teeproof.explorer.log.kept import Kept

__all__ = ["FRESH", "Lately"]

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
FRESH: Final = 10.0
"""Seconds for which a node's word is shown."""


class Lately(Generic[K, T]):
    """Answers of the last seconds, a bounded number; questions are asked one at a time.

    Args:
        most: how many are kept.
        clock: seconds that only grow.
    """

    def __init__(self, *, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._kept = clock, Kept[K, T](most=most, seconds=FRESH)
        self._lock = threading.Lock()  # of whoever asks

    def of(self, name: K, ask: Callable[[], T]) -> T:
        """Return the answer to a question; it is asked if nobody asked it in the last seconds."""
        with self._lock:
            answer = self._kept.get(name, self._clock())
            if answer is None:
                answer = ask()
                self._kept.put(name, answer, self._clock())
            return answer
