"""The director: parts run one at a time, in order, and what cannot be started says why."""

from __future__ import annotations

import io
import threading
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from teeproof.cli.screen import Screen
from teeproof.cli.story.acts import ACTS, Act, Scene
from teeproof.cli.story.problems import PROBLEMS
from teeproof.cli.story.stage import Director
from teeproof.cli.story.telling import LABELS, Teller
from teeproof.core.errors import Unavailable, Usage
from teeproof.explorer.console.stage import NAMES

PATIENCE = 120


class Ground:
    """A folder and lists of what runs: as much of a world as the order of parts depends on."""

    def __init__(self, folder):
        (folder / "runs").mkdir()
        self.folder, self.running, self.urls = folder, {}, {}
        self.stopped = threading.Event()

    def stop(self):
        self.stopped.set()

    def require_base(self):
        pass


@pytest.fixture
def ground(tmp_path):
    return Ground(tmp_path)


def act(name, *needs, tell=lambda _: None, **options):
    return Act(name=name, label=name.upper(), about=f"{name}.", needs=needs, tell=tell, **options)


def director(ground, *acts, **options):
    say = Teller(Screen(io.StringIO(), color=False, width=100), clock=lambda: 0.0, quiet=True)
    return Director(Scene(ground, say), acts=acts, **options)


@contextmanager
def at_work(ground, *acts):
    """Give a director that works, and a function that waits until a number of parts have ended."""
    ended = threading.Semaphore(0)
    found = director(ground, *acts, done=lambda _: ended.release())

    def wait(count=1):
        for _ in range(count):
            assert ended.acquire(timeout=PATIENCE)
        return {part.name: part for part in found.parts()}

    with found.working():
        yield found, wait


def test_the_parts_are_those_that_the_console_knows_and_each_comes_after_what_it_needs():
    assert tuple(one.name for one in ACTS) == NAMES
    for place, one in enumerate(ACTS):
        assert set(one.needs) <= set(NAMES[:place])
        assert [name for name in NAMES if name in one.needs] == list(one.needs)
        assert one.label == LABELS[one.name]
        deeper = {more for need in one.needs for more in ACTS[NAMES.index(need)].needs}
        assert deeper <= set(one.needs)


def test_a_part_that_needs_others_runs_after_them_in_order(ground):
    order = []
    acts = [
        act("one", tell=lambda _: order.append("one")),
        act("two", "one", tell=lambda _: order.append("two")),
        act("three", "one", "two", tell=lambda scene: order.append("three") or scene.made["two"]),
    ]
    with at_work(ground, *acts) as (it, wait):
        it.start("three", through=True)
        parts = wait(3)
    assert order == ["one", "two", "three"]
    assert {part.state for part in parts.values()} == {"done"}


@pytest.mark.parametrize("through", [False, True])
def test_what_a_part_needs_is_named_where_it_is_not_asked_for_too(ground, through):
    acts = act("one"), act("two"), act("three", "one", "two")
    with at_work(ground, *acts) as (it, wait):
        it.start("one")
        wait()
        if through:
            it.start("three", through=True)
            assert wait(2)["three"].state == "done"
            return
        with pytest.raises(Usage) as caught:
            it.start("three")
        assert (caught.value.code, caught.value.expected) == ("part_needs", "two")
        assert [part.state for part in it.parts()] == ["done", "waiting", "waiting"]


def test_nobody_knows_a_part_of_another_name(ground):
    it = director(ground, act("one"))
    with pytest.raises(Usage) as caught:
        it.start("one" + "x" * 5000)
    assert caught.value.code == "part_unknown"
    assert len(caught.value.got) < 100
    it.start("one")


def test_a_part_is_started_once(ground):
    go, begun = threading.Event(), threading.Event()

    def first(_):
        begun.set()
        assert go.wait(PATIENCE)

    with at_work(ground, act("one", tell=first), act("two")) as (it, wait):
        it.start("one")
        assert begun.wait(PATIENCE)
        it.start("two")
        for name in ("one", "two"):
            with pytest.raises(Usage) as caught:
                it.start(name)
            assert caught.value.code == "part_running"
        states = [(part.state, part.saying) for part in it.parts()]
        assert states == [("running", ""), ("waiting", "begins after ONE")]
        assert it.busy
        go.set()
        wait(2)
        assert not it.busy
        for name in ("one", "two"):
            with pytest.raises(Usage) as caught:
                it.start(name)
            assert caught.value.code == "part_done"


def test_how_a_part_goes_is_heard_while_it_runs_and_what_it_told_stays(ground):
    go, heard = threading.Event(), threading.Event()

    def tell(scene):
        scene.say.step("train", LABELS["train"])
        scene.say.now("opening files")
        with scene.say.bar("3 Train", 100) as show:
            show(40, "step 4 of 10")
            heard.set()
            assert go.wait(PATIENCE)
        scene.say.line("trained", ids=["sha256:" + "1" * 64])

    with at_work(ground, act("train", tell=tell)) as (it, wait):
        it.start("train")
        assert heard.wait(PATIENCE)
        (part,) = it.parts()
        assert (part.progress, part.saying, part.lines) == (0.4, "step 4 of 10", ())
        go.set()
        part = wait()["train"]
    assert (part.state, part.progress, part.saying) == ("done", None, "")
    (line,) = part.lines
    assert (line["label"], line["text"]) == ("3 Train", "trained")
    assert line["ids"] == ["sha256:" + "1" * 64]


def failing_once(ground, *, error, left="runs/kms"):
    tries = []

    def tell(_):
        tries.append(ground.folder / left)
        tries[-1].mkdir()  # who tries again needs room
        (tries[-1] / "stderr.log").write_text(f"try {len(tries)}")
        if len(tries) == 1:
            ground.urls["kms"] = "http://127.0.0.1:1"
            ground.running["kms"] = SimpleNamespace(stop=lambda: tries.append("stopped"))
            raise error

    return tell, tries


def test_a_part_that_failed_is_stopped_says_why_and_can_be_tried_again(ground):
    error = Unavailable("the pool is full", code="full", expected="room", got="none")
    tell, tries = failing_once(ground, error=error)
    with at_work(ground, act("data", tell=tell)) as (it, wait):
        it.start("data")
        part = wait()["data"]
        assert (part.state, part.again) == ("failed", True)
        assert part.problem == "the pool is full (expected room, got none)"
        assert tries[-1] == "stopped"
        assert (ground.running, ground.urls) == ({}, {})
        it.start("data")
        part = wait()["data"]
    assert (part.state, part.problem) == ("done", None)
    assert (ground.folder / "failed/data-1/runs/kms/stderr.log").read_text() == "try 1"


def test_what_was_there_before_a_failed_part_is_not_set_aside(ground):
    (ground.folder / "runs" / "market").mkdir()
    (ground.folder / "people").mkdir()
    tell, _ = failing_once(ground, error=Unavailable("no"), left="pool")
    with at_work(ground, act("data", tell=tell)) as (it, wait):
        for _ in range(2):
            it.start("data")
            wait()
    assert (ground.folder / "runs" / "market").is_dir()
    assert (ground.folder / "people").is_dir()
    assert (ground.folder / "failed/data-1/pool").is_dir()
    assert (ground.folder / "pool").is_dir()


def test_a_part_that_cannot_be_tried_again_says_so_and_holds_back_what_needs_it(ground):
    def tell(_):
        raise Unavailable("the chain is gone")

    paid = act("paid", tell=tell, again=lambda _: False, never="the fee was paid")
    with at_work(ground, paid, act("proof", "paid")) as (it, wait):
        it.start("paid")
        part = wait()["paid"]
        assert part.problem == "the chain is gone. It cannot be tried again: the fee was paid."
        assert not part.again
        for name in ("paid", "proof"):
            with pytest.raises(Usage) as caught:
                it.start(name, through=True)
            assert caught.value.code == "part_spoiled"


def test_a_part_whose_remains_cannot_be_ended_is_spoiled_and_the_director_goes_on(ground):
    def stop():
        raise Unavailable("it does not listen")

    def tell(_):
        ground.running["kms"] = SimpleNamespace(stop=stop)
        raise Unavailable("no key")

    with at_work(ground, act("data", tell=tell), act("network")) as (it, wait):
        it.start("data")
        it.start("network")
        parts = wait(2)
    assert (parts["data"].state, parts["data"].again) == ("failed", False)
    assert "could not be ended (it does not listen)" in parts["data"].problem
    assert parts["network"].state == "done"


def test_what_needs_a_part_that_failed_is_not_begun_and_what_does_not_is(ground):
    go = threading.Event()

    def tell(_):
        assert go.wait(PATIENCE)
        raise Unavailable("no key")

    acts = act("data", tell=tell), act("train", "data"), act("network")
    with at_work(ground, *acts) as (it, wait):
        it.start("train", through=True)
        it.start("network")
        go.set()
        parts = wait(2)
    assert [parts[name].state for name in ("data", "train", "network")] == [
        "failed", "waiting", "done",
    ]  # fmt: skip
    assert (parts["train"].problem, parts["train"].saying) == ("not begun, for DATA failed", "")


def test_a_fault_of_our_own_is_named_and_written_down(ground):
    def tell(_):
        raise AssertionError("a leaf is missing")

    with at_work(ground, act("data", tell=tell)) as (it, wait):
        it.start("data")
        part = wait()["data"]
    assert "a fault of teeproof itself, AssertionError: a leaf is missing" in part.problem
    assert "in tell" in (ground.folder / PROBLEMS).read_text()


def test_who_ends_the_stack_ends_the_part_that_runs_and_begins_no_other(ground):
    begun, ended = threading.Event(), []

    def tell(_):
        begun.set()
        assert ground.stopped.wait(PATIENCE)
        ended.append("first")
        raise Unavailable("its service was stopped")

    with at_work(ground, act("data", tell=tell), act("train", "data")) as (it, _):
        it.start("train", through=True)
        assert begun.wait(PATIENCE)
    assert ended == ["first"]
    assert [part.state for part in it.parts()] == ["failed", "waiting"]


def test_a_service_that_ended_by_itself_spoils_its_part_and_nothing_else(ground):
    def tell(_):
        words = SimpleNamespace(returncode=None, last_words=lambda: "out of memory")
        ground.running["kms"] = words
        ground.running["pool"] = SimpleNamespace(returncode=None)

    ground.forget = ground.running.pop
    with at_work(ground, act("data", tell=tell), act("train", "data"), act("network")) as (
        it,
        wait,
    ):
        it.start("data")
        wait()
        assert it.look() == []
        ground.running["kms"].returncode = 137
        (error,) = it.look()
        assert (error.code, error.got) == ("workload_ended", "out of memory")
        assert "kms" in error.detail
        assert it.look() == []
        part = it.parts()[0]
        assert (part.state, part.again) == ("failed", False)
        assert "the workload kms ended with code 137" in part.problem
        for name in ("data", "train"):
            with pytest.raises(Usage) as caught:
                it.start(name, through=True)
            assert caught.value.code == "part_spoiled"
        it.start("network")
        assert wait()["network"].state == "done"
