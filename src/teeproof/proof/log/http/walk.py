"""Walk a whole log: every tile, every bundle, every entry, up to the root that the log signed.

What is found wrong is gathered, not raised: whoever operates a log wants to know of all of it.

Trusts: the checkpoint that the caller has verified.
Does not trust: whoever serves the tiles; of a directory, the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from teeproof.core.errors import Error, NotAuthentic, Unavailable
from teeproof.proof.log.admission import read_record
from teeproof.proof.log.formats.checkpoint import Checkpoint
from teeproof.proof.log.formats.entry import Entry
from teeproof.proof.log.formats.tiles import TILE_WIDTH, entries_path
from teeproof.proof.log.http.tiletree import Fetch, TileTree
from teeproof.proof.log.storage.reader import Reader

__all__ = ["MAX_FAULTS", "Fault", "files_under", "walk"]

MAX_FAULTS = 100  # more of them say nothing new

Progress = Callable[[int, int], None]
"""Told how many entries were looked at, and of how many."""


class Fault(NamedTuple):
    """Something that does not hold, and where."""

    where: str
    error: Error


def files_under(public: Path) -> Fetch:
    """Return what reads tiles from a folder, such as a log's ``public``."""

    def fetch(path: str) -> bytes:
        try:
            return (public / path).read_bytes()
        except OSError as error:
            raise Unavailable(
                f"{path} cannot be read: {error.strerror}", code="tile_missing", got=path
            ) from None

    return fetch


def walk(
    checkpoint: Checkpoint,
    fetch: Fetch,
    *,
    log: Reader | None = None,
    progress: Progress = lambda _done, _total: None,
) -> Iterator[Fault]:
    """Yield what is wrong with a log, at most ``MAX_FAULTS``.

    Every bundle is compared with its tile, every tile with the one above, and the tiles at the
    edge with the root; each entry is read.

    Args:
        checkpoint: what the log signed.
        fetch: where tiles and bundles come from.
        log: the log on disk, if it is here: then each record must be what its entry commits to,
            and something that a log takes.
        progress: told how far it is.
    """
    tree = TileTree(checkpoint.size, checkpoint.root, fetch)
    try:
        tree.check_edge()
    except Error as error:
        yield Fault("the tiles at the edge", error)
        return  # nothing below it could be believed
    found, records = 0, _Records(log) if log else None
    for number in range(-(-checkpoint.size // TILE_WIDTH)):
        start = number * TILE_WIDTH
        end = min(start + TILE_WIDTH, checkpoint.size)
        try:
            entries = tree.bundle(number)
        except Error as error:
            faults = [Fault(entries_path(number, end - start), error)]
        else:
            faults = list(_of_entries(start, entries, records))
        for fault in faults:
            yield fault
            found += 1
            if found == MAX_FAULTS:
                return
        progress(end, checkpoint.size)


class _Records:
    """The records beside a log on disk."""

    def __init__(self, log: Reader) -> None:
        self._log = log
        self._keysets: dict[str, bytes] = {}

    def check(self, index: int, entry: bytes) -> None:
        stored = self._log.stored(index)
        record = read_record(stored.record, identity_of_keyset=self._keysets.get)
        if record.keyset is not None:
            self._keysets.setdefault(record.keyset, record.id)
        committed = record.entry(stored.salt).encode()
        if committed != entry:
            raise NotAuthentic(
                "the record is not the one that the entry commits to",
                code="record_mismatch",
                expected=entry.hex(),
                got=committed.hex(),
            )


def _of_entries(start: int, entries: list[bytes], records: _Records | None) -> Iterator[Fault]:
    for index, entry in enumerate(entries, start):
        try:
            Entry.parse(entry)
            if records is not None:
                records.check(index, entry)
        except Error as error:
            yield Fault(f"entry {index}", error)
