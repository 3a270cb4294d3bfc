"""The folder of a demo: who tells a story in it holds it, and others can see that.

The system lets go of a lock when its process ends, however it ends; a number of a process, once
written down, can be that of another by the time somebody reads it.

Trusts: this user's own folders.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from teeproof.core.errors import Usage

__all__ = ["held", "is_held"]

_LOCK = "lock"


@contextmanager
def held(folder: Path) -> Iterator[Path]:
    """Hold a folder, made or made empty; what is left in it afterwards stays.

    Raises:
        Usage: a demo runs in it already (``demo_running``).
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Usage(
                "a demo runs here already: stop it with Ctrl-C, or use --keep DIR",
                code="demo_running",
                got=str(folder),
            ) from None
        for entry in folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.name != _LOCK:
                entry.unlink()
        yield folder
    finally:
        os.close(descriptor)


def is_held(folder: Path) -> bool:
    """Return whether a demo runs in a folder."""
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
