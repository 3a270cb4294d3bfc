"""The seed on disk: private, complete or absent, and one for all who open it."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from teeproof.core.errors import Malformed, Unavailable, Usage
from teeproof.evidence.collect.simulated import SimulatedPlatform, open_platform


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_simulator_keeps_its_root(tmp_path):
    first = open_platform(tmp_path / "data")
    again = open_platform(tmp_path / "data")
    loaded = SimulatedPlatform.load(tmp_path / "data/simulator")
    assert first.root_der == again.root_der == loaded.root_der


def test_two_places_hold_two_simulators(tmp_path):
    assert open_platform(tmp_path / "a").root_der != open_platform(tmp_path / "b").root_der


def test_only_the_owner_may_read_the_seed(tmp_path):
    previous = os.umask(0)  # the laxest that a user could have
    try:
        open_platform(tmp_path / "data")
    finally:
        os.umask(previous)
    folder = tmp_path / "data/simulator"
    assert _mode(folder) == 0o700
    assert [(path.name, _mode(path)) for path in folder.iterdir()] == [("seed.json", 0o600)]


def test_a_seed_that_others_can_read_is_refused_with_the_remedy(tmp_path):
    open_platform(tmp_path)
    seed = tmp_path / "simulator/seed.json"
    seed.chmod(0o640)
    with pytest.raises(Usage, match="chmod 600") as refusal:
        open_platform(tmp_path)
    assert (refusal.value.code, refusal.value.got) == ("seed_exposed", "mode 0640")
    seed.chmod(0o600)
    assert open_platform(tmp_path).root_der


def test_an_open_directory_is_closed(tmp_path):
    folder = tmp_path / "simulator"
    folder.mkdir(mode=0o755)
    open_platform(tmp_path)
    assert _mode(folder) == 0o700


def test_what_a_crash_left_behind_does_no_harm(tmp_path):
    folder = tmp_path / "simulator"
    folder.mkdir()
    (folder / "seed.json.new").write_text('{"type": "urn:tee')
    platform = open_platform(tmp_path)
    assert [path.name for path in folder.iterdir()] == ["seed.json"]
    assert open_platform(tmp_path).root_der == platform.root_der


def test_a_crash_before_the_last_step_leaves_no_seed(tmp_path, monkeypatch):
    def crash(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", crash)
        with pytest.raises(KeyboardInterrupt):
            open_platform(tmp_path)
    assert not (tmp_path / "simulator/seed.json").exists()
    first = open_platform(tmp_path)
    assert open_platform(tmp_path).root_der == first.root_der


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"type": "urn:teeproof:simulator:v1", "seed": "01"}',
        '{"type": "urn:teeproof:simulator:v1", "seed": 1}',
        json.dumps({"type": "urn:teeproof:simulator:v2", "seed": "00" * 32}),
        json.dumps({"type": "urn:teeproof:simulator:v1", "seed": "AB" * 32}),
        "[" * 2000,
    ],
)
def test_a_file_that_is_no_seed_is_refused_and_kept(tmp_path, text):
    open_platform(tmp_path)
    seed = tmp_path / "simulator/seed.json"
    seed.write_text(text)
    with pytest.raises(Malformed):
        open_platform(tmp_path)
    assert seed.read_text() == text


def test_load_makes_nothing(tmp_path):
    with pytest.raises(Unavailable):
        SimulatedPlatform.load(tmp_path / "simulator")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises(Unavailable, match="cannot keep its seed") as refusal:
        open_platform(tmp_path / "file")
    assert refusal.value.code == "simulator_unavailable"


def _open(directory: Path, barrier, results) -> None:
    barrier.wait()
    results.put(open_platform(directory).root_fingerprint)


def test_processes_that_open_at_once_get_one_root(tmp_path):
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(3), context.Queue()
    racers = [context.Process(target=_open, args=(tmp_path, barrier, results)) for _ in range(3)]
    for racer in racers:
        racer.start()
    roots = {results.get(timeout=300) for _ in racers}
    for racer in racers:
        racer.join()
    assert roots == {open_platform(tmp_path).root_fingerprint}


def test_a_racer_that_finds_the_lock_taken_uses_what_the_other_made(tmp_path):
    # The twin of the race: the seed appears while we wait for the lock.
    import fcntl
    import threading

    folder = tmp_path / "simulator"
    folder.mkdir()
    holder = os.open(folder, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    opened: list[str] = []
    waiting = threading.Thread(
        target=lambda: opened.append(open_platform(tmp_path).root_fingerprint)
    )
    waiting.start()
    seed = folder / "seed.json"
    text = json.dumps({"type": "urn:teeproof:simulator:v1", "seed": "07" * 32})
    (folder / "ready").touch(mode=0o600)
    (folder / "ready").write_text(text)
    (folder / "ready").replace(seed)
    os.close(holder)
    waiting.join(timeout=300)
    assert opened == [SimulatedPlatform(b"\7" * 32).root_fingerprint]
