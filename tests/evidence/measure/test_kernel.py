"""What QEMU writes into a kernel's header: each field by its own rule, and refusals."""

from __future__ import annotations

import struct

import pytest

from teeproof.core.errors import Malformed, Usage
from teeproof.evidence.measure.kernel import as_qemu_loads, below_4g
from tests.evidence.measure import images

G = 1 << 30


def loaded(**options):
    settings = {"memory": G, "initrd_bytes": 0} | options
    kernel = settings.pop("kernel", images.bzimage())
    return as_qemu_loads(kernel, **settings)


def field(image: bytes, at: int, size: int = 4) -> int:
    return int.from_bytes(image[at : at + size], "little")


def test_only_the_fields_of_a_boot_loader_change():
    before, after = images.bzimage(), loaded(initrd_bytes=5000)
    changed = {at for at, (x, y) in enumerate(zip(before, after, strict=True)) if x != y}
    allowed = {0x210, 0x211, *range(0x218, 0x220), 0x224, 0x225, *range(0x228, 0x22C)}
    assert changed <= allowed
    assert {0x210, 0x211, 0x21A, 0x21C, 0x225, 0x22A} <= changed


def test_loader_heap_and_command_line_are_where_qemu_has_them():
    after = loaded()
    assert after[0x210] == 0xB0
    assert after[0x211] == 0x81
    assert field(after, 0x224, 2) == 0x2_0000 - 0x1_0000 - 0x200
    assert field(after, 0x228) == 0x2_0000


@pytest.mark.parametrize(
    ("memory", "machine", "below"),
    [
        (2 * G, "q35", 2 * G),
        (0xB000_0000 - 1, "q35", 0xB000_0000 - 1),
        (0xB000_0000, "q35", 0x8000_0000),
        (64 * G, "q35", 0x8000_0000),
        (0xE000_0000 - 1, "pc", 0xE000_0000 - 1),
        (0xE000_0000, "pc", 0xC000_0000),
    ],
)
def test_memory_below_four_gib_is_what_the_machine_type_leaves(memory, machine, below):
    assert below_4g(memory, machine) == below


@pytest.mark.parametrize(
    ("memory", "size", "address"),
    [
        (G, 4096, G - 0x2_8000 - 1 - 4096 - 0xFFF),
        (64 * G, 1, 0x8000_0000 - 0x2_8000 - 0x1000),
        (512 << 20, 1_028_374, 0x1FED_C000),  # seen in a real boot
    ],
)
def test_the_ramdisk_lies_at_the_end_of_low_memory(memory, size, address):
    after = loaded(memory=memory, initrd_bytes=size)
    assert field(after, 0x218) == address & ~0xFFF
    assert field(after, 0x21C) == size


def test_an_old_kernel_says_itself_how_high_its_ramdisk_may_lie():
    kernel = images.bzimage(xlf=0, initrd_max=0x0FFF_FFFF)
    assert field(loaded(kernel=kernel, initrd_bytes=1), 0x218) == 0x0FFF_F000


def test_a_video_mode_in_the_command_line_is_written():
    assert field(loaded(cmdline="quiet vga=0x317"), 0x1FA, 2) == 0x317
    assert field(loaded(cmdline="vga=ask"), 0x1FA, 2) == 0xFFFD
    assert loaded(cmdline="quiet") == loaded()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"initrd_bytes": 2 * G, "memory": 64 * G}, "too large"),
        ({"initrd_bytes": 600 << 20, "memory": 512 << 20}, "does not fit"),
        ({"cmdline": "vga=mode"}, "no mode"),
        ({"cmdline": "vga=0x31700"}, "no mode"),
    ],
)
def test_what_qemu_could_not_start_is_refused(options, words):
    with pytest.raises(Usage, match=words):
        loaded(**options)


def test_host_hands_over_a_kernel_that_is_none():
    kernel = bytearray(images.bzimage())
    for at, form, value in ((0x202, "<I", 0), (0x206, "<H", 0x201)):
        other = bytearray(kernel)
        struct.pack_into(form, other, at, value)
        with pytest.raises(Malformed, match="setup header"):
            loaded(kernel=bytes(other))
    kernel[0x1F1] = 255
    with pytest.raises(Malformed, match="setup"):
        loaded(kernel=bytes(kernel))
    with pytest.raises(Malformed):
        loaded(kernel=b"")


def test_host_cannot_crash_the_reader_with_a_low_kernel_and_a_long_command_line():
    kernel = bytearray(images.bzimage())
    kernel[0x211] &= 0xFE  # loaded low: the command line ends at 0x9A000
    fits = "a" * (0xA000 - 0x200 - 16)
    assert field(loaded(kernel=bytes(kernel), cmdline=fits), 0x224, 2) == 0
    with pytest.raises(Usage, match="command line does not fit"):
        loaded(kernel=bytes(kernel), cmdline=fits + "a" * 16)
