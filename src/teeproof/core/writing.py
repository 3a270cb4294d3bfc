"""Write files and directories of them whole or not at all, and nothing but files.

What is written stands beside its target until it is complete, is then named durably, and is removed
if anything fails: under the target's name there is never half a file. A name is free, or that of a
regular file, or a link that leads to one, which is then written in place of its target: a device,
a pipe or a socket is no file, whoever may overwrite it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from teeproof.core.errors import Unavailable, Usage

__all__ = ["PRIVATE", "SHARED", "replacing", "require_writable", "write_file", "write_folder"]

SHARED, PRIVATE = 0o666, 0o600
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


def require_writable(target: Path, *, overwrite: bool) -> Path:
    """Raise if a name cannot be written to, before any work is done.

    Args:
        target: the name.
        overwrite: whether a regular file of that name may be replaced.

    Returns:
        The name to write: the target, or behind links the file that they lead to.

    Raises:
        Usage: codes ``out_taken`` (it exists) and ``not_a_file`` (it is a directory, a device or a
            pipe, or leads to one or to nothing).
    """
    if "\0" in str(target) or not target.name:
        raise Usage("this is not a file name", code="not_a_file", got=ascii(str(target)))
    found = _status(target, follow=False)
    if found is None:
        return target
    behind = _status(target, follow=True) if stat.S_ISLNK(found.st_mode) else found
    if behind is None:
        raise Usage(
            f"{target} is a link that leads to no file: name another, or remove the link",
            code="not_a_file",
            got=str(target),
        )
    if not stat.S_ISREG(behind.st_mode):
        raise Usage(
            f"{target} is {_kind(behind.st_mode)}, and no file to write: name another",
            code="not_a_file",
            got=str(target),
        )
    if not overwrite:
        raise _taken(target)
    return Path(os.path.realpath(target)) if behind is not found else target


@contextlib.contextmanager
def replacing(
    target: Path, *, overwrite: bool, mode: int = SHARED, buffering: int = 0
) -> Iterator[BinaryIO]:
    """Give a new file that gets the target's name, durably, if and only if nothing is raised.

    Args:
        target: the name; see ``require_writable``.
        overwrite: whether a file of that name may be replaced.
        mode: its permissions, before the umask.
        buffering: as of ``open``.

    Raises:
        Usage: as ``require_writable``. Unavailable: code ``out_unavailable``.
    """
    place = require_writable(target, overwrite=overwrite)
    part = place.with_name(f".teeproof-{secrets.token_hex(8)}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            with open(descriptor, "wb", buffering=buffering) as file:
                yield file
                file.flush()
                os.fsync(descriptor)
            _name(part, place, overwrite=overwrite)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise _unavailable(target, error) from None


def write_file(target: Path, data: bytes, *, overwrite: bool, mode: int = SHARED) -> None:
    """Write a file whole or not at all; arguments and errors as of ``replacing``."""
    with replacing(target, overwrite=overwrite, mode=mode, buffering=-1) as file:
        file.write(data)


def write_folder(folder: Path, files: Mapping[str, bytes], *, overwrite: bool) -> None:
    """Write a directory with files whole or not at all.

    Args:
        folder: its name; directories above it are made.
        files: their contents, by name.
        overwrite: whether a directory there is replaced with all that it holds; an empty one is in
            any case.

    Raises:
        Unavailable: code ``out_unavailable``; what was there before still is.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        new = _beside(folder)
        try:
            for name, data in files.items():
                (new / name).write_bytes(data)
            if overwrite and folder.exists():
                _exchange(folder, new)
            else:
                new.replace(folder)  # over an empty directory too
        finally:
            shutil.rmtree(new, ignore_errors=True)
    except OSError as error:
        raise _unavailable(folder, error) from None


def _beside(folder: Path) -> Path:
    new = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    new.chmod(0o755)
    return new


def _exchange(folder: Path, new: Path) -> None:
    old = _beside(folder)
    folder.replace(old)
    try:
        new.replace(folder)
    except OSError:
        old.replace(folder)
        raise
    shutil.rmtree(old)


def _unavailable(target: Path, error: OSError) -> Unavailable:
    return Unavailable(
        f"{target} cannot be written: {error.strerror}", code="out_unavailable", got=str(target)
    )


def _status(path: Path, *, follow: bool) -> os.stat_result | None:
    """Return what a name is; None where there is nothing, or nothing that may be seen."""
    try:
        return os.stat(path, follow_symlinks=follow)
    except OSError:
        return None  # who then opens it learns why not


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a directory"
    if stat.S_ISFIFO(mode):
        return "a pipe"
    return "a socket" if stat.S_ISSOCK(mode) else "a device"


def _name(part: Path, target: Path, *, overwrite: bool) -> None:
    if not overwrite:
        try:
            os.link(part, target)  # unlike a rename, it never replaces what came meanwhile
        except FileExistsError:
            raise _taken(target) from None
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            require_writable(target, overwrite=False)
            part.replace(target)
    else:
        require_writable(target, overwrite=True)  # it may have become a device meanwhile
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
