"""The whole story, run once as a stranger runs it, and kept for the tests to look at."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

LAST = "Ctrl-C ends it"
PATIENCE = 600  # seconds; a loaded machine is no failure


@dataclass(frozen=True)
class Told:
    """A demo that has told its story, and stays up while tests look at it.

    Attributes:
        folder: where its files are.
        lines: the story, as programs read it.
        home: its ``TEEPROOF_HOME``.
        said: every line that it printed, as a person reads it on a terminal.
    """

    folder: Path
    lines: list[dict[str, Any]]
    home: Path
    said: list[str]

    def of(self, step: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["step"] == step]


def demo(*words: str, home: Path, **options: Any) -> subprocess.Popen[bytes]:
    """Start the demo as a process; it prints to pipes."""
    environment = os.environ | {"TEEPROOF_HOME": str(home), "COLUMNS": "100"}
    return subprocess.Popen(
        [sys.executable, "-m", "teeproof.cli", "demo", *words],
        env=environment, **({"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options),
    )  # fmt: skip


def processes_of(folder: Path) -> set[int]:
    """Return the processes that name a folder in their command line."""
    found = subprocess.run(["pgrep", "-f", str(folder)], capture_output=True, check=False).stdout
    return {int(pid) for pid in found.split()}


def until_none_of(folder: Path) -> set[int]:
    """Return those that are left: the kernel ends what is behind a wall a moment after the wall."""
    limit = time.monotonic() + PATIENCE
    while (left := processes_of(folder)) and time.monotonic() < limit:
        time.sleep(0.1)
    return left


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory, vectors: Path) -> Iterator[Told]:
    home = tmp_path_factory.mktemp("story")
    with (home / "stderr").open("wb") as err:
        running = demo(home=home, stderr=err)
    said = _until_told(running)
    assert LAST in "".join(said[-1:]), (home / "stderr").read_text()[-3000:]
    folder = home / "demo"
    yield Told(folder, json.loads((folder / "story.json").read_bytes()), home, said)
    running.terminate()
    rest, _ = running.communicate(timeout=PATIENCE)
    assert running.returncode == 0, rest.decode() + (home / "stderr").read_text()[-3000:]


def _until_told(running: subprocess.Popen[bytes]) -> list[str]:
    """Return the lines that it prints, to the one that says how to end it; fewer if it ends."""
    assert running.stdout is not None
    said: list[str] = []
    for line in running.stdout:
        said.append(line.decode().rstrip("\n"))
        if said[-1].startswith(LAST):
            break
    return said


@pytest.fixture
def sandbox() -> None:
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not here: apt-get install bubblewrap")
