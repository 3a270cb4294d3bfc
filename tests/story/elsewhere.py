"""Another machine, as near as one machine gets to it: the base install alone, in its own home.

The package is built from this checkout and installed, as anybody does it, into an environment that
has nothing of the checkout's. That environment is kept below ``build/``, which git ignores, for as
long as the dependencies are the same; the package itself is installed anew each time.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tomllib
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.vectors import ROOT

__all__ = ["Elsewhere", "built", "set_up"]

_PIP = ("PIP_", "SSL_", "REQUESTS_", "HTTP_", "HTTPS_", "NO_PROXY")


@dataclass(frozen=True)
class Elsewhere:
    """An environment with the base install, and a home of its own."""

    python: Path
    home: Path

    def run(self, *words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run a command of teeproof as its reader does, in a process that reaches no network."""
        return subprocess.run(
            [self.python, "-I", "-m", "teeproof.cli.offline", *map(str, words)],
            capture_output=True, text=True, check=False, cwd=cwd, timeout=600,
            env={"PATH": os.defpath, "HOME": str(self.home), "LANG": "C.UTF-8",
                 "TEEPROOF_HOME": str(self.home / "teeproof")},
        )  # fmt: skip

    def packages(self) -> set[str]:
        """Return the names of what is installed."""
        listed = _pip(self.python, "list", "--format=json", "--disable-pip-version-check")
        return {one["name"].lower() for one in json.loads(listed)}


def built(source: Path, out: Path) -> Path:
    """Return the wheel of the package in a folder."""
    _pip(sys.executable, "wheel", "--quiet", "--no-deps", "--wheel-dir", out, source)
    (wheel,) = out.glob("teeproof-*.whl")
    return wheel


def set_up(wheel: Path, home: Path) -> Elsewhere:
    """Return the environment with a wheel in it, and with nothing that the base does not bring."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = json.dumps([sys.version, sorted(project["dependencies"])])
    place = ROOT / "build" / f"elsewhere-{hashlib.sha256(wanted.encode()).hexdigest()[:12]}"
    python, whole = place / "bin" / "python", place / "whole"
    if not whole.exists():
        venv.create(place, clear=True, with_pip=True)
        _pip(python, "install", "--quiet", wheel)
        whole.touch()  # last: a set-up that was broken off is begun again
    _pip(python, "install", "--quiet", "--no-deps", "--force-reinstall", wheel)
    return Elsewhere(python, home)


def _pip(python: Path | str, *words: object) -> str:
    done = subprocess.run(
        [python, "-m", "pip", *map(str, words)], capture_output=True, text=True, check=False,
        env=_environment(), timeout=600,
    )  # fmt: skip
    if done.returncode:
        why = f"pip could not: {' '.join(map(str, words))}\n{done.stderr[-1500:]}"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(why)
    return done.stdout


def _environment() -> Mapping[str, str]:
    """Return what pip is set up with, and nothing that leads to this checkout."""
    mine = {name: value for name, value in os.environ.items() if name.upper().startswith(_PIP)}
    return {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **mine}
