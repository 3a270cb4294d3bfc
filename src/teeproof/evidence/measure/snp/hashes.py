"""The table of hashes by which an SEV guest checks its kernel, ramdisk and command line.

QEMU writes it into a page of the guest that is measured; the firmware starts only what hashes to
it. The kernel is hashed as the file is.

Source: QEMU, ``sev_add_kernel_loader_hashes`` in ``target/i386/sev.c``.

Trusts: SHA-256.  Does not trust: nothing else is looked at.
"""

from __future__ import annotations

from uuid import UUID

from teeproof.core.digests import sha256
from teeproof.core.errors import Usage
from teeproof.evidence.measure.image import PAGE

__all__ = ["TABLE_BYTES", "hashes_page"]

_TABLE = UUID("9438d606-4f22-4cc9-b479-a793d411fd21")
_CMDLINE = UUID("97d02dd8-bd20-4c94-aa78-e7714d36ab2a")
_INITRD = UUID("44baf731-3a2f-4bd7-9af1-41e29169781d")
_KERNEL = UUID("4de79437-abd2-427f-b835-d5b172d2045b")
TABLE_BYTES = 176  # 3 entries of 50 bytes behind a head of 18, then zeros to a multiple of 16


def hashes_page(*, address: int, kernel: bytes, initrd: bytes, cmdline: str) -> bytes:
    """Return the page that holds the table, 4096 bytes.

    Args:
        address: guest-physical address of the table.
        kernel: SHA-256 of the kernel's file.
        initrd: SHA-256 of the initial ramdisk; of nothing where there is none.
        cmdline: the command line; its hash covers a zero byte behind it.
    """
    entries = (
        _entry(_CMDLINE, sha256(cmdline.encode() + b"\0")),
        _entry(_INITRD, initrd),
        _entry(_KERNEL, kernel),
    )
    table = _entry(_TABLE, b"".join(entries)).ljust(TABLE_BYTES, b"\0")
    at = address % PAGE
    if at + TABLE_BYTES > PAGE:
        raise Usage(
            "the firmware image wants its table of hashes across two pages, which nobody measures",
            expected=f"at most {PAGE - TABLE_BYTES:#x} bytes into a page",
            got=f"{at:#x}",
        )
    return bytes(at) + table + bytes(PAGE - at - TABLE_BYTES)


def _entry(name: UUID, content: bytes) -> bytes:
    return name.bytes_le + (18 + len(content)).to_bytes(2, "little") + content
