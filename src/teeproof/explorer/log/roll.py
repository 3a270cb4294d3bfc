"""What a log holds, by kind and by author: the lists from which the pages of things are made.

It is fed by the index with what its author signed, holds a bounded number of lines in memory, and
says when it is full. What it says is what the records say: nothing more is checked here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from teeproof.proof.source import Read

__all__ = ["CODE", "MOST", "Machine", "Roll", "Said"]

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
    _machines: dict[str, Machine] = field(default_factory=dict)
    _keysets: dict[str, str] = field(default_factory=dict)
    _alike: dict[str, list[Machine]] = field(default_factory=dict)

    def add(self, read: Read, *, number: int, title: str, clause: str) -> None:
        """Take in a statement."""
        if self._is_full():
            return
        author = read.author.hex() if read.author else (read.keyset or "").removeprefix("sha256:")
        said = Said(number=number, id=read.id.hex(), type=read.type, author=author, title=title,
                    clause=clause)  # fmt: skip
        self._types.setdefault(read.type, []).append(said)
        if author:
            self._authors.setdefault(author, []).append(said)

    def add_machine(self, machine: Machine) -> None:
        """Take in an identity; of several copies, the first whose evidence was there to read."""
        known = self._machines.get(machine.id)
        if known is None and self._is_full():
            return
        if known is not None and (known.labels or not machine.labels):
            return
        self._machines[machine.id] = machine
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
        every: list[Sequence[Said]] = [self._authors.get(one, ()) for one in names]
        if only:
            every = [[said for said in some if said.type == only] for some in every]
        return _newest(every, start, count)

    def kinds_by(self, author: str) -> list[tuple[str, int]]:
        """Return how many statements of each kind an identity said, the most frequent first."""
        known = self._machines.get(author)
        names = [author] if known is None else [author, known.keyset]
        found = Counter(said.type for one in names for said in self._authors.get(one, ()))
        return sorted(found.items(), key=lambda item: (-item[1], item[0]))

    def alike(self, value: str, *, start: int = 0, count: int = 100) -> list[Machine]:
        """Return identities whose evidence has this label of code or platform, newest first."""
        every = self._alike.get(value, [])
        return every[: len(every) - start][: -count - 1 : -1]

    def alike_count(self, value: str) -> int:
        """Return how many identities have this label of code or platform."""
        return len(self._alike.get(value, ()))

    def machine(self, name: str) -> Machine | None:
        """Return an identity by its digest or by its keyset's, in hex."""
        return self._machines.get(name) or self._machines.get(self._keysets.get(name, ""))

    def machines(self, *, start: int = 0, count: int = 100) -> list[Machine]:
        """Return identities, newest first."""
        every = list(self._machines.values())
        return every[::-1][start : start + count]

    @property
    def machine_count(self) -> int:
        """How many identities there are."""
        return len(self._machines)


def _newest(lists: Iterable[Sequence[Said]], start: int, count: int) -> list[Said]:
    """Return a page of several lists that are each in order: only their ends are looked at."""
    ends = [list(one[-(start + count) :]) for one in lists]
    every = sorted((said for end in ends for said in end), key=lambda said: -said.number)
    return every[start : start + count]
