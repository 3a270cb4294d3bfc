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
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.log.admission import Record, read_record
from teeproof.proof.log.formats.checkpoint import Checkpoint
from teeproof.proof.log.formats.entry import IDENTITY, Entry
from teeproof.proof.log.formats.tiles import TILE_WIDTH, entries_path
from teeproof.proof.log.http.tiletree import Fetch, TileTree
from teeproof.proof.log.storage.reader import Reader

__all__ = ["MAX_FAULTS", "Fault", "Records", "files_under", "walk"]

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
    records: Records | None = None,
    progress: Progress = lambda _done, _total: None,
) -> Iterator[Fault]:
    """Yield what is wrong with a log, at most ``MAX_FAULTS``.

    Every bundle is compared with its tile, every tile with the one above, and the tiles at the
    edge with the root; each entry is read.

    Args:
        checkpoint: what the log signed.
        fetch: where tiles and bundles come from.
        records: of the log on disk, if it is here: then each must be what its entry commits to, and
            the evidence of each identity must lie beside it.
        progress: told how far it is.
    """
    tree = TileTree(checkpoint.size, checkpoint.root, fetch)
    try:
        tree.check_edge()
    except Error as error:
        yield Fault("the tiles at the edge", error)
        return  # nothing below it could be believed
    found = 0
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


class Records:
    """The records of a log on disk, and the evidence beside it.

    Attributes:
        blobs: how many blobs the identities that were looked at name.
        lost: how many of them are missing or changed.
    """

    def __init__(self, log: Reader) -> None:
        self.blobs = self.lost = 0
        self._log = log
        self._keysets: dict[str, bytes] = {}

    def check(self, index: int, entry: bytes) -> list[Error]:
        """Return what is wrong with an entry's evidence; raises if its record is another one."""
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
        return self._evidence(record) if record.kind == IDENTITY else []

    def _evidence(self, record: Record) -> list[Error]:
        named = sorted(set(IdentityRecord.parse(record.data).attachments.values()))
        found = [error for digest in named if (error := self._of_blob(digest))]
        self.blobs, self.lost = self.blobs + len(named), self.lost + len(found)
        return found

    def _of_blob(self, digest: str) -> Error | None:
        try:
            self._log.blob(digest)
        except Unavailable as error:
            if error.code != "blob_unknown":
                return error
            return Unavailable(
                "the evidence of this identity is not beside the log, so no proof of what it said"
                " can be exported: append a proof file that holds it",
                code="evidence_missing",
                expected=digest,
            )
        except Error as error:
            return error
        return None


def _of_entries(start: int, entries: list[bytes], records: Records | None) -> Iterator[Fault]:
    for index, entry in enumerate(entries, start):
        try:
            Entry.parse(entry)
            wrong = records.check(index, entry) if records else []
        except Error as error:
            wrong = [error]
        yield from (Fault(f"entry {index}", error) for error in wrong)
