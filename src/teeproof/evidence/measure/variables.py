"""UEFI variables as firmware measures them, and steps that every boot has.

Source: TCG PC Client Platform Firmware Profile 1.06, 10.2.6 (UEFI_VARIABLE_DATA), 3.3.4; UEFI 2.10,
32.6.1 (db, dbx); edk2, ``Tcg2Dxe``.

Trusts: nothing; it only writes bytes.  Does not trust: nothing comes in from outside.
"""

from __future__ import annotations

import struct
from uuid import UUID

from teeproof.evidence.eventlog.firmware.facts import EFI_GLOBAL
from teeproof.evidence.measure.steps import Buffer, Step, known

__all__ = [
    "CALLING",
    "IMAGE_SECURITY",
    "KEYS",
    "LEAVING",
    "SEPARATOR",
    "host_decides",
    "load_options",
    "stub_steps",
    "variable",
]

IMAGE_SECURITY = UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f")
_ORDINARY = "an ordinary boot"

SEPARATOR = known("the firmware closes the register", _ORDINARY, bytes(4))
CALLING = known(
    "the firmware tries a boot option", _ORDINARY, b"Calling EFI Application from Boot Option"
)
LEAVING = (
    known("the kernel ends the firmware's services", _ORDINARY, b"Exit Boot Services Invocation"),
    known(
        "the firmware's services have ended",
        _ORDINARY,
        b"Exit Boot Services Returned with Success",
    ),
)


def variable(guid: UUID, name: str, data: bytes) -> bytes:
    """Return a variable as it is measured."""
    head = guid.bytes_le + struct.pack("<QQ", len(name), len(data))
    return head + name.encode("utf-16-le") + data


KEYS = tuple(
    known(f"the variable {name}", "no Secure Boot keys enrolled", variable(guid, name, b""))
    for guid, name in (
        (EFI_GLOBAL, "PK"),
        (EFI_GLOBAL, "KEK"),
        (IMAGE_SECURITY, "db"),
        (IMAGE_SECURITY, "dbx"),
    )
)
"""The variables that hold the keys of Secure Boot, empty."""


def host_decides(what: str, depends_on: str) -> Step:
    """Return a step whose bytes the files do not determine."""
    return Step(what=what, depends_on=depends_on, parts=None)


def load_options(cmdline: str, *, initrd: bool) -> str:
    """Return the command line that OVMF gives to a kernel of QEMU's (edk2, QemuLoadImageLib)."""
    return cmdline + (" initrd=initrd" if initrd else "")


def stub_steps(options: str, initrd: Buffer) -> tuple[Step, ...]:
    """Return what Linux's EFI stub measures: its options in UTF-16, and the initial ramdisk."""
    text = options.encode("utf-16-le") + b"\0\0"
    cmdline = known("the kernel's command line", "the command line", text)
    if not initrd:
        return (cmdline,)
    return cmdline, known("the initial ramdisk", "the initial ramdisk", initrd)
