"""Who writes a commit: who waits for it, or a thread; and what an interrupt leaves behind."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from teeproof.core.errors import Unavailable
from tests.proof.log.storage.logs import QuickDisk, crash, item, new, reopen


class Watched(QuickDisk):
    """A disk that says who writes commits, and may be told to interrupt one, or to wait."""

    def __init__(self) -> None:
        self.writers: list[threading.Thread] = []
        self.interrupt: BaseException | None = None
        self.may_write = threading.Event()
        self.may_write.set()

    def append(self, descriptor: int, parts: Sequence[bytes], offset: int) -> None:
        self.writers.append(threading.current_thread())
        self.may_write.wait()
        super().append(descriptor, parts, offset)
        if self.interrupt:
            raise self.interrupt


@pytest.fixture
def disk():
    return Watched()


def test_a_lone_caller_writes_its_commits_itself(tmp_path, disk):
    with new(tmp_path, disk=disk) as log:
        disk.writers.clear()
        log.append_many([item(0)])
        log.append_many([item(at) for at in range(1, 300)])
        log.publish()
        assert set(disk.writers) == {threading.current_thread()}


def test_what_nobody_waits_for_is_written_by_the_thread(tmp_path, disk):
    with new(tmp_path, disk=disk) as log:
        disk.writers.clear()
        assert log.submit(item(0)).result(timeout=120).index == 0
        assert [thread.name for thread in disk.writers] == ["teeproof-log"]


def test_what_comes_while_a_caller_writes_shares_the_next_commit(tmp_path, disk):
    with new(tmp_path, disk=disk) as log, ThreadPoolExecutor(8) as threads:
        disk.writers.clear()
        disk.may_write.clear()
        first = threads.submit(log.append_many, [item(0)])
        while not disk.writers:
            threading.Event().wait(0.001)
        others = [log.submit(item(at)) for at in range(1, 6)]
        others += [log.submit(item(0))]
        disk.may_write.set()
        assert first.result(timeout=120)[0].index == 0
        assert [one.result(timeout=120).index for one in others] == [1, 2, 3, 4, 5, 0]
        assert len(disk.writers) == 2


def test_a_caller_with_more_than_may_wait_hands_over_and_gets_every_place(tmp_path, disk):
    with new(tmp_path, disk=disk) as log:
        found = log.append_many([item(at) for at in range(3000)])
        assert [one.index for one in found] == list(range(3000))
        assert log.size == 3000


@pytest.mark.parametrize(
    "interrupt", [KeyboardInterrupt(), MemoryError()], ids=["ctrl-c", "memory"]
)
def test_an_interrupted_write_is_not_acknowledged_and_stops_the_log(tmp_path, disk, interrupt):
    log = new(tmp_path, disk=disk)
    log.append_many([item(0)])
    disk.interrupt = interrupt
    with pytest.raises(type(interrupt)):
        log.append_many([item(1)])
    disk.interrupt = None
    assert log.size == 1
    assert log.find(item(1).statement_id) is None
    with pytest.raises(Unavailable) as refusal:
        log.append_many([item(2)])
    assert refusal.value.code == "log_poisoned"
    crash(log)
    with reopen(tmp_path) as log:  # it may be there or not; here it was written
        assert log.append_many([item(1)])[0].index == 1
        assert log.append_many([item(2)])[0].index == 2


def test_an_interrupted_caller_fails_those_who_wait_behind_it(tmp_path, disk):
    log = new(tmp_path, disk=disk)
    disk.writers.clear()
    disk.may_write.clear()
    disk.interrupt = KeyboardInterrupt()
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(log.append_many, [item(0)])
        while not disk.writers:
            threading.Event().wait(0.001)
        behind = log.submit(item(1))
        disk.may_write.set()
        assert isinstance(first.exception(timeout=120), KeyboardInterrupt)
        assert behind.exception(timeout=120).code == "log_poisoned"
    crash(log)


def test_an_interrupt_of_the_thread_fails_what_it_wrote_and_it_goes_on_to_say_so(tmp_path, disk):
    log = new(tmp_path, disk=disk)
    disk.interrupt = MemoryError()
    assert log.submit(item(0)).exception(timeout=120).code == "log_poisoned"
    with pytest.raises(Unavailable):
        log.submit(item(1))
    crash(log)


@pytest.mark.parametrize("size", [100, 2000, 60_000], ids=["small", "in buffers", "in parts"])
def test_memory_that_is_used_again_changes_nothing_that_was_written(tmp_path: Path, size):
    def append(part: int) -> None:
        for turn in range(4):
            start = (part * 4 + turn) * 60
            log.append_many([item(at, size=size) for at in range(start, start + 60)])

    with new(tmp_path) as log:
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(append, range(4)))
        wanted = {item(at).statement_id: item(at, size=size).record for at in range(960)}
        assert {one.statement_id: one.record for one in log.iterate()} == wanted
