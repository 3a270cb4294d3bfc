"""Fuzz targets for what a log reads back from its own disk."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from zlib import crc32

from teeproof.core.errors import Error, Malformed, NotAuthentic
from teeproof.proof.log.storage import frames
from teeproof.proof.log.storage.disk import Disk
from teeproof.proof.log.storage.index import Index
from teeproof.proof.log.storage.journal import Journal
from teeproof.proof.log.storage.segments import START, entries_in
from teeproof.proof.log.storage.stored import (
    CHECKPOINT,
    COSIGNATURES,
    ENTRY,
    Stored,
    decode_cosignatures,
    encode_cosignatures,
    entry_of,
)

LOG = bytes(32)
SEGMENT = frames.Segment(0, 0, bytes(range(16)), LOG, bytes(32))


def fuzz_journal_frame(data: bytes) -> None:
    """A frame is read as its writer encodes it, or refused."""
    with suppress(Malformed):
        found = frames.parse_frame(data, SEGMENT, frames.SEGMENT_BYTES)
        assert frame(*found.records, first=found.first) == data[: found.end - found.offset]


def fuzz_journal_segment(data: bytes) -> None:
    """A segment's head has one encoding."""
    with suppress(Malformed):
        assert frames.Segment.parse(data).encode() == data


def fuzz_journal_records(data: bytes) -> None:
    """An entry and its form in the tree agree; cosignatures have one encoding."""
    with suppress(Malformed):
        assert Stored.parse(data).entry() == entry_of(data)
    with suppress(Malformed):
        assert encode_cosignatures(*decode_cosignatures(data)) == data


def fuzz_journal_recovery(data: bytes) -> None:
    """Whatever stands behind a segment's head is a good beginning, a torn end, or an error.

    What is kept is what ``scan`` reads again, and an index of it is the same twice.
    """
    journal = _journal()
    path = journal.path(0)
    path.write_bytes(SEGMENT.encode() + data)
    try:
        journal.open()
        kept = [one for found in journal.recover() for one in entries_in(found)]
    except NotAuthentic:
        return
    journal.settle()
    journal.close()
    assert (SEGMENT.encode() + data).startswith(path.read_bytes())
    again = [one for _, found in journal.scan(START, journal.mark) for one in entries_in(found)]
    assert again == kept
    assert journal.mark.size == len(kept)
    _index(journal)


def _index(journal: Journal) -> None:
    place = journal.folder.parent / "index.sqlite"
    index = Index(place, LOG)
    try:
        dumps = []
        for _ in range(2):
            index.clear()
            with suppress(Error):  # records may be no checkpoints
                index.follow(journal.scan(START, journal.mark))
                dumps.append(index.dump())
        assert dumps[:1] == dumps[1:]
    finally:
        index.close()


@cache
def _journal() -> Journal:
    folder = Path(tempfile.mkdtemp(prefix="teeproof-fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "journal").mkdir()
    return Journal(folder / "journal", LOG, disk=_Unsynced(), scratch=folder)


class _Unsynced(Disk):
    def sync(self, descriptor: int) -> None:
        pass

    def sync_directory(self, path: Path) -> None:
        pass


def frame(*records: frames.Record, offset: int = frames.SEGMENT_BYTES, first: int = 0) -> bytes:
    """Return a frame of the segment above."""
    contents = [content for _, content in records]
    table = frames.encode_table(bytes(kind for kind, _ in records), [len(c) for c in contents])
    data = b"".join(contents)
    head, _ = frames.encode_head(
        SEGMENT, offset, first=first, table=table, length=len(data), crc=crc32(data)
    )
    return head + data


def _frames() -> list[bytes]:
    entry = (ENTRY, b"\1" + bytes(96) + b"record")
    one = frame(entry, (CHECKPOINT, b"no note"), (COSIGNATURES, bytes(8)))
    two = frame(entry, entry, offset=frames.SEGMENT_BYTES + len(one), first=1)
    return [one, one + two, one + two[:-1], one[:-1] + two, b""]


SEEDS = {
    "fuzz_journal_frame": _frames,
    "fuzz_journal_segment": lambda: [SEGMENT.encode()],
    "fuzz_journal_records": lambda: [b"\1" + bytes(100), bytes(8)],
    "fuzz_journal_recovery": _frames,
}
