"""Read numbers and pieces of an image file, each with its bounds checked.

Trusts: nothing; it only reads.  Does not trust: any offset or length in the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from teeproof.core.errors import Malformed, TooLarge

__all__ = [
    "MAX_FIRMWARE_BYTES",
    "MAX_INITRD_BYTES",
    "MAX_KERNEL_BYTES",
    "PAGE",
    "Image",
    "malformed",
    "require_apart",
]

PAGE = 4096
MAX_FIRMWARE_BYTES = 16 << 20  # QEMU maps at most 8 MiB of flash by default, OVMF's largest is 4
MAX_KERNEL_BYTES = 512 << 20  # a unified kernel image holds its initial ramdisk too
MAX_INITRD_BYTES = 1 << 30


class Image:
    """The bytes of a file, and its name in messages.

    Args:
        data: the bytes.
        what: such as ``kernel``.
        limit: the most bytes that such a file may have; TooLarge otherwise.
    """

    __slots__ = ("data", "view", "what")

    def __init__(self, data: bytes, *, what: str, limit: int) -> None:
        if len(data) > limit:
            raise TooLarge(
                f"the {what} is too large",
                expected=f"at most {limit} bytes",
                got=f"{len(data)} bytes",
            )
        self.data, self.what, self.view = data, what, memoryview(data)

    def __len__(self) -> int:
        return len(self.data)

    def take(self, at: int, size: int, part: str) -> memoryview:
        """Return a piece without copying it; Malformed where it does not lie within the image."""
        if at < 0 or size < 0 or at + size > len(self.data):
            raise malformed(
                self.what,
                part,
                expected=f"within the {len(self.data)} bytes of the {self.what}",
                got=f"{size} bytes at {at:#x}",
            )
        return self.view[at : at + size]

    def number(self, at: int, size: int, part: str) -> int:
        """Return a little-endian number of ``size`` bytes; Malformed as in ``take``."""
        return int.from_bytes(self.take(at, size, part), "little")


def malformed(what: str, part: str, *, expected: str, got: str) -> Malformed:
    """Return the error of an image whose part is not what it must be."""
    return Malformed(
        f"the {what} cannot be measured: its {part} is not as firmware would take it",
        code="image_malformed",
        expected=expected,
        got=got,
    )


def require_apart(ranges: Sequence[tuple[int, int]], *, what: str, part: str) -> None:
    """Check that no two ranges share a byte; each is its start and its size, empty ones aside."""
    ordered = sorted((start, size) for start, size in ranges if size)
    for (start, size), (other, _) in pairwise(ordered):
        if start + size > other:
            raise malformed(
                what,
                part,
                expected="parts that do not overlap",
                got=f"{size:#x} bytes at {start:#x}, and more at {other:#x}",
            )
