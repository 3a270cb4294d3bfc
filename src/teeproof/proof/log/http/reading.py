"""What anyone may read of a log: its checkpoint, tiles and entries, and what it says of itself.

Source: c2sp.org/tlog-tiles.

Trusts: the log's directory.  Does not trust: paths that are asked for.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from teeproof.core.errors import Malformed, Unavailable
from teeproof.proof.log.formats.tiles import TILE_HEIGHT, TILE_WIDTH, parse_path
from teeproof.proof.log.http.served import ServedLog
from teeproof.web.asgi import Answer, json_answer

__all__ = ["Reading", "description"]

_TEXT = b"text/plain; charset=utf-8"
_BYTES = b"application/octet-stream"
_ANYONE = (b"access-control-allow-origin", b"*")  # a checker in a page may read it too
_FOR_EVER = ((b"cache-control", b"public, max-age=31536000, immutable"), _ANYONE)
_NOT_KEPT = ((b"cache-control", b"no-cache"), _ANYONE)
_MAX_LEVEL = 7  # a tree of fewer than 2^63 entries has no tile above
_KEPT = 1024  # full tiles and bundles of 8 to 17 KiB

_Place = tuple[str, int, int, int]


class Reading:
    """Answers to GET on a log's public paths.

    Args:
        log: the log.
    """

    def __init__(self, log: ServedLog) -> None:
        self._log = log
        self._kept: OrderedDict[_Place, bytes] = OrderedDict()

    def checkpoint(self) -> Answer:
        """Return the newest checkpoint, with all cosignatures so far."""
        return Answer(200, _TEXT, self._log.checkpoint().encode(), _NOT_KEPT)

    def tile(self, path: str) -> Answer:
        """Return a tile or a bundle of entries.

        Raises:
            Unavailable: code ``tile_missing``: no checkpoint covers it, or it has no such path.
        """
        try:
            place = parse_path(path)
        except Malformed:
            raise _missing(path) from None
        data = self._kept.get(place)
        if data is None:
            data = self._made(place, path)
        return Answer(200, _BYTES, data, _FOR_EVER)

    def _made(self, place: _Place, path: str) -> bytes:
        _, level, number, width = place
        end = number * TILE_WIDTH + width
        # A tile may lie on disk before its checkpoint is signed: until then it is not there.
        if level > _MAX_LEVEL or end > self._log.published_size >> (TILE_HEIGHT * level):
            raise _missing(path)
        try:
            data = (self._log.public / path).read_bytes()
        except FileNotFoundError:  # a partial tile whose full one took its place
            raise _missing(path) from None
        if width == TILE_WIDTH:
            self._kept[place] = data
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return data


def description(log: ServedLog, *, delay: int, witnesses: Sequence[str]) -> Answer:
    """Return what the log says of itself; none of it is signed."""
    said: dict[str, Any] = {
        "origin": log.origin,
        "vkey": log.verifier.text(),
        "size": log.published_size,
        "maximum_delay_seconds": delay,
        "witnesses": list(witnesses),
        "format": "c2sp.org/tlog-tiles",
    }
    return json_answer(said, headers=_NOT_KEPT)


def _missing(path: str) -> Unavailable:
    return Unavailable(
        "there is no such tile: read the checkpoint to see how far the log reaches",
        code="tile_missing",
        got=ascii(path[:100])[1:-1],
    )
