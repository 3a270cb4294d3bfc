"""The little DER that X.509 libraries leave to us: tag, length, value, with every bound checked."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["BOOLEAN", "ENUMERATED", "INTEGER", "OCTETS", "OID", "SEQUENCE", "elements", "only"]

BOOLEAN, INTEGER, OCTETS, OID, ENUMERATED, SEQUENCE = 0x01, 0x02, 0x04, 0x06, 0x0A, 0x30


def elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (tag, value) of the elements that stand in ``data`` one after the other.

    Raises:
        ValueError: a length that is not minimal, or that runs past the end.
    """
    at = 0
    while at < len(data):
        if at + 2 > len(data):
            raise ValueError("truncated DER element")
        tag, size, at = data[at], data[at + 1], at + 2
        if size & 0x80:
            count = size & 0x7F
            size = int.from_bytes(data[at : at + count], "big")
            if not 1 <= count <= 3 or size < 0x80 or size.bit_length() <= 8 * (count - 1):
                raise ValueError("non-minimal DER length")
            at += count
        if at + size > len(data):
            raise ValueError("DER element runs past the end")
        yield tag, data[at : at + size]
        at += size


def only(data: bytes, tag: int) -> bytes:
    """Return the value of the single element in ``data``, which must have this tag."""
    found = list(elements(data))
    if len(found) != 1 or found[0][0] != tag:
        raise ValueError(f"expected one DER element with tag {tag:#04x}")
    return found[0][1]
