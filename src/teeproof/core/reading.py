"""Read files and streams with a bound, so that no input can exhaust memory."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from teeproof.core.errors import TooLarge, Unavailable, Usage

__all__ = ["digest_file", "open_without_waiting", "peek", "read_bounded", "read_stream"]


def read_bounded(path: Path, *, limit: int, what: str = "file") -> bytes:
    """Return the content of a regular file of at most ``limit`` bytes.

    The size is looked at before anything is read: a file of 100 MB is refused at once.

    Raises:
        Unavailable: there is no such file, or it may not be read.
        Usage: it is a directory or a device.
        TooLarge: it has more than ``limit`` bytes.
    """
    with _regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise _too_large(path.name, what, limit, f"{size} bytes")
        return read_stream(file, limit=limit, what=what, name=path.name)


def peek(path: Path, size: int) -> bytes:
    """Return the first ``size`` bytes of a regular file, or all where it has fewer.

    Raises:
        Unavailable, Usage: as ``read_bounded``; a named pipe is refused and not waited for.
    """
    with _regular(path) as file:
        return file.read(size)


def digest_file(path: Path) -> bytes:
    """Return SHA-256 of a regular file's content, 32 bytes; memory stays flat.

    What is hashed is what was read: whoever uses the file afterwards may find another.

    Raises:
        Unavailable, Usage: as ``read_bounded``.
    """
    with _regular(path) as file:
        return hashlib.file_digest(file, "sha256").digest()


@contextmanager
def _regular(path: Path) -> Iterator[BufferedReader]:
    try:
        with open(path, "rb", opener=open_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise Usage(f"{path} is not a regular file: name a file", code="not_a_file")
            yield file
    except IsADirectoryError:
        raise Usage(f"{path} is a directory: name a file", code="not_a_file") from None
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be read: {error.strerror}", code="file_unavailable", got=str(path)
        ) from None
    except ValueError:  # a NUL byte in the name
        raise Usage("this is not a file name", code="not_a_file", got=ascii(str(path))) from None


def read_stream(stream: BinaryIO, *, limit: int, what: str = "input", name: str = "input") -> bytes:
    """Return what a stream holds, refusing more than ``limit`` bytes without reading the rest."""
    data = stream.read(limit + 1)
    if len(data) > limit:
        raise _too_large(name, what, limit, f"more than {limit} bytes")
    return data


def open_without_waiting(path: str, flags: int) -> int:
    """Open a file for ``open``: a named pipe without a writer would block it for ever."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def _too_large(name: str, what: str, limit: int, got: str) -> TooLarge:
    return TooLarge(f"{name} is too large for a {what}", expected=f"at most {limit} bytes", got=got)
