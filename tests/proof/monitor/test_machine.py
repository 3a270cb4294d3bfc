"""A log that does anything, a witness that is killed, a monitor that starts anew: nothing slips."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from teeproof.core.errors import Error
from teeproof.proof.log.formats.cosignature import cosigned_at
from teeproof.proof.monitor.fork import verify_fork
from teeproof.proof.witness.witness import Conflict
from tests.proof.monitor.served import Served, monitor_of, open_store
from tests.proof.witness.fragile import Fragile, PowerLoss
from tests.proof.witness.scenes import COSIGNER, NOW, ORIGIN, SIGNER, Book, entry, open_witness

KEYS = {ORIGIN: SIGNER.verifier}
Head = tuple[Book, int]


def contradict(a: Head, b: Head) -> bool:
    size = min(a[1], b[1])
    return a[0].tree.root(size) != b[0].tree.root(size)


class Logs(RuleBasedStateMachine):
    """One log with one key, and whoever runs it may do what he likes."""

    def __init__(self) -> None:
        super().__init__()
        self.scratch = tempfile.TemporaryDirectory()
        folder = Path(self.scratch.name)
        (folder / "w").mkdir()
        self.rng = random.Random(1)
        self.folder, self.now, self.serial = folder, NOW, 0
        self.book = Book.of(5)
        self.shown: Head = (self.book, 5)
        self.seen: list[Head] = []  # signed checkpoints that the monitor was shown
        self.served = Served(self.book)
        self.cosigned: list[tuple[Head, int]] = []
        self.accused = False
        self.well = True
        self.store = open_store(folder / "m")
        open_witness(folder / "w").close()
        self.disk = Fragile(folder / "w", self.rng)
        self.witness = self._open_witness()

    def teardown(self) -> None:
        self.witness.close()
        self.store.close()
        self.scratch.cleanup()

    def _open_witness(self):
        return open_witness(self.folder / "w", disk=self.disk, now=lambda: self.now)

    # The log

    @initialize(size=st.integers(0, 600))
    def begin(self, size):
        self.book = Book.of(size)
        self.publish()

    @rule(count=st.sampled_from([1, 2, 30, 255, 256]))
    def append(self, count):
        self.serial += 1
        self.book.grow(count, by=self.serial)

    @rule()
    def publish(self):
        self.shown = (self.book, self.book.tree.size)
        self.served.show(self.book)

    @precondition(lambda self: self.book.entries)
    @rule(data=st.data())
    def replay(self, data):
        size = data.draw(st.integers(0, self.book.tree.size))
        self.shown = (self.book, size)
        self.served.show(self.book, size)

    @rule()
    def rebuild(self):
        self.book = Book(self.book.entries)

    @precondition(lambda self: self.book.entries)
    @rule(data=st.data(), what=st.sampled_from(["fork", "rewrite", "drop", "truncate", "reorder"]))
    def cheat(self, data, what):
        entries = self.book.entries
        at = data.draw(st.integers(0, len(entries) - 1))
        self.serial += 1
        strange = entry(at, by=1000 + self.serial)
        if what == "fork":
            self.book = self.book.fork(at, by=1000 + self.serial)
        elif what == "rewrite":
            self.book = Book([*entries[:at], strange, *entries[at + 1 :]])
        elif what == "drop":
            self.book = Book([*entries[:at], *entries[at + 1 :]])
        elif what == "truncate":
            self.book = Book(entries[:at])
        else:
            self.book = Book([*entries[:at], *reversed(entries[at:])])

    # The network

    @rule(what=st.sampled_from(["tile/", "tile/0", "tile/entries", "checkpoint"]))
    def alter(self, what):
        self.well = False
        self.served.alter = lambda path, data: (
            data[:-2] + bytes([data[-2] ^ 1]) + data[-1:]
            if path.startswith(what) and data
            else data
        )

    @rule(what=st.sampled_from(["tile/", "tile/entries", "checkpoint"]))
    def lose(self, what):
        self.well = False
        self.served.gone = lambda path: path.startswith(what)

    @rule()
    def heal(self):
        self.well = True
        self.served.alter = lambda path, data: data
        self.served.gone = lambda path: False

    @rule()
    def honest_network_and_look(self):
        self.heal()
        self.look()

    # The witness

    @rule(after=st.none() | st.integers(0, 20))
    def cosign(self, after):
        book, size = self.shown
        self.disk.after = after
        old = 0
        try:
            for _ in range(2):
                try:
                    line = self.witness.add(book.request(min(old, size), size))
                except Conflict as error:
                    old = error.size
                else:
                    self._note(line)
                    break
        except PowerLoss:
            self.crash()
        except Error:
            pass
        self.disk.after = None

    def _note(self, line):
        book, size = self.shown
        time = cosigned_at(book.signed(size).note.text, line, COSIGNER.verifier)
        assert time is not None
        for head, before in self.cosigned:
            assert not contradict(head, self.shown), "two trees were cosigned"
            assert head[1] <= size, "a smaller tree was cosigned"
            assert before <= time, "an earlier time was cosigned"
        self.cosigned.append((self.shown, time))

    @rule()
    def crash(self):
        self.witness.close()
        self.disk.lose()
        self.disk = Fragile(self.folder / "w", self.rng)
        self.witness = self._open_witness()

    @rule(seconds=st.integers(-30, 100))
    def wait(self, seconds):
        self.now += seconds

    # The monitor

    @rule()
    def forget(self):
        self.store.close()
        self.store = open_store(self.folder / "m")

    @rule()
    def look(self):
        held = None
        if self.store.held is not None:
            held = next(
                head
                for head in self.seen
                if head[1] == self.store.verified
                and head[0].tree.root(head[1]) == self.store.held.checkpoint.root
            )
        self.seen.append(self.shown)
        report = monitor_of(self.store, self.served, now=lambda: self.now).look()
        if report.fork is not None:
            self.accused = True
        if self.well and held is not None and contradict(held, self.shown):
            assert self.accused, "a fork that could be seen was not caught"
        if self.accused:
            fork = verify_fork(self.store.proof_path.read_bytes(), keys=KEYS)
            assert report.fork == fork
            assert report.exit_code == 2

    @invariant()
    def an_honest_log_is_never_accused(self):
        if self.accused:
            assert any(contradict(a, b) for a in self.seen for b in self.seen)
        else:
            assert not self.store.proof_path.exists()


Logs.TestCase.settings = settings(max_examples=50, stateful_step_count=40)


class TestWhateverALogDoesNoTwoTreesAreCosignedAndNoVisibleForkIsMissed(Logs.TestCase):
    """See ``Logs``."""
