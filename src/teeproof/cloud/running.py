"""A workload that runs: its address, its progress, its end.

Trusts: this process, the kernel.  Does not trust: the workload.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import time
import weakref
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Self

from teeproof.cloud.bridge import Bridge, Lane
from teeproof.cloud.guest import GuestAgent
from teeproof.cloud.manifest import Manifest
from teeproof.cloud.sandbox import Wall
from teeproof.cloud.scratch import discard
from teeproof.cloud.starting import Process, tail
from teeproof.core.errors import Unavailable, Usage

__all__ = ["Running"]

_SHOWN = 2000  # characters of a workload's last words that a message repeats
_PAUSE = 0.02
_GRACE = 10.0


class Running:
    """A workload that was started; leaving the context stops it.

    Attributes:
        manifest: what runs.
        sandbox: the wall; ``sandbox.isolates`` and ``sandbox.detail`` say what it is.
        stderr_path: what it said to its operator.
        pid: its process id on the host.
    """

    def __init__(
        self,
        manifest: Manifest,
        sandbox: Wall,
        process: Process,
        *,
        folder: Path,
        place: Path,
        agent: GuestAgent,
        lanes: Sequence[Lane],
        served: Path | None,
    ) -> None:
        self.manifest, self.sandbox = manifest, sandbox
        self.pid = process.pid
        self.stderr_path = folder / "stderr.log"
        self._progress_path = folder / "progress.jsonl"
        self._process, self._place, self._agent = process, place, agent
        self._lanes = list(lanes)
        self._served = served
        self._gateway: Lane | None = None
        if served is not None:
            self._gateway = Bridge.shared().expose(served, alive=self._is_alive)
            self._lanes.append(self._gateway)
        _all_running().add(self)

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()

    @property
    def url(self) -> str:
        """Where it is reached from this machine; a request waits until it listens.

        Raises:
            Usage: it was not launched with ``serve``.
        """
        if self._gateway is None:
            raise Usage("this workload does not serve: launch it with serve", code="not_serving")
        return self._gateway.url

    @property
    def returncode(self) -> int | None:
        """How it ended: its exit code, 128 and more after a signal; None while it runs."""
        code = self._process.popen.poll()
        return 128 - code if code is not None and code < 0 else code

    def ready(self, timeout: float = 60.0) -> Self:
        """Return once it listens.

        Raises:
            Unavailable: code ``workload_ended`` with its last words, or ``workload_slow``.
        """
        self.url  # noqa: B018  raises where it does not serve
        end = time.monotonic() + timeout
        while self._served is not None and not _listens(self._served):
            if not self._is_alive():
                raise self._ended()
            if time.monotonic() > end:
                raise Unavailable(
                    f"the workload {self.manifest.name} does not listen after {timeout:g} s:"
                    f" see {self.stderr_path}",
                    code="workload_slow",
                )
            time.sleep(_PAUSE)
        return self

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit code once it has ended, and clean up.

        Raises:
            Unavailable: code ``workload_slow``; it runs still.
        """
        try:
            self._process.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Unavailable(
                f"the workload {self.manifest.name} has not ended after {timeout:g} s",
                code="workload_slow",
            ) from None
        self._clean_up()
        code = self.returncode
        assert code is not None
        return code

    def finish(self, timeout: float | None = None) -> None:
        """Wait until it has ended well.

        Raises:
            Unavailable: code ``workload_ended`` with its last words; or as ``wait``.
        """
        if self.wait(timeout) != 0:
            raise self._ended()

    def stop(self, grace: float = _GRACE) -> int:
        """Ask it to end, kill it if it does not in time, and return its exit code."""
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.popen.wait(grace)
        return self.kill()

    def kill(self) -> int:
        """End it at once, with all that it started; return its exit code."""
        if self._is_alive():
            self._signal(signal.SIGKILL)
            # bubblewrap takes its sandbox along; the other wall's supervisor kills the group.
            outer = signal.SIGKILL if self.sandbox.isolates else signal.SIGUSR1
            with contextlib.suppress(ProcessLookupError):
                self._process.popen.send_signal(outer)
        return self.wait()

    def progress(self) -> dict[str, Any] | None:
        """Return what it last said of how it goes (``Inside.say``); None before it did."""
        for line in reversed(tail(self._progress_path).splitlines()):
            with contextlib.suppress(ValueError):
                value = json.loads(line)
                if isinstance(value, dict):
                    return value
        return None

    def last_words(self) -> str:
        """Return the end of what it wrote to standard error, in printable characters."""
        text = tail(self.stderr_path).decode(errors="replace")[-_SHOWN:]
        return "".join(c if c.isprintable() or c == "\n" else " " for c in text).strip()

    def _is_alive(self) -> bool:
        return self._process.popen.poll() is None

    def _signal(self, number: signal.Signals) -> None:
        if self._process.workload is not None:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self._process.workload, number)

    def _ended(self) -> Unavailable:
        return Unavailable(
            f"the workload {self.manifest.name} ended with code {self.returncode}:"
            f" {self.last_words() or 'it said nothing'}",
            code="workload_ended",
            expected="code 0",
            got=f"code {self.returncode}",
        )

    def _clean_up(self) -> None:
        if self in _all_running():
            _all_running().discard(self)
            for lane in self._lanes:
                lane.close()
            self._agent.close()
            if self._process.workload is not None:
                os.close(self._process.workload)
            discard(self._place)


@cache
def _all_running() -> weakref.WeakSet[Running]:
    found: weakref.WeakSet[Running] = weakref.WeakSet()
    atexit.register(lambda: [one.kill() for one in list(found)])
    return found


def _listens(path: Path) -> bool:
    import socket  # noqa: PLC0415  only while waiting

    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
