"""What a node said is shown for a few seconds: whoever reloads a page does not reload the node."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

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
        self._most, self._clock = most, clock
        self._kept: OrderedDict[K, tuple[float, T]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, name: K, ask: Callable[[], T]) -> T:
        """Return the answer to a question; it is asked if nobody asked it in the last seconds."""
        with self._lock:
            asked, answer = self._kept.get(name, (None, None))
            if asked is not None and answer is not None and self._clock() - asked < FRESH:
                return answer
            answer = ask()
            self._kept[name] = self._clock(), answer
            self._kept.move_to_end(name)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
            return answer
