"""No loss of power and no kill makes a witness sign two trees that contradict each other."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from teeproof.core.errors import Error, Unavailable
from teeproof.proof.log.formats.cosignature import cosigned_at
from teeproof.proof.log.storage.disk import Disk
from teeproof.proof.witness.witness import Conflict
from tests.proof.witness.fragile import Fragile, PowerLoss
from tests.proof.witness.scenes import COSIGNER, NOW, Book, open_witness

COMMON = 20
ROUNDS = 240


class Ledger:
    """All that ever left a witness; refuses what contradicts it."""

    def __init__(self, *books: Book) -> None:
        self.books, self.last, self.time = books, 0, 0
        self.possible = set(range(len(books)))
        self.count = 0

    def note(self, book: Book, size: int, line) -> None:
        signed = book.signed(size)
        time = cosigned_at(signed.note.text, line, COSIGNER.verifier)
        self.possible &= {
            n for n, b in enumerate(self.books) if b.tree.root(size) == signed.checkpoint.root
        }
        assert self.possible, f"two trees were cosigned, the second of size {size}"
        assert size >= self.last, "a smaller tree was cosigned"
        assert time >= self.time, "an earlier time was cosigned"
        self.last, self.time, self.count = size, time, self.count + 1


def one_try(witness, ledger, rng) -> None:
    """Ask for a random size of a random branch, as a client that follows conflicts would."""
    book = rng.choice(ledger.books)
    size, old = rng.randint(1, book.tree.size), 0
    for _ in range(2):
        try:
            ledger.note(book, size, witness.add(book.request(min(old, size), size)))
        except Conflict as error:
            old = error.size
        except Error:
            return


def live(disk: Fragile, rng: random.Random, ledger: Ledger) -> None:
    """Let a witness work until it is killed; the disk keeps what was not synced in mind."""
    disk.after = rng.randrange(60)
    now, witness = NOW + rng.randrange(2), None
    with suppress(PowerLoss):
        try:
            witness = open_witness(disk.root, disk=disk, now=lambda: now)
            for _ in range(12):
                one_try(witness, ledger, rng)
        finally:
            if witness is not None:
                witness.close()


def lives(folder: Path, rng: random.Random, *, honest: bool = True) -> int:
    """Let eight witnesses live on one memory; some die of a kill, some of a loss of power."""
    start(folder)
    ledger = Ledger(*forks())
    disk = Fragile(folder, rng, honest=honest)
    for _ in range(8):
        live(disk, rng, ledger)
        if rng.random() < 0.5:
            disk.lose()
            disk = Fragile(folder, rng, honest=honest)
    return ledger.count


def forks() -> tuple[Book, Book]:
    book = Book.of(60)
    return book, book.fork(COMMON)


def start(folder: Path) -> None:
    open_witness(folder).close()


@pytest.mark.parametrize("seed", range(4))
def test_host_that_cuts_the_power_at_any_step_gets_no_two_trees(tmp_path, seed):
    rng = random.Random(seed)
    assert sum(lives(tmp_path / str(number), rng) for number in range(ROUNDS // 8)) > ROUNDS / 8


def test_a_disk_that_lies_about_its_syncs_would_be_noticed_by_these_tests(tmp_path):
    rng = random.Random(0)

    def all_lives():
        return [lives(tmp_path / str(number), rng, honest=False) for number in range(ROUNDS)]

    with pytest.raises(AssertionError, match="cosigned"):
        all_lives()


class Worst(random.Random):
    """Takes along all that may be lost."""

    def randint(self, a, b):
        return a


@pytest.mark.parametrize("after", range(20))
def test_host_that_kills_first_and_then_cuts_the_power_gets_no_two_trees(tmp_path, after):
    start(tmp_path)
    book, fork = forks()
    ledger, rng = Ledger(book, fork), Worst(0)
    disk = Fragile(tmp_path, rng, after=after)
    with suppress(PowerLoss), open_witness(tmp_path, disk=disk) as killed:
        ledger.note(book, 30, killed.add(book.request(0, 30)))
    disk.after = None
    with open_witness(tmp_path, disk=disk) as second, suppress(Conflict):
        ledger.note(book, 30, second.add(book.request(30, 30)))
    disk.lose()
    with open_witness(tmp_path) as third, suppress(Error):
        ledger.note(fork, 30, third.add(fork.request(0, 30)))


class Failing(Disk):
    """A disk on which one step fails, once."""

    def __init__(self, step: str) -> None:
        self.step = step

    def _fail(self, step: str) -> None:
        if step == self.step:
            self.step = ""
            raise OSError(28, "No space left on device")

    def write(self, descriptor, parts, offset):
        self._fail("write")
        super().write(descriptor, parts, offset)

    def sync(self, descriptor):
        self._fail("sync")
        super().sync(descriptor)

    def rename(self, source, target):
        self._fail("rename")
        super().rename(source, target)

    def sync_directory(self, path):
        self._fail("sync_directory")
        super().sync_directory(path)


@pytest.mark.parametrize("step", ["write", "sync"])
def test_a_full_disk_costs_a_cosignature_and_no_more(tmp_path, step):
    book = Book.of(9)
    disk = Failing("")
    with open_witness(tmp_path, disk=disk) as witness:
        witness.add(book.request(0, 7))
        disk.step = step
        with pytest.raises(Unavailable) as caught:
            witness.add(book.request(7))
        assert caught.value.code == "witness_disk"
        assert witness.add(book.request(7))


@pytest.mark.parametrize("step", ["rename", "sync_directory"])
def test_a_disk_that_fails_at_the_last_step_stops_the_witness_until_it_is_opened_anew(
    tmp_path, step
):
    book = Book.of(9)
    disk = Failing("")
    with open_witness(tmp_path, disk=disk) as witness:
        witness.add(book.request(0, 7))
        disk.step = step
        for _ in range(2):
            with pytest.raises(Unavailable) as caught:
                witness.add(book.request(7))
            assert caught.value.code == "witness_in_doubt"
    with open_witness(tmp_path) as again, suppress(Conflict):
        again.add(book.request(7))
    with open_witness(tmp_path) as again:
        assert again.add(book.request(9))


def test_host_that_kills_the_witness_at_any_moment_gets_no_two_trees(tmp_path):
    """A process forks 60 witnesses, one after the other, and kills each with SIGKILL."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.proof.witness.victim", str(tmp_path), "60"],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
        timeout=1500,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["kills"] == 60
    assert said["cosigned"] > 60
    assert said["in_work"] > 5, "most witnesses were killed while nothing happened"
