"""An image with a tiny workload, and what it takes to start that behind the wall."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from teeproof.cloud.image import Image
from teeproof.cloud.launch import launch
from teeproof.cloud.manifest import Manifest
from teeproof.cloud.running import Running
from teeproof.cloud.sandbox import choose
from teeproof.evidence.collect.simulated import SimulatedPlatform, application_policy
from teeproof.evidence.policy import Policy, parse_policy

RESIDENT = Path(__file__).with_name("resident.py")

walled = pytest.mark.skipif(
    choose("auto") != "bubblewrap",
    reason="bubblewrap does not run here: apt-get install bubblewrap",
)


@cache
def platform() -> SimulatedPlatform:
    return SimulatedPlatform(b"cloud tests".ljust(32, b"."))


@cache
def image() -> Image:
    """The installed package and the tests' own workload, measured once for the whole run."""
    folder = Path(tempfile.mkdtemp(prefix="teeproof-images-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Image.snapshot(folder, extra={"probes/resident.py": RESIDENT})


def manifest(what: str, *arguments: str, **environment: str) -> Manifest:
    """What the tiny workload shall do."""
    return Manifest("resident", "probes.resident", (what, *arguments), environment, image().digest)


def policy_for(code: Manifest) -> Policy:
    """Accepts this very code on the vendor's machines."""
    return parse_policy(application_policy(platform(), compose_hash=[code.compose_hash]))


def start(folder: Path, code: Manifest, **options: Any) -> Running:
    return launch(code, folder=folder, **({"image": image(), "platform": platform()} | options))


def found(folder: Path, code: Manifest, **options: Any) -> Any:
    """Run the workload to its end; return what it found."""
    with start(folder, code, **options) as running:
        running.finish(300)
    return json.loads((folder / "out" / "found.json").read_text())
