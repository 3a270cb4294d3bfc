"""A disk that forgets: what was not synced may be lost, in part or whole, when the power goes.

The files are real, so that everything reads them as usual. Beside them stands what would survive;
``lose_power`` makes that the truth: any subset of the unsynced writes survives, each cut anywhere
or with a hole, and any subset of unsynced names. Files that are not written through it (the index,
which SQLite keeps) stay as they are.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from teeproof.proof.log.storage.disk import Disk

FOLDER = None
"""What stands for a directory among names."""


@dataclass(eq=False)
class File:
    """What of a file is durable, and what was done to it since."""

    durable: bytes = b""
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)  # None cuts

    def settle(self) -> None:
        for step in self.pending:
            self.durable = apply(self.durable, *step)
        self.pending.clear()

    def after_loss(self, random: Random) -> bytes:
        content = self.durable
        for (offset, data), kept in zip(self.pending, survivors(self.pending, random), strict=True):
            if kept:
                content = apply(content, offset, data)
            elif data and random.random() < 0.7:
                content = torn(content, offset, data, random)
        return content


@dataclass
class Step:
    """A change of names in one directory, not synced yet."""

    folder: Path
    gone: Path | None
    name: Path | None
    file: File | None


class ForgetfulDisk(Disk):
    """The file system below one folder.

    Attributes:
        fuse: after so many more changes the power is gone, and all that follow fail.
        full: whether there is no room for more bytes.
        sick: whether syncs fail.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.fuse: int | None = None
        self.full = self.sick = False
        self.changes = 0
        self._open: dict[int, File] = {}
        self._live: dict[Path, File | None] = {root: FOLDER}
        self._durable: dict[Path, File | None] = {root: FOLDER}
        self._steps: list[Step] = []

    def open(self, path: Path, *, mode: int = 0o600) -> int:
        self._burn()
        if path not in self._live:
            file = self._live[path] = File()
            self._steps.append(Step(path.parent, None, path, file))
        descriptor = super().open(path, mode=mode)
        self._open[descriptor] = self._live[path]
        return descriptor

    def close(self, descriptor: int) -> None:
        del self._open[descriptor]
        super().close(descriptor)

    def write(self, descriptor: int, parts: Sequence[bytes], offset: int) -> None:
        data = b"".join(parts)
        if self.full or self.fuse == 0:
            part = data[: len(data) // 2]
            self._put(descriptor, part, offset)
            self._burn()
            raise OSError(errno.ENOSPC, "No space left on device")
        self._burn()
        self._put(descriptor, data, offset)

    def append(self, descriptor: int, parts: Sequence[bytes], offset: int) -> None:
        self.write(descriptor, parts, offset)
        self.sync(descriptor)

    def sync(self, descriptor: int) -> None:
        self._burn()
        if self.sick:
            raise OSError(errno.EIO, "Input/output error")
        self._open[descriptor].settle()

    def truncate(self, descriptor: int, size: int) -> None:
        self._burn()
        super().truncate(descriptor, size)
        self._open[descriptor].pending.append((size, None))

    def rename(self, source: Path, target: Path) -> None:
        self._burn()
        super().rename(source, target)
        file = self._live[target] = self._live.pop(source)
        self._steps.append(Step(target.parent, source, target, file))

    def make_directory(self, path: Path, *, mode: int = 0o700) -> None:
        self._burn()
        super().make_directory(path, mode=mode)
        self._live[path] = FOLDER
        self._steps.append(Step(path.parent, None, path, FOLDER))

    def sync_directory(self, path: Path) -> None:
        self._burn()
        if self.sick:
            raise OSError(errno.EIO, "Input/output error")
        for step in [step for step in self._steps if step.folder == path]:
            self._steps.remove(step)
            rename(self._durable, step)

    def remove(self, path: Path) -> None:
        self._burn()
        super().remove(path)
        for name in [name for name in self._live if name == path or path in name.parents]:
            del self._live[name]
            self._steps.append(Step(name.parent, name, None, None))

    def lose_power(self, random: Random) -> None:
        """Make what survives the truth, on the real files too."""
        for descriptor in list(self._open):
            self.close(descriptor)
        for step, kept in zip(self._steps, survivors(self._steps, random), strict=True):
            if kept:
                rename(self._durable, step)
        contents = {
            path: file if file is FOLDER else file.after_loss(random)
            for path, file in self._durable.items()
            if all(
                parent in self._durable for parent in path.parents if self.root in parent.parents
            )
        }
        self._rewrite(contents)
        self._steps.clear()
        self.fuse, self.full, self.sick = None, False, False

    def _rewrite(self, contents: dict[Path, bytes | None]) -> None:
        for path in self._live:
            if path != self.root:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(True)
        self._live = {}
        for path, content in sorted(contents.items()):
            if content is FOLDER:
                path.mkdir(exist_ok=True)
            else:
                path.write_bytes(content)
            self._live[path] = FOLDER if content is FOLDER else File(content)
        self._durable = dict(self._live)

    def _put(self, descriptor: int, data: bytes, offset: int) -> None:
        super().write(descriptor, [data], offset)
        self._open[descriptor].pending.append((offset, data))

    def _burn(self) -> None:
        self.changes += 1
        if self.fuse == 0:
            raise OSError(errno.EIO, "the power is gone")
        if self.fuse is not None:
            self.fuse -= 1


def apply(content: bytes, offset: int, data: bytes | None) -> bytes:
    """Return a file's content after a write, or after a cut at the offset."""
    if data is None:
        return content[:offset].ljust(offset, b"\0")
    return content[:offset].ljust(offset, b"\0") + data + content[offset + len(data) :]


def torn(content: bytes, offset: int, data: bytes, random: Random) -> bytes:
    """Return a file's content after a write of which one piece arrived, or only the length."""
    start, stop = sorted((random.randint(0, len(data)), random.randint(0, len(data))))
    if random.random() < 0.5:
        start = 0
    if random.random() < 0.3:  # the length is there, the rest is zeros
        content = content.ljust(offset + len(data), b"\0")
    return apply(content, offset + start, data[start:stop])


def rename(names: dict[Path, File | None], step: Step) -> None:
    """Carry a change of names out."""
    if step.gone is not None:
        names.pop(step.gone, None)
    if step.name is not None:
        names[step.name] = step.file


def survivors(things: list, random: Random) -> list[bool]:
    """Return which of the unsynced things survive: none, all, the first few, or any."""
    mode = random.choice(["none", "all", "first", "any"])
    if mode == "first":
        cut = random.randint(0, len(things))
        return [place < cut for place in range(len(things))]
    if mode == "any":
        return [random.random() < 0.5 for _ in things]
    return [mode == "all"] * len(things)


def copy_index(log: Path, to: Path) -> None:
    """Keep a copy of a log's index, to put an old one back later."""
    for suffix in ("", "-wal", "-shm"):
        source = log / f"index.sqlite{suffix}"
        target = to / source.name
        target.unlink(missing_ok=True)
        if source.exists():
            target.write_bytes(source.read_bytes())


def put_index(log: Path, kept: Path | None) -> None:
    """Put a copy of the index back, or none."""
    for suffix in ("", "-wal", "-shm"):
        (log / f"index.sqlite{suffix}").unlink(missing_ok=True)
        if kept and (kept / f"index.sqlite{suffix}").exists():
            os.link(kept / f"index.sqlite{suffix}", log / f"index.sqlite{suffix}")
