"""Read a log's tree and entries from its tiles, believing nothing but one checkpoint's root.

The partial tiles at the right edge together make the root; every full tile is a hash in the tile
above it. So each tile is checked before a hash of it is used, and a proof made of them holds.

Source: c2sp.org/tlog-tiles.

Trusts: the root that the caller names.  Does not trust: whoever serves the tiles.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from teeproof.core.errors import Error, Malformed, NotAuthentic, Unavailable, Usage
from teeproof.proof.log.formats.merkle import EMPTY_ROOT, HASH_BYTES, leaf_hash, node_hash
from teeproof.proof.log.formats.merkle import root as root_of
from teeproof.proof.log.formats.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    decode_entries,
    entries_path,
    tile_path,
)

__all__ = ["Fetch", "TileTree"]

Fetch = Callable[[str], bytes]
"""From a path such as ``tile/0/000`` to its bytes; Unavailable, code ``tile_missing``, if none."""

_KEPT = 1024  # tiles of 8 KiB


class TileTree:
    """The tree of one checkpoint.

    Args:
        size: the checkpoint's.
        root: the checkpoint's, 32 bytes.
        fetch: where tiles come from.
    """

    def __init__(self, size: int, root: bytes, fetch: Fetch) -> None:
        self.size, self.root = size, root
        self._fetch = fetch
        self._edge: dict[tuple[int, int], bytes] | None = None
        self._last: tuple[int, list[bytes]] | None = None
        self._full: OrderedDict[tuple[int, int], bytes] = OrderedDict()

    def node(self, level: int, index: int) -> bytes:
        """Return the root of a complete subtree, 32 bytes.

        Raises:
            Usage: this tree has no such subtree.
            Unavailable: a tile that is needed is not served.
            NotAuthentic: code ``tile_mismatch``: what is served is not in this tree.
            Malformed: a tile of another length.
        """
        if not (0 <= level < 64 and index >= 0 and (index + 1) << level <= self.size):
            raise _outside(f"subtree {level}/{index}", self.size)
        above, height = divmod(level, TILE_HEIGHT)
        number, at = divmod(index << height, TILE_WIDTH)
        return _subroot(self.tile(above, number), at, 1 << height)

    def tile(self, level: int, number: int) -> bytes:
        """Return a tile's hashes, 32 bytes each; as many as this tree has. Errors as ``node``."""
        width = self._width(level, number)
        if width < TILE_WIDTH:
            return self._right_edge()[level, number]
        found = self._full.get((level, number))
        if found is None:
            found = self._load(level, number, width)
            expected = self.node(TILE_HEIGHT * (level + 1), number)
            _same(_subroot(found, 0, TILE_WIDTH), expected, tile_path(level, number))
            self._full[level, number] = found
            if len(self._full) > _KEPT:
                self._full.popitem(last=False)
        else:
            self._full.move_to_end((level, number))
        return found

    def bundle(self, number: int) -> list[bytes]:
        """Return the entries of a bundle, as many as this tree has.

        Raises:
            NotAuthentic: code ``entries_mismatch``: an entry is not the one in this tree.
            Usage, Unavailable, Malformed: as ``node``.
        """
        width = self._width(0, number)
        path = entries_path(number, width)
        entries = decode_entries(self._either(path, entries_path(number), width))[:width]
        hashes = self.tile(0, number)
        if len(entries) != width:
            raise _length(path, f"{width} entries", f"{len(entries)}")
        for at, entry in enumerate(entries):
            if leaf_hash(entry) != hashes[at * HASH_BYTES : (at + 1) * HASH_BYTES]:
                raise NotAuthentic(
                    f"{path} does not hold the entries of this tree: the log, or whoever stands"
                    " between, serves others",
                    code="entries_mismatch",
                    expected=hashes[at * HASH_BYTES : (at + 1) * HASH_BYTES].hex(),
                    got=f"{leaf_hash(entry).hex()} at index {number * TILE_WIDTH + at}",
                )
        return entries

    def entry(self, index: int) -> bytes:
        """Return one entry; errors as ``bundle``."""
        if not 0 <= index < self.size:
            raise _outside(f"entry {index}", self.size)
        number, at = divmod(index, TILE_WIDTH)
        if self._last is None or self._last[0] != number:
            self._last = (number, self.bundle(number))
        return self._last[1][at]

    def check_edge(self) -> None:
        """Check that the partial tiles make the root; errors as ``node``."""
        self._right_edge()

    def _right_edge(self) -> dict[tuple[int, int], bytes]:
        if self._edge is None:
            places = [
                (level, self.size >> (TILE_HEIGHT * (level + 1)))
                for level in range(8)
                if (self.size >> (TILE_HEIGHT * level)) % TILE_WIDTH
            ]
            edge = {place: self._load(*place, self._width(*place)) for place in places}

            def get(level: int, index: int) -> bytes:
                above, height = divmod(level, TILE_HEIGHT)
                number, at = divmod(index << height, TILE_WIDTH)
                return _subroot(edge[above, number], at, 1 << height)

            found = root_of(self.size, get) if self.size else EMPTY_ROOT
            _same(found, self.root, "the tiles at the edge")
            self._edge = edge
        return self._edge

    def _width(self, level: int, number: int) -> int:
        width = (self.size >> (TILE_HEIGHT * level)) - number * TILE_WIDTH
        if level < 0 or number < 0 or width <= 0:
            raise _outside(f"tile {level}/{number}", self.size)
        return min(width, TILE_WIDTH)

    def _load(self, level: int, number: int, width: int) -> bytes:
        path = tile_path(level, number, width)
        data = self._either(path, tile_path(level, number), width)[: width * HASH_BYTES]
        if len(data) != width * HASH_BYTES:
            raise _length(path, f"{width * HASH_BYTES} bytes", f"{len(data)} bytes")
        return data

    def _either(self, path: str, full: str, width: int) -> bytes:
        """Fetch a partial tile, or, where it is gone, the full one that took its place."""
        try:
            return self._fetch(path)
        except Unavailable as error:
            if width == TILE_WIDTH or error.code != "tile_missing":
                raise
            missing: Error = error
        try:
            return self._fetch(full)
        except Unavailable as error:
            raise (missing if error.code == "tile_missing" else error) from None


def _subroot(hashes: bytes, at: int, width: int) -> bytes:
    """Return the root over ``width`` hashes, a power of two, from place ``at`` on."""
    row = [
        hashes[start : start + HASH_BYTES]
        for start in range(at * HASH_BYTES, (at + width) * HASH_BYTES, HASH_BYTES)
    ]
    while len(row) > 1:
        row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row), 2)]
    return row[0]


def _same(found: bytes, expected: bytes, what: str) -> None:
    if found != expected:
        raise NotAuthentic(
            f"{what}: this is not of the checkpoint's tree: the log, or whoever stands between,"
            " serves another",
            code="tile_mismatch",
            expected=expected.hex(),
            got=found.hex(),
        )


def _length(path: str, expected: str, got: str) -> Malformed:
    return Malformed(
        f"{path} has another length", code="tile_malformed", expected=expected, got=got
    )


def _outside(what: str, size: int) -> Usage:
    return Usage(f"{what} is not in the tree of {size} entries", code="outside_tree")
