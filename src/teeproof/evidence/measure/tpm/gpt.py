"""A disk's partition table as firmware measures it into PCR 5 when it starts a program from there.

    header                     92 bytes
    number of partitions       8
    each that is in use        as its entry is

Source: UEFI 2.10, 5.3 (GUID partition table); TCG PC Client Platform Firmware Profile 1.06, 10.2.7
(UEFI_GPT_DATA).

Trusts: nothing; it only reads.  Does not trust: any offset, count or checksum on the disk.
"""

from __future__ import annotations

import zlib

from teeproof.evidence.measure.image import Image, malformed

__all__ = ["HEAD_BYTES", "partition_table"]

HEAD_BYTES = 1 << 20  # of a disk, where the table lies within; larger ones are refused
_SECTOR = 512
_HEADER_BYTES = 92
_ENTRY_BYTES = 128
_MAX_ENTRIES = 1024


def partition_table(disk: bytes) -> bytes | None:
    """Return what is measured of a disk; None where it has no GUID partition table.

    Args:
        disk: its first ``HEAD_BYTES`` bytes, or all where it has fewer; sectors have 512 bytes.

    Raises:
        TooLarge: more than ``HEAD_BYTES``.
        Malformed: a checksum, a place or a size in the table is not as firmware takes it.
    """
    image = Image(disk, what="disk", limit=HEAD_BYTES)
    if bytes(image.view[_SECTOR : _SECTOR + 8]) != b"EFI PART":
        return None
    header = bytes(image.take(_SECTOR, _HEADER_BYTES, "partition table"))
    _require(image, header)
    place = int.from_bytes(header[72:80], "little")
    count = int.from_bytes(header[80:84], "little")
    entries = image.take(place * _SECTOR, count * _ENTRY_BYTES, "partitions")
    if zlib.crc32(entries) != int.from_bytes(header[88:92], "little"):
        raise malformed(
            image.what,
            "partitions",
            expected=f"checksum {header[88:92].hex()}",
            got=f"{zlib.crc32(entries):08x}",
        )
    rows = [bytes(entries[at : at + _ENTRY_BYTES]) for at in range(0, len(entries), _ENTRY_BYTES)]
    used = [row for row in rows if any(row[:16])]  # a type of zeros: the entry is not in use
    return header + len(used).to_bytes(8, "little") + b"".join(used)


def _require(image: Image, header: bytes) -> None:
    said = int.from_bytes(header[16:20], "little")
    found = zlib.crc32(header[:16] + bytes(4) + header[20:])
    count, size = (int.from_bytes(header[at : at + 4], "little") for at in (80, 84))
    own = int.from_bytes(header[24:32], "little")
    length = int.from_bytes(header[12:16], "little")
    if said != found or own != 1 or length != _HEADER_BYTES:
        raise malformed(
            image.what,
            "partition table",
            expected=f"{_HEADER_BYTES} bytes in sector 1, checksum {said:08x}",
            got=f"{length} bytes, sector {own}, checksum {found:08x}",
        )
    if not 1 <= count <= _MAX_ENTRIES or size != _ENTRY_BYTES:
        raise malformed(
            image.what,
            "partitions",
            expected=f"1 to {_MAX_ENTRIES} of {_ENTRY_BYTES} bytes",
            got=f"{count} of {size} bytes",
        )
