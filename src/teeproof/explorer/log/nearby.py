"""What stands near a statement in a log that is too long for one graph.

What it was made of is read upwards from it, through the indexes beside the log; what was made of it
is looked for in the latest entries alone. Both are bounded, and of what was not read there is a
number: a name that leads to something unread is left out of the graph, or that would be shown as
something that the log does not hold.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec

from teeproof.core.digests import named
from teeproof.core.errors import Error
from teeproof.explorer.log.beside import Progress
from teeproof.explorer.log.entries import unknown
from teeproof.proof.graph import Graph
from teeproof.proof.graph.model import Identified, Input, Kind, Said
from teeproof.proof.graph.read import identified, require_digest, said
from teeproof.proof.log.contents import Contents
from teeproof.proof.log.formats.entry import IDENTITY
from teeproof.proof.log.storage.reader import Reader
from teeproof.proof.log.storage.stored import Stored

__all__ = ["LATEST", "Drawn", "Nearby", "Partial"]

LATEST: Final = 50_000
"""Entries in which what was made of a statement is looked for; twice as many before it moves on."""
_MOST_NAMES = 1_000_000  # inputs and outputs of these entries; with more, they are fewer
_MOST = 1_000  # statements above, and below
_LOOKED = 20_000  # names of inputs that are followed upwards
_PEOPLE = 1_000  # identities
_OFTEN = 256


class Partial(NamedTuple):
    """What of a log a graph leaves out.

    Attributes:
        entries: how many the log has.
        looked: in how many of the latest what was made of the statement was looked for.
        unread: how many names of inputs, of what uses the statement, and of authors lead to what
            was not read.
    """

    entries: int
    looked: int
    unread: int


class Drawn(NamedTuple):
    """A graph, and what it leaves out of the log; None if it is all of it."""

    graph: Graph
    partial: Partial | None = None


class Nearby:
    """The latest entries of a log, and what they were made of."""

    def __init__(self) -> None:
        self.start = self.done = self._weight = 0
        self._said: dict[bytes, Said] = {}
        self._users: dict[bytes, list[bytes]] = {}  # by a statement's id, or a digest without one

    def behind(self, log: Reader) -> int:
        """How many entries are to be read."""
        return log.size - self._from(log.size)

    def follow(self, log: Reader, *, progress: Progress | None = None) -> None:
        """Read what the log has taken in since; of a lot, the latest."""
        size = log.size
        start = self._from(size)
        if start > self.done or size - self.start > 2 * LATEST:
            self._begin(start)  # what was read is too old
        for stored in log.iterate(self.done) if size > self.done else ():
            if progress is not None and self.done % _OFTEN == 0:
                progress(self.done - start, size - start)
            self._take(stored)
            self.done += 1

    def around(self, contents: Contents, one: bytes) -> Drawn:
        """Return the graph around a statement.

        Raises:
            Unavailable: the log does not hold it (``statement_unknown``).
        """
        near = _Near(contents)
        near.read_up(one)
        near.take(self._below(near, one))
        unread = near.settle()
        graph = Graph(near.said, near.people, unreadable=near.unreadable, blobs=(contents.blob,))
        return Drawn(graph, Partial(contents.log.size, self.done - self.start, unread))

    def _from(self, size: int) -> int:
        is_far = size - self.done > LATEST or size - self.start > 2 * LATEST
        return max(0, size - LATEST) if is_far else self.done

    def _take(self, stored: Stored) -> None:
        if stored.kind == IDENTITY:
            return
        try:
            found = said(stored.record)
            require_digest(found.id, stored.statement_id)
        except Error:
            return  # the graph of a statement that names it says that it cannot be read
        if found.id in self._said:
            return
        names = {each.statement or each.digest for each in found.inputs}
        self._weight += len(names) + len(found.outputs)
        if self._weight > _MOST_NAMES:
            self._begin(self.done)
        self._said[found.id] = found
        for name in names:
            self._users.setdefault(name, []).append(found.id)

    def _begin(self, start: int) -> None:
        self.start = self.done = start
        self._said, self._users, self._weight = {}, {}, 0

    def _below(self, near: _Near, one: bytes) -> Iterator[Said]:
        """Yield what was made of a statement, nearest first."""
        waiting, seen, asked = deque([one]), {one}, set[bytes]()
        while waiting:
            at = near.said.get(name := waiting.popleft()) or self._said[name]
            for key in (at.id, *(output.digest for output in at.outputs)):
                users = () if key in asked else self._users.get(key, ())
                asked.add(key)
                for user in users:
                    if len(seen) > _MOST:
                        near.unread += user not in seen
                    elif user not in seen:
                        seen.add(user)
                        waiting.append(user)
                        yield self._said[user]


@dataclass(slots=True)
class _Near:
    """What a graph is made of, while it is gathered."""

    contents: Contents
    said: dict[bytes, Said] = field(default_factory=dict)
    people: dict[bytes, Identified] = field(default_factory=dict)
    unreadable: dict[bytes, Kind] = field(default_factory=dict)
    unread: int = 0
    _absent: set[bytes] = field(default_factory=set)  # that the log does not hold
    _plain: set[bytes] = field(default_factory=set)  # digests that no statement made
    _looked: int = 0

    def read_up(self, one: bytes) -> None:
        """Read a statement and what it was made of, nearest first."""
        waiting, seen = deque([one]), {one}
        while waiting:
            name = waiting.popleft()
            if len(self.said) >= _MOST:
                return
            record = self.contents.statement(name)
            if record is None:
                self._absent.add(name)
                if name == one:
                    raise unknown(one)
                continue
            try:
                found = said(record)
                require_digest(found.id, name)
            except Error:
                self.unreadable[name] = "statement"
                continue
            self.said[name] = found
            for parent in self._parents(found):
                if parent not in seen:
                    seen.add(parent)
                    waiting.append(parent)

    def take(self, below: Iterable[Said]) -> None:
        """Take in what was made of it."""
        for one in below:
            self.said.setdefault(one.id, one)

    def settle(self) -> int:
        """Read who said it all, leave out names of what was not read, and count these."""
        made = {output.digest for one in self.said.values() for output in one.outputs}
        for name, one in self.said.items():
            inputs = tuple(each for each in one.inputs if self._is_known(each, made))
            people = [each for each in (one.author, *one.cosigners) if each is not None]
            held = {each for each in people if self._read_person(each)}
            if one.keyset is not None:
                owner = self.contents.identity_of_keyset(one.keyset)
                self.unread += owner is not None and not self._read_person(owner)
            self.unread += len(one.inputs) - len(inputs) + len(people) - len(held)
            self.said[name] = msgspec.structs.replace(
                one, inputs=inputs, author=one.author if one.author in held else None,
                cosigners=tuple(each for each in one.cosigners if each in held),
            )  # fmt: skip
        for name, person in self.people.items():
            if person.previous is not None and person.previous not in self.people:
                self.unread += 1
                self.people[name] = msgspec.structs.replace(person, previous=None)
        return self.unread

    def _parents(self, found: Said) -> Iterator[bytes]:
        for each in found.inputs:
            if self._looked >= _LOOKED:
                return
            self._looked += 1
            if each.statement is not None:
                yield each.statement
                continue
            makers = list(self.contents.producers(named(each.digest)))
            if not makers:
                self._plain.add(each.digest)
            yield from makers

    def _is_known(self, one: Input, made: set[bytes]) -> bool:
        """Return whether it is known here where an input leads, or that it leads nowhere."""
        if one.statement is None:
            return one.digest in self._plain or one.digest in made
        name = one.statement
        return name in self.said or name in self._absent or name in self.unreadable

    def _read_person(self, digest: bytes) -> bool:
        """Read an identity; return whether it is known here what the log holds of it."""
        if digest in self.people or digest in self._absent or digest in self.unreadable:
            return True
        if len(self.people) >= _PEOPLE:
            return False
        record = self.contents.identity(digest)
        if record is None:
            self._absent.add(digest)
            return True
        try:
            person = identified(record)
            require_digest(person.digest, digest)
            self.people[digest] = person
        except Error:
            self.unreadable[digest] = "identity"
        return True
