"""The table at the end of an OVMF image, and the sections of memory that it lists for TDX and SEV.

    32 bytes before the end      the end of the table
    the table, from its end      GUID 16, length 2, data; the last entry names the whole table
    "TDVF", "ASEV"               lists of sections, found through an entry of their own

Source: edk2, ``OvmfPkg/ResetVector``: ``Ia16/ResetVectorVtf0.asm``, ``X64/OvmfSevMetadata.asm``,
``X64/IntelTdxMetadata.asm``; Intel, "TDX Virtual Firmware Design Guide" 1.01, section 11.

Trusts: nothing; it only reads.  Does not trust: any offset, length or count in the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from teeproof.evidence.measure.image import (
    MAX_FIRMWARE_BYTES,
    PAGE,
    Image,
    malformed,
    require_apart,
)

__all__ = [
    "RESET_BLOCK",
    "SEV_HASHES",
    "SEV_KINDS",
    "TDX_KINDS",
    "SevSection",
    "TdxSection",
    "firmware",
    "sev_sections",
    "table",
    "tdx_sections",
]

FOOTER = UUID("96b582de-1fb2-45f7-baea-a366c55a082d")
TDX_METADATA = UUID("e47a6535-984a-4798-865e-4685a7bf8ec2")
SEV_METADATA = UUID("dc886566-984a-4798-a75e-5585a7bf67cc")
SEV_HASHES = UUID("7255371f-3a3b-4b04-927b-1da6efa8d454")
RESET_BLOCK = UUID("00f771de-1a7e-4fcb-890e-68c77e2fb44e")

MAX_TABLE_BYTES = 4096
MAX_SECTIONS = 64  # OVMF lists some 10
MAX_MEMORY = 64 << 20  # of all sections that are added page by page
_ADDRESSES = 1 << 52
_RESET_VECTOR = 32
_ENTRY = 18

TDX_KINDS = {
    0: "boot firmware volume",
    1: "configuration firmware volume",
    2: "TD HOB",
    3: "temporary memory",
    4: "permanent memory",
    5: "payload",
    6: "payload parameters",
    7: "TD information",
}
_WITH_DATA = frozenset({0, 1, 7})
_EXTEND, _AUGMENT = 1, 2
SEV_KINDS = {
    1: "memory",
    2: "secrets",
    3: "CPUID",
    4: "calling area of an SVSM",
    0x10: "kernel hashes",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TdxSection:
    """Memory of a TD before it runs.

    Attributes:
        kind: a number of ``TDX_KINDS``.
        address: guest-physical address of its first page.
        size: bytes, whole pages.
        content: what of it comes from the image; zeros follow.
        measured: whether its content is (MR.EXTEND), and not only its place.
        added: whether its pages are there before the start, and not accepted later.
    """

    kind: int
    address: int
    size: int
    content: memoryview
    measured: bool
    added: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SevSection:
    """Memory of an SEV-SNP guest that its firmware wants prepared.

    Attributes:
        kind: a number of ``SEV_KINDS``.
        address: guest-physical address of its first page.
        size: bytes, whole pages.
    """

    kind: int
    address: int
    size: int


def firmware(data: bytes) -> Image:
    """Return an image of firmware; TooLarge, or Malformed if it is not whole pages."""
    image = Image(data, what="firmware image", limit=MAX_FIRMWARE_BYTES)
    if not data or len(data) % PAGE:
        raise malformed(
            image.what, "size", expected="a multiple of 4096 bytes", got=f"{len(data)} bytes"
        )
    return image


def table(image: Image) -> dict[UUID, memoryview]:
    """Return the entries of the table at the image's end, by their GUIDs.

    Raises:
        Malformed: no such table, an entry twice, or a length that does not add up.
    """
    end = len(image) - _RESET_VECTOR
    if _guid(image, end) != FOOTER:
        raise malformed(
            image.what,
            "table at its end",
            expected=f"{FOOTER} 48 bytes before the end, as OVMF has it",
            got=str(_guid(image, end)),
        )
    size = image.number(end - _ENTRY, 2, "length of the table")
    if not _ENTRY <= size <= MAX_TABLE_BYTES:
        raise malformed(
            image.what,
            "length of the table",
            expected=f"{_ENTRY} to {MAX_TABLE_BYTES} bytes",
            got=f"{size} bytes",
        )
    first, at = end - size, end - _ENTRY
    entries: dict[UUID, memoryview] = {}
    while at > first:
        name, length = _guid(image, at), image.number(at - _ENTRY, 2, "table")
        if not _ENTRY <= length <= at - first or name in entries:
            raise malformed(
                image.what,
                "table",
                expected="entries of other names, which fill it",
                got=f"{length} bytes for {name}",
            )
        entries[name] = image.take(at - length, length - _ENTRY, "table")
        at -= length
    return entries


def _guid(image: Image, end: int) -> UUID:
    return UUID(bytes_le=bytes(image.take(end - 16, 16, "table")))


def tdx_sections(image: Image) -> tuple[TdxSection, ...]:
    """Return the sections of a TDX image, in the order in which they are added.

    Raises:
        Malformed: none, an unknown kind, or sections that overlap or are not in the image.
    """
    rows = _rows(image, TDX_METADATA, b"TDVF", size=32, what="TDX metadata")
    sections = tuple(_tdx_section(image, row) for row in rows)
    _require_memory(image, [(s.address, s.size) for s in sections if s.added])
    require_apart([(s.address, s.size) for s in sections], what=image.what, part="TDX sections")
    return sections


def _tdx_section(image: Image, row: memoryview) -> TdxSection:
    offset, raw, kind, attributes = (
        int.from_bytes(row[at : at + 4], "little") for at in (0, 4, 24, 28)
    )
    address, size = (int.from_bytes(row[at : at + 8], "little") for at in (8, 16))
    _require_pages(image, address, size, "TDX section")
    if kind not in TDX_KINDS or attributes & ~(_EXTEND | _AUGMENT):
        raise malformed(
            image.what,
            "TDX section",
            expected="a known type and attributes",
            got=f"type {kind}, attributes {attributes:#x}",
        )
    if raw > size or (not raw and kind in _WITH_DATA) or (raw and attributes & _AUGMENT):
        raise malformed(
            image.what,
            f"TDX section ({TDX_KINDS[kind]})",
            expected=f"at most {size:#x} bytes, and some of a firmware volume",
            got=f"{raw:#x} bytes",
        )
    return TdxSection(
        kind=kind,
        address=address,
        size=size,
        content=image.take(offset, raw, f"TDX section ({TDX_KINDS[kind]})"),
        measured=bool(attributes & _EXTEND),
        added=not attributes & _AUGMENT,
    )


def sev_sections(image: Image) -> tuple[SevSection, ...]:
    """Return the sections of an image for SEV-SNP, in their order; errors as ``tdx_sections``."""
    rows = _rows(image, SEV_METADATA, b"ASEV", size=12, what="SEV metadata")
    sections = []
    for row in rows:
        address, size, kind = (int.from_bytes(row[at : at + 4], "little") for at in (0, 4, 8))
        _require_pages(image, address, size, "SEV section")
        if kind not in SEV_KINDS:
            known = ", ".join(map(str, SEV_KINDS))
            raise malformed(
                image.what, "SEV section", expected=f"a type of {known}", got=f"type {kind}"
            )
        sections.append(SevSection(kind=kind, address=address, size=size))
    ranges = [(s.address, s.size) for s in sections]
    _require_memory(image, ranges)
    require_apart(ranges, what=image.what, part="SEV sections")
    return tuple(sections)


def _rows(image: Image, name: UUID, mark: bytes, *, size: int, what: str) -> list[memoryview]:
    """Return the rows of a list of sections, each of ``size`` bytes."""
    entry = table(image).get(name)
    if entry is None or len(entry) != 4:
        raise malformed(
            image.what,
            what,
            expected=f"an entry of 4 bytes in the table at its end ({name})",
            got="none" if entry is None else f"{len(entry)} bytes",
        )
    start = len(image) - int.from_bytes(entry, "little")
    head = image.take(start, 16, what)
    count = int.from_bytes(head[12:16], "little")
    if bytes(head[:4]) != mark or int.from_bytes(head[8:12], "little") != 1:
        raise malformed(image.what, what, expected=f"{mark!r}, version 1", got=bytes(head).hex())
    # TDX counts the whole list and SEV too: mark, length, version, number of rows, rows.
    length = int.from_bytes(head[4:8], "little")
    if not 1 <= count <= MAX_SECTIONS or length != 16 + size * count:
        raise malformed(
            image.what,
            what,
            expected=f"1 to {MAX_SECTIONS} sections of {size} bytes",
            got=f"{count} sections in {length} bytes",
        )
    return [image.take(start + 16 + size * index, size, what) for index in range(count)]


def _require_pages(image: Image, address: int, size: int, part: str) -> None:
    if address % PAGE or size % PAGE or not size or address + size > _ADDRESSES:
        raise malformed(
            image.what, part, expected="whole pages", got=f"{size:#x} bytes at {address:#x}"
        )


def _require_memory(image: Image, ranges: list[tuple[int, int]]) -> None:
    total = sum(size for _, size in ranges)
    if total > MAX_MEMORY:
        raise malformed(
            image.what,
            "size of all sections",
            expected=f"at most {MAX_MEMORY} bytes",
            got=f"{total} bytes",
        )
