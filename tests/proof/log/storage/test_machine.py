"""Anything in any order: a log against a model of what it must remember."""

from __future__ import annotations

from contextlib import ExitStack
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from teeproof.proof.log.formats.cosignature import Cosigner
from teeproof.proof.log.storage.log import Log
from tests.proof.log.storage.logs import Model, crash, fast_folder, item, new
from tests.proof.log.storage.power import ForgetfulDisk, copy_index, put_index

WITNESSES = [Cosigner(f"w{at}.example", bytes([at]) * 32) for at in range(3)]


class LogMachine(RuleBasedStateMachine):
    """Append, repeat, publish, cosign, crash, lose power, reopen, rebuild; then compare."""

    @initialize(limit=st.sampled_from([1, 5000, 1 << 20]))
    def begin(self, limit):
        self.stack = ExitStack()
        self.folder = self.stack.enter_context(fast_folder())
        (self.folder / "old").mkdir()
        self.disk = ForgetfulDisk(self.folder)
        self.limit, self.number, self.model = limit, 0, Model()
        self.log = new(self.folder, disk=self.disk)

    def opened(self):
        self.log = Log.open(self.folder / "log", disk=self.disk, segment_limit=self.limit)
        self.number = max(self.number, self.log.size)

    @rule()
    def append(self):
        self.append_many(1)

    @rule(count=st.sampled_from([1, 2, 30, 256, 300]))
    def append_many(self, count):
        items = [item(at) for at in range(self.number, self.number + count)]
        self.number += count
        self.model.acknowledged(items, self.log.append_many(items))

    @precondition(lambda self: self.number)
    @rule(random=st.randoms(use_true_random=False))
    def repeat(self, random):
        size = self.log.size
        items = [item(random.randrange(self.number)) for _ in range(5)]
        known = [thing for thing in items if self.log.find(thing.statement_id)]
        self.model.acknowledged(items, self.log.append_many(items))
        assert self.log.size <= size + len(items) - len(known)

    @rule()
    def publish(self):
        signed = self.log.publish()
        assert signed.checkpoint.size == self.log.size == self.log.published_size
        self.model.saw(signed)

    @precondition(lambda self: self.model.checkpoints)
    @rule(which=st.sampled_from(WITNESSES), random=st.randoms(use_true_random=False))
    def add_cosignatures(self, which, random):
        size = random.choice(sorted(self.model.checkpoints))
        line = which.cosign(self.model.checkpoints[size], time=random.randint(1, 5))
        self.log.add_cosignatures(size, [line])
        self.model.cosigned(size, [line])

    @rule()
    def reopen(self):
        self.log.close()
        self.opened()

    @rule()
    def crash(self):
        crash(self.log)
        self.opened()

    @rule(seed=st.integers(0, 1 << 32), index=st.sampled_from(["kept", "old", "none"]))
    def lose_power(self, seed, index):
        self.model.saw(self.log.checkpoint())
        crash(self.log)
        self.disk.lose_power(Random(seed))
        if index != "kept":
            put_index(self.folder / "log", self.folder / "old" if index == "old" else None)
        self.opened()

    @rule()
    def keep_the_index(self):
        self.log.close()
        copy_index(self.folder / "log", self.folder / "old")
        self.opened()

    @rule()
    def rebuild_index(self):
        self.log._writing.sync()
        before = self.log._index.dump()
        self.log.rebuild_index()
        assert self.log._index.dump() == before

    @invariant()
    def sizes_do_not_lie(self):
        if hasattr(self, "log"):
            assert self.log.published_size <= self.log.size
            assert self.log.size >= len(self.model.entries)

    def teardown(self):
        if hasattr(self, "log"):
            self.model.check(self.log)
            crash(self.log)
            self.stack.close()


LogMachine.TestCase.settings = settings(max_examples=50, stateful_step_count=20)
TestLogMachine = LogMachine.TestCase
