"""A driver's library with the simulator's GPUs behind it, compiled from ``nvml.c``.

The library is the real kind of thing: it is loaded, its symbols are looked up, its structures are
filled. What it says comes from here, over a unix socket.
"""

from __future__ import annotations

import shutil
import socketserver
import struct
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from teeproof.evidence.simulated.nvidia import DRIVER, SimulatedGpu
from teeproof.evidence.simulated.nvidia_pki import GpuVendor

MISSING = "a C compiler is missing: apt-get install gcc libc6-dev"
SOURCE = Path(__file__).with_name("nvml.c")
VENDOR = GpuVendor(b"\x4e" * 32)
HOPPER = 9


@dataclass
class Driver:
    """What the library says; a test changes it.

    Attributes:
        gpus: the GPUs.
        count: how many there are, if the driver lies about it.
        cc: whether confidential computing is on; ``devtools`` and ``multi_gpu`` likewise.
        codes: what a question is answered with instead of 0, by its first word.
        bend: what becomes of a report before it is given.
        sizes: what the library states as size instead of the true one, by question.
        asked: the questions so far.
    """

    gpus: tuple[SimulatedGpu, ...] = (SimulatedGpu(VENDOR, 0), SimulatedGpu(VENDOR, 1))
    count: int | None = None
    cc: int = 1
    devtools: int = 0
    multi_gpu: int = 0
    architecture: int = HOPPER
    codes: dict[str, int] = field(default_factory=dict)
    bend: Callable[[bytes], bytes] = bytes
    sizes: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    library: str = ""

    def answer(self, line: str) -> tuple[int, bytes]:
        """Return code and content for one question."""
        what, *rest = line.split()
        self.asked.append(what)
        if self.codes.get(what):
            return self.codes[what], b""
        return 0, self._content(what, rest)

    def _content(self, what: str, rest: list[str]) -> bytes:
        plain = {
            "driver": DRIVER.encode,
            "count": lambda: _number(len(self.gpus) if self.count is None else self.count),
            "state": lambda: struct.pack("=3I", 2, self.cc, self.devtools),
            "settings": lambda: struct.pack("=4I", 2, self.cc, self.devtools, self.multi_gpu),
            "architecture": lambda: _number(self.architecture),
            "vbios": lambda: bytes(self._gpu(rest).vbios, "ascii"),
            "certificates": lambda: self._gpu(rest).certificates,
            "certificates-size": lambda: self._size(what, self._gpu(rest).certificates),
            "report": lambda: self._report(rest),
            "report-size": lambda: self._size(what, self.last),
        }
        return plain[what]() if what in plain else b""

    def _gpu(self, rest: list[str]) -> SimulatedGpu:
        return self.gpus[int(rest[-1])]

    def _report(self, rest: list[str]) -> bytes:
        self.last = self.bend(self._gpu(rest).report(bytes.fromhex(rest[0])))
        return self.last

    def _size(self, what: str, content: bytes) -> bytes:
        return _number(self.sizes.get(what, len(content)))


def _number(value: int) -> bytes:
    return struct.pack("=I", value)


@cache
def _compiler() -> str:
    found = shutil.which("gcc")
    if found is None:
        pytest.skip(MISSING)
    return found


@contextmanager
def driver(*defines: str) -> Iterator[Driver]:
    """Compile the library for a socket of its own, and answer while the context lasts."""
    with tempfile.TemporaryDirectory(prefix="nvml-") as folder:
        library, path = f"{folder}/libnvidia-ml.so.1", f"{folder}/socket"
        command = [_compiler(), "-shared", "-fPIC", "-Wall", "-Werror", "-O1", str(SOURCE)]
        command += [f'-DSOCKET="{path}"', *(f"-D{name}" for name in defines), "-o", library]
        subprocess.run(command, check=True)
        found = Driver(library=library)

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                code, content = found.answer(self.rfile.readline(400).decode())
                self.wfile.write(struct.pack("=II", code, len(content)) + content)

        with socketserver.ThreadingUnixStreamServer(path, Handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            try:
                yield found
            finally:
                server.shutdown()
                thread.join()
