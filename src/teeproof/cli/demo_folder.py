"""The folder of a demo or of a stack: who tells a story in it holds it, and others can see that.

A demo's folder is made empty; a stack's is moved aside, for people gave something to it. The system
lets go of a lock when its process ends, however it ends; a number of a process, once
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

__all__ = ["RECORD", "held", "held_anew", "is_held", "require_free"]

RECORD = "world.json"
"""Where a story writes down where everything is; a folder that has it is one of ours."""

_LOCK = "lock"


@contextmanager
def held(folder: Path) -> Iterator[Path]:
    """Hold a folder, made or made empty; what is left in it afterwards stays.

    Raises:
        Usage: a demo runs in it already (``demo_running``).
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder, code="demo_running", what="a demo runs"):
        _empty(folder)
        yield folder


@contextmanager
def held_anew(folder: Path) -> Iterator[Path | None]:
    """Hold a folder that is empty; give where an earlier stack of this name was moved, if one was.

    One in which no part was ever begun holds nothing that anybody gave, and is removed instead.

    Raises:
        Usage: a stack runs in it already (``up_running``), or it holds something else
            (``out_taken``).
    """
    _require_ours(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder, code="up_running", what="a stack or a demo runs"):
        if not _was_begun(folder):
            _empty(folder)
            yield None
            return
        aside = _free_name(folder)
        folder.rename(aside)  # with the lock, which this process holds until it has the new one
        folder.mkdir()
        with _locked(folder, code="up_running", what="a stack or a demo runs"):
            yield aside


def require_free(folder: Path) -> None:
    """Raise what ``held_anew`` would, and touch nothing."""
    if is_held(folder):
        raise _taken("a stack or a demo runs", folder, code="up_running")
    _require_ours(folder)


@contextmanager
def _locked(folder: Path, *, code: str, what: str) -> Iterator[None]:
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise _taken(what, folder, code=code) from None
        yield
    finally:
        os.close(descriptor)


def _taken(what: str, folder: Path, *, code: str) -> Usage:
    return Usage(
        f"{what} here already: stop it with Ctrl-C, or use --keep DIR", code=code, got=str(folder)
    )


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != _LOCK:
            entry.unlink()


def _require_ours(folder: Path) -> None:
    """Raise unless a folder is free, or an earlier story's."""
    try:
        names = {entry.name for entry in folder.iterdir()}
    except FileNotFoundError:
        return
    except NotADirectoryError:
        names = {folder.name}
    if names - {_LOCK} and RECORD not in names:
        raise Usage(
            f"{folder} holds something else, and nothing is moved that is not a stack's: name a new"
            " directory",
            code="out_taken",
            got=str(folder),
        )


def _was_begun(folder: Path) -> bool:
    """Return whether a part of the story was begun here: each makes a folder for its workloads."""
    runs = folder / "runs"
    return (folder / "people").exists() or (
        runs.is_dir() and any(entry.is_dir() for entry in runs.iterdir())
    )


def _free_name(folder: Path) -> Path:
    number = 1
    while (aside := folder.with_name(f"{folder.name}-before-{number}")).exists():
        number += 1
    return aside


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
