"""Where a monitor reads a log: a directory of static files, or a URL. Bytes only, and bounded.

Trusts: nothing; what comes back is bytes.  Does not trust: the disk, the server, the network.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from teeproof.core.errors import Error, Unavailable
from teeproof.core.reading import read_bounded
from teeproof.proof.log.formats.note import MAX_NOTE_BYTES
from teeproof.proof.log.formats.tiles import MAX_ENTRY_BYTES, TILE_WIDTH

__all__ = ["Folder", "Source", "Url", "limit_of", "source_of"]

_TILE_BYTES = TILE_WIDTH * 32
_BUNDLE_BYTES = TILE_WIDTH * (MAX_ENTRY_BYTES + 2)
_ATTEMPTS = 3
_KNOWN = ("tile_missing", "log_unreachable", "not_published", "route_unknown")


class Source(Protocol):
    """A place that serves a log's checkpoint and tiles."""

    @property
    def name(self) -> str:
        """What people call it: a path or a URL."""

    def read(self, path: str) -> bytes:
        """Return what lies at ``checkpoint`` or ``tile/…``.

        Raises:
            Unavailable: code ``tile_missing`` where there is no such thing; another code where the
                source could not be reached, or answers with more than such a thing may have.
            TooLarge, Usage: a file of another kind lies there.
        """


class Folder:
    """A log's directory, or the folder in it that is served."""

    def __init__(self, path: Path) -> None:
        self._path = path / "public" if (path / "public").is_dir() else path
        self.name = str(path)

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def read(self, path: str) -> bytes:
        """See ``Source``."""
        place = self._path / path
        try:
            return read_bounded(place, limit=limit_of(path), what=path.partition("/")[0])
        except Unavailable:
            if not os.path.isdir(self._path) or os.path.exists(place):
                raise
            raise Unavailable(
                f"the log has no {path}", code="tile_missing", got=str(place)
            ) from None


class Url:
    """A log's prefix; or a witness's monitoring prefix and origin hash, which has no tiles."""

    def __init__(self, url: str, *, timeout: float = 30.0) -> None:
        from teeproof.proof.log.http.transport import Transport  # noqa: PLC0415  httpx is imported late

        self._transport = Transport(url, timeout=timeout, attempts=_ATTEMPTS)
        self.name = self._transport.url

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def read(self, path: str) -> bytes:
        """See ``Source``."""
        try:
            return self._transport.get(path, limit=limit_of(path))
        except Error as error:
            # What a server says of itself has no code of ours, unless it is one of these.
            code = error.code if error.code in _KNOWN else "log_refused"
            raise Unavailable(
                error.detail, code=code, expected=error.expected, got=error.got
            ) from None


def source_of(text: str) -> Folder | Url:
    """Return the source that a URL or the name of a directory stands for; close it after use."""
    if text.startswith(("https://", "http://")):
        return Url(text)
    return Folder(Path(text))


def limit_of(path: str) -> int:
    """Return how many bytes may lie at a path of a log."""
    if path == "checkpoint":
        return MAX_NOTE_BYTES
    return _BUNDLE_BYTES if path.startswith("tile/entries/") else _TILE_BYTES
