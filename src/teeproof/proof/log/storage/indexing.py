"""What of a journal goes into its index, table by table.

Trusts: frames, which were checked when they were read.  Does not trust: nothing else.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.log.storage.bloom import prefixes_of
from teeproof.proof.log.storage.faults import corrupt
from teeproof.proof.log.storage.frames import Frame
from teeproof.proof.log.storage.segments import entries_in
from teeproof.proof.log.storage.stored import CHECKPOINT, COSIGNATURES, decode_cosignatures

__all__ = ["COSIGNED", "SCHEMA", "Place", "insert"]

# A second signature line; each begins with an em dash, after a newline. Others are not read: there
# may be millions.
COSIGNED = " AND instr(substr(note, instr(note, X'0AE28094') + 4), X'0AE28094') > 0"
SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE ids (prefix INTEGER, entry INTEGER, PRIMARY KEY (prefix, entry)) WITHOUT ROWID;
CREATE TABLE authors (identity BLOB, entry INTEGER, PRIMARY KEY (identity, entry)) WITHOUT ROWID;
CREATE TABLE frames (first INTEGER PRIMARY KEY, segment INTEGER, offset INTEGER);
CREATE TABLE checkpoints (size INTEGER PRIMARY KEY, note BLOB NOT NULL);
CREATE TABLE recent (prefix INTEGER);
"""

Place = tuple[int, int, int]
"""The frame of an entry: how many entries stand before it, its segment, its offset there."""


def insert(write: sqlite3.Cursor, found: Iterable[tuple[int, Frame]]) -> Sequence[int]:
    """Add the frames' records; return the prefixes of the new ids."""
    ids: list[bytes] = []
    authors: list[bytes] = []
    places: list[Place] = []
    start = -1
    for segment, frame in found:
        entries = entries_in(frame)
        if entries:
            start = frame.first if start < 0 else start
            ids += [content[33:41] for content in entries]
            authors += [content[65:97] for content in entries]
            places.append((frame.first, segment, frame.offset))
        if len(entries) < len(frame.records):
            _insert_others(write, frame)
    prefixes, numbers = prefixes_of(ids), range(start, start + len(ids))
    both = zip(prefixes, numbers, strict=True), zip(authors, numbers, strict=True)
    write.executemany("INSERT INTO ids VALUES (?, ?)", sorted(both[0]))
    write.executemany("INSERT INTO authors VALUES (?, ?)", sorted(both[1]))
    write.executemany("INSERT INTO frames VALUES (?, ?, ?)", places)
    return prefixes


def _insert_others(write: sqlite3.Cursor, frame: Frame) -> None:
    for kind, content in frame.records:
        if kind == CHECKPOINT:
            _insert_checkpoint(write, SignedCheckpoint.parse(content))
        elif kind == COSIGNATURES:
            _insert_cosignatures(write, content)


def _insert_checkpoint(write: sqlite3.Cursor, signed: SignedCheckpoint) -> None:
    size = signed.checkpoint.size
    row = write.execute("SELECT note FROM checkpoints WHERE size = ?", (size,)).fetchone()
    if row and SignedCheckpoint.parse(row[0]).note.text != signed.note.text:
        raise corrupt(f"the journal has two checkpoints of size {size}")
    if not row:
        write.execute("INSERT INTO checkpoints VALUES (?, ?)", (size, signed.encode()))


def _insert_cosignatures(write: sqlite3.Cursor, content: bytes) -> None:
    size, lines = decode_cosignatures(content)
    row = write.execute("SELECT note FROM checkpoints WHERE size = ?", (size,)).fetchone()
    if not row:
        raise corrupt(f"the journal has cosignatures of size {size}, and no such checkpoint")
    note = SignedCheckpoint.parse(row[0]).with_(*lines).encode()
    write.execute("UPDATE checkpoints SET note = ? WHERE size = ?", (note, size))
