"""Results of uploads, kept in memory for a while: bounded in bytes and in time, oldest out first.

An id is 128 random bits: nobody finds a result who was not given its address.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from teeproof.core.errors import Unavailable

__all__ = ["KEPT_FOR", "MOST_BYTES", "Kept", "Shelf"]

T = TypeVar("T")

MOST_BYTES = 128 << 20
KEPT_FOR = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept(Generic[T]):
    """A result: its id, what it is, since and until when it is kept, and its size in bytes."""

    id: str
    value: T
    since: datetime
    until: datetime
    size: int


class Shelf(Generic[T]):
    """Keeps results.

    Args:
        now: the clock.
        most: bytes of all results together.
        lasting: how long one is kept at most.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        most: int = MOST_BYTES,
        lasting: timedelta = KEPT_FOR,
    ) -> None:
        self._now, self._most, self._lasting = now, most, lasting
        self._kept: OrderedDict[str, Kept[T]] = OrderedDict()
        self._lock = threading.Lock()
        self.size = 0

    def put(self, value: T, *, size: int) -> Kept[T]:
        """Keep a result of so many bytes, and drop the ones that were asked for least lately."""
        since = self._now()
        kept = Kept(
            id=secrets.token_hex(16), value=value, since=since, until=since + self._lasting,
            size=size,
        )  # fmt: skip
        with self._lock:
            self._kept[kept.id] = kept
            self.size += size
            self._expire(since)
            while self.size > self._most and len(self._kept) > 1:
                self._drop(next(iter(self._kept)))
        return kept

    def get(self, name: str) -> Kept[T]:
        """Return a result.

        Raises:
            Unavailable: there is none by this id, or no longer (``result_unknown``).
        """
        with self._lock:
            self._expire(self._now())
            kept = self._kept.get(name)
            if kept is None:
                hours = int(self._lasting.total_seconds() // 3600)
                raise Unavailable(
                    f"no result by this id is kept: results are kept for {hours} hours at most, and"
                    " not over a restart; upload it again",
                    code="result_unknown",
                    got=name[:40],
                )
            self._kept.move_to_end(name)
            return kept

    def _expire(self, now: datetime) -> None:
        for name in [name for name, kept in self._kept.items() if kept.until <= now]:
            self._drop(name)

    def _drop(self, name: str) -> None:
        self.size -= self._kept.pop(name).size
