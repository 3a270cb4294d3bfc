"""A workload that wants out: every attempt is made by a real process behind the real wall."""

from __future__ import annotations

import os
import socket
import threading

from teeproof.cloud.sandbox import MAX_PROCESSES
from tests.cloud.scenes import found, manifest, start, walled


@walled
def test_workload_tries_to_leave_by_every_door(tmp_path):
    name = f"teeproof-test-{os.getpid()}"
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "mine").write_text("")
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "theirs").write_text("")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("\0" + name)
        listening.listen()
        seen = found(
            tmp_path, manifest("break_out", str(os.getpid()), name, str(tmp_path / "others"))
        )
    assert {what for what, outcome in seen["found"].items() if outcome == "done"} == set()
    assert len(seen["found"]) == 18
    assert seen["see"] == ["mine"]
    assert not (tmp_path / "mark").exists()


@walled
def test_workload_is_a_fork_bomb_and_reaches_a_bound(tmp_path):
    seen = found(tmp_path, manifest("multiply"))
    assert seen["outcome"] == "BlockingIOError"
    assert 10 < seen["born"] < MAX_PROCESSES


@walled
def test_workload_that_is_a_fork_bomb_takes_nothing_from_its_neighbour(tmp_path):
    seen = {}

    def work(name):
        seen[name] = found(tmp_path / name, manifest("multiply"))["born"]

    threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert min(seen.values()) > MAX_PROCESSES // 2  # each has a bound of its own


@walled
def test_two_workloads_see_nothing_of_each_other(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name / "in").mkdir(parents=True)
        (tmp_path / name / "in" / "note").write_text(f"for {name}")
    with start(tmp_path / "a", manifest("wait")) as first:
        other = found(tmp_path / "b", manifest("remember"))
        assert other == {"starts": 1, "input": "for b"}
        paths = [str(tmp_path / "a" / "in" / "note"), f"/proc/{first.pid}/cmdline"]
        seen = found(tmp_path / "c", manifest("look", "9", *paths))
        assert "done" not in seen["read"].values()
    a, b = ((tmp_path / name / "state").stat() for name in ("a", "b"))
    assert os.geteuid() != 0 or a.st_uid != b.st_uid
