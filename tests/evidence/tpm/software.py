"""A real TPM 2.0 in software (swtpm) for tests, on a unix socket."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MISSING = "a software TPM is missing: apt-get install swtpm"


@contextmanager
def software_tpm() -> Iterator[str]:
    """Start a TPM that nobody used before; yield its address. Skip the test without swtpm."""
    program = shutil.which("swtpm")
    if program is None:
        pytest.skip(MISSING)
    # A unix socket's path has room for some 100 characters; pytest's folders are longer.
    with tempfile.TemporaryDirectory(prefix="tpm-") as name:
        folder = Path(name)
        command = [program, "socket", "--tpm2", "--tpmstate", f"dir={folder}"]
        command += ["--server", f"type=unixio,path={folder}/tpm"]
        command += ["--ctrl", f"type=unixio,path={folder}/control"]
        command += ["--flags", "not-need-init,startup-clear"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as tpm:
            try:
                _wait(folder / "tpm", tpm)
                yield str(folder / "tpm")
            finally:
                tpm.terminate()
                tpm.wait(10)


def _wait(path: Path, tpm: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 20
    while not path.exists():
        assert tpm.poll() is None, "swtpm ended at once"
        assert time.monotonic() < until, "swtpm opened no socket"
        time.sleep(0.01)
