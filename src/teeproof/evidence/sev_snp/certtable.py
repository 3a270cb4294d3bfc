"""Parse the certificate table that a host hands to an SEV-SNP guest beside its report.

Rows of 24 bytes, a GUID, an offset and a size (little-endian), end with a row of zeros; the
certificates (DER) stand behind them. Zeros fill up pages, and count for nothing. A host may give
an empty table, and may give what it likes: the report's verifier checks each certificate.

Source: GHCB specification (AMD 56421) 2.03, 4.1.8.1; the GUIDs as ``uuid_parse`` writes them.

Trusts: nothing; it only reads.  Does not trust: the host, which made the table; offsets and sizes.
"""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from teeproof.core.errors import Malformed, TooLarge
from teeproof.evidence import der

__all__ = ["GUIDS", "MAX_ROWS", "MAX_TABLE_BYTES", "Listed", "parse", "to_pem"]

MAX_TABLE_BYTES = 64 << 10  # Linux takes four pages from a host; real tables have some 5 KB
MAX_ROWS = 16
ROW_BYTES = 24
GUIDS = {
    UUID("63da758d-e664-4564-adc5-f4b93be8accd"): "VCEK",
    UUID("a8074bc2-a25a-483e-aae6-39c045a0b8a1"): "VLEK",
    UUID("4ab7b379-bbac-4fe4-a02f-05aef327c782"): "ASK",
    UUID("c0b406a4-a803-4952-9743-3fb6014cd0ae"): "ARK",
    UUID("92f81bc3-5811-4d3d-97ff-d19f88dc67ea"): "CRL",
}
"""What stands under a GUID; a host may add others, which are left out."""


class Listed(NamedTuple):
    """One row of the table.

    Attributes:
        name: what it is, one of ``GUIDS``.
        content: the certificate or revocation list (DER).
    """

    name: str
    content: bytes


def parse(data: bytes) -> tuple[Listed, ...]:
    """Return what a table lists, in its order; nothing of an empty one.

    Raises:
        TooLarge: more than ``MAX_TABLE_BYTES``.
        Malformed: no end, a row twice, parts that overlap or leave the table, bytes that no row
            names, or content that is not one DER element.
    """
    if len(data) > MAX_TABLE_BYTES:
        raise TooLarge(
            "this is too large for a host's certificate table",
            expected=f"at most {MAX_TABLE_BYTES} bytes",
            got=f"{len(data)} bytes",
        )
    if not any(data):
        return ()
    rows, body = _rows(data)
    _require_apart(data, rows, body)
    known = [(GUIDS[guid], data[at : at + size]) for guid, at, size in rows if guid in GUIDS]
    return tuple(Listed(name, _element(name, content)) for name, content in known)


def to_pem(data: bytes) -> bytes:
    """Return the certificates and lists of a table as PEM; raises what ``parse`` raises."""
    return b"".join(der.armoured(one.content) for one in parse(data))


def _rows(data: bytes) -> tuple[list[tuple[UUID, int, int]], int]:
    """Return the rows, and where what stands behind them begins."""
    found: list[tuple[UUID, int, int]] = []
    for at in range(0, ROW_BYTES * (MAX_ROWS + 1), ROW_BYTES):
        row = data[at : at + ROW_BYTES]
        if len(row) < ROW_BYTES:
            raise _malformed("a row of zeros at its end", f"an end after {len(data)} bytes")
        if not any(row):
            return found, at + ROW_BYTES
        guid = UUID(bytes=row[:16])
        if any(guid == other for other, _, _ in found):
            raise _malformed("one row for each GUID", f"two for {guid}")
        place, size = int.from_bytes(row[16:20], "little"), int.from_bytes(row[20:], "little")
        found.append((guid, place, size))
    raise _malformed(f"at most {MAX_ROWS} rows", "more")


def _require_apart(data: bytes, rows: list[tuple[UUID, int, int]], body: int) -> None:
    """Raise Malformed unless each byte behind the rows belongs to one row, or is zero."""
    end = body
    for _, at, size in sorted(rows, key=lambda row: row[1:]):
        if at < end or not size:
            raise _malformed("parts that stand apart", f"{size} bytes at {at}, after {end}")
        if at + size > len(data):
            raise _malformed(f"parts within {len(data)} bytes", f"{size} bytes at {at}")
        if any(data[end:at]):
            raise _malformed("zeros between parts", f"other bytes before {at}")
        end = at + size
    if any(data[end:]):
        raise _malformed("nothing but zeros behind the last part", f"other bytes after {end}")


def _element(name: str, content: bytes) -> bytes:
    try:
        der.only(content, der.SEQUENCE)
    except ValueError as error:
        raise _malformed(f"DER as {name}", str(error)) from None
    return content


def _malformed(expected: str, got: str) -> Malformed:
    return Malformed(
        f"the host's certificate table is malformed: expected {expected}, got {got}",
        code="certificate_table_malformed",
        expected=expected,
        got=got,
    )
