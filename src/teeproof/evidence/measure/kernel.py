"""Linux kernels: what QEMU writes into one's header before firmware reads and measures it.

QEMU loads a kernel as a boot loader would, and hands it to the firmware after it has filled in
what a boot loader fills in: its own type, the heap, where the command line and the initial ramdisk
lie. So the measured kernel is not the file, and depends on the size of memory.

Source: Linux, ``Documentation/arch/x86/boot.rst``; QEMU, ``x86_load_linux`` and
``pc_q35_init``/``pc_init1``.

Trusts: nothing; it only reads and writes bytes.  Does not trust: any field of the header.
"""

from __future__ import annotations

import re
from typing import Literal

from teeproof.core.errors import Usage
from teeproof.evidence.measure.image import MAX_INITRD_BYTES, MAX_KERNEL_BYTES, Image, malformed

__all__ = ["MACHINES", "Machine", "as_qemu_loads", "below_4g"]

Machine = Literal["q35", "pc"]
# hw/i386/pc_q35.c, pc_piix.c: from this size of memory on, so much of it lies below 4 GiB.
MACHINES: dict[Machine, tuple[int, int]] = {
    "q35": (0xB000_0000, 0x8000_0000),
    "pc": (0xE000_0000, 0xC000_0000),
}
ACPI_DATA = 0x2_8000  # QEMU, pc.c: 0x20000 + 0x8000 bytes below the end of low memory stay free
PAGE = 4096
_HEADER_END = 0x268  # boot.rst: the last field, kernel_info_offset, ends there
_HEADER_MOST = 8192  # QEMU writes back no more than it read into its buffer
_LOW_ROOM = 0xA000 - 0x200  # boot.rst: from the heap's start up to 0x9A000, where the line ends
_ABOVE_4G = 1 << 1  # XLF_CAN_BE_LOADED_ABOVE_4G
_VGA = {"normal": 0xFFFF, "ext": 0xFFFE, "ask": 0xFFFD}


def below_4g(memory: int, machine: Machine) -> int:
    """Return how many of ``memory`` bytes lie below 4 GiB."""
    from_here, then = MACHINES[machine]
    return then if memory >= from_here else memory


def as_qemu_loads(
    kernel: bytes, *, memory: int, initrd_bytes: int, cmdline: str = "", machine: Machine = "q35"
) -> bytes:
    """Return the kernel as firmware gets it from QEMU.

    Args:
        kernel: the file, a bzImage.
        memory: bytes of memory of the machine.
        initrd_bytes: the initial ramdisk's size; 0 without one.
        cmdline: the command line; QEMU writes what ``vga=`` in it says into the header.
        machine: QEMU's machine type.

    Raises:
        TooLarge: the kernel or the ramdisk is.
        Malformed: not a bzImage of boot protocol 2.02 or newer.
        Usage: ramdisk or command line do not fit into this memory, or ``vga=`` is not a mode.
    """
    image = Image(kernel, what="kernel", limit=MAX_KERNEL_BYTES)
    protocol = _protocol(image)
    low = not image.number(0x211, 1, "load flags") & 1
    if low and _rounded(cmdline) > _LOW_ROOM:
        raise Usage(
            "the command line does not fit below a kernel that is loaded low",
            expected=f"less than {_LOW_ROOM} bytes",
            got=f"{len(cmdline.encode())} bytes",
        )
    real, cmdline_at = (0x9_0000, 0x9_A000 - _rounded(cmdline)) if low else (0x1_0000, 0x2_0000)
    header = bytearray(kernel[:_HEADER_MOST])
    _put(header, 0x228, 4, cmdline_at)
    mode = _video_mode(cmdline)
    if mode is not None:
        _put(header, 0x1FA, 2, mode)
    header[0x210] = 0xB0  # boot.rst: the type of loader; QEMU
    header[0x211] |= 0x80  # boot.rst: the heap may be used
    _put(header, 0x224, 2, cmdline_at - real - 0x200)
    if initrd_bytes:
        at = _initrd_address(image, protocol, below_4g(memory, machine), initrd_bytes)
        _put(header, 0x218, 4, at)
        _put(header, 0x21C, 4, initrd_bytes)
    setup = ((header[0x1F1] or 4) + 1) * 512
    if setup > len(image):
        raise malformed(
            "kernel", "setup", expected=f"at most {len(image)} bytes", got=f"{setup} bytes"
        )
    written = min(setup, len(header))
    return bytes(header[:written]) + kernel[written:]


def _protocol(image: Image) -> int:
    image.take(0, _HEADER_END, "setup header")
    found = bytes(image.take(0x202, 4, "setup header"))
    protocol = image.number(0x206, 2, "boot protocol")
    if found != b"HdrS" or protocol < 0x202:
        raise malformed(
            "kernel",
            "setup header",
            expected="HdrS and boot protocol 2.02 or newer",
            got=f"{found!r} and {protocol >> 8}.{protocol & 0xFF:02}",
        )
    return protocol


def _initrd_address(image: Image, protocol: int, low: int, size: int) -> int:
    if size > MAX_INITRD_BYTES:
        raise Usage("the initial ramdisk is too large", expected=f"at most {MAX_INITRD_BYTES}")
    if protocol >= 0x20C and image.number(0x236, 2, "load flags") & _ABOVE_4G:
        most = 0xFFFF_FFFF
    else:
        most = image.number(0x22C, 4, "initrd limit") if protocol >= 0x203 else 0x37FF_FFFF
    if most >= low - ACPI_DATA:
        most = low - ACPI_DATA - 1
    if size >= most:
        raise Usage(
            "the initial ramdisk does not fit into the machine's memory: give the machine's",
            code="memory_too_small",
            expected=f"more than {size + ACPI_DATA} bytes of memory",
            got=f"{low} bytes below 4 GiB",
        )
    return (most - size) & ~(PAGE - 1)


def _rounded(cmdline: str) -> int:
    """Return what QEMU keeps free for a command line in front of the heap."""
    return (len(cmdline.encode()) + 16) & ~15


def _video_mode(cmdline: str) -> int | None:
    found = re.search(r"vga=(\S*)", cmdline)
    if found is None:
        return None
    said = found[1]
    for word, mode in _VGA.items():
        if said.startswith(word):
            return mode
    if re.fullmatch(r"0[xX][0-9a-fA-F]{1,4}|[1-9][0-9]{0,4}|0", said) and int(said, 0) <= 0xFFFF:
        return int(said, 0)
    raise Usage(
        "vga= in the command line is no mode that QEMU takes",
        expected="normal, ext, ask or a number",
        got=said[:60],
    )


def _put(header: bytearray, at: int, size: int, value: int) -> None:
    header[at : at + size] = value.to_bytes(size, "little")
