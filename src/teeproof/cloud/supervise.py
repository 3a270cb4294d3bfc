"""Stand beside a workload that has no wall: end with the launcher, and leave no process behind.

Run as ``python supervise.py COMMAND…``; it needs nothing but the standard library. SIGTERM goes on
to the workload's whole group. SIGUSR1, which the kernel sends when the launcher ends, kills it.
Processes that left the group are adopted (prctl: a subreaper) and killed at the end too.

Source: prctl(2), PR_SET_PDEATHSIG and PR_SET_CHILD_SUBREAPER.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

__all__ = ["main"]

_PDEATHSIG, _SUBREAPER = 1, 36  # linux/prctl.h


def main(command: list[str]) -> int:
    """Run a command to its end; return its exit code, or 128 and the signal."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    launcher = os.getppid()
    prctl(_SUBREAPER, 1, 0, 0, 0)
    with subprocess.Popen(command, process_group=0) as workload:  # noqa: S603  the launcher's own

        def forward(number: int, _frame: object) -> None:
            with suppress(ProcessLookupError):
                os.killpg(workload.pid, signal.SIGKILL if number == signal.SIGUSR1 else number)

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            signal.signal(number, forward)
        prctl(_PDEATHSIG, signal.SIGUSR1, 0, 0, 0)
        if os.getppid() != launcher:  # it ended before the kernel knew
            forward(signal.SIGUSR1, None)
        code = workload.wait()
    _kill_the_rest(workload.pid)
    return code if code >= 0 else 128 - code


def _kill_the_rest(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
    while True:
        for child in _children():
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        try:
            os.wait()
        except ChildProcessError:
            return


def _children() -> Iterator[int]:
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        yield from map(int, file.read().split())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
