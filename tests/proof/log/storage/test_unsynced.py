"""The power goes at each write, sync and rename, and what was not synced is lost in parts."""

from __future__ import annotations

from contextlib import suppress
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from teeproof.core.errors import Unavailable
from teeproof.proof.log.formats.cosignature import Cosigner
from teeproof.proof.log.storage.log import Log
from tests.proof.log.storage.logs import ORIGIN, SEED, Model, crash, fast_folder, item
from tests.proof.log.storage.power import ForgetfulDisk, put_index

WITNESS = Cosigner("w.example", bytes(32))


class Story:
    """A log that is used until the power goes, and again."""

    def __init__(self, folder, *, limit: int) -> None:
        self.folder, self.limit = folder, limit
        self.disk = ForgetfulDisk(folder)
        self.model, self.blobs, self.number = Model(), {}, 0
        self.log: Log | None = None

    def open(self) -> None:
        options = {"disk": self.disk, "segment_limit": self.limit}
        with suppress(Unavailable):
            if (self.folder / "log" / "log.json").exists():
                self.log = Log.open(self.folder / "log", **options)
            else:
                options.pop("segment_limit")
                self.log = Log.create(self.folder / "log", origin=ORIGIN, seed=SEED, **options)

    def append(self, count: int) -> None:
        items = [item(at) for at in range(self.number, self.number + count)]
        self.number += count
        self.model.acknowledged(items, self.log.append_many(items))

    def publish(self) -> None:
        self.model.saw(self.log.publish())

    def cosign(self) -> None:
        signed = self.log.checkpoint()
        line = WITNESS.cosign(signed.note.text, time=1 + self.number)
        self.log.add_cosignatures(signed.checkpoint.size, [line])
        self.model.cosigned(signed.checkpoint.size, [line])

    def blob(self) -> None:
        data = b"evidence %d" % (self.number % 3)
        self.blobs[self.log.put_blob(data)] = data

    def look(self) -> None:
        """See what a client of the static files sees."""
        self.model.saw(Log.open(self.folder / "log", read_only=True).checkpoint())

    def run(self, steps) -> None:
        """Take steps until the end, or until the power is gone."""
        with suppress(Unavailable):
            for name, *arguments in steps:
                getattr(self, name)(*arguments)
                if self.log is None:
                    return

    def lose_power(self, random: Random) -> None:
        if self.log:
            self.model.saw(self.log.checkpoint())
            self.disk.fuse = 0
            crash(self.log)
            self.log = None
        self.disk.lose_power(random)
        if random.random() < 0.5 and (self.folder / "log").exists():
            put_index(self.folder / "log", None)

    def check(self) -> None:
        self.open()
        self.model.check(self.log)
        for digest, data in self.blobs.items():
            assert self.log.blob(digest) == data


STEPS = [
    ("open",),
    ("append", 3),
    ("blob",),
    ("publish",),
    ("append", 2),
    ("cosign",),
    ("append", 260),
    ("publish",),
    ("cosign",),
    ("append", 1),
    ("blob",),
    ("publish",),
    ("append", 4),
]


def changes(folder) -> int:
    story = Story(folder, limit=2000)
    story.run(STEPS)
    crash(story.log)
    return story.disk.changes


def test_the_power_may_go_at_any_change_and_nothing_acknowledged_is_lost():
    with fast_folder() as folder:
        count = changes(folder)
    assert count > 100
    for fuse in range(count):
        with fast_folder() as folder:
            story = Story(folder, limit=2000)
            story.disk.fuse = fuse
            random = Random(fuse)
            story.run(STEPS)
            story.lose_power(random)
            story.check()
            if fuse % 3 == 0:
                story.run([("append", 2), ("publish",), ("cosign",)])
                story.lose_power(random)
                story.check()
            crash(story.log)


moves = st.one_of(
    st.tuples(st.just("append"), st.sampled_from([1, 2, 50, 255])),
    st.sampled_from([("publish",), ("cosign",), ("blob",)]),
)
lives = st.tuples(
    st.lists(moves, max_size=5), st.none() | st.integers(0, 80), st.integers(0, 1 << 32)
)


@settings(max_examples=60)
@given(st.lists(lives, min_size=1, max_size=3), st.sampled_from([1, 3000, 1 << 20]))
def test_the_power_may_go_again_and_again(many, limit):
    with fast_folder() as folder:
        story = Story(folder, limit=limit)
        story.open()
        for steps, fuse, seed in many:
            story.disk.fuse = fuse
            story.run(steps)
            story.lose_power(Random(seed))
            story.disk.fuse = Random(seed).choice([None, None, Random(seed).randint(0, 12)])
            story.open()
            story.lose_power(Random(seed + 1))
            story.check()
        crash(story.log)


def test_the_simulation_loses_what_was_not_synced_and_keeps_what_was(tmp_path):
    """Otherwise the tests above would prove nothing."""
    lost = kept = 0
    for seed in range(40):
        folder = tmp_path / str(seed)
        folder.mkdir()
        disk = ForgetfulDisk(folder)
        descriptor = disk.open(folder / "a")
        disk.write(descriptor, [b"synced"], 0)
        disk.sync(descriptor)
        disk.sync_directory(folder)
        disk.write(descriptor, [b" and", b" not"], 6)
        disk.place(folder / "b", b"whole", scratch=folder / "t")
        disk.lose_power(Random(seed))
        content = (folder / "a").read_bytes()
        assert content.startswith(b"synced")
        lost += content != b"synced and not"
        kept += (folder / "b").exists()
        if (folder / "b").exists():
            assert (folder / "b").read_bytes() == b"whole"
    assert 0 < lost < 40
    assert 0 < kept < 40


@pytest.mark.parametrize("broken", ["sync", "sync_directory"])
def test_a_log_that_did_not_sync_would_fail_these_tests(monkeypatch, broken):
    """A disk that says it has synced and has not: acknowledged entries are lost, and we see it."""
    monkeypatch.setattr(ForgetfulDisk, broken, lambda self, _: self._burn())
    failures = 0
    for seed in range(12):
        with fast_folder() as folder:
            story = Story(folder, limit=2000)
            story.run(STEPS)
            story.lose_power(Random(seed))
            try:
                story.check()
            except (Exception, pytest.fail.Exception):
                failures += 1
            if story.log:
                crash(story.log)
    assert failures > 3
