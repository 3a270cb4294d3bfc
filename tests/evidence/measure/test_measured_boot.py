"""What is computed from files is what a real boot leaves in a TPM, register by register.

Switched on by ``make measured-boot``, which gets what it needs: it boots two machines.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from teeproof.evidence.eventlog import firmware
from teeproof.evidence.measure.compare import differences, of_firmware
from teeproof.evidence.measure.expected import expected
from teeproof.evidence.measure.tpm.boot import direct_boot, unified_boot
from teeproof.evidence.tpm.wire import HASH_NAMES
from tests.evidence.measure import images, machine
from tests.evidence.measure.machine import CODE, MEMORY, STUB, Booted

# Read here: a test runs without the environment of whoever started it.
KERNEL = os.environ.get("TEEPROOF_MEASURED_BOOT")
pytestmark = pytest.mark.skipif(
    KERNEL is None, reason="a measured boot takes a minute or two: make measured-boot"
)
CMDLINE = "console=ttyS0 quiet loglevel=0 panic=1"
DIRECT = {"PCR 2", "PCR 3", "PCR 4", "PCR 5", "PCR 6", "PCR 7", "PCR 9"}
UNIFIED = {"PCR 2", "PCR 3", "PCR 4", "PCR 5", "PCR 6", "PCR 7", "PCR 9", "PCR 11"}


def kernel() -> bytes:
    return Path(KERNEL or "").read_bytes()


def unified() -> bytes:
    parts = {b".osrel": b"ID=test\n", b".cmdline": CMDLINE.encode(), b".linux": kernel()}
    return images.with_sections(STUB.read_bytes(), parts | {b".initrd": machine.initrd()})


@pytest.fixture(scope="module")
def direct(tmp_path_factory) -> Booted:
    """A machine whose kernel QEMU hands to the firmware."""
    folder = tmp_path_factory.mktemp("direct")
    return machine.boot(folder, *qemu(folder, CMDLINE))


def qemu(folder: Path, cmdline: str) -> list[str | Path]:
    """Return the options by which QEMU starts a kernel by itself."""
    (folder / "initrd").write_bytes(machine.initrd())
    return ["-kernel", KERNEL or "", "-initrd", folder / "initrd", "-append", cmdline]


@pytest.fixture(scope="module")
def from_disk(tmp_path_factory) -> Booted:
    """A machine whose firmware starts a unified kernel image from a disk."""
    folder = tmp_path_factory.mktemp("disk")
    drive = f"if=none,id=disk,format=raw,file={machine.disk(folder, unified())}"
    return machine.boot(folder, "-drive", drive, "-device", "virtio-blk-pci,drive=disk")


def of_direct(bank: str, **changes):
    given = {"kernel": kernel(), "memory": MEMORY, "initrd": machine.initrd(), "cmdline": CMDLINE}
    return direct_boot(**given | changes, firmware=CODE.read_bytes(), bank=bank)


def of_disk(bank: str):
    head = images.gpt([(1, 2048, 2048 + 64 * 2048 - 1)])
    return unified_boot(image=unified(), disk=head, firmware=CODE.read_bytes(), bank=bank)


def differing(booted: Booted, registers, bank: str) -> set[str]:
    """Return the registers with a value that the TPM does not hold."""
    held = {f"PCR {index}": value for index, value in booted.banks[bank].items()}
    return {r.name for r in registers if r.values and held[r.name] not in r.values}


@pytest.mark.parametrize("bank", machine.BANKS)
def test_each_register_of_a_kernel_of_qemus_is_what_the_tpm_holds(direct, bank):
    registers = of_direct(bank)
    assert {r.name for r in registers if r.values} == DIRECT
    assert differing(direct, registers, bank) == set()


@pytest.mark.parametrize("bank", machine.BANKS)
def test_each_register_of_a_unified_image_is_what_the_tpm_holds(from_disk, bank):
    registers = of_disk(bank)
    assert {r.name for r in registers if r.values} == UNIFIED
    assert differing(from_disk, registers, bank) == set()


@pytest.mark.parametrize(
    ("changes", "registers"),
    [
        ({"cmdline": CMDLINE + " "}, {"PCR 9"}),
        ({"initrd": b"another"}, {"PCR 4", "PCR 9"}),
        ({"memory": MEMORY + 4096}, {"PCR 4"}),
    ],
    ids=["command line", "ramdisk", "memory"],
)
def test_host_boots_one_thing_less_or_more_and_these_registers_tell(direct, changes, registers):
    assert differing(direct, of_direct("sha256", **changes), "sha256") == registers


def test_the_log_gives_the_registers_and_holds_what_was_expected(direct, from_disk):
    for booted, registers in ((direct, of_direct("sha256")), (from_disk, of_disk("sha256"))):
        log = firmware.parse(booted.log)
        bank = next(number for number, name in HASH_NAMES.items() if name == "sha256")
        replayed = firmware.replay(log, bank=bank)
        assert {i for i, v in replayed.items() if booted.banks["sha256"][i] != v} == set()
        wanted = expected("tpm", registers, bank="sha256")
        seen = of_firmware(log, expected=wanted)
        assert seen is not None
        assert differences(wanted, seen) == ()


def test_the_log_of_one_boot_is_not_what_the_other_expects(direct):
    wanted = expected("tpm", of_disk("sha256"), bank="sha256")
    seen = of_firmware(firmware.parse(direct.log), expected=wanted)
    assert seen is not None
    assert {d.register for d in differences(wanted, seen)} == {
        "PCR 4", "PCR 5", "PCR 9", "PCR 11",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("memory", "kind", "more"),
    [(0xAFF0_0000, "q35", ""), (3 << 30, "q35", " vga=0x317"), (4 << 30, "pc", "")],
)
def test_other_machines_have_their_ramdisk_where_it_is_computed(tmp_path, memory, kind, more):
    cmdline = CMDLINE + more
    booted = machine.boot(tmp_path, *qemu(tmp_path, cmdline), memory=memory, kind=kind)
    registers = of_direct("sha256", memory=memory, cmdline=cmdline, machine=kind)
    assert differing(booted, registers, "sha256") == set()
    others = of_direct("sha256", memory=1 << 30, cmdline=cmdline, machine=kind)
    assert differing(booted, others, "sha256") == {"PCR 4"}
