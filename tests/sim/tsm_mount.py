"""Start the stand-in for configfs-tsm, and have it misbehave."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.vectors import ROOT

MISSING = "a file system in user space is missing: apt-get install fuse3; pip install mfusepy"


class Mounted:
    """A directory of report instances.

    Attributes:
        place: where it is.
    """

    def __init__(self, place: Path) -> None:
        self.place = place

    @contextmanager
    def misbehaving(self, *faults: str) -> Iterator[Path]:
        """Do these things wrong for a while."""
        control = self.place / ".fault"
        control.write_text(" ".join(faults))
        try:
            yield self.place
        finally:
            control.write_text(" ")

    @property
    def instances(self) -> list[str]:
        """The instances that are there."""
        return sorted(os.listdir(self.place))


@contextmanager
def mounted(provider: str) -> Iterator[Mounted]:
    """Mount a guest's configfs-tsm; skip the test where there is no FUSE."""
    unmount = shutil.which("fusermount3")
    if unmount is None or importlib.util.find_spec("mfusepy") is None:
        pytest.skip(MISSING)
    if not os.path.exists("/dev/fuse"):
        pytest.skip("this machine's kernel offers no /dev/fuse")
    with tempfile.TemporaryDirectory(prefix="tsm-") as folder:
        command = [sys.executable, "-m", "tests.sim.tsm", folder, provider]
        with subprocess.Popen(
            command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        ) as child:
            try:
                _wait(Path(folder), child)
                yield Mounted(Path(folder))
            finally:
                child.terminate()
                child.communicate(timeout=120)
                if os.path.ismount(folder):
                    subprocess.run([unmount, "-uz", folder], check=True)


def _wait(place: Path, child: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 60
    while not os.path.ismount(place):
        if child.poll() is not None:
            said = child.communicate()[1]
            if "Operation not permitted" in said or "Permission denied" in said:
                pytest.skip("this machine allows no mounts")
            pytest.fail(f"the stand-in ended at once: {said}")
        assert time.monotonic() < until, "the stand-in mounted nothing"
        time.sleep(0.02)
