"""The whole story, run once as a stranger runs it, and kept for the tests to look at."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Told:
    """What ``teeproof demo --json`` printed, and its folder; it stays up while tests look at it."""

    folder: Path
    lines: list[dict[str, Any]]
    home: Path

    def of(self, step: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["step"] == step]


def demo(*words: str, home: Path, **options: Any) -> subprocess.Popen[bytes]:
    """Start the demo as a process; it prints to pipes."""
    environment = os.environ | {"TEEPROOF_HOME": str(home), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "teeproof.cli", "demo", *words],
        env=environment, **({"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options),
    )  # fmt: skip


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory, vectors: Path) -> Iterator[Told]:
    home = tmp_path_factory.mktemp("story")
    with (home / "stderr").open("wb") as err:
        running = demo("--json", home=home, stderr=err)
    said = _until_whole(running)
    assert said, (home / "stderr").read_text()[-3000:]
    value = json.loads(said)
    yield Told(Path(value["folder"]), value["lines"], home)
    running.terminate()
    rest, _ = running.communicate(timeout=60)
    assert running.returncode == 0, rest.decode() + (home / "stderr").read_text()[-3000:]


def _until_whole(running: subprocess.Popen[bytes]) -> bytes:
    """Return the JSON object that it prints; nothing if it ended first."""
    assert running.stdout is not None
    lines = []
    for line in running.stdout:
        lines.append(line)
        if line == b"}\n":
            return b"".join(lines)
    return b""


@pytest.fixture
def sandbox() -> None:
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not here: apt-get install bubblewrap")
