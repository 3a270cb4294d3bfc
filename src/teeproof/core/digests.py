"""Digests, and the one text form in which they are written: ``sha256:<hex>``."""

from __future__ import annotations

import hashlib

from teeproof.core.errors import Malformed

__all__ = [
    "blake3",
    "framed_sha256",
    "keccak256",
    "named",
    "parse_named",
    "sha256",
    "sha384",
    "sha512",
]

_SIZES = {"sha256": 32, "sha384": 48, "sha512": 64, "blake3": 32, "keccak256": 32}


def sha256(*parts: bytes) -> bytes:
    """Return SHA-256 over the parts, one after the other, as 32 bytes."""
    return hashlib.sha256(b"".join(parts)).digest()


def sha384(*parts: bytes) -> bytes:
    """Return SHA-384 over the parts, one after the other, as 48 bytes."""
    return hashlib.sha384(b"".join(parts)).digest()


def sha512(*parts: bytes) -> bytes:
    """Return SHA-512 over the parts, one after the other, as 64 bytes."""
    return hashlib.sha512(b"".join(parts)).digest()


def keccak256(*parts: bytes) -> bytes:
    """Return Ethereum's Keccak-256 (not SHA3-256) over the parts, as 32 bytes."""
    from Crypto.Hash import keccak  # noqa: PLC0415  the import costs 20 ms and few commands need it

    digest: bytes = keccak.new(digest_bits=256, data=b"".join(parts)).digest()
    return digest


def blake3(*parts: bytes) -> bytes:
    """Return BLAKE3 over the parts, one after the other, as 32 bytes."""
    from blake3 import blake3 as _blake3  # noqa: PLC0415  as above

    return _blake3(b"".join(parts)).digest()


def framed_sha256(label: str, *parts: bytes) -> bytes:
    """Return SHA-256 over a label and parts, each preceded by its length.

    The lengths (8 bytes, big-endian) keep ``("ab", "c")`` and ``("a", "bc")`` apart, and the label
    keeps one use of the digest from being taken for another.
    """
    digest = hashlib.sha256()
    for part in (label.encode(), *parts):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()


def named(value: bytes, algorithm: str = "sha256") -> str:
    """Return the text form of a digest, such as ``sha256:9f86…``."""
    return f"{algorithm}:{value.hex()}"


def parse_named(text: str, algorithm: str = "sha256") -> bytes:
    """Return the bytes of a digest written as ``algorithm:<lower-case hex>``.

    Raises:
        Malformed: another algorithm, another length, or anything but lower-case hex.
    """
    prefix, _, digits = text.partition(":")
    size = _SIZES[algorithm]
    if prefix != algorithm or len(digits) != 2 * size or digits.strip("0123456789abcdef"):
        raise Malformed(
            f"this is not a {algorithm} digest",
            code="digest_malformed",
            expected=f"{algorithm}: and {2 * size} lower-case hex digits",
            got=text[:100],
        )
    return bytes.fromhex(digits)
