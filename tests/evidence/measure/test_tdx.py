"""Registers of TDX guests: by a second arithmetic, and as logs of real machines hold them."""

from __future__ import annotations

import hashlib
import struct

import pytest

from teeproof.core.errors import Malformed, Usage
from teeproof.evidence import eventlog
from teeproof.evidence.eventlog import mrconfig
from teeproof.evidence.measure.ovmf import TdxSection, firmware, tdx_sections
from teeproof.evidence.measure.tdx import boot
from teeproof.evidence.measure.tdx.config import configuration
from teeproof.evidence.measure.tdx.hob import td_hob
from teeproof.evidence.measure.tdx.mrtd import mrtd
from tests.evidence.measure import images

G = 1 << 30


def transcript(rows, image: bytes, *, order: str) -> bytes:
    """Everything that the TDX module hashes, in one piece: from the rows, not from the parser."""
    said = []
    for offset, raw, address, size, _, attributes in rows:
        memory = image[offset : offset + raw] + bytes(size - raw)
        adds, extends = [], []
        for page in range(size // 4096):
            place = address + 4096 * page
            adds.append(struct.pack("<16sQ104x", b"MEM.PAGE.ADD", place))
            chunks = b""
            for chunk in range(16 * page, 16 * page + 16):
                chunks += struct.pack("<16sQ104x", b"MR.EXTEND", address + 256 * chunk)
                chunks += memory[256 * chunk : 256 * chunk + 256]
            extends.append(chunks if attributes & 1 else b"")
        pairs = zip(adds, extends, strict=True)
        said += [a + b for a, b in pairs] if order == "page" else adds + extends
    return b"".join(said)


@pytest.mark.parametrize("order", ["page", "section"])
def test_mrtd_is_the_hash_of_what_the_module_is_told(order):
    image = images.ovmf()
    expected = hashlib.sha384(transcript(images.TDX_SECTIONS, image, order=order)).digest()
    assert mrtd(tdx_sections(firmware(image)), order=order) == expected


def test_pages_behind_the_content_are_measured_as_zeros():
    rows = ((4096, 5000, 0x10_0000, 0x4000, 0, 1), *images.TDX_SECTIONS[1:])
    image = images.ovmf(tdx=rows)
    expected = hashlib.sha384(transcript(rows, image, order="page")).digest()
    assert mrtd(tdx_sections(firmware(image)), order="page") == expected


def test_one_bit_of_the_measured_firmware_is_seen_and_none_of_the_variables():
    image = images.ovmf()
    true = mrtd(tdx_sections(firmware(image)), order="page")
    for at, same in ((5000, False), (100, True)):
        other = bytearray(image)
        other[at] ^= 1
        assert (mrtd(tdx_sections(firmware(bytes(other))), order="page") == true) is same


def section(kind: int, page: int, pages: int) -> TdxSection:
    return TdxSection(
        kind=kind,
        address=page << 12,
        size=pages << 12,
        content=memoryview(b""),
        measured=False,
        added=True,
    )


# What dstack's image of that guest lists (its vm_config: td_hob, in pages from 0x800 on).
DSTACK = (section(3, 0x800, 6), section(2, 0x809, 2), section(3, 0x80B, 2), section(3, 0x810, 16))


@pytest.mark.parametrize(
    ("name", "memory"), [("dstack-tdx-lite", 2 * G), ("dstack-quote-report", 64 * G)]
)
def test_the_list_of_memory_is_the_one_that_a_real_guest_measured(vectors, name, memory):
    events = eventlog.parse((vectors / "dcap" / name / "event_log.json").read_bytes())
    measured = hashlib.sha384(td_hob(DSTACK, memory=memory)).digest()
    assert events[0].digest == measured
    assert hashlib.sha384(td_hob(DSTACK, memory=memory + 4096)).digest() != measured


def test_the_list_of_memory_covers_all_of_it_once():
    for memory in (G, 0xB000_0000 - 4096, 0xB000_0000, 64 * G):
        data = td_hob(DSTACK, memory=memory)
        ranges = [struct.unpack_from("<IIQQ", data, at + 24) for at in range(56, len(data), 48)]
        assert sum(size for _, _, _, size in ranges) == memory
        ends = [start + size for _, _, start, size in ranges]
        starts = [start for _, _, start, _ in ranges]
        assert all(a == b or b == 4 * G for a, b in zip(ends, starts[1:], strict=False))


@pytest.mark.parametrize("name", ["dstack-tdx-lite", "dstack-quote-report"])
def test_what_every_boot_measures_stands_in_real_logs(vectors, name):
    events = eventlog.parse((vectors / "dcap" / name / "event_log.json").read_bytes())
    kernel = boot.kernel_register(images.bzimage(), memory=G, initrd_bytes=0)
    log = [event.digest for event in events if event.imr == 1]
    assert len(log) == len(kernel.events) == 5
    assert [digest for _, digest in kernel.events[1:]] == log[1:]
    log = [event.digest for event in events if event.imr == 0]
    _, rtmr0 = boot.firmware_registers(images.ovmf(), memory=G)
    known = [digest for step, digest in rtmr0.events if "variable " in step.what and digest]
    assert known == log[3:7]
    assert len(rtmr0.events) == len(log)


def test_command_line_and_ramdisk_extend_the_third_register():
    register = boot.stub_register(cmdline="quiet ü", initrd=b"ramdisk")
    first = hashlib.sha384("quiet ü initrd=initrd\0".encode("utf-16-le")).digest()
    second = hashlib.sha384(b"ramdisk").digest()
    value = hashlib.sha384(hashlib.sha384(bytes(48) + first).digest() + second).digest()
    assert register.values == (value,)
    alone = boot.stub_register(cmdline="quiet ü", initrd=b"")
    first = hashlib.sha384("quiet ü\0".encode("utf-16-le")).digest()
    assert alone.values == (hashlib.sha384(bytes(48) + first).digest(),)


def test_the_kernel_depends_on_memory_unless_qemu_leaves_it_alone():
    def rtmr1(**options):
        settings = {"memory": G, "initrd_bytes": 9000} | options
        return boot.kernel_register(images.bzimage(), **settings).values

    assert rtmr1() != rtmr1(memory=G + 4096)
    assert rtmr1(memory=4 * G) == rtmr1(memory=8 * G)
    assert rtmr1(patched=False) == rtmr1(patched=False, memory=9 * G) != rtmr1()


def test_what_the_host_decides_has_no_value_and_says_why():
    registers = boot.direct_boot(image=images.ovmf(), kernel=images.bzimage(), memory=G)
    found = {register.name: register for register in registers}
    assert found["RTMR0"].values == ()
    assert "ACPI" in found["RTMR0"].why
    assert len(found["MRTD"].values) == 2
    assert all(found[name].values for name in ("RTMR1", "RTMR2"))


def test_host_gives_less_memory_than_the_firmware_needs():
    with pytest.raises(Usage, match="memory"):
        boot.firmware_registers(images.ovmf(), memory=8 << 20)


def test_mrconfigid_is_of_the_document_or_of_the_compose_file():
    compose = b'{"manifest_version": 2, "runner": "docker-compose", "name": "a"}'
    digest = hashlib.sha256(compose).hexdigest()
    found = configuration(compose=compose, document=None)
    assert found.values == (b"\x01" + hashlib.sha256(compose).digest() + bytes(15),)
    document = b'{"compose_hash":"%s","key_provider":"kms"}' % digest.encode()
    both = configuration(compose=compose, document=document)
    assert both.values == (mrconfig.mrconfigid_v3(document),)
    with pytest.raises(Usage, match="another compose file"):
        configuration(compose=compose + b" ", document=document)
    with pytest.raises(Malformed):
        configuration(compose=b"[]", document=None)
