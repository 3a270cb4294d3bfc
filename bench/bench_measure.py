"""How fast images are measured: beside SHA-384 over the same bytes, which nothing can avoid."""

from __future__ import annotations

import hashlib
import random
import struct
from collections.abc import Iterator

from bench.measure import Row, beside, rate
from teeproof.evidence.measure import pe
from teeproof.evidence.measure.ovmf import firmware, tdx_sections
from teeproof.evidence.measure.snp.launch import firmware_digest
from teeproof.evidence.measure.tdx.boot import kernel_register, stub_register
from teeproof.evidence.measure.tdx.mrtd import mrtd

MIB = 1 << 20
SIZE = 100 * MIB
FIRMWARE = 4 * MIB


def rows() -> Iterator[Row]:
    """Yield the rows."""
    source = random.Random(11)
    ramdisk = source.randbytes(SIZE)
    kernel = _kernel(source.randbytes(12 * MIB))

    def boot() -> None:
        kernel_register(kernel, memory=4 << 30, initrd_bytes=SIZE, cmdline="quiet")
        stub_register(cmdline="quiet", initrd=ramdisk)

    def hashes() -> None:
        hashlib.sha384(kernel).digest()
        hashlib.sha384(ramdisk).digest()

    ours, limit = beside(boot, hashes, rounds=3)
    both = SIZE + len(kernel)
    yield Row(
        "RTMR1 and RTMR2, kernel of 12 MiB, ramdisk of 100 MiB",
        rate(ours, both),
        rate(limit, both),
        "SHA-384 of both files, bytes per second",
        goal=0.85,
        unit="1/s",
    )
    image = _firmware(source.randbytes(FIRMWARE))
    sections = tdx_sections(firmware(image))
    told = _transcript(image)
    ours, limit = beside(
        lambda: mrtd(sections, order="page"), lambda: hashlib.sha384(told).digest(), rounds=5
    )
    yield Row("MRTD of a 4 MiB image", ours, limit, "SHA-384 of all that is hashed, in one piece")
    ours, limit = beside(
        lambda: firmware_digest(image), lambda: hashlib.sha384(image).digest(), rounds=5
    )
    yield Row("SEV-SNP digest of a 4 MiB image", ours, limit, "SHA-384 of the image, in one piece")


def _kernel(body: bytes) -> bytes:
    """Return a program with a Linux setup header, large enough to be a kernel."""
    head = bytearray(0x400)
    head[:2], head[0x3C:0x40] = b"MZ", struct.pack("<I", 0x80)
    head[0x80:0x84] = b"PE\0\0"
    struct.pack_into("<HH12xHH", head, 0x84, 0x8664, 1, 240, 0x22)
    struct.pack_into("<H", head, 0x98, 0x20B)
    struct.pack_into("<I", head, 0x98 + 60, 0x400)
    struct.pack_into("<I", head, 0x98 + 108, 16)
    struct.pack_into("<8sIIII", head, 0x98 + 240, b".text", len(body), 0x1000, len(body), 0x400)
    head[0x1F1], head[0x202:0x206], head[0x211] = 1, b"HdrS", 1
    struct.pack_into("<H", head, 0x206, 0x20F)
    struct.pack_into("<H", head, 0x236, 2)
    made = bytes(head) + body
    assert pe.parse(made).sections
    return made


def _firmware(body: bytes) -> bytes:
    """Return an OVMF image with one measured section: all of it."""
    image = bytearray(body)
    metadata = b"TDVF" + struct.pack("<III", 48, 1, 1)
    metadata += struct.pack("<IIQQII", 0, len(body), (1 << 32) - len(body), len(body), 0, 1)
    image[-4096 : -4096 + len(metadata)] = metadata
    entry = struct.pack("<IH", 4096, 22) + bytes.fromhex("35657ae44a989847865e4685a7bf8ec2")
    footer = struct.pack("<H", 40) + bytes.fromhex("de82b596b21ff745baeaa366c55a082d")
    image[-32 - 40 : -32] = entry + footer
    return bytes(image)


def _transcript(image: bytes) -> bytes:
    chunks = range(0, len(image), 256)
    extends = b"".join(bytes(128) + image[at : at + 256] for at in chunks)
    return extends + bytes(128 * (len(image) // 4096))
