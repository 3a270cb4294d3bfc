"""The TD HOB: the list of memory that QEMU hands to a TD's firmware, which measures it.

It names what is accepted already, the sections that the image lists, and what is not. So its
digest depends on the image and on the size of memory alone.

Source: UEFI PI 1.8, volume 3 (HOBs); QEMU, ``hw/i386/tdvf-hob.c``; edk2, ``TdxMeasureTdHob``.

Trusts: nothing; it only writes bytes.  Does not trust: the sections, which were checked.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from teeproof.core.errors import Usage
from teeproof.evidence.measure.kernel import Machine, below_4g
from teeproof.evidence.measure.ovmf import TdxSection

__all__ = ["td_hob"]

_TD_HOB, _TEMPORARY = 2, 3
_HANDOFF, _RESOURCE = 1, 3
_VERSION = 9
_SYSTEM_MEMORY, _UNACCEPTED = 0, 7
_ATTRIBUTES = 7  # present, initialized, tested
_END_BYTES = 8
_4G = 1 << 32


def td_hob(sections: Sequence[TdxSection], *, memory: int, machine: Machine = "q35") -> bytes:
    """Return the bytes that the firmware measures: the list without its end.

    Args:
        sections: of a TDX image.
        memory: bytes of memory of the machine.
        machine: QEMU's machine type.

    Raises:
        Usage: the image has no place for the list, or wants memory that the machine has not.
    """
    base = next((s.address for s in sections if s.kind == _TD_HOB), None)
    if base is None:
        raise Usage("the image has no TD HOB: its firmware is told of memory in another way")
    low = below_4g(memory, machine)
    taken = sorted((s.address, s.size) for s in sections if s.kind in (_TD_HOB, _TEMPORARY))
    ranges = list(_ranges(taken, low))
    if memory > low:
        ranges.append((_UNACCEPTED, _4G, memory - low))
    resources = b"".join(_resource(*found) for found in ranges)
    end = base + 56 + len(resources) + _END_BYTES
    return struct.pack("<HHIII5Q", _HANDOFF, 56, 0, _VERSION, 0, 0, 0, 0, 0, end) + resources


def _ranges(taken: Sequence[tuple[int, int]], low: int) -> Iterator[tuple[int, int, int]]:
    at = 0
    for start, size in taken:
        if start + size > low:
            raise Usage(
                "the firmware wants memory that the machine has not: give the machine's",
                code="memory_too_small",
                expected=f"more than {start + size} bytes of memory",
                got=f"{low} bytes below 4 GiB",
            )
        if start > at:
            yield _UNACCEPTED, at, start - at
        yield _SYSTEM_MEMORY, start, size
        at = start + size
    if low > at:
        yield _UNACCEPTED, at, low - at


def _resource(kind: int, start: int, size: int) -> bytes:
    return struct.pack("<HHI16xIIQQ", _RESOURCE, 48, 0, kind, _ATTRIBUTES, start, size)
