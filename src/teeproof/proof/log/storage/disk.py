"""The disk as the log uses it: every write, sync and rename, so that a test can lose some of them.

A write is durable once its file was synced, a new name once its directory was synced; until then
a loss of power may undo any part of it. Reads do not pass through here.

Trusts: the operating system's word that a sync has reached the disk.  Does not trust: nothing else.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

__all__ = [
    "PUBLIC",
    "PUBLIC_FOLDER",
    "Content",
    "Disk",
    "keep_private",
    "others_may",
    "touch_private",
]

PRIVATE, PRIVATE_FOLDER = 0o600, 0o700
PUBLIC, PUBLIC_FOLDER = 0o644, 0o755  # before the umask

Content = bytes | memoryview

_DSYNC = getattr(os, "RWF_DSYNC", 0)  # Linux 4.7: this write as if the file had O_DSYNC


class Disk:
    """The machine's own file system. Every method raises ``OSError`` as the system does."""

    def open(self, path: Path, *, mode: int = PRIVATE) -> int:
        """Return a descriptor for writing; the file is made if there is none."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode)

    def close(self, descriptor: int) -> None:
        """Close a descriptor."""
        os.close(descriptor)

    def write(self, descriptor: int, parts: Sequence[Content], offset: int) -> None:
        """Write all of the parts, one after the other; what was written before a failure stays."""
        done, size = os.pwritev(descriptor, parts, offset), sum(map(len, parts))
        if done < size:
            rest = memoryview(b"".join(parts))
            while done < size:
                done += os.pwrite(descriptor, rest[done:], offset + done)

    def sync(self, descriptor: int) -> None:
        """Return once a file's content, and the length it needs, are durable."""
        os.fdatasync(descriptor)

    def append(self, descriptor: int, parts: Sequence[Content], offset: int) -> None:
        """Write all of the parts and return once they, and the length they need, are durable."""
        if not _DSYNC:
            self.write(descriptor, parts, offset)
            self.sync(descriptor)
            return
        # One call in place of two: the thread gives up the interpreter once.
        done, size = os.pwritev(descriptor, parts, offset, _DSYNC), sum(map(len, parts))
        if done < size:
            rest = memoryview(b"".join(parts))
            while done < size:
                done += os.pwritev(descriptor, [rest[done:]], offset + done, _DSYNC)

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut a file to a length."""
        os.ftruncate(descriptor, size)

    def rename(self, source: Path, target: Path) -> None:
        """Give a file another name, replacing what had it."""
        source.replace(target)

    def make_directory(self, path: Path, *, mode: int = PRIVATE_FOLDER) -> None:
        """Make one directory."""
        path.mkdir(mode=mode)

    def sync_directory(self, path: Path) -> None:
        """Return once the names in a directory are durable."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def remove(self, path: Path) -> None:
        """Remove a file, or a directory with all in it; what is not there is removed already."""
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)

    def make_directories(self, path: Path, *, mode: int = PRIVATE_FOLDER) -> None:
        """Make a directory and those above it, each durable in the one above."""
        if path.is_dir():
            return
        self.make_directories(path.parent, mode=mode)
        with suppress(FileExistsError):
            self.make_directory(path, mode=mode)
        self.sync_directory(path.parent)

    def place(self, path: Path, content: bytes, *, scratch: Path, mode: int = PRIVATE) -> None:
        """Write a file whole or not at all, by way of a scratch file on the same file system.

        Its content is durable; its name is once the caller has synced its directory.
        """
        descriptor = self.open(scratch, mode=mode)
        try:
            self.truncate(descriptor, 0)
            self.write(descriptor, [content], 0)
            self.sync(descriptor)
        finally:
            self.close(descriptor)
        self.rename(scratch, path)


def touch_private(path: Path) -> None:
    """Make an empty file that its owner alone reads, if there is none: SQLite keeps its mode."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE))


def keep_private(path: Path, others: int = 0) -> None:
    """Take from a file or folder, if it is there, all rights of others but these bits."""
    if others_may(path) & ~others:
        path.chmod(path.stat().st_mode & (0o7700 | others))


def others_may(path: Path) -> int:
    """Return the rights that others have to a file or folder; 0 where it is not there."""
    try:
        return path.stat().st_mode & 0o077
    except FileNotFoundError:
        return 0
