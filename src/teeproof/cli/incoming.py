"""Take standard input for a file where a person names it: ``-``, or ``/dev/stdin``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from teeproof.core.errors import Unavailable, Usage
from teeproof.core.reading import read_stream
from teeproof.evidence.files.kinds import MAX_FILE_BYTES, Piece, identify

__all__ = ["NAME", "taken_apart"]

NAME = "standard input"
_NAMES = frozenset({"-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"})


def taken_apart(files: Sequence[Path]) -> tuple[list[Path], list[Piece]]:
    """Return the files that lie on a disk, and what came on standard input, recognised.

    Raises:
        Usage: standard input is named twice, or is a terminal.
        Unavailable: it cannot be read; TooLarge, Malformed: it is nothing that is understood.
    """
    paths = [path for path in files if str(path) not in _NAMES]
    if len(paths) == len(files):
        return paths, []
    if len(files) - len(paths) > 1:
        raise Usage("standard input can be read only once: name it once", code="stdin_twice")
    return paths, [identify(_read(), name=NAME)]


def _read() -> bytes:
    if sys.stdin is None:
        raise Unavailable("standard input is closed", code="file_unavailable", got=NAME)
    if sys.stdin.isatty():
        raise Usage("standard input is a terminal: send a file into it", code="stdin_terminal")
    try:
        return read_stream(
            sys.stdin.buffer, limit=MAX_FILE_BYTES, what="piece of evidence", name=NAME
        )
    except OSError as error:
        raise Unavailable(
            f"standard input cannot be read: {error.strerror}", code="file_unavailable", got=NAME
        ) from None
