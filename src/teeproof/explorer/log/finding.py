"""Find anything that a log speaks of by what a person pastes: an id, a digest, a hash, a word.

The index is made of the log's records and of nothing else, in memory, a bounded number of keys; it
follows the log when it is asked, and at most once a second; a long log is read in a thread. Lists
hold what its author signed; what its author did not sign is found by its own id, and by what it
names only where there is room.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from string import hexdigits

import msgspec

from teeproof.core.errors import Usage
from teeproof.core.text import cut
from teeproof.explorer.log.beside import AT_ONCE
from teeproof.explorer.log.entries import Booted, Entry, Found, Reading, Said, understood
from teeproof.explorer.log.keys import MOST_OF_ONE
from teeproof.explorer.log.nodes import Nodes
from teeproof.explorer.log.roll import Roll
from teeproof.explorer.log.signing import Authors, LeftOut
from teeproof.explorer.log.taken import Taken
from teeproof.explorer.log.ties import Ties
from teeproof.proof.log import crew
from teeproof.proof.log.contents import Contents
from teeproof.proof.log.storage.log import Log
from teeproof.proof.log.storage.stored import Stored

__all__ = ["SEARCHED", "Entry", "Found", "Index", "Reading"]

SEARCHED = (
    "a statement's id", "the digest of an input or output", "a pool's digest", "a receipt's id",
    "an identity", "a machine's platform id or measurement", "a transaction's hash or an account",
    "a node's name", "a word such as training",
)  # fmt: skip
"""What can be searched for, in words."""

_BATCH = 64  # entries between two looks at the lock
_END = 40  # entries at the end of a long log, from which the latest are told first
_PAUSE = 0.001  # seconds between batches of the thread
_SHORTEST = 4
_LONGEST = 200
_EVERY = 1.0  # seconds
_ID = 64  # hex digits of an id or a digest


def _is_id(text: str) -> bool:
    return len(text) == _ID and set(text) <= set(hexdigits)


_Entry = Said | Booted | None
_TASK = "teeproof.explorer.log.entries:understanding"
_decoder = msgspec.msgpack.Decoder(list[_Entry])


class Index:
    """What can be found in one log.

    What the log has taken in since is read by whoever asks, if it is little; else in a thread, and
    meanwhile everybody is answered with what was read so far.

    Args:
        log: its directory; another process may be writing to it.
        clock: seconds that only grow.
        hands: how many processes read it while it is long and not read; with one, only this does.
    """

    def __init__(
        self, log: Path, *, clock: Callable[[], float] = time.monotonic, hands: int = 1
    ) -> None:
        self._directory, self._clock, self._hands = log, clock, hands
        self._lock = threading.Lock()  # over what was read; nobody holds it for long
        self._turn = threading.Lock()  # of whoever reads
        self._asked: float | None = None
        self._size = self._done = 0
        self._thread: threading.Thread | None = None
        self._failed: Exception | None = None
        self._taken, self._authors = Taken(), Authors()
        self._end: tuple[float, list[Entry]] | None = None  # of a log that is not read yet

    @property
    def absent(self) -> int:
        """How often the log says a name that search has no room for."""
        return self._taken.keys.absent

    @property
    def reading(self) -> Reading | None:
        """How far the log is read, while that takes longer; None once it is."""
        thread = self._thread
        if thread is None or not thread.is_alive():
            return None
        return Reading(self._done, self._size)

    def latest(self, count: int = 20) -> list[Entry]:
        """Return the latest statements that their authors signed, newest first."""
        self._follow()
        if self.reading is not None:
            return self._last(count)
        with self._lock:
            return list(self._taken.latest)[: -count - 1 : -1]

    def roll(self) -> Roll:
        """Return what the log holds, by kind and by author."""
        self._follow()
        return self._taken.roll

    def ties(self) -> Ties:
        """Return which statements belong to one thing."""
        self._follow()
        return self._taken.ties

    def nodes(self) -> Nodes:
        """Return what the log holds of nodes of markets."""
        self._follow()
        return self._taken.nodes

    def left_out(self) -> LeftOut:
        """Return how many statements are in no list, as their authors did not sign them."""
        self._follow()
        return self._taken.left_out

    def find(self, text: str) -> list[Found]:
        """Return what a text names: a whole key, or the beginning of some; at most ``MOST_OF_ONE``.

        Where names found no room, a whole id or digest is still found, in the log's own index and
        in ``links.db``.

        Raises:
            Usage: too short or too long a text (``search_malformed``).
            TooLarge: more statements claim to have made a thing than are judged.
        """
        wanted = text.strip().lower().removeprefix("sha256:").rstrip("….")
        if not _SHORTEST <= len(wanted) <= _LONGEST:
            raise Usage(
                "this cannot be searched for", code="search_malformed",
                expected=f"{_SHORTEST} to {_LONGEST} characters: " + ", ".join(SEARCHED),
                got=cut(text, 60) or "nothing",
            )  # fmt: skip
        self._follow()
        with self._lock:
            found = list(self._taken.matching(wanted))
        return found or (list(self._beyond(wanted)) if self.absent and _is_id(wanted) else [])

    def _beyond(self, wanted: str) -> Iterator[Found]:
        """Yield what a whole id or digest names, though its name found no room here."""
        with (
            Log.open(self._directory, read_only=True) as log,
            closing(Contents(log, makers=MOST_OF_ONE)) as contents,
        ):
            ids = {bytes.fromhex(wanted): "statement"}
            if contents.behind <= AT_ONCE:
                ids |= dict.fromkeys(contents.producers(f"sha256:{wanted}"), "output of")
            for one, meaning in ids.items():
                place = contents.placed(one)
                said = None if place is None else understood(
                    log, place.index, log.stored(place.index), authors=self._authors
                )  # fmt: skip
                if isinstance(said, Said):
                    yield Found(key=wanted, meaning=meaning, statement=said.id, title=said.title,
                                signed=said.signed)  # fmt: skip
                elif isinstance(said, Booted):
                    yield Found(key=wanted, meaning="identity", statement="", title="")

    def _follow(self) -> None:
        """Read what the log has taken in since, at most once a second; a lot of it in a thread."""
        if self.reading is not None:
            return
        with self._turn:
            now, failed = self._clock(), self._failed
            if failed is not None:
                self._failed = self._asked = None
                raise failed
            if self._asked is not None and now - self._asked < _EVERY:
                return
            if self.reading is not None:
                return
            with Log.open(self._directory, read_only=True) as log:
                self._size = log.size
                if self._size - self._done <= AT_ONCE:
                    self._read(log)
                    self._asked = now
                    return
            self._thread = threading.Thread(target=self._run, name="teeproof-index", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        """Read a long log, until there is little left; whoever asks meanwhile finds what is."""
        try:
            with Log.open(self._directory, read_only=True) as log:
                if self._hands > 1 and self._size - self._done >= crew.LEAST:
                    self._read_together(log)
                while self._size - self._done > 0:
                    self._read(log, pause=_PAUSE)
                    self._size = log.size
        except Exception as error:  # for whoever asks next: what is read is not all there is
            self._failed = error

    def _read_together(self, log: Log) -> None:
        """Take in what a crew reads; what one of it could not read is read here."""
        with crew.Crew(self._directory, _TASK, count=self._hands) as hands:
            for start, stop, made in hands.read(self._done, self._size):
                if made:
                    self._take_next(log, _decoder.decode(made))
                else:
                    self._read(log, stop=stop, pause=_PAUSE)
                assert start < self._done == stop
                time.sleep(_PAUSE)  # as below

    def _read(self, log: Log, *, stop: int | None = None, pause: float = 0.0) -> None:
        """Take in what is there up to a size; what records say is read while nobody waits."""
        stop = self._size if stop is None else stop
        entries = log.iterate(self._done) if stop > self._done else iter(())
        while batch := list(islice(entries, max(0, min(_BATCH, stop - self._done)))):
            self._take_next(log, self._understood(log, enumerate(batch, self._done)))
            if pause:
                time.sleep(pause)  # a lock goes to whoever asks at that moment: let others ask

    def _understood(self, log: Log, entries: Iterable[tuple[int, Stored]]) -> list[_Entry]:
        return [understood(log, at, one, authors=self._authors) for at, one in entries]

    def _take_next(self, log: Log, entries: Sequence[_Entry]) -> None:
        """Take in the next entries, and what their authors said before the log had them."""
        numbered = list(enumerate(entries, self._done))
        self._take_all(numbered)
        self._done += len(entries)
        for number, one in numbered:
            if isinstance(one, Booted) and one.first:
                self._again(log, bytes.fromhex(one.names[0]), number)

    def _take_all(self, entries: Iterable[tuple[int, _Entry]]) -> None:
        with self._lock:
            for number, one in entries:
                if one is not None:
                    self._taken.take(number, one)

    def _again(self, log: Log, identity: bytes, before: int) -> None:
        """Take in what an author said before the log had its identity."""
        start = 0
        while found := log.entries_by(identity, start=start, limit=_BATCH):
            early = [one for one in found if one < before]
            read = self._understood(log, [(number, log.stored(number)) for number in early])
            self._take_all(zip(early, read, strict=True))
            if len(early) < len(found):
                return
            start = found[-1] + 1

    def _last(self, count: int) -> list[Entry]:
        """Return the latest statements of a log that is not read yet: its end is read first."""
        now = self._clock()
        with self._lock:
            if self._end is None or now - self._end[0] >= _EVERY:
                self._end = now, self._read_end()
            return self._end[1][: -count - 1 : -1]

    def _read_end(self) -> list[Entry]:
        with Log.open(self._directory, read_only=True) as log:
            start = max(0, log.size - _END)
            every = [
                (number, understood(log, number, stored, authors=Authors()))
                for number, stored in enumerate(log.iterate(start), start)
            ]
        return [one.entry(at) for at, one in every if isinstance(one, Said) and one.signed]
