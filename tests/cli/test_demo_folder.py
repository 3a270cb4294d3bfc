"""A demo's folder: one story at a time, also after one that ended, well or not."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from teeproof.cli.demo_folder import held, is_held
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
