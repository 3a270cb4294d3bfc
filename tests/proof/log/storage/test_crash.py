"""A writer that is killed at any moment, hundreds of times, loses nothing that it acknowledged."""

from __future__ import annotations

import os
import select
import signal
import struct
import threading
import warnings
from base64 import b64decode
from random import Random

from teeproof.proof.log.storage.log import Log
from tests.proof.log.storage.logs import QuickDisk, check_tree, fast_folder, item, new

KILLS = 220
APPENDED = struct.Struct(">cQQ32s")  # b"a", number of the item, index, salt
PUBLISHED = struct.Struct(">cQQ32s")  # b"c", 0, size, root
LIMIT = 20_000


def live(directory, seed: int, pipe: int) -> None:
    """Append from several threads, publish, and say what was acknowledged, until the kill."""

    def append(random: Random) -> None:
        while True:
            numbers = [random.randrange(1 << 40) for _ in range(random.choice([1, 1, 5, 20]))]
            done = log.append_many([item(number) for number in numbers])
            for number, one in zip(numbers, done, strict=True):
                os.write(pipe, APPENDED.pack(b"a", number, one.index, one.salt))
            pause.wait(0.001)

    pause = threading.Event()
    log = Log.open(directory, disk=QuickDisk(), segment_limit=LIMIT)
    for part in range(2):
        threading.Thread(target=append, args=(Random(seed + part),), daemon=True).start()
    while True:
        signed = log.publish().checkpoint
        os.write(pipe, PUBLISHED.pack(b"c", 0, signed.size, signed.root))


def killed(directory, random: Random) -> bytes:
    """Let a child live for a moment, kill it, and return what it said."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # The child starts threads of its own, takes no lock of its parent's, and never returns.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            live(directory, random.randrange(1 << 30), writing)
        finally:
            os._exit(1)
    os.close(writing)
    wanted, said = random.choice([0, 1, 300, 1000, 2000]), b""
    threading.Event().wait(random.random() * 0.02)
    # On a busy machine a child may be killed before it publishes: some are given the time.
    sizes = 3 if random.random() < 0.15 else 0
    while (len(said) < wanted or len(published(said)) < sizes) and select.select(
        [reading], [], [], 10
    )[0]:
        said += os.read(reading, 1 << 16)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    while more := os.read(reading, 1 << 16):
        said += more
    os.close(reading)
    assert os.WIFSIGNALED(status), "the child ended by itself"
    return said


def published(said: bytes) -> set[int]:
    """Return the sizes of the trees that a child said that it published."""
    whole = said[: len(said) // APPENDED.size * APPENDED.size]
    return {size for mark, _, size, _ in APPENDED.iter_unpack(whole) if mark == b"c"}


class Told:
    """What the children said."""

    def __init__(self) -> None:
        self.entries: dict[int, tuple[int, bytes]] = {}
        self.roots: dict[int, bytes] = {}
        self.last: list[int] = []

    def add(self, said: bytes) -> None:
        self.last = []
        said = said[: len(said) // APPENDED.size * APPENDED.size]
        for mark, number, place, value in APPENDED.iter_unpack(said):
            if mark == b"c":
                assert self.roots.setdefault(place, value) == value, "two roots for one size"
            else:
                self.entries[number] = (place, value)
                self.last.append(number)

    def check(self, log: Log, numbers) -> None:
        for number in numbers:
            found, thing = log.find(item(number).statement_id), item(number)
            assert found is not None, "an acknowledged entry is gone"
            assert (found.index, found.salt) == self.entries[number]
            stored = log.stored(found.index)
            assert (stored.record, stored.statement_id) == (thing.record, thing.statement_id)
        served = log.checkpoint().checkpoint
        assert served.size >= max(self.roots, default=0), "a smaller tree after a larger one"
        assert self.roots.setdefault(served.size, served.root) == served.root


def test_a_killed_writer_loses_nothing_and_signs_one_history():
    random, told = Random(1), Told()
    with fast_folder() as folder:
        new(folder).close()
        for kill in range(KILLS):
            told.add(killed(folder / "log", random))
            if kill % 4 == 0:  # otherwise the next child takes over what the last one left
                with Log.open(folder / "log", disk=QuickDisk(), segment_limit=LIMIT) as log:
                    told.check(log, told.last)
        assert len(told.entries) > 1000
        assert len(told.roots) > KILLS / 20  # how many there are depends on the machine
        with Log.open(folder / "log", disk=QuickDisk(), segment_limit=LIMIT) as log:
            told.check(log, told.entries)
            log.publish()
            before = log._index.dump()
            texts = {}
            for size in told.roots:
                if size:
                    texts[size] = log.first_checkpoint(size - 1).note.text
                    root = texts[size].splitlines()[2]
                    assert b64decode(root) == told.roots[size]
            check_tree(log, texts)
            log.rebuild_index()
            assert log._index.dump() == before
