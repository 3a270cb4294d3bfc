"""The tree on disk: any node of it, out of the tiles that are served.

Trusts: nothing; a tile that is missing or short is an error.  Does not trust: the disk.
"""

from __future__ import annotations

import errno
import os
import stat
from hashlib import sha256
from pathlib import Path

from teeproof.core.errors import Usage
from teeproof.core.reading import open_without_waiting
from teeproof.proof.log.formats.rfc6962 import HASH_BYTES, Get
from teeproof.proof.log.formats.tiles import TILE_WIDTH, tile_path
from teeproof.proof.log.storage.faults import corrupt, unreadable

__all__ = ["TileStore", "fold", "read_file"]

_MOST_BYTES = 1 << 20  # of a checkpoint, a tile, or a tile of entries
_CACHED = 512  # tiles, with their inner nodes 16 KB each


def fold(hashes: bytes) -> bytes:
    """Return the parents of a row of nodes; a last one without a sibling has none."""
    return b"".join(
        [
            sha256(b"\x01" + hashes[at : at + 64]).digest()
            for at in range(0, len(hashes) - HASH_BYTES, 2 * HASH_BYTES)
        ]
    )


class TileStore:
    """The tiles under one folder.

    Args:
        public: the folder that is served; the tiles lie in ``tile/`` there.
    """

    def __init__(self, public: Path) -> None:
        self.public = public
        self._cache: dict[tuple[int, int, int], list[bytes]] = {}

    def get(self, size: int) -> Get:
        """Return the nodes of a tree of a size that was published.

        What it returns raises ``NotAuthentic``, code ``log_corrupt``, where a tile is missing or
        damaged.
        """
        cache = self._cache

        def node(level: int, index: int) -> bytes:
            tile_level, inner = level >> 3, level & 7  # TILE_HEIGHT is 8
            tile = index >> (8 - inner)
            width = (size >> 8 * tile_level) - (tile << 8)
            key = (tile_level, tile, width if width < TILE_WIDTH else TILE_WIDTH)
            rows = cache.get(key) or self._rows(key)
            while len(rows) <= inner:
                rows.append(fold(rows[-1]))
            place = (index << 5) & ((0x2000 >> inner) - 1)
            return rows[inner][place : place + HASH_BYTES]

        return node

    def node(self, level: int, index: int, size: int) -> bytes:
        """Return one complete subtree's root, in a tree of ``size`` entries.

        Raises:
            Usage: the tree has no such complete subtree.
            NotAuthentic: code ``log_corrupt``; its tile is missing or damaged.
        """
        if level < 0 or index < 0 or (index + 1) << level > size:
            raise Usage(f"the tree of {size} entries has no such node", code="outside_tree")
        return self.get(size)(level, index)

    def tile(self, level: int, index: int, width: int) -> bytes:
        """Return a tile's hashes.

        Raises:
            NotAuthentic: code ``log_corrupt``; it is missing or damaged.
        """
        name = tile_path(level, index, width)
        data = read_file(self.public / name)
        if data is None and width < TILE_WIDTH:  # full by now, and the partial one removed
            data = read_file(self.public / tile_path(level, index))
            data = data and data[: width * HASH_BYTES]
        if data is None or len(data) != width * HASH_BYTES:
            raise corrupt(f"{name} is missing or damaged")
        return data

    def _rows(self, key: tuple[int, int, int]) -> list[bytes]:
        rows = [self.tile(*key)]
        if len(self._cache) >= _CACHED:
            self._cache.clear()
        self._cache[key] = rows
        return rows


def read_file(path: Path) -> bytes | None:
    """Return a served file's content; None if there is none.

    Raises:
        Unavailable: code ``log_disk``; it is no regular file, too large, or may not be read.
    """
    try:
        with open(path, "rb", opener=open_without_waiting) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise OSError(errno.EINVAL, "it is not a regular file")
            if found.st_size > _MOST_BYTES:
                raise OSError(errno.EFBIG, "it is larger than anything that a log serves")
            return file.read(_MOST_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise unreadable(
            f"what the log serves as {path.name}",
            path,
            error,
            advice="make it readable, or remove it: it is made anew by whatever opens the log for"
            " writing, such as: teeproof log publish",
        ) from None
