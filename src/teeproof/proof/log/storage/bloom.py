"""A set that says "no" or "perhaps", and "no" never wrongly: new ids need no look at the index.

Statement ids are SHA-256 digests, so their bits are as good as any hash of them. Who grinds ids
that collide makes the log look into its index, and nothing else.

Trusts: nothing; the index has the last word.  Does not trust: ids from others.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

__all__ = ["Bloom", "prefix_of", "prefixes_of"]

_LEAST = 1 << 20  # bytes; 1 in 20 unknown ids of a million is looked up in vain
_BITS_PER_ID = 16


def prefix_of(statement_id: bytes) -> int:
    """Return the first 8 bytes of an id as SQLite's integer."""
    return int.from_bytes(statement_id[:8], "big", signed=True)


def prefixes_of(ids: Sequence[bytes]) -> tuple[int, ...]:
    """Return the prefix of each of many ids."""
    rest = f"{len(ids[0]) - 8}x" if ids else ""
    return struct.unpack(">" + f"q{rest}" * len(ids), b"".join(ids))


class Bloom:
    """A Bloom filter with two bits per id.

    Args:
        bits: the filter's bytes, a power of two of them; by default an empty one.
    """

    def __init__(self, bits: bytes | None = None) -> None:
        self.bits = bytearray(bits or _LEAST)
        self._mask = len(self.bits) * 8 - 1

    @classmethod
    def roomy(cls, ids: int) -> Bloom:
        """Return an empty filter with room for four times so many ids."""
        wanted = 4 * ids * _BITS_PER_ID // 8
        return cls(bytes(max(_LEAST, 1 << (wanted - 1).bit_length())))

    def is_full(self, ids: int) -> bool:
        """Whether so many ids make it say "perhaps" too often."""
        return ids * _BITS_PER_ID > len(self.bits) * 8 * 2

    def update(self, prefixes: Iterable[int]) -> None:
        """Add ids by their prefixes."""
        bits, mask = self.bits, self._mask
        for prefix in prefixes:
            one, two = prefix & mask, (prefix >> 32) & mask
            bits[one >> 3] |= 1 << (one & 7)
            bits[two >> 3] |= 1 << (two & 7)

    def perhaps(self, ids: Sequence[bytes]) -> list[int]:
        """Return the places of those ids that may be in it."""
        bits, last = self.bits, len(self.bits) - 1
        return [
            at
            for at, prefix in enumerate(prefixes_of(ids))
            if bits[prefix >> 3 & last] and prefix in self
        ]

    def __contains__(self, prefix: int) -> bool:
        bits, mask = self.bits, self._mask
        one = prefix & mask
        if not bits[one >> 3] >> (one & 7) & 1:
            return False
        two = (prefix >> 32) & mask
        return bool(bits[two >> 3] >> (two & 7) & 1)
