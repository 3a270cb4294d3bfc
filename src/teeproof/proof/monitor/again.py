"""Which older entries a monitor reads again: what is served must stay what was signed.

Trusts: nothing.  Does not trust: a log, to serve tomorrow what it serves today.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

__all__ = ["Again", "everything", "some"]

Again = Callable[[int], Iterable[int]]
"""From the number of bundles of entries, which of them to read again."""

_AT_ONCE = 4


def some(count: int) -> list[int]:
    """Return up to four bundles at random: over many looks, all of them."""
    return random.sample(range(count), min(_AT_ONCE, count))


def everything(count: int) -> Iterable[int]:
    """Return all bundles."""
    return range(count)
