"""The firmware volumes that OVMF unpacks and measures first: those of PEI and DXE.

    a firmware image      volumes, one behind the other
    a volume              files; the one that holds others is compressed as a whole
    unpacked              sections; two are volumes, and these are what PCR 0 holds

Source: UEFI PI 1.8, volume 3, 3.2 (volumes, files, sections); edk2, ``OvmfPkgX64.fdf`` and
``Tcg2Pei``; the LZMA file format's 13-byte header.

Trusts: nothing; it only reads.  Does not trust: any length in the image, nor what it unpacks to.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterator
from uuid import UUID

from teeproof.evidence.measure.image import PAGE, Image, malformed
from teeproof.evidence.measure.ovmf import firmware

__all__ = ["inner_volumes"]

MAX_UNPACKED = 64 << 20  # OVMF's are some 13 MiB
MAX_PARTS = 4096  # files of a volume, or sections of a file
_DICTIONARY = 128 << 20
_LZMA = UUID("ee4e5898-3914-4259-9d6e-dc7bd79403cf")
_FILE_OF_VOLUMES = 0x0B
_GUIDED, _VOLUME = 0x02, 0x17
_LARGE = 1
_PAD = 0xFF


def inner_volumes(data: bytes) -> tuple[memoryview, ...]:
    """Return the volumes inside the image's compressed file, in their order.

    Raises:
        Malformed, TooLarge: not whole pages, no such file, or a length that does not add up.
    """
    image = firmware(data)
    for volume in _volumes(image):
        for kind, content in _files(volume):
            if kind != _FILE_OF_VOLUMES:
                continue
            for section, packed in _sections(content):
                if section == _GUIDED and UUID(bytes_le=bytes(packed.take(0, 16, "GUID"))) == _LZMA:
                    return _unpacked(image, packed)
    raise malformed(
        image.what,
        "volumes",
        expected="a file of volumes, compressed with LZMA, as OVMF has it",
        got="none",
    )


def _volumes(image: Image) -> Iterator[Image]:
    at = 0
    while at < len(image):
        if bytes(image.view[at + 0x28 : at + 0x2C]) != b"_FVH":
            at += PAGE
            continue
        size = image.number(at + 0x20, 8, "volume")
        if not size or size % PAGE:
            raise malformed(image.what, "volume", expected="whole pages", got=f"{size:#x} bytes")
        yield _part(image, at, size, "firmware volume")
        at += size


def _part(image: Image, at: int, size: int, what: str) -> Image:
    return Image(bytes(image.take(at, size, what)), what=what, limit=MAX_UNPACKED)


def _files(volume: Image) -> Iterator[tuple[int, Image]]:
    extended = volume.number(0x34, 2, "header")
    at = volume.number(0x30, 2, "header")
    if extended:
        at = extended + volume.number(extended + 16, 4, "extended header")
    for _ in range(MAX_PARTS):
        at = (at + 7) & ~7
        if at + 24 > len(volume) or volume.data[at : at + 24] == bytes([_PAD]) * 24:
            return
        large = volume.data[at + 19] & _LARGE
        head = 32 if large else 24
        size = volume.number(at + 24, 8, "file") if large else volume.number(at + 20, 3, "file")
        if size < head:
            raise malformed(volume.what, "file", expected=f"{head} bytes or more", got=f"{size}")
        kind = volume.data[at + 18]
        if kind == _FILE_OF_VOLUMES:
            yield kind, _part(volume, at + head, size - head, "file")
        at += size
    raise malformed(volume.what, "files", expected=f"at most {MAX_PARTS}", got="more")


def _sections(file: Image) -> Iterator[tuple[int, Image]]:
    at = 0
    for _ in range(MAX_PARTS):
        at = (at + 3) & ~3
        if at >= len(file):
            return
        size, head = file.number(at, 3, "section"), 4
        if size == 0xFF_FFFF:
            size, head = file.number(at + 4, 4, "section"), 8
        if size < head:
            raise malformed(file.what, "section", expected=f"{head} bytes or more", got=f"{size}")
        if file.number(at + 3, 1, "section") in (_GUIDED, _VOLUME):
            yield file.data[at + 3], _part(file, at + head, size - head, "section")
        at += size
    raise malformed(file.what, "sections", expected=f"at most {MAX_PARTS}", got="more")


def _unpacked(image: Image, packed: Image) -> tuple[memoryview, ...]:
    # The data's offset counts the section's own header of 4 bytes, or of 8 where it is long.
    head = 8 if len(packed) + 4 >= 0xFF_FFFF else 4
    start = packed.number(16, 2, "offset of the data") - head
    body = packed.take(start, len(packed) - start, "data")
    if start < 20 or not len(body) > 13 or not 0 < _size(body) <= MAX_UNPACKED:
        raise malformed(
            image.what,
            "compressed volumes",
            expected=f"at most {MAX_UNPACKED} bytes unpacked",
            got=f"{_size(body)} bytes" if len(body) > 13 else "no data",
        )
    try:
        reader = lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_DICTIONARY)
        data = reader.decompress(bytes(body), max_length=_size(body))
    except lzma.LZMAError as error:
        raise malformed(image.what, "compressed volumes", expected="LZMA", got=str(error)) from None
    if len(data) != _size(body):
        raise malformed(
            image.what,
            "compressed volumes",
            expected=f"{_size(body)} bytes",
            got=f"{len(data)} bytes",
        )
    inner = Image(data, what="unpacked volumes", limit=MAX_UNPACKED)
    return tuple(part.view for kind, part in _sections(inner) if kind == _VOLUME)


def _size(body: memoryview) -> int:
    return int.from_bytes(body[5:13], "little")
