"""dstack's older guest agent in a process of its own: ``POST /prpc/Tappd.TdxQuote`` on a socket.

    python -m tests.sim.tappd SOCKET [FAULT]

It hashes report data as tappd did: with a prefix and SHA-512 unless told otherwise, and ``raw`` not
at all, filling up with zeros on the right. A fault is what a broken or hostile agent does instead.

Source: dstack 0.3, ``tappd_rpc.proto`` and ``rpc_service.rs``.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.vectors import ROOT

SEED = bytes(range(32))
NOW = datetime(2026, 3, 1, tzinfo=UTC)
FAULTS = {
    "hashing": "hashes what it was told to leave as it is",
    "stale": "answers with the quote of the request before",
    "dying": "ends in the middle of a request",
    "early": "knows TdxQuote alone, as version 0.3.1",
}


def report_data_of(question: Mapping[str, Any], *, hashing: bool) -> bytes:
    """Return the 64 bytes that are quoted for a question."""
    data = bytes.fromhex(question["report_data"])
    algorithm = question.get("hash_algorithm") or "sha512"
    if algorithm == "raw" and not hashing:
        if len(data) > 64:
            raise ValueError("Report data is too long")
        return data.ljust(64, b"\0")
    prefix = question.get("prefix") or "app-data"
    name = "sha512" if algorithm == "raw" else algorithm.replace("-", "_")
    return hashlib.new(name, prefix.encode() + b":" + data).digest().ljust(64, b"\0")


def serve(path: str, fault: str) -> None:
    """Answer until the process is ended."""
    from teeproof.evidence.collect.simulated import SimulatedPlatform
    from tests.sim.guest_agent import GuestAgent, Quoted

    machine = SimulatedPlatform(SEED).machine()
    before: list[bytes] = []

    def quoted(report_data: bytes) -> Quoted:
        before.append(report_data)
        found = machine.evidence(before[-2] if fault == "stale" and before[1:] else report_data,
                                 now=NOW)  # fmt: skip
        log, compose = found.event_log or b"", found.compose or b""
        return Quoted(quote=found.quote, event_log=log.decode(), compose=compose.decode())

    class Tappd(GuestAgent):
        def answer(self, path: str, question: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
            if not path.endswith(("Tappd.TdxQuote", "Tappd.RawQuote")):
                return super().answer(path, question)
            if fault == "dying":
                os.kill(os.getpid(), signal.SIGKILL)
            try:
                data = report_data_of(question, hashing=fault == "hashing")
            except ValueError as error:
                return 400, {"error": str(error)}
            raw = {"report_data": data.hex(), "hash_algorithm": "raw"}
            return super().answer(path, raw)

    dialect = "tappd-early" if fault == "early" else "tappd"
    with Tappd(Path(path), quoted, dialect=dialect):  # type: ignore[arg-type]
        signal.sigwait({signal.SIGTERM})


@contextmanager
def tappd(fault: str = "") -> Iterator[str]:
    """Start an agent; yield its socket's path."""
    assert not fault or fault in FAULTS
    with tempfile.TemporaryDirectory(prefix="tappd-") as folder:
        path = f"{folder}/tappd.sock"
        command = [sys.executable, "-m", "tests.sim.tappd", path, fault]
        with subprocess.Popen(command, cwd=ROOT) as child:
            try:
                until = time.monotonic() + 60
                while not os.path.exists(path):
                    assert child.poll() is None, "the agent ended at once"
                    assert time.monotonic() < until, "the agent opened no socket"
                    time.sleep(0.02)
                yield path
            finally:
                child.terminate()
                child.wait(120)


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    serve(sys.argv[1], sys.argv[2])
