"""A real TPM 2.0 in software (swtpm) for tests, on a unix socket."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from teeproof.evidence.collect.tpm_commands import OWNER, Tpm
from teeproof.evidence.collect.tpm_device import open_channel
from teeproof.evidence.tpm.wire import sized
from tests.evidence.tpm.forge import words

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
                tpm.wait(120)


def _wait(path: Path, tpm: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 120
    while not _listens(path):
        assert tpm.poll() is None, "swtpm ended at once"
        assert time.monotonic() < until, "swtpm opened no socket"
        time.sleep(0.01)


def _listens(path: Path) -> bool:
    """Whether somebody listens at a socket; it is there a moment before that."""
    with socket.socket(socket.AF_UNIX) as knocking:
        return knocking.connect_ex(str(path)) == 0


def lay_down(address: str, index: int, content: bytes) -> None:
    """Write into the TPM's memory, as a cloud does before it hands the machine over."""
    define, write = 0x12A, 0x137
    attributes = 1 << 2 | 1 << 18 | 1 << 25  # by the index's own empty password, either way
    room = index.to_bytes(4, "big") + words(0xB) + attributes.to_bytes(4, "big")
    room += sized(b"") + words(len(content))
    with open_channel(address, timeout=120) as channel:
        tpm = Tpm(channel, name=address)
        tpm._ask(define, [OWNER], sized(b"") + sized(room), what="for room")
        for at in range(0, len(content), 512):
            piece = sized(content[at : at + 512]) + words(at)
            tpm._ask(write, [index, index], piece, what="to keep something")


def keep_key(address: str, template: bytes, handle: int) -> bytes:
    """Make a key and have the TPM keep it at a handle, as a cloud does; return TPM2B_PUBLIC."""
    evict = 0x120
    with open_channel(address, timeout=120) as channel:
        tpm = Tpm(channel, name=address)
        made, public = tpm.create_primary(template, hierarchy=OWNER)
        tpm._ask(evict, [OWNER, made], handle.to_bytes(4, "big"), what="to keep a key")
        tpm.flush(made)
        return public
