"""RSA-4096 keys that follow from a seed, and signatures that follow from key and message.

A key has eight primes of 512 bits: they are found in a tenth of a second, and two of 2048 in ten.
Nobody sees the difference from outside, and the secrets of a simulator need no more strength.

Source: RFC 8017, 3.2 (several primes), 8.1.1 and 9.1.1 (PSS), 8.2 (PKCS #1 v1.5).

Trusts: whoever holds the seed.  Does not trust: nobody else can sign.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from math import prod

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from teeproof.core.digests import framed_sha256

__all__ = ["RsaKey", "rsa_key"]

_BITS, _PRIMES, _EXPONENT = 4096, 8, 65537
_PRIME_BITS = _BITS // _PRIMES
_SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")  # RFC 8017, 9.2, note 1
_HASH = 48  # SHA-384, also the salt's length
_SMALL = [n for n in range(3, 2000, 2) if all(n % k for k in range(3, int(n**0.5) + 1, 2))]


@dataclass(frozen=True, slots=True)
class RsaKey:
    """An RSA key with several primes."""

    primes: tuple[int, ...]

    @property
    def spki(self) -> bytes:
        """The public key: SubjectPublicKeyInfo, DER."""
        public = RSAPublicNumbers(_EXPONENT, prod(self.primes)).public_key()
        return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, message: bytes) -> bytes:
        """Return the PSS signature with SHA-384; the salt follows from the message."""
        return self._signed(_pss(message))

    def sign_pkcs1(self, message: bytes) -> bytes:
        """Return the PKCS #1 v1.5 signature with SHA-256 (RFC 8017, 8.2.1 and 9.2)."""
        tail = b"\0" + _SHA256_INFO + hashlib.sha256(message).digest()
        return self._signed(b"\0\1".ljust(_BITS // 8 - len(tail), b"\xff") + tail)

    def _signed(self, message: bytes) -> bytes:
        encoded = int.from_bytes(message, "big")
        value, modulus = 0, 1
        for prime in self.primes:
            root = pow(encoded, pow(_EXPONENT, -1, prime - 1), prime)
            value += modulus * ((root - value) * pow(modulus, -1, prime) % prime)
            modulus *= prime
        return value.to_bytes(_BITS // 8, "big")


@lru_cache(maxsize=32)
def rsa_key(seed: bytes, label: str) -> RsaKey:
    """Return the key of this seed for this use; another label gives an unrelated key."""
    stream = hashlib.shake_256(
        framed_sha256("teeproof.simulated.rsa.v1", seed, label.encode())
    ).digest(_PRIMES * _PRIME_BITS // 8)
    size = _PRIME_BITS // 8
    return RsaKey(tuple(_prime(stream[at : at + size]) for at in range(0, len(stream), size)))


def _prime(material: bytes) -> int:
    """Return the first fitting prime from here on; eight of them have a product of 4096 bits."""
    # 0xFA…: the eighth power of (0xFA / 0x100) is above one half, so no bit of the product is lost.
    candidate = int.from_bytes(b"\xfa" + material[1:], "big") | 1
    while True:
        small = all(candidate % prime for prime in _SMALL)
        if small and (candidate - 1) % _EXPONENT and pow(2, candidate - 1, candidate) == 1:
            return candidate
        candidate += 2


def _pss(message: bytes) -> bytes:
    hashed = hashlib.sha384(message).digest()
    salt = hashlib.sha384(b"SIMULATED salt " + hashed).digest()
    check = hashlib.sha384(bytes(8) + hashed + salt).digest()
    size = _BITS // 8 - _HASH - 1
    block = (b"\x01" + salt).rjust(size, b"\0")
    masked = bytes(a ^ b for a, b in zip(block, _mask(check, size), strict=True))
    return bytes([masked[0] & 0x7F]) + masked[1:] + check + b"\xbc"


def _mask(seed: bytes, size: int) -> bytes:
    blocks = (
        hashlib.sha384(seed + i.to_bytes(4, "big")).digest() for i in range(size // _HASH + 1)
    )
    return b"".join(blocks)[:size]
