"""Write the tree's tiles and the bundles of entries, each file whole and durable.

A tile that is full never changes; the last one of each level is written anew, under its width, for
each size that is published. Only those last ones are held in memory.

Trusts: the entries that it is given, in their order.  Does not trust: files that are there already.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from teeproof.core.errors import Error
from teeproof.proof.log.formats.rfc6962 import HASH_BYTES, root
from teeproof.proof.log.formats.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    decode_entries,
    encode_entries,
    entries_path,
    tile_path,
)
from teeproof.proof.log.storage.disk import PUBLIC, PUBLIC_FOLDER, Disk
from teeproof.proof.log.storage.faults import corrupt
from teeproof.proof.log.storage.tilestore import TileStore, fold, read_file

__all__ = ["TileWriter"]


class TileWriter:
    """The right edge of a growing tree.

    Args:
        store: the tiles that are there.
        disk: where writes go.
        scratch: a folder on the same file system for files that are not done.

    Attributes:
        size: how many entries it has taken.
    """

    def __init__(self, store: TileStore, *, disk: Disk, scratch: Path) -> None:
        self.size = 0
        self._store, self._disk, self._scratch = store, disk, scratch / "tile"
        self._levels: list[bytearray] = [bytearray()]
        self._bundle: list[bytes] = []
        self._touched: set[Path] = set()

    def load(self, size: int) -> None:
        """Go on from a size that was published.

        Raises:
            NotAuthentic: code ``log_corrupt``; a tile is missing or damaged.
        """
        levels = max(1, -(-size.bit_length() // TILE_HEIGHT))
        self._levels = [bytearray(self._last(level, size)) for level in range(levels)]
        self._bundle = self._last_bundle(size)
        self.size = size

    def extend(self, entries: Sequence[bytes]) -> None:
        """Take more entries; tiles that become full are written."""
        at = 0
        while part := entries[at : at + TILE_WIDTH - len(self._bundle)]:
            at += len(part)
            self._bundle += part
            self._levels[0] += b"".join([sha256(b"\x00" + entry).digest() for entry in part])
            self.size += len(part)
            if len(self._bundle) == TILE_WIDTH:
                name = entries_path(self.size // TILE_WIDTH - 1)
                self._put(name, encode_entries(self._bundle))
                self._bundle.clear()
                self._carry()

    def root(self) -> bytes:
        """Return the tree's root."""
        return root(self.size, self._node)

    def flush(self) -> None:
        """Write the tiles that are not full; when this returns, all of them are durable."""
        for level, hashes in enumerate(self._levels):
            if hashes:
                name = tile_path(level, self._full(level), len(hashes) // HASH_BYTES)
                self._put(name, bytes(hashes))
        if self._bundle:
            name = entries_path(self._full(0), len(self._bundle))
            self._put(name, encode_entries(self._bundle))
        for folder in sorted(self._touched):
            self._disk.sync_directory(folder)
        self._touched.clear()

    def prune(self, before: int, now: int) -> None:
        """Remove partial tiles of the tree of ``before`` entries that are full in that of ``now``.

        c2sp.org/tlog-tiles allows it once the full tile is there. One that cannot be removed stays:
        it takes room and does no harm.
        """
        with suppress(OSError):
            self._prune(before, now)

    def _prune(self, before: int, now: int) -> None:
        for level in range(-(-before.bit_length() // TILE_HEIGHT)):
            shift = TILE_HEIGHT * (level + 1)
            index = before >> shift
            if now >> shift > index:
                self._disk.remove(self._store.public / f"{tile_path(level, index)}.p")
                if level == 0:
                    self._disk.remove(self._store.public / f"{entries_path(index)}.p")

    def _carry(self) -> None:
        """Write each tile that is full now, lowest first, and begin the next."""
        for level, hashes in enumerate(self._levels):
            if len(hashes) < TILE_WIDTH * HASH_BYTES:
                return
            self._put(tile_path(level, self._full(level) - 1), bytes(hashes))
            if level + 1 == len(self._levels):
                self._levels.append(bytearray())
            self._levels[level + 1] += _top(bytes(hashes))
            hashes.clear()

    def _full(self, level: int) -> int:
        return self.size >> (TILE_HEIGHT * (level + 1))

    def _node(self, level: int, index: int) -> bytes:
        # A peak of the tree lies in the last tile of its level.
        tile_level, inner = divmod(level, TILE_HEIGHT)
        place = index % (TILE_WIDTH >> inner)
        hashes = bytes(self._levels[tile_level])
        row = hashes[(place << inner) * HASH_BYTES : ((place + 1) << inner) * HASH_BYTES]
        return _top(row)

    def _put(self, name: str, content: bytes) -> None:
        path = self._store.public / name
        there = read_file(path)
        if there is None:
            self._disk.make_directories(path.parent, mode=PUBLIC_FOLDER)
            self._disk.place(path, content, scratch=self._scratch, mode=PUBLIC)
        elif there != content:
            raise corrupt(f"{name} does not have the entries of the journal")
        self._touched.add(path.parent)

    def _last(self, level: int, size: int) -> bytes:
        index, width = divmod(size >> (TILE_HEIGHT * level), TILE_WIDTH)
        return self._store.tile(level, index, width) if width else b""

    def _last_bundle(self, size: int) -> list[bytes]:
        index, width = divmod(size, TILE_WIDTH)
        if not width:
            return []
        name = entries_path(index, width)
        data = read_file(self._store.public / name)
        if data is None:
            data = read_file(self._store.public / entries_path(index)) or b""
        try:
            entries = decode_entries(data)[:width]
        except Error:
            entries = []
        hashes = b"".join([sha256(b"\x00" + entry).digest() for entry in entries])
        if hashes != self._levels[0]:
            raise corrupt(f"{name} is missing, or has other entries than the tree")
        return entries


def _top(row: bytes) -> bytes:
    while len(row) > HASH_BYTES:
        row = fold(row)
    return row
