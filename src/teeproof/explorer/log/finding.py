"""Find anything that a log speaks of by what a person pastes: an id, a digest, a hash, a word.

The index is made of the log's records and of nothing else, in memory, a bounded number of keys; it
follows the log when it is asked, and at most once a second. Lists hold what its author signed; what
its author did not sign is found by its own id, and by what it names only where there is room.
"""

from __future__ import annotations

import re
import threading
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from teeproof.core.errors import Error, Usage
from teeproof.core.text import cut
from teeproof.explorer.log.nodes import Nodes
from teeproof.explorer.log.roll import CODE, Machine, Roll
from teeproof.explorer.log.signing import Authors, LeftOut
from teeproof.explorer.log.ties import Ties
from teeproof.explorer.telling.sentences import clause
from teeproof.network.checking import maybe
from teeproof.network.statements import NodeStatement
from teeproof.proof.graph.labels import labels_of
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.log.formats.entry import IDENTITY
from teeproof.proof.log.storage.log import Log
from teeproof.proof.log.storage.stored import Stored
from teeproof.proof.source import Read, read_record

__all__ = ["LATEST", "SEARCHED", "Entry", "Found", "Index"]

SEARCHED = (
    "a statement's id", "the digest of an input or output", "a pool's digest", "a receipt's id",
    "an identity", "a machine's platform id or measurement", "a transaction's hash or an account",
    "a node's name", "a word such as training",
)  # fmt: skip
"""What can be searched for, in words."""

LATEST = 200  # statements that are remembered as the latest
MOST_KEYS = 1_000_000
_MOST_OF_ONE = 200  # keys from one record, and statements for one key
_UNSIGNED_KEYS = 100_000  # that are there for statements alone which their author did not sign
_UNSIGNED_OF_ONE = 16  # such statements for one key, and keys from one of them
_SHORTEST = 4
_LONGEST = 200
_EVERY = 1.0  # seconds
_THINGS = {"identity": "identity", "code that ran": "code", "node": "node"}
_TOKEN = re.compile(r"0x[0-9a-f]{40}(?:[0-9a-f]{24})?|(?:rcpt|chatcmpl)-[0-9a-z]{8,64}")
_WHAT = {66: "transaction or block named by", 42: "account named by"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A statement of the log: its number there, its id (hex), what it says."""

    number: int
    id: str
    title: str
    clause: str

    def to_json(self) -> dict[str, Any]:
        """Return the same for programs."""
        return {"number": self.number, "id": f"sha256:{self.id}", "title": self.title,
                "says": self.clause}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a key is to a statement: ``output of``, ``identity that said``; and the statement.

    Where it is the name of a thing that has a page of its own, ``statement`` is empty. ``signed``
    says whether the author that it names signed it.
    """

    key: str
    meaning: str
    statement: str
    title: str
    signed: bool = True

    @property
    def href(self) -> str:
        """The page that it leads to."""
        if self.statement:
            return f"/p/{self.statement}"
        return f"/{_THINGS[self.meaning]}/{self.key}"

    def to_json(self) -> dict[str, Any]:
        """Return the same for programs."""
        statement = f"sha256:{self.statement}" if self.statement else None
        return {"key": self.key, "meaning": self.meaning, "statement": statement,
                "page": self.href, "title": self.title, "signed": self.signed}  # fmt: skip


class Index:
    """What can be found in one log.

    Args:
        log: its directory; another process may be writing to it.
        clock: seconds that only grow.
    """

    def __init__(self, log: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._directory, self._clock = log, clock
        self._lock = threading.Lock()
        self._asked: float | None = None
        self._done = 0
        self._keys: dict[str, list[tuple[str, str]]] = {}
        self._titles: dict[str, str] = {}
        self._sorted: list[str] | None = None
        self._said_by: dict[str, str] = {}  # labels of machines, by their identity
        self._latest: deque[Entry] = deque(maxlen=LATEST)
        self._roll, self._ties, self._nodes = Roll(), Ties(), Nodes()
        self._authors, self._left_out = Authors(), LeftOut()
        self._unsigned: set[str] = set()  # ids that are found though nobody signed them
        self._unsigned_keys = 0
        self.full = False

    def latest(self, count: int = 20) -> list[Entry]:
        """Return the latest statements that their authors signed, newest first."""
        with self._lock:
            self._follow()
            return list(self._latest)[: -count - 1 : -1]

    def roll(self) -> Roll:
        """Return what the log holds, by kind and by author."""
        with self._lock:
            self._follow()
            return self._roll

    def ties(self) -> Ties:
        """Return which statements belong to one thing."""
        with self._lock:
            self._follow()
            return self._ties

    def nodes(self) -> Nodes:
        """Return what the log holds of nodes of markets."""
        with self._lock:
            self._follow()
            return self._nodes

    def left_out(self) -> LeftOut:
        """Return how many statements are in no list, as their authors did not sign them."""
        with self._lock:
            self._follow()
            return self._left_out

    def find(self, text: str) -> list[Found]:
        """Return what a text names: a whole key, or the beginning of some.

        Raises:
            Usage: too short or too long a text (``search_malformed``).
        """
        wanted = text.strip().lower().removeprefix("sha256:").rstrip("….")
        if not _SHORTEST <= len(wanted) <= _LONGEST:
            raise Usage(
                "this cannot be searched for", code="search_malformed",
                expected=f"{_SHORTEST} to {_LONGEST} characters: " + ", ".join(SEARCHED),
                got=cut(text, 60) or "nothing",
            )  # fmt: skip
        with self._lock:
            self._follow()
            return list(self._matching(wanted))

    def _matching(self, wanted: str) -> Iterator[Found]:
        if self._sorted is None:
            self._sorted = sorted(self._keys)
        if wanted in self._keys:
            names = [wanted]
        else:
            at = bisect_left(self._sorted, wanted)
            few = self._sorted[at : at + _MOST_OF_ONE]
            names = [name for name in few if name.startswith(wanted)]
        pairs = [(name, *pair) for name in names for pair in self._keys[name]]
        pairs.sort(key=lambda each: each[2] in self._unsigned)  # what its author signed comes first
        for name, meaning, statement in pairs[:_MOST_OF_ONE]:
            yield Found(key=name, meaning=meaning, statement=statement,
                        title=self._titles.get(statement, ""),
                        signed=statement not in self._unsigned)  # fmt: skip

    def _follow(self) -> None:
        """Read what the log has taken in since; whoever calls holds the lock."""
        now = self._clock()
        if self._asked is not None and now - self._asked < _EVERY:
            return
        with Log.open(self._directory, read_only=True) as log:
            size = log.size
            for stored in log.iterate(self._done) if size > self._done else ():
                if self._done >= size:
                    break
                with suppress(Error):  # a record that is none: the log's own pages say so
                    self._take(log, self._done, stored)
                self._done += 1
        self._asked = now

    def _take(self, log: Log, number: int, stored: Stored) -> None:
        """Take in one entry; one that was taken in already changes nothing."""
        if stored.kind == IDENTITY:
            self._add_identity(log, number, stored.record)
            return
        read = read_record(stored.record)
        one = read.id.hex()
        if one in self._titles and one not in self._unsigned:
            return  # another copy of it
        if self._authors.signed(log, stored, read):
            self._unsigned.discard(one)
            self._add_statement(number, read)
        else:
            self._leave_out(read)

    def _add_statement(self, number: int, read: Read) -> None:
        one, body = read.id.hex(), _body(read)
        title = self._titles[one] = cut(read.title, 80)
        said = clause(read.type, body.get("predicate", body), title=read.title)
        self._latest.append(Entry(number=number, id=one, title=title, clause=cut(said, 200)))
        self._roll.add(read, number=number, title=title, clause=cut(said, 200))
        self._nodes.add(read, number=number)
        ties = self._ties.add(read)
        if (claimed := maybe(read, NodeStatement)) is not None and read.author:
            self._put_once(read.author.hex(), "node", "")
            self._put(cut(claimed.claim.name.lower(), 80), "name of the node that said", one)
        for key, meaning in self._named(read, body, title, ties):
            self._put_once(key, meaning, one)

    def _leave_out(self, read: Read) -> None:
        """Take in a statement that its author did not sign: no list holds it."""
        one, body = read.id.hex(), _body(read)
        ties = self._ties.of(read)
        author = read.author.hex() if read.author else (read.keyset or "").removeprefix("sha256:")
        self._left_out.add(*ties, ("author", author), *self._nodes.about(read))
        if one in self._unsigned or len(self._unsigned) >= _UNSIGNED_KEYS:
            return
        self._unsigned.add(one)
        title = self._titles[one] = cut(read.title, 80)
        for key, meaning in self._named(read, body, title, ties)[:_UNSIGNED_OF_ONE]:
            known = self._keys.get(key, ())
            if not known and self._unsigned_keys >= _UNSIGNED_KEYS:
                continue
            if sum(each in self._unsigned for _, each in known) < _UNSIGNED_OF_ONE:
                self._unsigned_keys += not known
                self._put(key, meaning, one)

    def _named(
        self, read: Read, body: dict[str, Any], title: str, ties: Sequence[tuple[str, str]]
    ) -> list[tuple[str, str]]:
        """Return what a statement is found by, and what that is to it."""
        found: dict[str, str] = {read.id.hex(): "statement"}
        for relation, name in ties:
            if relation in ("pool", "dataset"):
                found.setdefault(name, "pool of")
        for subject in read.subjects:
            found.setdefault(subject.sha256.removeprefix("sha256:"), "output of")
        for link in read.links:
            found.setdefault(link.digest.removeprefix("sha256:"), "input of")
        author = read.author.hex() if read.author else (read.keyset or "").removeprefix("sha256:")
        if author:
            found.setdefault(author, "identity that said")
        for label, meaning in self._labels(author):
            found.setdefault(label, f"{meaning} of the machine that said")
        found.setdefault(title.lower(), "word for")
        for token in dict.fromkeys(_TOKEN.findall(_text(body))):
            found.setdefault(token, _WHAT.get(len(token), "receipt id in"))
        return list(found.items())[:_MOST_OF_ONE]

    def _add_identity(self, log: Log, number: int, record: bytes) -> None:
        parsed = IdentityRecord.parse(record)
        first = log.find(parsed.digest)
        if first is not None and first.index == number:
            self._again(log, parsed.digest, number)
        if not parsed.is_possessed:
            return  # somebody else's copy, with signatures that are none

        def blob(digest: str) -> bytes | None:
            try:
                return log.blob(digest)
            except Error:
                return None

        labels = labels_of(record, blob=blob)
        pairs = {value: name for name, value in labels.values.items()}
        pairs[labels.evidence.partition(":")[2]] = "evidence"
        text = "\n".join(f"{value} {name}" for value, name in pairs.items())
        names = (parsed.digest.hex(), parsed.keyset_digest.removeprefix("sha256:"))
        for name in names if labels.values else ():  # a copy may come without its quote
            self._said_by[name] = text
        self._put_once(names[0], "identity", "")
        for name in CODE:
            if name in labels.values:
                self._put_once(labels.values[name], "code that ran", "")
        self._roll.add_machine(
            Machine(number=number, id=names[0], keyset=names[1], labels=dict(labels.values))
        )

    def _again(self, log: Log, identity: bytes, before: int) -> None:
        """Take in what an author said before the log had its identity."""
        start = 0
        while found := [one for one in log.entries_by(identity, start=start) if one < before]:
            for number in found:
                with suppress(Error):
                    self._take(log, number, log.stored(number))
            start = found[-1] + 1

    def _labels(self, author: str) -> Iterator[tuple[str, str]]:
        for line in self._said_by.get(author, "").splitlines():
            value, _, name = line.partition(" ")
            yield value, name.replace("_", " ")

    def _put_once(self, key: str, meaning: str, statement: str) -> None:
        if (meaning, statement) not in self._keys.get(key, ()):
            self._put(key, meaning, statement)

    def _put(self, key: str, meaning: str, statement: str) -> None:
        known = self._keys.get(key)
        if known is None:
            if len(self._keys) >= MOST_KEYS:
                self.full = True
                return
            known = self._keys[key] = []
            self._sorted = None
        if len(known) < _MOST_OF_ONE:
            known.append((meaning, statement))


def _body(read: Read) -> dict[str, Any]:
    if read.receipt is not None:
        return read.receipt.body
    statement = read.statement
    body = {} if statement is None else msgspec.json.decode(statement.payload)
    return body if isinstance(body, dict) else {}


def _text(body: Any) -> str:
    return msgspec.json.encode(body).decode("utf-8", "replace").lower()
