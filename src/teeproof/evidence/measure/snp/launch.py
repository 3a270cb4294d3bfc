"""The launch digest of an SEV-SNP guest: every page that it starts with, as the firmware hashes it.

    the firmware image              its pages, up to 4 GiB
    the sections that it lists      zeros, secrets, CPUID, and the hashes of the kernel
    the state of each virtual CPU   the first at the reset vector, others where the image says

Source: AMD 56860 (SEV-SNP Firmware ABI), 8.17.2, table "PAGE_INFO"; the order is the VMM's.

Trusts: SHA-384.  Does not trust: the image, whose sections were checked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from teeproof.core.digests import sha256
from teeproof.core.errors import Usage
from teeproof.evidence.measure.image import PAGE, Image, malformed
from teeproof.evidence.measure.ovmf import (
    RESET_BLOCK,
    SEV_HASHES,
    SevSection,
    firmware,
    sev_sections,
    table,
)
from teeproof.evidence.measure.snp.hashes import hashes_page
from teeproof.evidence.measure.snp.vmsa import BOOT_ADDRESS, Vmm, vmsa

__all__ = ["MAX_CPUS", "firmware_digest", "launch_digest", "measurement"]

MAX_CPUS = 4096
_NORMAL, _VMSA, _ZERO, _UNMEASURED, _SECRETS, _CPUID = 1, 2, 3, 4, 5, 6
_VMSA_ADDRESS = 0xFFFF_FFFF_F000  # all ones, but for a page's offset and bits that no address has
_NOTHING = bytes(48)
_MEMORY, _SECRETS_PAGE, _CPUID_PAGE, _CALLING_AREA, _HASHES = 1, 2, 3, 4, 0x10
_INFO_BYTES = 0x70


def measurement(
    image: bytes,
    *,
    cpus: int,
    cpu: int,
    vmm: Vmm = "qemu",
    features: int = 1,
    kernel: bytes | None = None,
    initrd: bytes = b"",
    cmdline: str = "",
) -> bytes:
    """Return the measurement that a guest's reports will hold, 48 bytes.

    Args:
        image: the OVMF image that is mapped below 4 GiB.
        cpus: how many virtual CPUs the guest has.
        cpu: their signature, see ``vmsa.CPUS``.
        vmm: who starts the guest.
        features: SEV_FEATURES; bit 0 is SNP itself.
        kernel: the kernel that the VMM loads, if it does.
        initrd: its initial ramdisk.
        cmdline: its command line.

    Raises:
        Malformed, TooLarge: the image is no OVMF with SEV metadata.
        Usage: a number of CPUs, or a kernel where the image has no place for its hashes.
    """
    if not 1 <= cpus <= MAX_CPUS:
        raise Usage("a guest has CPUs", expected=f"1 to {MAX_CPUS}", got=str(cpus))
    found = firmware(image)
    sections = sev_sections(found)
    page = None
    if kernel is not None:
        page = hashes_page(
            address=_hashes_address(found, sections),
            kernel=sha256(kernel),
            initrd=sha256(initrd),
            cmdline=cmdline,
        )
    elif cmdline or initrd:
        raise Usage("a command line or a ramdisk is measured with a kernel: give the kernel too")
    others = _reset_address(found) if cpus > 1 else 0
    states = [
        vmsa(address, cpu=cpu, features=features, vmm=vmm)
        for address in (BOOT_ADDRESS, *([others] * (cpus - 1)))
    ]
    return launch_digest(
        firmware_digest(image), sections=sections, hashes=page, states=states, vmm=vmm
    )


def firmware_digest(image: bytes) -> bytes:
    """Return the digest when only the image has been added: what some call the OVMF hash."""
    first = (1 << 32) - len(image)
    digest = _NOTHING
    for at in range(0, len(image), PAGE):
        digest = _page(digest, _NORMAL, first + at, image[at : at + PAGE])
    return digest


def launch_digest(
    digest: bytes,
    *,
    sections: Sequence[SevSection],
    hashes: bytes | None,
    states: Iterable[bytes],
    vmm: Vmm,
) -> bytes:
    """Return the digest when all else has been added; the parts of ``measurement``.

    Args:
        digest: of the firmware image.
        sections: in the image's order.
        hashes: the page with the kernel's hashes, if the VMM loads a kernel.
        states: a page for each virtual CPU.
        vmm: who starts the guest.
    """
    for section in sections:
        digest = _section(digest, section, hashes=hashes, vmm=vmm)
    if vmm == "ec2":  # EC2 adds the CPUID pages behind all others
        for section in sections:
            if section.kind == _CPUID_PAGE:
                digest = _info(digest, _CPUID, section.address, _NOTHING)
    for state in states:
        digest = _page(digest, _VMSA, _VMSA_ADDRESS, state)
    return digest


def _section(digest: bytes, section: SevSection, *, hashes: bytes | None, vmm: Vmm) -> bytes:
    if section.kind == _SECRETS_PAGE:
        return _info(digest, _SECRETS, section.address, _NOTHING)
    if section.kind == _CPUID_PAGE:
        return digest if vmm == "ec2" else _info(digest, _CPUID, section.address, _NOTHING)
    if section.kind == _HASHES and hashes is not None:
        return _page(digest, _NORMAL, section.address, hashes)
    kind = _UNMEASURED if vmm == "gce" and section.kind == _MEMORY else _ZERO
    for at in range(0, section.size, PAGE):
        digest = _info(digest, kind, section.address + at, _NOTHING)
    return digest


def _page(digest: bytes, kind: int, address: int, content: bytes) -> bytes:
    return _info(digest, kind, address, hashlib.sha384(content).digest())


def _info(digest: bytes, kind: int, address: int, content: bytes) -> bytes:
    """Return the next digest: SHA-384 of PAGE_INFO, which begins with the one before."""
    head = digest + content + _INFO_BYTES.to_bytes(2, "little") + bytes([kind])
    # not a page of an importing VM, no permissions for VMPL 1 to 3, a reserved byte
    return hashlib.sha384(head + bytes(5) + address.to_bytes(8, "little")).digest()


def _hashes_address(image: Image, sections: Sequence[SevSection]) -> int:
    entry = table(image).get(SEV_HASHES)
    place = [s for s in sections if s.kind == _HASHES]
    address = 0 if entry is None else int.from_bytes(entry[:4], "little")
    if not address or len(place) != 1 or place[0].size != PAGE:
        raise Usage(
            "the firmware image has no place for the hashes of a kernel: it would start any",
            code="no_kernel_hashes",
            expected="an OVMF built for it, such as OVMF.amdsev.fd",
            got="none" if not address else f"{len(place)} sections for it",
        )
    if address - address % PAGE != place[0].address:
        raise malformed(
            image.what,
            "table of hashes",
            expected=f"in the page at {place[0].address:#x}",
            got=f"{address:#x}",
        )
    return address


def _reset_address(image: Image) -> int:
    entry = table(image).get(RESET_BLOCK)
    if entry is None or len(entry) < 4:
        raise malformed(
            image.what,
            "reset block",
            expected="where other CPUs than the first begin",
            got="none" if entry is None else f"{len(entry)} bytes",
        )
    return int.from_bytes(entry[:4], "little")
