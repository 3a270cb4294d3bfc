"""The state that a virtual CPU of an SEV-SNP guest starts in: its VMSA, one measured page.

Source: AMD 24593 (APM volume 2), table B-4 for the fields, 14.1.3 for the values after reset;
what each VMM writes otherwise: QEMU ``target/i386/sev.c``, Linux ``sev_es_sync_vmsa``, and the
launch measurements that AWS and Google publish, as ``sev-snp-measure`` collects them.

Trusts: nothing; it only writes bytes.  Does not trust: the firmware's reset address.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from teeproof.evidence.measure.image import PAGE

__all__ = ["CPUS", "VMMS", "Vmm", "signature", "vmsa"]

Vmm = Literal["qemu", "ec2", "gce"]
BOOT_ADDRESS = 0xFFFF_FFF0  # where the first CPU begins


def signature(*, family: int, model: int, stepping: int) -> int:
    """Return a CPU's signature, CPUID Fn0000_0001_EAX (AMD 25481)."""
    extended = max(0, family - 15)
    return (
        extended << 20
        | (model >> 4) << 16
        | min(family, 15) << 8
        | (model & 15) << 4
        | stepping & 15
    )


_NAPLES = signature(family=23, model=1, stepping=2)
_ROME = signature(family=23, model=49, stepping=0)
_MILAN = signature(family=25, model=1, stepping=1)
_GENOA = signature(family=25, model=17, stepping=0)
_TURIN = signature(family=26, model=0, stepping=0)

CPUS = {
    "EPYC": _NAPLES,
    **{f"EPYC-v{version}": _NAPLES for version in (1, 2, 3, 4, 5)},
    "EPYC-IBPB": _NAPLES,
    "EPYC-Rome": _ROME,
    **{f"EPYC-Rome-v{version}": _ROME for version in (1, 2, 3, 4, 5)},
    "EPYC-Milan": _MILAN,
    **{f"EPYC-Milan-v{version}": _MILAN for version in (1, 2, 3)},
    "EPYC-Genoa": _GENOA,
    **{f"EPYC-Genoa-v{version}": _GENOA for version in (1, 2)},
    "EPYC-Turin": _TURIN,
    "EPYC-Turin-v1": _TURIN,
}
"""The signatures of QEMU's models of CPUs (``builtin_x86_defs``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Start:
    """Where VMMs differ: attributes of segments, and registers."""

    cs: int = 0x9B
    cs_at_boot: int = 0x9B
    ss: int = 0x93
    tr: int = 0x8B
    rdx: int | None = 0x600  # None: the CPU's signature, as after a reset
    mxcsr: int = 0
    fcw: int = 0
    pat: int = 0x0007_0406_0007_0406  # APM volume 2, 7.8.2


VMMS: dict[Vmm, _Start] = {
    "qemu": _Start(rdx=None, mxcsr=0x1F80, fcw=0x37F),
    "ec2": _Start(cs_at_boot=0x9A, ss=0x92, tr=0x83),
    "gce": _Start(pat=0x0007_0106),
}


def vmsa(address: int, *, cpu: int, features: int, vmm: Vmm) -> bytes:
    """Return the page of a virtual CPU, 4096 bytes.

    Args:
        address: where it begins.
        cpu: its signature.
        features: SEV_FEATURES.
        vmm: who starts the guest.
    """
    start = VMMS[vmm]
    page = bytearray(PAGE)
    cs = start.cs_at_boot if address == BOOT_ADDRESS else start.cs
    segments = {
        0x00: (0, 0x93, 0xFFFF, 0),  # ES
        0x10: (0xF000, cs, 0xFFFF, address & 0xFFFF_0000),
        0x20: (0, start.ss, 0xFFFF, 0),
        0x30: (0, 0x93, 0xFFFF, 0),  # DS
        0x40: (0, 0x93, 0xFFFF, 0),  # FS
        0x50: (0, 0x93, 0xFFFF, 0),  # GS
        0x60: (0, 0, 0xFFFF, 0),  # GDTR
        0x70: (0, 0x82, 0xFFFF, 0),  # LDTR
        0x80: (0, 0, 0xFFFF, 0),  # IDTR
        0x90: (0, start.tr, 0xFFFF, 0),
    }
    for at, (selector, attributes, limit, base) in segments.items():
        for place, size, value in (
            (0, 2, selector),
            (2, 2, attributes),
            (4, 4, limit),
            (8, 8, base),
        ):
            _put(page, at + place, size, value)
    registers = {
        0x0D0: 0x1000,  # EFER: SVME, which KVM sets
        0x148: 0x40,  # CR4: MCE, which KVM sets
        0x158: 0x10,  # CR0
        0x160: 0x400,  # DR7
        0x168: 0xFFFF_0FF0,  # DR6
        0x170: 0x2,  # RFLAGS
        0x178: address & 0xFFFF,  # RIP
        0x268: start.pat,
        0x310: cpu if start.rdx is None else start.rdx,
        0x3B0: features,
        0x3E8: 1,  # XCR0
    }
    for at, value in registers.items():
        _put(page, at, 8, value)
    _put(page, 0x408, 4, start.mxcsr)
    _put(page, 0x410, 2, start.fcw)
    return bytes(page)


def _put(page: bytearray, at: int, size: int, value: int) -> None:
    page[at : at + size] = value.to_bytes(size, "little")
