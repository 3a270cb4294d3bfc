"""The demo's host processes: started, waited for until they say that they are ready, and ended.

A child writes one JSON object to its standard output when it is ready; what it logs goes to a file.
None outlives the demo: each is told by the kernel when its parent is gone.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from teeproof.core.errors import Unavailable

__all__ = ["Child", "start", "stop_all"]

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PAUSE = 0.02
_MAX_READY = 1 << 16  # bytes


@dataclass
class Child:
    """A process of the demo.

    Attributes:
        name: what people call it.
        process: the process.
        output: the file of its standard output.
        errors: the file of what it logs.
        facts: what it said when it was ready.
    """

    name: str
    process: subprocess.Popen[bytes]
    output: Path
    errors: Path
    facts: dict[str, Any]

    def ready(self, *, timeout: float = 60.0) -> dict[str, Any]:
        """Wait until it is, and return what it said.

        Raises:
            Unavailable: it ended before (``process_ended``), or says nothing (``process_silent``).
        """
        limit = time.monotonic() + timeout
        while not self.facts:
            ended = self.process.poll() is not None
            self.facts = _object_in(self.output)
            if self.facts:
                break
            if ended:
                raise self.gone()
            if time.monotonic() > limit:
                raise Unavailable(
                    f"the {self.name} did not get ready within {timeout:.0f} s: see {self.errors}",
                    code="process_silent",
                )
            time.sleep(_PAUSE)
        return self.facts

    def gone(self) -> Unavailable:
        """Return the error that says how it ended, and with which last words."""
        code = self.process.poll()
        how = f"with exit code {code}"
        if code is not None and code < 0:
            how = f"by signal {-code} ({signal.Signals(-code).name})"
        return Unavailable(
            f"the {self.name} ended {how}: run the command again, it starts afresh",
            code="process_ended",
            expected=f"a running {self.name}",
            got=_last_words(self.errors),
        )

    def stop(self, *, timeout: float = 5.0) -> None:
        """Ask it to end, and make it end if it does not."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is not None:
                return
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout)


def start(name: str, words: Sequence[str], *, folder: Path) -> Child:
    """Start ``python -m …`` in a process group of its own; ``folder`` gets its output and log."""
    folder.mkdir(parents=True, exist_ok=True)
    output, errors = folder / f"{name}.json", folder / f"{name}.log"
    parent = os.getpid()
    with output.open("wb") as out, errors.open("wb") as err:
        process = subprocess.Popen(  # noqa: S603  our own program
            [sys.executable, "-m", *words],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            process_group=0,
            preexec_fn=lambda: _die_with(parent),  # noqa: PLW1509  nothing here takes a lock
        )
    return Child(name, process, output, errors, {})


def stop_all(children: Sequence[Child]) -> None:
    """Stop the last first: who was started later may rest on who was started before."""
    for child in reversed(children):
        child.stop()


def _die_with(parent: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _object_in(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file that may be half written; empty until it is whole."""
    with path.open("rb") as file:
        text = file.read(_MAX_READY)
    if not text.rstrip().endswith(b"}"):
        return {}
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _last_words(path: Path) -> str:
    try:
        lines = path.read_text(errors="replace").strip().splitlines()
    except OSError:
        return "nothing"
    return lines[-1][-300:] if lines else "nothing"
