"""The bytes of a journal: segments of frames of records, each piece under a checksum.

    segment  magic 16, version 2, number 4, entries before 8, nonce 16, log 32, the check of the
             frame before 32, SHA-256 of all this 32; then frames
    frame    marker 8 (the nonce begins with it), records 4, body's length 4, entries before 8,
             check 32; then the body: a table, then the records' contents
    table    per record: kind 1, length 4, CRC-32 of the content 4
    check    SHA-256 over the nonce, the frame's offset in its segment, its head and its table

One frame is one group commit. The nonce is random and stays on the machine, so no content that a
stranger submits can pass for a frame; the offset keeps a frame from passing for one elsewhere.

Trusts: nothing; it only reads.  Does not trust: lengths and counts in the bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Self
from zlib import crc32

import msgspec

from teeproof.core.digests import sha256
from teeproof.core.errors import Malformed

__all__ = [
    "FRAME_HEAD_BYTES",
    "MAX_BODY_BYTES",
    "MAX_FRAME_BYTES",
    "MAX_RECORDS",
    "SEGMENT_BYTES",
    "TABLE_ROW",
    "Frame",
    "Record",
    "Row",
    "Segment",
    "encode_frame",
    "find_record",
    "frame_bytes",
    "parse_frame",
    "parse_table",
    "table_bytes",
    "whole",
]

MAX_RECORDS = 4096
MAX_BODY_BYTES = 8 << 20
TABLE_ROW = struct.Struct(">BII")
_SEGMENT = struct.Struct(">16sHIQ16s32s32s")
_HEAD = struct.Struct(">8sIIQ")
_MAGIC = b"teeproof.journal"
_VERSION = 1
SEGMENT_BYTES = _SEGMENT.size + 32
FRAME_HEAD_BYTES = _HEAD.size + 32
MAX_FRAME_BYTES = FRAME_HEAD_BYTES + MAX_BODY_BYTES


class Segment(msgspec.Struct, frozen=True):
    """The head of one file of the journal.

    Attributes:
        number: 0, 1, 2 ... in the order of writing.
        first: how many entries stand in the segments before.
        nonce: 16 random bytes.
        log: 32 bytes that name the log.
        previous: the check of the last frame before; zeros in the first segment.
    """

    number: int
    first: int
    nonce: bytes
    log: bytes
    previous: bytes

    @property
    def marker(self) -> bytes:
        """The 8 bytes with which each frame begins."""
        return self.nonce[:8]

    def encode(self) -> bytes:
        """Return the head's bytes."""
        head = _SEGMENT.pack(
            _MAGIC, _VERSION, self.number, self.first, self.nonce, self.log, self.previous
        )
        return head + sha256(head)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Return the head in these bytes.

        Raises:
            Malformed: another length, magic or version, or a wrong checksum.
        """
        if len(data) != SEGMENT_BYTES or sha256(data[:-32]) != data[-32:]:
            raise _malformed("a segment's head is not whole")
        magic, version, *rest = _SEGMENT.unpack_from(data)
        if magic != _MAGIC or version != _VERSION:
            raise _malformed("it is of another kind or version", got=ascii((magic, version)))
        return cls(*rest)


Record = tuple[int, bytes]
"""One record: its kind and its content."""

Row = tuple[int, int, int]
"""What the table says of one record: its kind, its length, its CRC-32."""


class Frame(msgspec.Struct, frozen=True):
    """One group commit.

    Attributes:
        offset: where it begins in its segment.
        end: where the next one begins.
        first: how many entries stand before it in the log.
        check: 32 bytes.
        records: in the order of writing.
    """

    offset: int
    end: int
    first: int
    check: bytes
    records: tuple[Record, ...]


def encode_frame(
    segment: Segment, offset: int, first: int, table: Sequence[bytes], contents: Sequence[bytes]
) -> tuple[bytes, bytes]:
    """Return a frame's bytes and its check.

    Args:
        segment: the segment that it is written to.
        offset: where in that segment.
        first: how many entries stand before it.
        table: a ``TABLE_ROW`` per record.
        contents: the records' contents, in the same order.
    """
    rows = b"".join(table)
    body = b"".join(contents)
    head = _HEAD.pack(segment.marker, len(table), len(rows) + len(body), first)
    check = _check(segment, offset, head, rows)
    return b"".join((head, check, rows, body)), check


def frame_bytes(head: bytes, segment: Segment) -> int:
    """Return how long the frame is that begins with these bytes, by its word; nothing is checked.

    Raises:
        Malformed: this is no frame's head, or the length is out of bounds.
    """
    if len(head) < FRAME_HEAD_BYTES:
        raise _malformed("a frame's head is cut short")
    marker, _, length, _ = _HEAD.unpack_from(head)
    if marker != segment.marker or length > MAX_BODY_BYTES:
        raise _malformed("this is no frame")
    return FRAME_HEAD_BYTES + int(length)


def table_bytes(head: bytes) -> int:
    """Return how long a frame's head and table are together, by its word; at most ``MAX_RECORDS``.

    Raises:
        Malformed: the head is cut short.
    """
    if len(head) < FRAME_HEAD_BYTES:
        raise _malformed("a frame's head is cut short")
    count = min(_HEAD.unpack_from(head)[1], MAX_RECORDS)
    return FRAME_HEAD_BYTES + int(count) * TABLE_ROW.size


def parse_frame(data: bytes, segment: Segment, offset: int) -> Frame:
    """Return the frame with which these bytes of a segment begin; ``offset`` is theirs.

    Raises:
        Malformed: there is no whole frame, or a checksum does not hold.
    """
    rows, first, end = parse_table(data, segment, offset)
    records, at = [], FRAME_HEAD_BYTES + len(rows) * TABLE_ROW.size
    for kind, size, crc in rows:
        content = data[at : at + size]
        if crc32(content) != crc or len(content) != size:
            raise _malformed("a record's checksum does not hold")
        records.append((kind, content))
        at += size
    return Frame(offset, end, first, data[_HEAD.size : FRAME_HEAD_BYTES], tuple(records))


def parse_table(data: bytes, segment: Segment, offset: int) -> tuple[list[Row], int, int]:
    """Return what a frame's head and table say: its rows, the entries before it, and its end.

    Raises:
        Malformed: there is no whole head and table, or their check does not hold.
    """
    if len(data) < FRAME_HEAD_BYTES:
        raise _malformed("a frame's head is cut short")
    marker, count, length, first = _HEAD.unpack_from(data)
    start = FRAME_HEAD_BYTES + count * TABLE_ROW.size
    if marker != segment.marker or not 0 < count <= MAX_RECORDS or length > MAX_BODY_BYTES:
        raise _malformed("this is no frame")
    table = data[FRAME_HEAD_BYTES:start]
    check = _check(segment, offset, data[: _HEAD.size], table)
    if check != data[_HEAD.size : FRAME_HEAD_BYTES]:
        raise _malformed("a frame's check does not hold")
    rows = list(TABLE_ROW.iter_unpack(table))
    if start + sum([size for _, size, _ in rows]) != FRAME_HEAD_BYTES + length:
        raise _malformed("a frame's records have another length than its body")
    return rows, first, offset + FRAME_HEAD_BYTES + length


def find_record(rows: Sequence[Row], kind: int, place: int) -> tuple[int, int, int]:
    """Return offset in the frame, length and CRC-32 of one of the records of a kind.

    Raises:
        Malformed: there are not so many.
    """
    at = FRAME_HEAD_BYTES + len(rows) * TABLE_ROW.size
    for found, size, crc in rows:
        if found == kind:
            if place == 0:
                return at, size, crc
            place -= 1
        at += size
    raise _malformed("a frame has fewer records")


def whole(content: bytes, size: int, crc: int) -> bytes:
    """Return a record's content.

    Raises:
        Malformed: it is cut short, or its CRC-32 differs.
    """
    if len(content) != size or crc32(content) != crc:
        raise _malformed("a record's checksum does not hold")
    return content


def _check(segment: Segment, offset: int, head: bytes, table: bytes) -> bytes:
    return sha256(segment.nonce, offset.to_bytes(8, "big"), head, table)


def _malformed(why: str, got: str | None = None) -> Malformed:
    return Malformed(f"the journal cannot be read: {why}", code="journal_malformed", got=got)
