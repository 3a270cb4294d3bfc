"""Fuzz targets for images: programs, kernels, firmware, and lists of what they should measure."""

from __future__ import annotations

import json
from contextlib import suppress

from teeproof.core.errors import Error, Malformed
from teeproof.evidence.measure import expected, pe
from teeproof.evidence.measure.kernel import as_qemu_loads
from teeproof.evidence.measure.ovmf import MAX_MEMORY, firmware, sev_sections, table, tdx_sections
from teeproof.evidence.measure.snp.launch import measurement
from teeproof.evidence.measure.tdx.boot import firmware_registers
from teeproof.evidence.measure.tpm import gpt, grub
from teeproof.evidence.measure.tpm.boot import unified_boot
from teeproof.evidence.measure.tpm.volumes import MAX_UNPACKED, inner_volumes
from tests.evidence.measure import images, test_expected, test_tpm


def fuzz_measure_program(data: bytes) -> None:
    """What is accepted has sections within the file, and hashes no byte twice."""
    with suppress(Malformed):
        program = pe.parse(data)
        assert sum(map(len, program.hashed)) <= len(data)
        assert all(len(section.content) <= len(data) for section in program.sections)


def fuzz_measure_kernel(data: bytes) -> None:
    """What is accepted keeps its length, and changes in its header alone."""
    with suppress(Error):
        loaded = as_qemu_loads(data, memory=1 << 30, initrd_bytes=9999, cmdline="quiet")
        assert len(loaded) == len(data)
        assert loaded[0x268:] == data[0x268:]


def fuzz_measure_firmware(data: bytes) -> None:
    """What is accepted lists whole pages, bounded, and gives registers of full length."""
    with suppress(Malformed):
        table(firmware(data))
    with suppress(Malformed):
        assert sum(s.size for s in tdx_sections(firmware(data)) if s.added) <= MAX_MEMORY
    with suppress(Malformed):
        assert sum(s.size for s in sev_sections(firmware(data))) <= MAX_MEMORY
    if len(data) <= images.CODE:
        with suppress(Error):
            mrtd, _ = firmware_registers(data, memory=1 << 30, order="page")
            assert len(mrtd.values[0]) == 48
        with suppress(Error):
            assert len(measurement(data, cpus=2, cpu=0xA00F11, kernel=b"k")) == 48


def fuzz_measure_volumes(data: bytes) -> None:
    """What is accepted unpacks to no more than a firmware may have."""
    with suppress(Malformed):
        assert sum(map(len, inner_volumes(data))) <= MAX_UNPACKED


def fuzz_measure_unified(data: bytes) -> None:
    """What is accepted gives each register a value, or says why not."""
    with suppress(Error):
        for register in unified_boot(image=data):
            assert bool(register.values) != bool(register.why)


def fuzz_measure_expected(data: bytes) -> None:
    """What is accepted is written as a list that reads back the same."""
    with suppress(Malformed):
        found = expected.parse(data)
        assert expected.parse(json.dumps(found.to_json()).encode()) == found


def fuzz_measure_grub_commands(data: bytes) -> None:
    """What is accepted has no more texts than lines, and none with a NUL."""
    with suppress(Malformed):
        found = grub.parse_commands(data)
        assert len(found) <= data.count(b"\n") + 1
        assert not any("\0" in text for text in found)


def fuzz_measure_partitions(data: bytes) -> None:
    """What is accepted names no more partitions than it has room for."""
    with suppress(Malformed):
        table = gpt.partition_table(data)
        assert table is None or len(table) <= 100 + len(data)


SEEDS = {
    "fuzz_measure_partitions": lambda: [images.gpt([(1, 2048, 4095)])],
    "fuzz_measure_grub_commands": lambda: [b"grub_cmd: set a=\\n\\\\\nlinux /vmlinuz\n"],
    "fuzz_measure_program": lambda: [images.program(), images.program(certificates=b"c" * 8)],
    "fuzz_measure_kernel": lambda: [images.bzimage(), images.bzimage(protocol=0x203, flags=0)],
    "fuzz_measure_firmware": lambda: [images.ovmf()],
    "fuzz_measure_volumes": lambda: [test_tpm.volume(test_tpm.inner(b"pei0", b"dxe"))],
    "fuzz_measure_unified": lambda: [test_tpm.image(), test_tpm.image(256)],
    "fuzz_measure_expected": lambda: [test_expected.text()],
}
