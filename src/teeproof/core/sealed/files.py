"""Seal and open files by name: the result has its name only once it is complete.

Under the target's name there is never half a sealed file, and never plaintext that was not
authenticated to its last byte: see ``core.writing``.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from teeproof.core.errors import Unavailable, Usage
from teeproof.core.sealed.header import Header
from teeproof.core.sealed.keys import Key
from teeproof.core.sealed.recipients import Recipient
from teeproof.core.sealed.streams import Progress, open_stream, seal
from teeproof.core.writing import PRIVATE, replacing

__all__ = ["open_file", "open_regular", "seal_file"]


def seal_file(
    source: Path,
    target: Path,
    *,
    recipients: Sequence[Recipient],
    policy_digest: bytes | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    threads: int = 2,
    random: Callable[[int], bytes] = os.urandom,
) -> Header:
    """Seal a file; see ``seal`` for the arguments.

    Raises:
        Usage: as ``seal``; codes ``out_taken`` (the target exists), ``not_a_file``.
        Unavailable: codes ``file_unavailable``, ``out_unavailable``.
    """
    with open_regular(source) as plain, replacing(target, overwrite=overwrite) as sealed:
        return seal(
            plain,
            sealed,
            recipients=recipients,
            policy_digest=policy_digest,
            progress=progress,
            threads=threads,
            random=random,
        )


def open_file(
    source: Path,
    target: Path,
    *,
    key: Key,
    overwrite: bool = False,
    progress: Progress | None = None,
    threads: int = 2,
) -> Header:
    """Open a sealed file; only its owner can read the result. See ``open_stream``.

    Raises:
        Malformed, TooLarge, NotAllowed, NotAuthentic: as ``open_stream``; there is no target then.
        Usage, Unavailable: as ``seal_file``.
    """
    with (
        open_regular(source) as sealed,
        replacing(target, overwrite=overwrite, mode=PRIVATE) as plain,
    ):
        return open_stream(sealed, plain, key=key, progress=progress, threads=threads)


@contextlib.contextmanager
def open_regular(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file for reading, unbuffered.

    Raises:
        Unavailable: code ``file_unavailable``; Usage: code ``not_a_file``.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be read: {error.strerror}", code="file_unavailable", got=str(path)
        ) from None
    except ValueError:  # a NUL byte in the name
        raise Usage("this is not a file name", code="not_a_file", got=ascii(str(path))) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Usage(f"{path} is not a regular file: name a file", code="not_a_file")
    with open(descriptor, "rb", buffering=0) as file:
        yield cast("BinaryIO", file)
