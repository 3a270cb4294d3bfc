"""PCR 0 to 9, and 11: what OVMF, Linux's EFI stub and systemd's stub measure in a boot.

Two ways of booting are known here: QEMU hands the kernel to the firmware (``-kernel``), or the
firmware starts a unified kernel image from a disk. What the files do not determine has no value:

    PCR 0   modules of the PEI volume keep their variables in it, and write to them before it is
            measured: it depends on memory and number of CPUs
    PCR 1   boot options name the machine's devices
    PCR 5   of a boot from a disk: its partition table is measured, where it has one and is given

Source: TCG PC Client Platform Firmware Profile 1.06, 3.3.4; edk2, ``Tcg2Dxe``; Linux,
``efi-stub-helper.c``; seen on OVMF 2022.11, Linux 6.1 and systemd 252.

Trusts: nothing; it only puts steps in order.  Does not trust: any length in the files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from teeproof.core.errors import Usage
from teeproof.evidence.eventlog.firmware.facts import EFI_GLOBAL
from teeproof.evidence.measure import pe
from teeproof.evidence.measure.kernel import Machine, as_qemu_loads
from teeproof.evidence.measure.steps import Register, Step, known, register
from teeproof.evidence.measure.tpm import unified
from teeproof.evidence.measure.tpm.gpt import partition_table
from teeproof.evidence.measure.tpm.volumes import inner_volumes
from teeproof.evidence.measure.variables import (
    CALLING,
    KEYS,
    LEAVING,
    SEPARATOR,
    host_decides,
    load_options,
    stub_steps,
    variable,
)

__all__ = ["BANKS", "direct_boot", "unified_boot"]

BANKS = ("sha256", "sha384", "sha512", "sha1")
_KERNEL = "the kernel image, into which QEMU writes the sizes of memory and ramdisk"
_STUB_SEEN = 252


def direct_boot(
    *,
    kernel: bytes,
    memory: int,
    initrd: bytes = b"",
    cmdline: str = "",
    firmware: bytes | None = None,
    machine: Machine = "q35",
    bank: str = "sha256",
) -> tuple[Register, ...]:
    """Return the registers after QEMU has handed a kernel to the firmware.

    Args:
        kernel: the file, a bzImage with an EFI stub.
        memory: bytes of memory of the machine.
        initrd: the initial ramdisk; empty without one.
        cmdline: what QEMU is given by ``-append``.
        firmware: the OVMF image; without it, nothing of PCR 0 is known.
        machine: QEMU's machine type.
        bank: one of ``BANKS``.

    Raises:
        Malformed, TooLarge, Usage: see ``kernel.as_qemu_loads``, ``pe.parse``, ``inner_volumes``.
    """
    loaded = as_qemu_loads(
        kernel, memory=memory, initrd_bytes=len(initrd), cmdline=cmdline, machine=machine
    )
    start = known(
        "the firmware starts the kernel", _KERNEL, *pe.parse(loaded, what="kernel").hashed
    )
    registers = {
        4: (start, CALLING, SEPARATOR),
        5: (SEPARATOR, *LEAVING),
        9: stub_steps(load_options(cmdline, initrd=bool(initrd)), initrd),
    }
    return _registers(registers, firmware=firmware, bank=bank, reasons={})


def unified_boot(
    *,
    image: bytes,
    disk: bytes | None = None,
    firmware: bytes | None = None,
    phases: Sequence[str] = (),
    bank: str = "sha256",
) -> tuple[Register, ...]:
    """Return the registers after the firmware has started a unified kernel image from a disk.

    Args:
        image: the file.
        disk: the beginning of the boot disk, see ``gpt.partition_table``; without it, PCR 5 has no
            value.
        firmware: the OVMF image; without it, nothing of PCR 0 is known.
        phases: those of ``unified.PHASES`` that systemd has reached.
        bank: one of ``BANKS``.

    Raises:
        Malformed, TooLarge: see ``pe.parse``, ``unified.content``, ``inner_volumes``,
            ``partition_table``.
        Usage: the phases are not systemd's.
    """
    program = pe.parse(image, what="unified kernel image")
    start = known("the firmware starts the unified kernel image", "the image", *program.hashed)
    reasons = {}
    registers = {4: (CALLING, SEPARATOR, start), 5: (SEPARATOR, *_table(disk), *LEAVING)}
    version = unified.stub_version(program)
    if version == _STUB_SEEN:
        registers |= _behind_stub(program, registers[4])
    else:
        registers[9] = ()
        reasons[4] = reasons[9] = (
            f"how version {version} of systemd's stub starts the kernel is not known here"
            if version
            else "the program does not begin with systemd's stub"
        )
    why = unified.why_not(program)
    if why is None:
        registers[11] = (*unified.unified_steps(program), *unified.phases(phases))
    else:
        registers[11], reasons[11] = (), why
    return _registers(registers, firmware=firmware, bank=bank, reasons=reasons)


def _table(disk: bytes | None) -> tuple[Step, ...]:
    what, depends = "the partition table", "the partition table of the boot disk"
    if disk is None:
        return (host_decides(what, depends),)
    table = partition_table(disk)
    return () if table is None else (known(what, depends, table),)


def _behind_stub(program: pe.Program, before: tuple[Step, ...]) -> dict[int, tuple[Step, ...]]:
    """Return PCR 4 and 9 as the stub of systemd 252 has the firmware load the kernel."""
    inner = bytes(unified.content(program, b".linux") or b"")
    kernel = pe.parse(inner, what="kernel in the image")
    initrd = unified.content(program, b".initrd") or b""
    said = bytes(unified.content(program, b".cmdline") or b"")
    start = known("the stub starts the kernel", "the section .linux", *kernel.hashed)
    return {
        4: (*before, start),
        9: stub_steps(said.rstrip(b"\0").decode("utf-8", "replace"), initrd),
    }


def _registers(
    given: Mapping[int, tuple[Step, ...]],
    *,
    firmware: bytes | None,
    bank: str,
    reasons: Mapping[int, str],
) -> tuple[Register, ...]:
    if bank not in BANKS:
        raise Usage("not a bank of a TPM", expected=", ".join(BANKS), got=bank[:40])
    steps = {
        0: _firmware(firmware),
        1: (
            host_decides(
                "boot options and tables", "the machine's devices and the firmware's variables"
            ),
        ),
        2: (SEPARATOR,),
        3: (SEPARATOR,),
        6: (SEPARATOR,),
        7: _secure_boot(),
    } | dict(given)
    return tuple(
        register(f"PCR {index}", steps[index], algorithm=bank, why=reasons.get(index))
        for index in sorted(steps)
    )


def _firmware(image: bytes | None) -> tuple[Step, ...]:
    writes = host_decides(
        "the PEI volume of the firmware",
        "memory and number of CPUs, which modules of the firmware note in the measured volume",
    )
    if image is None:
        return (writes,)
    version = known("the firmware's version, empty", "the firmware image", bytes(2))
    later = inner_volumes(image)[1:]
    volumes = [known("the DXE volume of the firmware", "the firmware image", v) for v in later]
    return version, writes, *volumes, SEPARATOR


def _secure_boot() -> tuple[Step, ...]:
    """Return PCR 7 with Secure Boot off and no keys enrolled."""
    off = known("Secure Boot is off", "Secure Boot off", variable(EFI_GLOBAL, "SecureBoot", b"\0"))
    return off, *KEYS, SEPARATOR
