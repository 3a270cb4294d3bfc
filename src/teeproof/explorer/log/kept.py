"""What is shown again for a while instead of being found again: a bounded number of it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

__all__ = ["VERDICT", "Kept"]

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
VERDICT: Final = 60.0
"""Seconds for which a verdict is shown again; it says as of when it is."""


class Kept(Generic[K, T]):
    """What was found in the last seconds, by name; several threads may ask at once.

    Args:
        most: how many are kept; the one that was found first goes first.
        seconds: for which each is.
    """

    def __init__(self, *, most: int, seconds: float) -> None:
        self._most, self._seconds = most, seconds
        self._found: OrderedDict[K, tuple[float, T]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: K, now: float) -> T | None:
        """Return what was found, unless that is too long ago; ``now`` in seconds."""
        with self._lock:
            found = self._found.get(name)
        return found[1] if found is not None and now - found[0] < self._seconds else None

    def put(self, name: K, found: T, now: float) -> None:
        """Keep what was found at a time, in seconds."""
        with self._lock:
            self._found[name] = now, found
            self._found.move_to_end(name)
            while len(self._found) > self._most:
                self._found.popitem(last=False)
