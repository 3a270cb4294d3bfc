"""What a log holds, by kind and by author: the lists from which the pages of things are made.

It is fed by the index with what its author signed, holds a bounded number of lines in memory, and
says when it is full. What it says is what the records say: nothing more is checked here.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, TypeVar

__all__ = ["CODE", "MOST", "Machine", "Roll", "Said"]

T = TypeVar("T")
_number = attrgetter("number")
MOST = 500_000
"""Statements and identities that are remembered; of a longer log, the first ones."""
CODE = ("compose_hash", "measurement", "mrenclave", "pcr0", "mrtd")
"""Labels by which evidence names code, the one that says most of the application first."""
_SHARED = frozenset({*CODE, "platform"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A statement of the log.

    Attributes:
        number: its entry's.
        id: hex.
        type: predicate type, or ``aci/1``.
        author: of an identity, or of a receipt's keyset: hex; empty where it names none.
        title: in few words.
        clause: what it says, in one.
    """

    number: int
    id: str
    type: str
    author: str
    title: str
    clause: str

    def to_json(self) -> dict[str, Any]:
        """Return the same for programs."""
        return {"number": self.number, "id": f"sha256:{self.id}", "type": self.type,
                "title": self.title, "says": self.clause}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """An identity of the log.

    Attributes:
        number: its entry's.
        id: hex.
        keyset: hex, under which its receipts name it.
        labels: what its evidence claims: names to values, such as a code's measurement.
    """

    number: int
    id: str
    keyset: str
    labels: Mapping[str, str]


@dataclass(slots=True)
class Roll:
    """The lists; oldest first inside, newest first to whoever asks."""

    full: bool = False
    _size: int = 0
    _types: dict[str, list[Said]] = field(default_factory=dict)
    _authors: dict[str, list[Said]] = field(default_factory=dict)
    _kinds: dict[str, dict[str, list[Said]]] = field(default_factory=dict)  # by author
    _machines: dict[str, Machine] = field(default_factory=dict)
    _keysets: dict[str, str] = field(default_factory=dict)
    _alike: dict[str, list[Machine]] = field(default_factory=dict)
    _every: list[Machine] = field(default_factory=list)

    def add(self, said: Said) -> None:
        """Take in a statement."""
        if self._is_full():
            return
        _put(self._types.setdefault(said.type, []), said)
        if said.author:
            _put(self._authors.setdefault(said.author, []), said)
            _put(self._kinds.setdefault(said.author, {}).setdefault(said.type, []), said)

    def add_machine(self, machine: Machine) -> None:
        """Take in an identity; of several copies, the first whose evidence was there to read."""
        known = self._machines.get(machine.id)
        if known is None and self._is_full():
            return
        if known is not None and (known.labels or not machine.labels):
            return
        self._machines[machine.id] = machine
        self._every.append(machine)
        for value in {machine.labels[name] for name in _SHARED & machine.labels.keys()}:
            self._alike.setdefault(value, []).append(machine)
        self._keysets.setdefault(machine.keyset, machine.id)

    def _is_full(self) -> bool:
        self._size += not self.full
        self.full = self._size > MOST
        return self.full

    def types(self) -> list[str]:
        """Return the kinds of statement that there are, in order of the alphabet."""
        return sorted(self._types)

    def count(self, *types: str) -> int:
        """Return how many statements of these kinds there are."""
        return sum(len(self._types.get(one, ())) for one in types)

    def of(self, *types: str, start: int = 0, count: int = 100) -> list[Said]:
        """Return statements of these kinds, newest first."""
        return _newest((self._types.get(one, ()) for one in types), start, count)

    def by(self, author: str, *, start: int = 0, count: int = 100, only: str = "") -> list[Said]:
        """Return what an identity said, its receipts too, newest first; it is named in hex.

        With ``only``, what is of that type.
        """
        known = self._machines.get(author)
        names = [author] if known is None else [author, known.keyset]
        every: Iterable[Sequence[Said]] = (self._authors.get(one, ()) for one in names)
        if only:
            every = (self._kinds.get(one, {}).get(only, ()) for one in names)
        return _newest(every, start, count)

    def kinds_by(self, author: str) -> list[tuple[str, int]]:
        """Return how many statements of each kind an identity said, the most frequent first."""
        known = self._machines.get(author)
        names = [author] if known is None else [author, known.keyset]
        found = Counter[str]()
        for one in names:
            found.update({kind: len(said) for kind, said in self._kinds.get(one, {}).items()})
        return sorted(found.items(), key=lambda item: (-item[1], item[0]))

    def alike(self, value: str, *, start: int = 0, count: int = 100) -> list[Machine]:
        """Return identities whose evidence has this label of code or platform, newest first."""
        return _page(self._alike.get(value, []), start, count)

    def alike_count(self, value: str) -> int:
        """Return how many identities have this label of code or platform."""
        return len(self._alike.get(value, ()))

    def machine(self, name: str) -> Machine | None:
        """Return an identity by its digest or by its keyset's, in hex."""
        return self._machines.get(name) or self._machines.get(self._keysets.get(name, ""))

    def machines(self, *, start: int = 0, count: int = 100) -> list[Machine]:
        """Return identities, newest first."""
        return _page(self._every, start, count)

    @property
    def machine_count(self) -> int:
        """How many identities there are."""
        return len(self._machines)


def _put(said: list[Said], one: Said) -> None:
    """Add a statement in its place: its author's identity may have come long after it."""
    if said and said[-1].number > one.number:
        insort(said, one, key=_number)
    else:
        said.append(one)


def _newest(lists: Iterable[Sequence[Said]], start: int, count: int) -> list[Said]:
    """Return a page of several lists that are each in order: no more than that is copied."""
    some = [one for one in lists if one]
    if len(some) <= 1:
        return _page(some[0], start, count) if some else []
    first, end = _bound(some, start + count), _bound(some, start)
    every = [said for one in some for said in one[_at(one, first) : _at(one, end)]]
    return sorted(every, key=_number, reverse=True)


def _bound(lists: Sequence[Sequence[Said]], count: int) -> int:
    """Return the least entry's number from which on there are at most ``count`` in all lists."""
    low, high = 0, max(one[-1].number for one in lists) + 1
    while low < high:
        middle = (low + high) // 2
        if sum(len(one) - _at(one, middle) for one in lists) <= count:
            high = middle
        else:
            low = middle + 1
    return low


def _at(one: Sequence[Said], number: int) -> int:
    return bisect_left(one, number, key=_number)


def _page(every: Sequence[T], start: int, count: int) -> list[T]:
    """Return a page of a list, its newest first."""
    end = max(0, len(every) - start)
    return list(every[max(0, end - count) : end])[::-1]
