"""Seal and open files by name: the result has its name only once it is complete.

Everything is written to a file beside the target, which is renamed at the end and removed if
anything fails. So under the target's name there is never half a sealed file, and never plaintext
that was not authenticated to its last byte.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from teeproof.core.errors import Unavailable, Usage
from teeproof.core.sealed.header import Header
from teeproof.core.sealed.keys import Key
from teeproof.core.sealed.recipients import Recipient
from teeproof.core.sealed.streams import Progress, open_stream, seal

__all__ = ["open_file", "open_regular", "replacing", "require_free", "seal_file"]

SHARED, PRIVATE = 0o666, 0o600
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


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


@contextlib.contextmanager
def replacing(target: Path, *, overwrite: bool, mode: int = SHARED) -> Iterator[BinaryIO]:
    """Give a new file that gets the target's name, durably, if and only if nothing is raised.

    Args:
        target: the name.
        overwrite: whether a file of that name may be replaced.
        mode: its permissions, before the umask.

    Raises:
        Usage: code ``out_taken``: it exists. Unavailable: code ``out_unavailable``.
    """
    require_free(target, overwrite=overwrite)
    part = target.with_name(f".teeproof-{secrets.token_hex(8)}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            with open(descriptor, "wb", buffering=0) as file:
                yield cast("BinaryIO", file)
                os.fsync(descriptor)
            _name(part, target, overwrite=overwrite)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise Unavailable(
            f"{target} cannot be written: {error.strerror}", code="out_unavailable", got=str(target)
        ) from None


def require_free(target: Path, *, overwrite: bool) -> None:
    """Raise if a name is taken, before any work is done.

    Raises:
        Usage: codes ``out_taken``, ``not_a_file``.
    """
    if "\0" in str(target) or not target.name:
        raise Usage("this is not a file name", code="not_a_file", got=ascii(str(target)))
    if target.is_dir():
        raise Usage(f"{target} is a directory: name a file", code="not_a_file")
    if not overwrite and os.path.lexists(target):
        raise _taken(target)


def _name(part: Path, target: Path, *, overwrite: bool) -> None:
    if not overwrite:
        try:
            os.link(part, target)  # unlike a rename, it never replaces what came meanwhile
        except FileExistsError:
            raise _taken(target) from None
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            require_free(target, overwrite=False)
            part.replace(target)
    else:
        part.replace(target)
    _sync(target.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _taken(target: Path) -> Usage:
    return Usage(
        f"{target} exists, and nothing is overwritten: name another, or say --force",
        code="out_taken",
        got=str(target),
    )
