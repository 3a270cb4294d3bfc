"""A demo's folder: one story at a time, also after one that ended, well or not."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from teeproof.cli.demo_folder import RECORD, held, held_anew, is_held, require_free
from teeproof.cli.joining import join
from teeproof.core.errors import Unavailable, Usage

HOLDER = """
import sys, time
from pathlib import Path
from teeproof.cli.demo_folder import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_demo_that_ended_well_is_followed_by_another_in_an_empty_folder(tmp_path):
    folder = tmp_path / "a" / "demo"
    for _ in range(3):
        with held(folder):
            assert [entry.name for entry in folder.iterdir()] == ["lock"]
            assert is_held(folder)
            (folder / "log").mkdir()
            (folder / "log" / "checkpoint").write_text("x")
            (folder / "link").symlink_to(tmp_path)
            (folder / "trade.proof").write_text("x")
        assert not is_held(folder)
        assert (folder / "trade.proof").exists()
    assert tmp_path.exists()


def test_a_demo_that_runs_is_not_disturbed_by_another(tmp_path):
    with held(tmp_path):
        (tmp_path / "trade.proof").write_text("x")
        with pytest.raises(Usage) as caught, held(tmp_path):
            pass
        assert caught.value.code == "demo_running"
        assert (tmp_path / "trade.proof").read_text() == "x"


def test_host_kills_a_demo_and_its_folder_is_free(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    assert is_held(tmp_path)
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    assert not is_held(tmp_path)
    with held(tmp_path):
        assert is_held(tmp_path)


def test_nobody_joins_a_demo_that_has_ended(tmp_path):
    record = '{"urls": {"pool": "http://127.0.0.1:9"}, "kms_policy": ""}'
    with held(tmp_path):
        (tmp_path / "world.json").write_text(record)
        assert join(tmp_path).urls == {"pool": "http://127.0.0.1:9"}
    for folder in (tmp_path, tmp_path / "never"):
        with pytest.raises(Unavailable) as caught:
            join(folder)
        assert caught.value.code == "demo_not_running"


def begun(folder):
    """Leave what a stack leaves in which a person gave something."""
    (folder / RECORD).write_text("{}")
    (folder / "runs").mkdir()
    (folder / "people").mkdir()
    (folder / "people" / "owner.key").write_text("a key")


def test_an_earlier_stack_is_moved_aside_with_all_that_people_gave(tmp_path):
    folder = tmp_path / "a" / "up"
    for number in range(3):
        with held_anew(folder) as aside:
            assert aside == (folder.with_name(f"up-before-{number}") if number else None)
            assert [entry.name for entry in folder.iterdir()] == ["lock"]
            assert is_held(folder)
            begun(folder)
            if aside is not None:
                assert (aside / "people" / "owner.key").read_text() == "a key"
                assert (aside / RECORD).exists()
        assert not is_held(folder)


def test_a_stack_in_which_nothing_was_begun_leaves_nothing_behind(tmp_path):
    folder = tmp_path / "up"
    for _ in range(2):
        with held_anew(folder) as aside:
            assert aside is None
            (folder / RECORD).write_text("{}")
            (folder / "log").mkdir()
            (folder / "runs").mkdir()
            (folder / "runs" / "log.json").write_text("{}")
    assert [entry.name for entry in tmp_path.iterdir()] == ["up"]


def test_a_part_that_was_begun_is_enough_to_be_moved(tmp_path):
    with held_anew(tmp_path / "up"):
        (tmp_path / "up" / RECORD).write_text("{}")
        (tmp_path / "up" / "runs" / "market").mkdir(parents=True)
    with held_anew(tmp_path / "up") as aside:
        assert aside == tmp_path / "up-before-1"


def test_a_stack_that_runs_is_not_disturbed_by_another(tmp_path):
    folder = tmp_path / "up"
    with held_anew(folder):
        begun(folder)
        for ask in (lambda: require_free(folder), lambda: held_anew(folder).__enter__()):
            with pytest.raises(Usage) as caught:
                ask()
            assert caught.value.code == "up_running"
        assert (folder / "people" / "owner.key").exists()
    require_free(folder)
    assert [entry.name for entry in tmp_path.iterdir()] == ["up"]


def test_a_folder_of_somebody_elses_is_neither_moved_nor_emptied(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    require_free(folder)  # an empty one may be used
    (folder / "summer.jpg").write_text("x")
    for place in (folder, folder / "summer.jpg"):
        with pytest.raises(Usage) as caught, held_anew(place):
            pass
        assert caught.value.code == "out_taken"
    assert [entry.name for entry in folder.iterdir()] == ["summer.jpg"]
    (folder / RECORD).write_text("{}")  # with this it is one of ours
    with held_anew(folder):
        pass


def test_who_runs_a_demo_and_a_stack_says_which_one_is_joined(tmp_path, monkeypatch):
    monkeypatch.setenv("TEEPROOF_HOME", str(tmp_path))
    record = '{"urls": {"pool": "http://127.0.0.1:9"}, "kms_policy": ""}'
    with held_anew(tmp_path / "up"):
        (tmp_path / "up" / RECORD).write_text(record)
        assert join().folder == tmp_path / "up"
        with held(tmp_path / "demo"):
            (tmp_path / "demo" / RECORD).write_text(record)
            with pytest.raises(Usage) as caught:
                join()
            assert caught.value.code == "demo_ambiguous"
            assert join(tmp_path / "demo").folder == tmp_path / "demo"
        assert join().folder == tmp_path / "up"
    with pytest.raises(Unavailable):
        join()
