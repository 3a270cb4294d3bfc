"""A cursor over SCALE, the encoding of version 0 of dstack's attestations: every read is bounded.

Source: parity-scale-codec: little-endian integers; a length in its compact form, which takes one,
two or four bytes by its two lowest bits, and no more of them than it needs.

Trusts: nothing; it only reads.  Does not trust: lengths.
"""

from __future__ import annotations

__all__ = ["Scale"]


class Scale:
    """A cursor; each read moves it, and raises ValueError where the bytes are too few."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, size: int) -> bytes:
        """Return the next bytes, so many."""
        if size > len(self.data) - self.at:
            raise ValueError(f"{size} bytes are announced, {len(self.data) - self.at} are left")
        self.at += size
        return self.data[self.at - size : self.at]

    def compact(self) -> int:
        """Return a length; ValueError from 1 GiB on, or in more bytes than it needs."""
        first = self.take(1)[0]
        mode, size = first & 3, (1, 2, 4, 0)[first & 3]
        if mode == 3:
            raise ValueError("a length of more than 1 GiB")
        value = int.from_bytes(bytes([first]) + self.take(size - 1), "little") >> 2
        if mode and value < (1 << 6 if mode == 1 else 1 << 14):
            raise ValueError("a length in more bytes than it needs")
        return value

    def octets(self) -> bytes:
        """Return as many bytes as the length before them says."""
        return self.take(self.compact())

    def u32(self) -> int:
        """Return an unsigned integer of four bytes."""
        return int.from_bytes(self.take(4), "little")

    def end(self) -> None:
        """Raise ValueError unless nothing is left."""
        if self.at != len(self.data):
            raise ValueError(f"{len(self.data) - self.at} bytes behind the end")
