"""Private temporary folders with short names, removed at the end, or by the next process.

A unix socket's path has at most 107 bytes (unix(7)), so a workload's sockets cannot lie wherever
somebody keeps his folders. A process that was killed cannot clean up: the next one does.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import shutil
import stat
import tempfile
from functools import cache
from pathlib import Path

from teeproof.core.errors import Unavailable

__all__ = ["discard", "scratch"]

_LONGEST = 60  # of the folder's path, so that what lies in it has a valid path too
_NAME = re.compile(r"tp-(\d+)-[a-z0-9_]+")


def scratch() -> Path:
    """Return a new folder that only this user can enter.

    Raises:
        Unavailable: there is no place for one.
    """
    try:
        path = Path(tempfile.mkdtemp(prefix=f"tp-{os.getpid()}-", dir=_base()))
    except OSError as error:
        raise Unavailable(
            f"no temporary folder can be made: {error.strerror}", code="scratch_unavailable"
        ) from None
    atexit.register(discard, path)
    return path


def discard(path: Path) -> None:
    """Remove a folder of ``scratch``, if it is still there."""
    shutil.rmtree(path, ignore_errors=True)


@cache
def _base() -> Path:
    given = Path(tempfile.gettempdir())
    base = given if len(str(given)) <= _LONGEST - 30 else Path("/tmp")  # noqa: S108  mkdtemp in it
    _sweep(base)
    return base


def _sweep(base: Path) -> None:
    """Remove what processes of this user left behind when they were killed."""
    for path in base.glob("tp-*"):
        match = _NAME.fullmatch(path.name)
        with contextlib.suppress(OSError):
            status = path.lstat()
            ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
            if match and ours and not Path("/proc", match[1]).exists():
                discard(path)
