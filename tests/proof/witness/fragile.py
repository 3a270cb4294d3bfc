"""A disk that forgets, on a loss of power, what was not synced: any part of it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from teeproof.proof.log.storage.disk import Disk


class PowerLoss(Exception):
    """The power went; what is on disk is what ``lose`` leaves there."""


class Fragile(Disk):
    """A real folder, and beside it the knowledge of what in it is durable.

    Args:
        root: the folder that is watched; what is in it now is durable.
        rng: decides where the power goes, and what it takes along.
        after: how many steps work before the power goes.
        honest: whether a sync of a directory does what it says.
    """

    def __init__(
        self, root: Path, rng: random.Random, *, after: int | None = None, honest: bool = True
    ) -> None:
        self.root, self.rng, self.after, self.honest = root, rng, after, honest
        self._files: dict[Path, bytes] = {
            path: path.read_bytes() for path in root.rglob("*") if path.is_file()
        }
        self._pending: list[tuple[Path, Path]] = []  # renames that a crash may undo
        self._synced: dict[Path, bytes] = {}
        self._paths: dict[int, Path] = {}

    def _step(self) -> None:
        if self.after is not None:
            self.after -= 1
            if self.after < 0:
                raise PowerLoss

    def open(self, path: Path, *, mode: int = 0o644) -> int:
        self._step()
        descriptor = super().open(path, mode=mode)
        self._paths[descriptor] = path
        return descriptor

    def write(self, descriptor: int, parts: Sequence[bytes], offset: int) -> None:
        if self.after == 0:
            data = b"".join(parts)
            super().write(descriptor, [data[: self.rng.randrange(len(data))]], offset)
        self._step()
        super().write(descriptor, parts, offset)

    def sync(self, descriptor: int) -> None:
        self._step()
        super().sync(descriptor)
        path = self._paths[descriptor]
        self._synced[path] = path.read_bytes()
        if path in self._files:
            self._files[path] = self._synced[path]

    def rename(self, source: Path, target: Path) -> None:
        self._step()
        super().rename(source, target)
        self._pending.append((source, target))
        self._synced[target] = self._synced.pop(source, b"")
        self._step()

    def sync_directory(self, path: Path) -> None:
        self._step()
        super().sync_directory(path)
        if self.honest:
            self._keep(len(self._pending))
            here = {p: data for p, data in self._synced.items() if p.parent == path and p.exists()}
            self._files |= here
        self._step()

    def _keep(self, count: int) -> None:
        for _, target in self._pending[:count]:
            self._files[target] = self._synced[target]
        del self._pending[:count]

    def lose(self) -> None:
        """Leave in the folder what a loss of power might leave: a prefix of the pending renames."""
        self._keep(self.rng.randint(0, len(self._pending)))
        now = {path: path.read_bytes() for path in self.root.rglob("*") if path.is_file()}
        for path in now:
            if path.name != "lock":
                path.unlink()
        for path, content in self._files.items():
            # What was written and not synced may have reached the disk all the same, in part.
            more = now.get(path, b"")
            kept = self.rng.randint(len(content), len(more)) if more.startswith(content) else 0
            path.write_bytes(more[:kept] or content)
