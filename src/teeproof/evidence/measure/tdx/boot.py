"""MRTD and RTMR0 to RTMR3 of a TD whose kernel QEMU hands to an OVMF, as dstack's guests boot.

    MRTD    the image's sections
    RTMR0   the list of memory, the configuration volume, variables, and ACPI tables: QEMU makes
            those of its version and of the machine's devices, so the register has no value here
    RTMR1   the kernel, and the firmware's steps on the way to it
    RTMR2   the command line and the initial ramdisk, by Linux's EFI stub
    RTMR3   nothing before the system runs

Source: edk2, ``TdTcg2Dxe``, ``TdxHelperLib``; UEFI 2.10, 38.4.1; Linux, ``efi-stub-helper.c``.

Trusts: nothing; it only puts steps in order.  Does not trust: any length in the files.
"""

from __future__ import annotations

from teeproof.evidence.measure import pe
from teeproof.evidence.measure.kernel import Machine, as_qemu_loads
from teeproof.evidence.measure.ovmf import TdxSection, firmware, tdx_sections
from teeproof.evidence.measure.steps import Register, Step, known, register
from teeproof.evidence.measure.tdx.hob import td_hob
from teeproof.evidence.measure.tdx.mrtd import ORDERS, Order, mrtd
from teeproof.evidence.measure.variables import (
    CALLING,
    KEYS,
    LEAVING,
    SEPARATOR,
    host_decides,
    load_options,
    stub_steps,
)

__all__ = ["direct_boot", "firmware_registers", "kernel_register", "stub_register"]

_BANK = "sha384"
_CONFIGURATION = 1
_ACPI = "the host's ACPI tables, which depend on QEMU's version, CPUs, memory and devices"


def firmware_registers(
    image: bytes, *, memory: int | None, machine: Machine = "q35", order: Order | None = None
) -> tuple[Register, Register]:
    """Return MRTD, and of RTMR0 what is known.

    Args:
        image: the whole OVMF image, variables and code.
        memory: bytes of memory of the machine, if it is known.
        machine: QEMU's machine type.
        order: how the VMM adds pages; None for either, which gives two values.

    Raises:
        Malformed, TooLarge: the image has no TDX metadata, or wrong ones.
        Usage: the memory is too small for the image.
    """
    sections = tdx_sections(firmware(image))
    orders = (order,) if order else tuple(ORDERS)
    values = tuple(mrtd(sections, order=each) for each in orders)
    steps = _configuration(sections, memory=memory, machine=machine)
    rtmr0 = register("RTMR0", steps, algorithm=_BANK, why=f"it holds {_ACPI}")
    return Register(name="MRTD", values=values), rtmr0


def kernel_register(
    kernel: bytes,
    *,
    memory: int,
    initrd_bytes: int,
    cmdline: str = "",
    machine: Machine = "q35",
    patched: bool = True,
) -> Register:
    """Return RTMR1.

    Args:
        kernel: the file, a bzImage with an EFI stub.
        memory: bytes of memory of the machine.
        initrd_bytes: the initial ramdisk's size; 0 without one.
        cmdline: the command line; only ``vga=`` in it counts here.
        machine: QEMU's machine type.
        patched: whether this QEMU writes into the kernel's header.

    Raises:
        Malformed, TooLarge, Usage: see ``kernel.as_qemu_loads`` and ``pe.parse``.
    """
    loaded = kernel
    if patched:
        loaded = as_qemu_loads(
            kernel, memory=memory, initrd_bytes=initrd_bytes, cmdline=cmdline, machine=machine
        )
    written = ", into which QEMU writes the sizes of memory and ramdisk" if patched else ""
    depends = f"the kernel image{written}"
    start = known(
        "the firmware starts the kernel", depends, *pe.parse(loaded, what="kernel").hashed
    )
    steps = (start, CALLING, SEPARATOR, *LEAVING)
    return register("RTMR1", steps, algorithm=_BANK)


def stub_register(*, cmdline: str, initrd: bytes) -> Register:
    """Return RTMR2: the command line as the kernel gets it, in UTF-16, and the initial ramdisk."""
    steps = stub_steps(load_options(cmdline, initrd=bool(initrd)), initrd)
    return register("RTMR2", steps, algorithm=_BANK)


def direct_boot(
    *,
    image: bytes,
    kernel: bytes,
    memory: int,
    initrd: bytes = b"",
    cmdline: str = "",
    machine: Machine = "q35",
    order: Order | None = None,
    patched: bool = True,
) -> tuple[Register, ...]:
    """Return MRTD and RTMR0 to RTMR2; arguments and errors as in the three functions above."""
    return (
        *firmware_registers(image, memory=memory, machine=machine, order=order),
        kernel_register(
            kernel,
            memory=memory,
            initrd_bytes=len(initrd),
            cmdline=cmdline,
            machine=machine,
            patched=patched,
        ),
        stub_register(cmdline=cmdline, initrd=initrd),
    )


def _configuration(
    sections: tuple[TdxSection, ...], *, memory: int | None, machine: Machine
) -> list[Step]:
    hob = None if memory is None else (td_hob(sections, memory=memory, machine=machine),)
    volumes = [section for section in sections if section.kind == _CONFIGURATION]
    return [
        Step(
            what="the list of memory that the host made (TD HOB)",
            depends_on="the size of memory",
            parts=hob,
        ),
        *(
            known("the firmware's configuration volume", "the firmware image", section.content)
            for section in volumes
        ),
        host_decides("the variable SecureBoot", "how the firmware was built"),
        *KEYS,
        SEPARATOR,
        *(host_decides(f"ACPI's {part}", _ACPI) for part in ("loader", "root pointer", "tables")),
        known("the order of boot options", "the firmware's variables", bytes(2)),
        host_decides("the first boot option", "the firmware's variables"),
    ]
