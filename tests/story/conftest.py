"""The whole story, run once as a stranger runs it, and kept for the tests to look at."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Told:
    """What ``teeproof demo --once --json`` printed, and the folder that it left."""

    folder: Path
    lines: list[dict[str, Any]]

    def of(self, step: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["step"] == step]


def demo(*words: str, home: Path, **options: Any) -> subprocess.Popen[bytes]:
    """Start the demo as a process; it prints to pipes."""
    environment = os.environ | {"TEEPROOF_HOME": str(home), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "teeproof.cli", "demo", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, **options,
    )  # fmt: skip


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory, vectors: Path) -> Told:
    folder = tmp_path_factory.mktemp("story")
    running = demo("--once", "--json", "--keep", str(folder / "demo"), home=folder / "home")
    out, err = running.communicate(timeout=1200)
    assert running.returncode == 0, (out + err).decode()[-3000:]
    return Told(folder / "demo", json.loads(out)["lines"])


@pytest.fixture
def sandbox() -> None:
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not here: apt-get install bubblewrap")
