"""Start the process behind a wall, so that it ends with its launcher, however that ends.

The kernel kills it when the thread that started it is gone (prctl(2), PR_SET_PDEATHSIG), so one
thread of this process starts them all and stays.

Trusts: the kernel.  Does not trust: what was started.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import NamedTuple

from teeproof.cloud.sandbox import Wall
from teeproof.core.errors import Unavailable

__all__ = ["Process", "start", "tail"]

_TAIL = 64 << 10  # bytes of a file's end that are read
_MOMENT = 0.001


class Process(NamedTuple):
    """What was started.

    Attributes:
        popen: the outermost process.
        workload: the workload's own, as a descriptor (pidfd_open(2)); None if it ended at once.
        pid: its process id on the host.
    """

    popen: subprocess.Popen[bytes]
    workload: int | None
    pid: int


def start(built: Wall, *, folder: Path) -> Process:
    """Start what a wall says; its standard output and error go to files in a folder.

    Raises:
        Unavailable: it does not start.
    """
    return _spawner().submit(_start, built, folder).result()


@cache
def _spawner() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="launcher")


def _start(built: Wall, folder: Path) -> Process:
    told, tell = os.pipe()
    command = [*built.command, "-P", "-m", "teeproof.cloud"]
    if built.isolates:
        command[1:1] = ["--info-fd", str(tell)]
    try:
        with (
            open(folder / "stderr.log", "wb") as errors,
            open(folder / "progress.jsonl", "wb") as out,
        ):
            popen = subprocess.Popen(  # noqa: S603  the command is the wall's
                command,
                env=built.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
                cwd=folder,
                pass_fds=(tell,),
                start_new_session=True,
            )
    except OSError as error:
        os.close(told)
        raise Unavailable(
            f"the workload cannot be started: {error.strerror}", code="workload_unstarted"
        ) from None
    finally:
        os.close(tell)
    pid = popen.pid
    with open(told, "rb") as info:
        if built.isolates:
            pid = _workload(_first(info.read(4096), popen, folder), popen)
    try:
        return Process(popen, os.pidfd_open(pid), pid)
    except OSError:  # it ended already
        return Process(popen, None, pid)


def _first(said: bytes, popen: subprocess.Popen[bytes], folder: Path) -> int:
    """Return the process id of what is process 1 behind the wall."""
    try:
        return int(json.loads(said)["child-pid"])
    except (ValueError, KeyError):
        popen.kill()
        popen.wait()
        words = tail(folder / "stderr.log").decode(errors="replace").strip()[:300]
        raise Unavailable(
            f"bubblewrap did not start the workload: {words}", code="workload_unstarted"
        ) from None


def _workload(first: int, popen: subprocess.Popen[bytes]) -> int:
    """Return the process id of the workload, which bubblewrap's process 1 is about to start.

    Process 1 is bubblewrap's own, for it must die with its parent: the kernel forgets that wish
    when a process becomes another user (prctl(2)), as the workload does.
    """
    children = Path(f"/proc/{first}/task/{first}/children")
    while popen.poll() is None:
        with contextlib.suppress(OSError):
            found = children.read_text().split()
            if found:
                return int(found[0])
        time.sleep(_MOMENT)
    return first  # it ended at once


def tail(path: Path) -> bytes:
    """Return the end of a file; nothing where there is none."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
            return file.read()
    except OSError:
        return b""
