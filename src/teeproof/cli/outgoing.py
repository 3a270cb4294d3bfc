"""Where a command writes its file: under a name, or to standard output where ``-`` is named."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from teeproof.cli.running import send
from teeproof.core.errors import Usage
from teeproof.core.writing import SHARED, replacing, require_writable

__all__ = ["is_standard_output", "outgoing", "require_out", "require_place"]

_NAMES = frozenset({"-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"})


def is_standard_output(out: Path) -> bool:
    """Whether a person named standard output, and no file."""
    return str(out) in _NAMES


def require_out(out: Path, *, force: bool, as_json: bool) -> None:
    """Raise if a file cannot be written where a person said, before any work is done.

    Raises:
        Usage: codes ``out_taken``, ``not_a_file``; standard output is a terminal, or is to hold
            JSON too.
    """
    if not is_standard_output(out):
        require_writable(out, overwrite=force)
    elif as_json:
        raise Usage(
            "standard output cannot hold both the file and JSON: name a file with -o",
            code="stdout_taken",
            got="--json",
        )
    elif sys.stdout.isatty():
        raise Usage(
            "standard output is a terminal: send it into a file or program, or name a file with -o",
            code="stdout_terminal",
        )


def require_place(out: Path, *, what: str) -> None:
    """Raise Usage where standard output is named for what it cannot hold: a key, a directory."""
    if str(out) == "-":
        raise Usage(
            f"{what} is not written to standard output: name it, or say ./- if it shall be so",
            code="stdout_refused",
            got="-",
        )


@contextmanager
def outgoing(
    out: Path, *, force: bool, mode: int = SHARED, buffering: int = -1
) -> Iterator[BinaryIO]:
    """Give a file that is written whole or not at all, to standard output too.

    Raises:
        Usage, Unavailable: as ``core.writing.replacing``.
    """
    if not is_standard_output(out):
        with replacing(out, overwrite=force, mode=mode, buffering=buffering) as file:
            yield file
        return
    with tempfile.TemporaryFile() as scratch:
        yield scratch
        scratch.seek(0)
        with send() as stream:
            shutil.copyfileobj(scratch, stream)
