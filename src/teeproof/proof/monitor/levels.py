"""A Merkle tree on disk: one file for each level, 32 bytes for each complete node, appended to.

Trusts: nothing; whoever uses it compares a root.  Does not trust: what it reads back; the power.
"""

from __future__ import annotations

import os
from pathlib import Path

from teeproof.core.errors import Usage
from teeproof.proof.log.formats.merkle import HASH_BYTES, node_hash
from teeproof.proof.log.storage.disk import Disk

__all__ = ["Levels"]

_LEVELS = 64
_PAIR = 2 * HASH_BYTES


class Levels:
    """The files ``00`` (the leaves), ``01`` and on. Methods raise ``OSError`` as the disk does.

    Args:
        folder: where they lie; it exists.
        disk: the file system.
    """

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._folder, self._disk = folder, disk
        self._files: dict[int, int] = {}
        self._counts = [0] * _LEVELS

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return self._counts[0]

    def close(self) -> None:
        """Close the files."""
        for descriptor in self._files.values():
            self._disk.close(descriptor)
        self._files.clear()

    def cut(self, size: int) -> None:
        """Keep the first ``size`` leaves and the nodes over them."""
        for level in range(_LEVELS):
            count = size >> level
            if count or level in self._files or self._path(level).exists():
                self._disk.truncate(self._file(level), count * HASH_BYTES)
            self._counts[level] = count

    def node(self, level: int, index: int) -> bytes:
        """Return the root of a complete subtree; empty or short if the file was cut.

        Raises:
            Usage: there is none.
        """
        if not 0 <= level < _LEVELS or not 0 <= index < self._counts[level]:
            raise Usage(f"there is no complete node {index} at level {level}", code="outside_tree")
        return os.pread(self._file(level), HASH_BYTES, index * HASH_BYTES)

    def extend(self, leaves: bytes) -> None:
        """Add leaf hashes, joined, and the nodes that they complete; durable after ``sync``."""
        row, level = leaves, 0
        while row:
            row = self._append(level, row)
            level += 1

    def sync(self) -> None:
        """Return once all is durable."""
        for descriptor in self._files.values():
            self._disk.sync(descriptor)
        self._disk.sync_directory(self._folder)

    def _append(self, level: int, row: bytes) -> bytes:
        """Append nodes to a level, and return those that this completes in the level above."""
        count = self._counts[level]
        before = self.node(level, count - 1) if count & 1 else b""
        self._disk.write(self._file(level), [row], count * HASH_BYTES)
        self._counts[level] = count + len(row) // HASH_BYTES
        row = before + row
        return b"".join(
            node_hash(row[at : at + HASH_BYTES], row[at + HASH_BYTES : at + _PAIR])
            for at in range(0, len(row) // _PAIR * _PAIR, _PAIR)
        )

    def _file(self, level: int) -> int:
        if level not in self._files:
            self._files[level] = self._disk.open(self._path(level))
        return self._files[level]

    def _path(self, level: int) -> Path:
        return self._folder / f"{level:02}"
