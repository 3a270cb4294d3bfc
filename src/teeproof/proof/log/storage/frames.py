"""The bytes of a journal: segments of frames of records, each piece under a checksum.

    segment  magic 16, version 2, number 4, entries before 8, nonce 16, log 32, the check of the
             frame before 32, SHA-256 of all this 32; then frames
    frame    head: marker 8 (the nonce begins with it), records 4, length of table and contents 4,
             entries before 8, CRC-32 of the contents 4; check 32; table; the records' contents
    table    the kind of each record, 1 byte; then the length of each, 4 bytes
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
from teeproof.core.text import legible

__all__ = [
    "FRAME_HEAD_BYTES",
    "MAX_BODY_BYTES",
    "MAX_FRAME_BYTES",
    "MAX_RECORDS",
    "ROW_BYTES",
    "SEGMENT_BYTES",
    "Frame",
    "Record",
    "Segment",
    "Table",
    "encode_head",
    "encode_table",
    "frame_bytes",
    "parse_frame",
    "parse_table",
]

MAX_RECORDS = 4096
MAX_BODY_BYTES = 8 << 20
_SEGMENT = struct.Struct(">16sHIQ16s32s32s")
_HEAD = struct.Struct(">8sIIQI")
ROW_BYTES = 5
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
            raise _malformed(
                "it is of another kind or version", got=f"{legible(magic)}, version {version}"
            )
        return cls(*rest)


Record = tuple[int, bytes]
"""One record: its kind and its content."""

Table = list[tuple[int, int]]
"""What a frame's table says: kind and length of each record."""


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


def encode_table(kinds: bytes, lengths: Sequence[int]) -> bytes:
    """Return a frame's table."""
    return kinds + struct.pack(f">{len(lengths)}I", *lengths)


def encode_head(
    segment: Segment, offset: int, *, first: int, table: bytes, length: int, crc: int
) -> tuple[bytes, bytes]:
    """Return the bytes of a frame before its contents, and its check.

    Args:
        segment: the segment that it is written to.
        offset: where in that segment.
        first: how many entries stand before it.
        table: by ``encode_table``.
        length: of the records' contents, together.
        crc: CRC-32 of the contents, joined.
    """
    count = len(table) // ROW_BYTES
    head = _HEAD.pack(segment.marker, count, len(table) + length, first, crc)
    check = _check(segment, offset, head, table)
    return b"".join((head, check, table)), check


def frame_bytes(head: bytes, segment: Segment) -> int:
    """Return how long the frame is that begins with these bytes, by its word; nothing is checked.

    Raises:
        Malformed: this is no frame's head, or the length is out of bounds.
    """
    if len(head) < FRAME_HEAD_BYTES:
        raise _malformed("a frame's head is cut short")
    marker, _, length, _, _ = _HEAD.unpack_from(head)
    if marker != segment.marker or length > MAX_BODY_BYTES:
        raise _malformed("this is no frame")
    return FRAME_HEAD_BYTES + int(length)


def parse_frame(data: bytes, segment: Segment, offset: int) -> Frame:
    """Return the frame with which these bytes of a segment begin; ``offset`` is theirs.

    Raises:
        Malformed: there is no whole frame, or a checksum does not hold.
    """
    table, first, crc, length = parse_table(data, segment, offset)
    at = FRAME_HEAD_BYTES + len(table) * ROW_BYTES
    end = FRAME_HEAD_BYTES + length
    if len(data) < end or crc32(memoryview(data)[at:end]) != crc:
        raise _malformed("a frame's contents are not whole")
    records = []
    for kind, size in table:
        records.append((kind, data[at : at + size]))
        at += size
    return Frame(offset, offset + end, first, data[_HEAD.size : FRAME_HEAD_BYTES], tuple(records))


def parse_table(data: bytes, segment: Segment, offset: int) -> tuple[Table, int, int, int]:
    """Return what a frame's head says: its table, the entries before it, CRC-32, body's length.

    Raises:
        Malformed: there is no whole head and table, or their check does not hold.
    """
    frame_bytes(data, segment)
    _, count, length, first, crc = _HEAD.unpack_from(data)
    start = FRAME_HEAD_BYTES + count * ROW_BYTES
    if not 0 < count <= MAX_RECORDS or len(data) < start:
        raise _malformed("a frame's table is cut short")
    table = data[FRAME_HEAD_BYTES:start]
    check = _check(segment, offset, data[: _HEAD.size], table)
    if check != data[_HEAD.size : FRAME_HEAD_BYTES]:
        raise _malformed("a frame's check does not hold")
    lengths = struct.unpack_from(f">{count}I", table, count)
    if len(table) + sum(lengths) != length:
        raise _malformed("a frame's records have another length than its body")
    return list(zip(table[:count], lengths, strict=True)), first, crc, length


def _check(segment: Segment, offset: int, head: bytes, table: bytes) -> bytes:
    return sha256(segment.nonce, offset.to_bytes(8, "big"), head, table)


def _malformed(why: str, got: str | None = None) -> Malformed:
    return Malformed(f"the journal cannot be read: {why}", code="journal_malformed", got=got)
