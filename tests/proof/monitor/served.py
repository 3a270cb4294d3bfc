"""A log in memory, served to a monitor truly or falsely."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from teeproof.core.errors import Unavailable
from teeproof.proof.log.formats.tiles import TILE_WIDTH, encode_entries, parse_path
from teeproof.proof.monitor.again import everything
from teeproof.proof.monitor.monitor import Monitor
from teeproof.proof.monitor.store import Store
from tests.proof.witness.scenes import NOW, ORIGIN, SIGNER, Book


class Served:
    """A source: the checkpoint of one book, the tiles of it or of another.

    Attributes:
        book: whose entries and tiles are served.
        signed: the checkpoint that is served.
        gone: whether a path is not served.
        alter: what the network makes of what is served.
    """

    def __init__(self, book: Book, size: int | None = None, *, name: str = "https://a") -> None:
        self.name = name
        self.asked: list[str] = []
        self.gone: Callable[[str], bool] = lambda path: False
        self.alter: Callable[[str, bytes], bytes] = lambda path, data: data
        self.show(book, size)

    def show(self, book: Book, size: int | None = None) -> Served:
        self.book, self.signed = book, book.signed(size)
        return self

    def read(self, path: str) -> bytes:
        self.asked.append(path)
        if self.gone(path):
            raise Unavailable("it is gone", code="tile_missing", got=path)
        data = self.signed.encode() if path == "checkpoint" else self._tile(path)
        return self.alter(path, data)

    def _tile(self, path: str) -> bytes:
        kind, level, index, width = parse_path(path)
        first, size = index * TILE_WIDTH, self.signed.checkpoint.size
        if first + width > size >> (8 * level):
            raise Unavailable("there is no such tile", code="tile_missing", got=path)
        if kind == "entries":
            return encode_entries(self.book.entries[first : first + width])
        return b"".join(self.book.tree.node(8 * level, first + at) for at in range(width))


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def monitor_of(store: Store, source: Any, **options: Any) -> Monitor:
    options.setdefault("now", lambda: NOW)
    options.setdefault("again", everything)
    return Monitor(store, [SIGNER.verifier], source, **options)


def open_store(folder: Path, **options: Any) -> Store:
    return Store(folder, origin=ORIGIN, **options)


def by_code(report: Any) -> dict[str, Any]:
    return {finding.code: finding for finding in report.findings}
