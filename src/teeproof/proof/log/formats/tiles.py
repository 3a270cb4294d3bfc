"""Where a tiled log keeps its tree and its entries, and how entries are bundled.

c2sp.org/tlog-tiles. Paths are relative to the log's prefix and have one spelling each.

Trusts: nothing; it only names and reads.  Does not trust: paths and bundles from others.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from teeproof.core.errors import Malformed, TooLarge, Usage
from teeproof.proof.log.formats.text import MAX_NUMBER

__all__ = [
    "MAX_ENTRY_BYTES",
    "TILE_HEIGHT",
    "TILE_WIDTH",
    "Kind",
    "decode_entries",
    "encode_entries",
    "entries_path",
    "parse_path",
    "tile_path",
]

Kind = Literal["tile", "entries"]

TILE_HEIGHT = 8  # levels of the Merkle tree in one tile
TILE_WIDTH = 256  # hashes in a full tile, entries in a full bundle
MAX_ENTRY_BYTES = 0xFFFF  # a bundle writes lengths in 16 bits
_MAX_LEVEL = 63

_PATH = re.compile(
    r"tile/(?P<level>entries|[0-9]{1,2})/(?P<index>(?:x[0-9]{3}/){0,6}[0-9]{3})"
    r"(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)


def tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """Return the path of a tile of hashes; ``width`` below 256 names a partial one.

    Raises:
        Usage: a number is out of range.
    """
    if not 0 <= level <= _MAX_LEVEL:
        raise _outside(f"level {level}")
    return f"tile/{level}/{_place(index, width)}"


def entries_path(index: int, width: int = TILE_WIDTH) -> str:
    """Return the path of a bundle of entries; ``width`` below 256 names a partial one.

    Raises:
        Usage: a number is out of range.
    """
    return f"tile/entries/{_place(index, width)}"


def parse_path(path: str) -> tuple[Kind, int, int, int]:
    """Return kind, level, index and width; a bundle of entries is at level 0.

    Raises:
        Malformed: it is not the one spelling of a tile's or bundle's path.
    """
    found = _PATH.fullmatch(path) if path.isascii() else None
    if found:
        index = int(re.sub("[x/]", "", found["index"]))
        width = int(found["width"] or TILE_WIDTH)
        try:
            if found["level"] == "entries":
                kind, level, again = "entries", 0, entries_path(index, width)
            else:
                level = int(found["level"])
                kind, again = "tile", tile_path(level, index, width)
        except Usage:
            again = None
        if again == path:
            return kind, level, index, width  # type: ignore[return-value]
    raise Malformed(
        "this is not the path of a tile or of entries",
        code="tile_path_malformed",
        expected="tile/0/x001/234 or tile/entries/000.p/7",
        got=ascii(path[:100]),
    )


def encode_entries(entries: Sequence[bytes]) -> bytes:
    """Return a bundle: each entry after its length in two bytes, big-endian.

    Raises:
        Usage: more than 256 entries, or one of more than 65,535 bytes.
    """
    if len(entries) > TILE_WIDTH or any(len(entry) > MAX_ENTRY_BYTES for entry in entries):
        raise Usage("a bundle holds 256 entries of at most 65,535 bytes", code="entries_too_many")
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def decode_entries(data: bytes) -> list[bytes]:
    """Return the entries of a bundle.

    Raises:
        Malformed: the last entry is cut short.
        TooLarge: there are more than 256 entries.
    """
    entries: list[bytes] = []
    at = 0
    while at < len(data):
        if len(entries) == TILE_WIDTH:
            raise TooLarge("too many entries in a bundle", expected=f"at most {TILE_WIDTH}")
        start = at + 2
        at = start + int.from_bytes(data[at:start], "big")
        if at > len(data):
            raise Malformed("an entry of the bundle is cut short", code="entries_malformed")
        entries.append(data[start:at])
    return entries


def _place(index: int, width: int) -> str:
    if not 0 <= index <= MAX_NUMBER or not 1 <= width <= TILE_WIDTH:
        raise _outside(f"tile {index} of width {width}")
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [f"x{digits[at : at + 3]}/" for at in range(0, len(digits) - 3, 3)]
    partial = f".p/{width}" if width < TILE_WIDTH else ""
    return "".join(groups) + digits[-3:] + partial


def _outside(what: str) -> Usage:
    return Usage(f"there is no {what} in a tiled log", code="outside_tree")
