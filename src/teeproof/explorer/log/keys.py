"""What texts name, in little memory: each a number and a meaning, found whole or by its beginning.

A key's places are whole numbers, and the keys lie in sorted runs of which each is at least twice as
long as the next, so that one new key does not sort a million again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

__all__ = ["MOST_KEYS", "MOST_OF_ONE", "Keys"]

MOST_KEYS = 1_000_000
MOST_OF_ONE = 200  # places of one key
_RUN = 1 << 16  # keys that may lie unsorted
_MEANINGS = 10  # bits of a place that say which meaning it is


class Keys:
    """The keys of an index. A place's number is an entry's, or -1 for a thing with its own page.

    Attributes:
        absent: how often a key came that found no room.
    """

    def __init__(self) -> None:
        self.absent = 0
        self._places: dict[str, int | list[int]] = {}  # a list only where there are several
        self._runs: list[list[str]] = []
        self._fresh: list[str] = []
        self._meanings: list[str] = []
        self._codes: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._places)

    def put(self, key: str, meaning: str, number: int, *, once: bool = False) -> bool:
        """Add a place of a key; return whether it has room for more.

        Args:
            key: in lower case.
            meaning: what the key is to the entry, in words.
            number: the entry's, or -1.
            once: do nothing if it has this place already.
        """
        code = self._codes.get(meaning)
        if code is None:
            code = self._code(meaning)
        place = (number + 1) << _MEANINGS | code
        known = self._places.get(key)
        if known is None:
            if len(self._places) >= MOST_KEYS:
                self.absent += 1
                return False
            self._places[key] = place
            self._fresh.append(key)
            if len(self._fresh) >= _RUN:
                self._settle()
        elif isinstance(known, list):
            if len(known) >= MOST_OF_ONE:
                return False
            if not (once and place in known):
                known.append(place)
        elif not (once and known == place):
            self._places[key] = [known, place]
        return True

    def numbers(self, key: str) -> list[int]:
        """Return the numbers of a key's places."""
        return [(place >> _MEANINGS) - 1 for place in self._of(key)]

    def matching(self, wanted: str, *, most: int = MOST_OF_ONE) -> Iterator[tuple[str, str, int]]:
        """Yield key, meaning and number of a whole key, or of ``most`` that begin so, in order."""
        names = [wanted] if wanted in self._places else self._beginning(wanted, most)
        for name in names:
            for place in self._of(name):
                code = place & (1 << _MEANINGS) - 1
                yield name, self._meanings[code], (place >> _MEANINGS) - 1

    def _of(self, key: str) -> list[int]:
        found = self._places.get(key, [])
        return found if isinstance(found, list) else [found]

    def _beginning(self, wanted: str, most: int) -> list[str]:
        if self._fresh:
            self._settle()
        found: list[str] = []
        for run in self._runs:
            at = bisect_left(run, wanted)
            found += [name for name in run[at : at + most] if name.startswith(wanted)]
        return sorted(found)[:most]

    def _settle(self) -> None:
        """Sort what is fresh, and join runs until each is at least twice as long as the next."""
        run = sorted(self._fresh)
        self._fresh = []
        while self._runs and len(self._runs[-1]) < 2 * len(run):
            run = self._runs.pop() + run
            run.sort()  # two sorted parts: one pass
        self._runs.append(run)

    def _code(self, meaning: str) -> int:
        """Return a number for a meaning; there are as many as kinds of label, and few words."""
        if len(self._meanings) >> _MEANINGS:
            return len(self._meanings) - 1
        self._meanings.append(meaning)
        self._codes[meaning] = len(self._meanings) - 1
        return self._codes[meaning]
