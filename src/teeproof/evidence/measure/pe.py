"""PE/COFF programs: their sections, and the bytes that firmware hashes when it starts one.

The hash leaves out what signing changes: the checksum, the entry of the certificate table, and the
table itself. What firmware does decides, not what a signer would: it adds no padding.

Source: Microsoft, "Windows Authenticode Portable Executable Signature Format", "Calculating the PE
Image Hash"; "PE Format"; edk2, ``Tcg2Dxe/MeasureBootPeCoff.c``.

Trusts: nothing; it only reads.  Does not trust: any offset, size or count in the program.
"""

from __future__ import annotations

from dataclasses import dataclass

from teeproof.evidence.measure.image import MAX_KERNEL_BYTES, Image, malformed, require_apart

__all__ = ["Program", "Section", "parse"]

MAX_SECTIONS = 96  # PE Format: what the Windows loader takes
_PE32, _PE32_PLUS = 0x10B, 0x20B
_CERTIFICATES = 4  # the index of the certificate table among the data directories
_MAX_DIRECTORIES = 16
_SECTION_BYTES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section of a program.

    Attributes:
        name: as the table has it, without the zeros behind it.
        address: where it will lie, from the program's start.
        size: how many bytes it has in memory.
        raw: its bytes in the file; those behind ``size`` are padding.
    """

    name: bytes
    address: int
    size: int
    raw: memoryview

    @property
    def content(self) -> memoryview:
        """The bytes of the file that are the section's own."""
        return self.raw[: self.size]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program for firmware to start.

    Attributes:
        sections: in the table's order.
        hashed: the pieces of the file that are hashed, in order.
    """

    sections: tuple[Section, ...]
    hashed: tuple[memoryview, ...]


def parse(data: bytes, *, what: str = "program") -> Program:
    """Return a program's sections, and what of it is hashed.

    Args:
        data: the file.
        what: its name in messages.

    Raises:
        TooLarge: more than ``MAX_KERNEL_BYTES``.
        Malformed: not such a program, or one whose parts overlap or lie outside the file.
    """
    image = Image(data, what=what, limit=MAX_KERNEL_BYTES)
    pe = _signature(image)
    count = image.number(pe + 6, 2, "number of sections")
    optional = pe + 24
    size = image.number(pe + 20, 2, "size of the optional header")
    if not 1 <= count <= MAX_SECTIONS:
        expected = f"1 to {MAX_SECTIONS} sections"
        raise malformed(what, "number of sections", expected=expected, got=f"{count}")
    headers = image.number(optional + 60, 4, "size of the headers")
    table = optional + size
    if not table + count * _SECTION_BYTES <= headers <= len(image):
        raise malformed(
            what,
            "size of the headers",
            expected=f"{table + count * _SECTION_BYTES:#x} to {len(image):#x}",
            got=f"{headers:#x}",
        )
    ranges = [_raw_range(image, table + index * _SECTION_BYTES) for index in range(count)]
    require_apart([(0, headers), *ranges], what=what, part="sections")
    sections = tuple(
        _section(image, table + index * _SECTION_BYTES, ranges[index]) for index in range(count)
    )
    hashed = (*_headers(image, optional, size, headers), *_rest(image, optional, headers, ranges))
    return Program(sections=sections, hashed=hashed)


def _signature(image: Image) -> int:
    if bytes(image.take(0, 2, "first bytes")) != b"MZ":
        raise malformed(image.what, "first bytes", expected="MZ", got=bytes(image.data[:2]).hex())
    pe = image.number(0x3C, 4, "offset of the PE header")
    if bytes(image.take(pe, 4, "PE header")) != b"PE\0\0":
        raise malformed(
            image.what, "PE header", expected="PE", got=bytes(image.view[pe : pe + 4]).hex()
        )
    return pe


def _raw_range(image: Image, at: int) -> tuple[int, int]:
    size = image.number(at + 16, 4, "section table")
    start = image.number(at + 20, 4, "section table") if size else 0
    image.take(start, size, "section")
    return start, size


def _section(image: Image, at: int, raw: tuple[int, int]) -> Section:
    return Section(
        name=bytes(image.take(at, 8, "section table")).rstrip(b"\0"),
        size=image.number(at + 8, 4, "section table"),
        address=image.number(at + 12, 4, "section table"),
        raw=image.take(*raw, "section"),
    )


def _directories(image: Image, optional: int) -> tuple[int, int]:
    """Return where the data directories begin, and how many there are."""
    magic = image.number(optional, 2, "optional header")
    if magic not in (_PE32, _PE32_PLUS):
        raise malformed(
            image.what, "optional header", expected="PE32 or PE32+", got=f"magic {magic:#x}"
        )
    first = optional + (96 if magic == _PE32 else 112)
    return first, image.number(first - 4, 4, "number of data directories")


def _certificates(image: Image, optional: int) -> tuple[int, int, int] | None:
    """Return the place of the certificate table's entry, and the table's place and size."""
    first, count = _directories(image, optional)
    if count > _MAX_DIRECTORIES:
        raise malformed(
            image.what,
            "number of data directories",
            expected=f"at most {_MAX_DIRECTORIES}",
            got=f"{count}",
        )
    if count <= _CERTIFICATES:
        return None
    entry = first + 8 * _CERTIFICATES
    where = image.number(entry, 4, "certificate table")
    return entry, where, image.number(entry + 4, 4, "certificate table")


def _headers(image: Image, optional: int, size: int, headers: int) -> tuple[memoryview, ...]:
    found = _certificates(image, optional)
    checksum = optional + 64
    last = checksum + 4 if found is None else found[0] + 8
    if last > optional + size:
        raise malformed(
            image.what,
            "optional header",
            expected=f"{last - optional} bytes or more",
            got=f"{size} bytes",
        )
    if found is None:
        return image.view[:checksum], image.view[checksum + 4 : headers]
    entry = found[0]
    return image.view[:checksum], image.view[checksum + 4 : entry], image.view[entry + 8 : headers]


def _rest(
    image: Image, optional: int, headers: int, ranges: list[tuple[int, int]]
) -> tuple[memoryview, ...]:
    """Return the sections in the file's order, and what lies behind them but for certificates."""
    found = _certificates(image, optional)
    pieces = [image.view[start : start + size] for start, size in sorted(ranges) if size]
    done = headers + sum(len(piece) for piece in pieces)
    signed = 0 if found is None else found[2]
    if signed and found is not None and (found[1] + signed != len(image) or found[1] < done):
        raise malformed(
            image.what,
            "certificate table",
            expected=f"the end of the file, at {done:#x} or behind it",
            got=f"{signed:#x} bytes at {found[1]:#x}",
        )
    return (*pieces, image.view[done : len(image) - signed])
