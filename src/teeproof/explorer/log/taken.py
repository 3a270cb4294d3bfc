"""What an index has taken in of a log: its lists, and what texts name in them.

Lists hold what its author signed; what its author did not sign is found by its own id, and by what
it names only where there is room.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from sys import intern

from teeproof.core.text import cut
from teeproof.explorer.log import roll
from teeproof.explorer.log.entries import Booted, Entry, Found, Said
from teeproof.explorer.log.keys import MOST_OF_ONE, Keys
from teeproof.explorer.log.nodes import Nodes
from teeproof.explorer.log.roll import CODE, Machine, Roll
from teeproof.explorer.log.signing import LeftOut
from teeproof.explorer.log.ties import Ties
from teeproof.network.checking import maybe
from teeproof.network.statements import NodeStatement
from teeproof.proof.source import read_record

__all__ = ["LATEST", "Taken"]

LATEST = 200  # statements that are remembered as the latest
_UNSIGNED_KEYS = 100_000  # that are there for statements alone which their author did not sign
_UNSIGNED_OF_ONE = 16  # such statements for one key, and keys from one of them
_MOST_LABELLED = 200_000  # identities whose labels are remembered for what they say


class Taken:
    """What was taken in so far; nothing here is locked.

    Attributes:
        keys: what is found, by what texts name.
        latest: the latest statements, oldest first.
        roll: statements by kind and by author.
        ties: which belong to one thing.
        nodes: what is said of nodes of markets.
        left_out: how many statements are in no list.
        unsigned: ids that are found though nobody signed them.
    """

    def __init__(self) -> None:
        self.keys = Keys()
        self.latest: deque[Entry] = deque(maxlen=LATEST)
        self.roll, self.ties, self.nodes, self.left_out = Roll(), Ties(), Nodes(), LeftOut()
        self.unsigned: set[str] = set()
        self._unsigned_keys = 0
        self._numbers: dict[str, int] = {}  # of the entries of statements, by id
        self._ids: dict[int, str] = {}  # and the other way
        self._titles: dict[int, str] = {}
        self._said_by: dict[str, tuple[tuple[str, str], ...]] = {}  # labels, by their identity

    def take(self, number: int, entry: Said | Booted) -> None:
        """Take in an entry; a statement that was taken in already changes nothing."""
        if isinstance(entry, Booted):
            self._add_identity(number, entry)
        else:
            self._take(number, entry)

    def _take(self, number: int, said: Said) -> None:
        one = said.id
        if one in self._numbers and one not in self.unsigned:
            return  # another copy of it
        if said.signed:
            self._add_statement(number, said)
        else:
            self._leave_out(said, number)

    def matching(self, wanted: str) -> Iterator[Found]:
        """Yield what a text in lower case names, what its author signed first."""
        places = [
            (key, meaning, self._ids.get(number, ""), self._titles.get(number, ""))
            for key, meaning, number in self.keys.matching(wanted)
        ]
        places.sort(key=lambda each: each[2] in self.unsigned)  # what its author signed is first
        for key, meaning, one, title in places[:MOST_OF_ONE]:
            yield Found(key=key, meaning=meaning, statement=one, title=title,
                        signed=one not in self.unsigned)  # fmt: skip

    def _add_statement(self, number: int, said: Said) -> None:
        again = said.id in self.unsigned
        self.unsigned.discard(said.id)
        place = self._place(number, said)
        kept = roll.Said(
            number=number, id=said.id, type=intern(said.type), author=intern(said.author),
            title=intern(said.title), clause=intern(said.clause),
        )  # fmt: skip
        self.latest.append(said.entry(number))
        self.roll.add(kept)
        self.ties.add(bytes.fromhex(said.id), said.ties)
        if said.record:
            self._add_of_node(number, place, said)
        elif said.answer is not None:
            self.nodes.answer(said.id, said.answer)
        for key, meaning in said.keys:
            self.keys.put(key, meaning, place, once=again)
        labels = self._said_by.get(said.author, ())
        taken = [self.keys.put(key, meaning, place) for key, meaning in labels]
        if labels and not any(taken):  # enough are found by what this machine is
            del self._said_by[said.author]

    def _add_of_node(self, number: int, place: int, said: Said) -> None:
        read = read_record(said.record)
        self.nodes.add(read, number=number)
        if (claimed := maybe(read, NodeStatement)) is not None and read.author:
            self.keys.put(read.author.hex(), "node", -1, once=True)
            name = cut(claimed.claim.name.lower(), 80)
            self.keys.put(name, "name of the node that said", place)

    def _leave_out(self, said: Said, number: int) -> None:
        """Take in a statement that its author did not sign: no list holds it."""
        ties = self.ties.of(said.ties)
        about = self.nodes.about(read_record(said.record)) if said.record else ()
        self.left_out.add(*ties, ("author", said.author), *about)
        if said.id in self.unsigned or len(self.unsigned) >= _UNSIGNED_KEYS:
            return
        self.unsigned.add(said.id)
        place = self._place(number, said)
        for key, meaning in said.keys[:_UNSIGNED_OF_ONE]:
            known = self.keys.numbers(key)
            if not known and self._unsigned_keys >= _UNSIGNED_KEYS:
                continue
            if sum(self._ids.get(each) in self.unsigned for each in known) < _UNSIGNED_OF_ONE:
                self._unsigned_keys += not known
                self.keys.put(key, meaning, place)

    def _place(self, number: int, said: Said) -> int:
        """Return the number by which a statement is found: that of its first entry."""
        place = self._numbers.setdefault(said.id, number)
        self._ids[place], self._titles[place] = said.id, intern(said.title)
        return place

    def _add_identity(self, number: int, booted: Booted) -> None:
        if not booted.owned:
            return  # somebody else's copy, with signatures that are none
        if booted.labels and len(self._said_by) < _MOST_LABELLED:
            for name in booted.names:
                self._said_by[name] = booted.labels
        self.keys.put(booted.names[0], "identity", -1, once=True)
        for name in CODE:
            if name in booted.values:
                self.keys.put(booted.values[name], "code that ran", -1, once=True)
        self.roll.add_machine(
            Machine(number=number, id=booted.names[0], keyset=booted.names[1],
                    labels=booted.values)
        )  # fmt: skip
