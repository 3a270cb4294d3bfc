"""Take standard input for a file where a person names it: ``-``, or ``/dev/stdin``."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from teeproof.core.errors import TooLarge, Unavailable, Usage
from teeproof.evidence.files.kinds import MAX_FILE_BYTES

__all__ = ["NAME", "is_standard_input", "on_disk", "standard_input"]

NAME = "standard input"
_NAMES = frozenset({"-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"})
_ZIP = b"PK\x03\x04"
_MAX_PROOF_BYTES = 64 << 20  # proof.file.ziplayout, which is not imported for evidence
_CHUNK = 1 << 20


def is_standard_input(file: Path) -> bool:
    """Whether a person named standard input, and no file."""
    return str(file) in _NAMES


@contextmanager
def on_disk(files: Sequence[Path]) -> Iterator[tuple[Path, ...]]:
    """Give these files, and in the place of standard input one that holds what came on it.

    Raises:
        Usage: standard input is named twice, or is a terminal.
        Unavailable: it is closed, or cannot be read; TooLarge: it is larger than anything that is
            understood.
    """
    named = [file for file in files if is_standard_input(file)]
    if not named:
        yield tuple(files)
        return
    if len(named) > 1:
        raise Usage("standard input can be read only once: name it once", code="stdin_twice")
    with tempfile.TemporaryDirectory(prefix="teeproof-") as folder:
        path = Path(folder) / NAME
        with path.open("wb") as kept:
            _copy(standard_input(), kept)
        yield tuple(path if is_standard_input(file) else file for file in files)


def standard_input() -> BinaryIO:
    """Return standard input.

    Raises:
        Usage: it is a terminal. Unavailable: it is closed.
    """
    if sys.stdin is None:
        raise Unavailable("standard input is closed", code="file_unavailable", got=NAME)
    if sys.stdin.isatty():
        raise Usage("standard input is a terminal: send a file into it", code="stdin_terminal")
    return sys.stdin.buffer


def _copy(source: BinaryIO, target: BinaryIO) -> None:
    """Copy what came, and no more than it may have by how it begins."""
    try:
        head = source.read(len(_ZIP))
        what = "proof" if head == _ZIP else "piece of evidence"
        limit = _MAX_PROOF_BYTES if head == _ZIP else MAX_FILE_BYTES
        target.write(head)
        left = limit - len(head)
        while data := source.read(min(_CHUNK, left + 1)):
            left -= len(data)
            if left < 0:
                raise TooLarge(
                    f"{NAME} is too large for a {what}",
                    expected=f"at most {limit} bytes",
                    got=f"more than {limit} bytes",
                )
            target.write(data)
    except OSError as error:
        raise Unavailable(
            f"standard input cannot be read: {error.strerror}", code="file_unavailable", got=NAME
        ) from None
