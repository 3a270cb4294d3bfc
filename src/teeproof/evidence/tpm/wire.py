"""Read and write the TPM's structures: big-endian numbers, and bytes with their size before them.

Source: TCG, Trusted Platform Module Library, Part 2: Structures (revision 1.59).

Trusts: nothing; it only reads.  Does not trust: lengths in the bytes.
"""

from __future__ import annotations

import hashlib
from types import MappingProxyType

from teeproof.core.errors import Malformed

__all__ = [
    "HASHES",
    "HASH_NAMES",
    "NULL",
    "SHA1",
    "SHA256",
    "SHA384",
    "SHA512",
    "Reader",
    "digest",
    "malformed",
    "sized",
]

# Part 2, 6.3: TPM_ALG_ID.
SHA1, SHA256, SHA384, SHA512, NULL = 0x4, 0xB, 0xC, 0xD, 0x10
HASHES = MappingProxyType({SHA1: 20, SHA256: 32, SHA384: 48, SHA512: 64})
HASH_NAMES = MappingProxyType({SHA1: "sha1", SHA256: "sha256", SHA384: "sha384", SHA512: "sha512"})


class Reader:
    """Bytes that are read from front to back, each length checked before it is believed."""

    __slots__ = ("_at", "_data", "_what")

    def __init__(self, data: bytes, *, what: str) -> None:
        self._data, self._at, self._what = data, 0, what

    def take(self, size: int, name: str) -> bytes:
        """Return the next ``size`` bytes."""
        end = self._at + size
        if end > len(self._data):
            left = len(self._data) - self._at
            raise malformed(self._what, f"{size} bytes of {name}", f"{left} bytes")
        found = self._data[self._at : end]
        self._at = end
        return found

    def number(self, size: int, name: str) -> int:
        """Return the next number of ``size`` bytes."""
        return int.from_bytes(self.take(size, name), "big")

    def sized(self, name: str, *, most: int) -> bytes:
        """Return bytes that stand behind their size (2 bytes): what TCG calls TPM2B."""
        size = self.number(2, f"size of {name}")
        if size > most:
            raise malformed(self._what, f"at most {most} bytes of {name}", f"{size} bytes")
        return self.take(size, name)

    def end(self) -> None:
        """Check that nothing is left."""
        left = len(self._data) - self._at
        if left:
            raise malformed(self._what, "nothing behind its last field", f"{left} bytes")


def sized(value: bytes) -> bytes:
    """Return bytes behind their size (2 bytes): what TCG calls TPM2B."""
    return len(value).to_bytes(2, "big") + value


def digest(algorithm: int, data: bytes) -> bytes:
    """Return the digest of ``data`` by one of ``HASHES``."""
    return hashlib.new(HASH_NAMES[algorithm], data).digest()


def malformed(what: str, expected: str, got: str) -> Malformed:
    """Return the error for a structure whose bytes do not add up."""
    return Malformed(
        f"the {what} is malformed: expected {expected}, got {got}",
        code="tpm_malformed",
        expected=expected,
        got=got,
    )
