"""Images made by hand for tests: programs, kernels, firmware, unified kernel images."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from uuid import UUID

PE_AT = 0x80
OPTIONAL_BYTES = 112 + 16 * 8
ALIGN = 0x200


def program(
    sections: Sequence[tuple[bytes, bytes]] = ((b".text", b"code"),),
    *,
    tail: bytes = b"",
    certificates: bytes = b"",
    plus: bool = True,
) -> bytes:
    """Return a PE program with these sections, PE32+ or PE32."""
    optional = OPTIONAL_BYTES if plus else OPTIONAL_BYTES - 16
    table = PE_AT + 24 + optional
    headers = _up(table + 40 * len(sections))
    head = bytearray(headers)
    head[:2] = b"MZ"
    struct.pack_into("<I", head, 0x3C, PE_AT)
    head[PE_AT : PE_AT + 4] = b"PE\0\0"
    struct.pack_into("<HH12xHH", head, PE_AT + 4, 0x8664, len(sections), optional, 0x22)
    at = PE_AT + 24
    struct.pack_into("<H", head, at, 0x20B if plus else 0x10B)
    struct.pack_into("<II", head, at + 32, 0x1000, ALIGN)
    struct.pack_into("<II", head, at + 60, headers, 0xC0FFEE)  # its size, and a checksum
    directories = at + (112 if plus else 96)
    struct.pack_into("<I", head, directories - 4, 16)
    body = b""
    for index, (name, content) in enumerate(sections):
        raw = content.ljust(_up(len(content)), b"\0")
        row = struct.pack(
            "<8sIIII", name, len(content), 0x1000 * (index + 1), len(raw), headers + len(body)
        )
        head[table + 40 * index : table + 40 * index + len(row)] = row
        body += raw
    if certificates:
        where = headers + len(body) + len(tail)
        struct.pack_into("<II", head, directories + 8 * 4, where, len(certificates))
    return bytes(head) + body + tail + certificates


def with_sections(stub: bytes, sections: Mapping[bytes, bytes]) -> bytes:
    """Return a program with more sections behind those that it has: as ukify makes them."""
    image = bytearray(stub)
    pe = int.from_bytes(image[0x3C:0x40], "little")
    (count,) = struct.unpack_from("<H", image, pe + 6)
    (optional,) = struct.unpack_from("<H", image, pe + 20)
    align, step = struct.unpack_from("<II", image, pe + 24 + 32)
    (headers,) = struct.unpack_from("<I", image, pe + 24 + 60)
    table = pe + 24 + optional
    rows = [struct.unpack_from("<8sIIII", image, table + 40 * i) for i in range(count)]
    assert table + 40 * (count + len(sections)) <= headers, "no room for more sections"
    image = image.ljust(-(-len(image) // step) * step, b"\0")
    address = max(_to(row[2] + row[1], align) for row in rows)
    for index, (name, content) in enumerate(sections.items(), count):
        raw = content.ljust(-(-len(content) // step) * step, b"\0")
        row = struct.pack(
            "<8sIIII12xI", name, len(content), address, len(raw), len(image), 0x4000_0040
        )
        image[table + 40 * index : table + 40 * index + 40] = row
        image += raw
        address = _to(address + len(content), align)
    struct.pack_into("<H", image, pe + 6, count + len(sections))
    struct.pack_into("<I", image, pe + 24 + 56, address)  # the size of the image in memory
    return bytes(image)


def _up(size: int) -> int:
    return _to(size, ALIGN)


def _to(size: int, step: int) -> int:
    return -(-size // step) * step


def bzimage(
    *, protocol: int = 0x20F, xlf: int = 0x3, initrd_max: int = 0x7FFF_FFFF, flags: int = 1
) -> bytes:
    """Return a program whose first bytes are also a Linux setup header."""
    image = bytearray(program(((b".setup", bytes(0x1000)), (b".text", b"kernel" * 999))))
    # The header of a bzImage and that of a program share the first bytes, so the program's is moved
    # behind it, as Linux's is not: its PE header lies before 0x1f1.
    assert image[0x1F1:0x268] == bytes(0x77), "the PE header reaches into the setup header"
    image[0x1F1] = 1
    image[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", image, 0x206, protocol)
    image[0x211] = flags
    struct.pack_into("<I", image, 0x22C, initrd_max)
    struct.pack_into("<H", image, 0x236, xlf)
    return bytes(image)


def entry(name: UUID, data: bytes) -> bytes:
    """Return an entry of OVMF's table."""
    return data + struct.pack("<H", 18 + len(data)) + name.bytes_le


ESP = UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")  # EFI system partition (UEFI 2.10, 5.3.3)
FOOTER = UUID("96b582de-1fb2-45f7-baea-a366c55a082d")
TDX = UUID("e47a6535-984a-4798-865e-4685a7bf8ec2")
SEV = UUID("dc886566-984a-4798-a75e-5585a7bf67cc")
HASHES = UUID("7255371f-3a3b-4b04-927b-1da6efa8d454")
RESET = UUID("00f771de-1a7e-4fcb-890e-68c77e2fb44e")
CODE = 16 * 4096

# data offset, raw size, address, memory size, type, attributes: as OVMF has them, but smaller
TDX_SECTIONS = (
    (4096, CODE - 4096, 0xFFFF_1000, CODE - 4096, 0, 1),
    (0, 4096, 0xFFFF_0000, 4096, 1, 0),
    (0, 0, 0x81_0000, 0x1_0000, 3, 0),
    (0, 0, 0x80_B000, 0x2000, 3, 0),
    (0, 0, 0x80_9000, 0x2000, 2, 0),
    (0, 0, 0x80_0000, 0x6000, 3, 0),
)
# address, size, type
SEV_SECTIONS = (
    (0x80_0000, 0x9000, 1),
    (0x80_A000, 0x3000, 1),
    (0x80_D000, 0x1000, 2),
    (0x80_E000, 0x1000, 3),
    (0x80_F000, 0x1000, 4),
    (0x81_0000, 0x1000, 0x10),
    (0x81_1000, 0xF000, 1),
)
HASHES_AT = 0x81_0C00
RESET_AT = 0x80_B004


def ovmf(
    *,
    tdx: Sequence[tuple[int, ...]] = TDX_SECTIONS,
    sev: Sequence[tuple[int, ...]] = SEV_SECTIONS,
    hashes: int = HASHES_AT,
    reset: int = RESET_AT,
    more: Sequence[tuple[UUID, bytes]] = (),
    size: int = CODE,
) -> bytes:
    """Return an image of firmware with TDX and SEV metadata, and a table at its end."""
    image = bytearray((b"firmware" * (size // 8 + 1))[:size])
    lists = {
        TDX: b"TDVF" + struct.pack("<III", 16 + 32 * len(tdx), 1, len(tdx)),
        SEV: b"ASEV" + struct.pack("<III", 16 + 12 * len(sev), 1, len(sev)),
    }
    lists[TDX] += b"".join(struct.pack("<IIQQII", *row) for row in tdx)
    lists[SEV] += b"".join(struct.pack("<III", *row) for row in sev)
    rows = [(RESET, struct.pack("<I", reset)), (HASHES, struct.pack("<II", hashes, 0x400)), *more]
    at = size - 4096
    for name, content in lists.items():
        image[at : at + len(content)] = content
        rows.append((name, struct.pack("<I", size - at)))
        at += len(content)
    body = b"".join(entry(name, data) for name, data in rows)
    whole = body + struct.pack("<H", len(body) + 18) + FOOTER.bytes_le
    image[size - 32 - len(whole) : size - 32] = whole
    return bytes(image)


def gpt(
    partitions: Sequence[tuple[int, int, int]],
    *,
    count: int = 128,
    size: int = 128,
    place: int = 2,
) -> bytes:
    """Return the head of a disk with these partitions: a number, first and last sector."""
    rows = b"".join(
        ESP.bytes_le + UUID(int=number).bytes_le + struct.pack("<QQQ72x", first, last, 0)
        for number, first, last in partitions
    )
    entries = rows.ljust(128 * 128, b"\0")
    head = struct.pack("<8sIIIIQQQQ", b"EFI PART", 0x1_0000, 92, 0, 0, 1, 133_153, 34, 133_120)
    head += UUID(int=9).bytes_le + struct.pack("<QIII", place, count, size, zlib.crc32(entries))
    head = head[:16] + struct.pack("<I", zlib.crc32(head)) + head[20:]
    protective = bytes(446) + struct.pack("<8BII", 0, 0, 2, 0, 0xEE, 255, 255, 255, 1, 133_153)
    return protective.ljust(510, b"\0") + b"\x55\xaa" + head.ljust(512, b"\0") + entries
