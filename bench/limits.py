"""The signatures that no verifier can do without, as work to measure beside it.

Each limit verifies with the library, by a key that is ready: no parsing, no hashing but of the
signed bytes themselves. Whoever is as fast does nothing else.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache, lru_cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

__all__ = ["Work", "forget", "p256", "p384", "rsa_2048", "rsa_pss_4096", "together"]

Work = Callable[[], object]
_OURS = "teeproof.evidence"
_CACHE = type(lru_cache(id))
_SIZE = 1024  # bytes that are signed: reports have 672, certificates some 600 to 1,300


def p256(count: int = 1) -> Work:
    """Return so many ECDSA verifies on P-256 with SHA-256."""
    return _ecdsa(ec.SECP256R1(), hashes.SHA256(), count)


def p384(count: int = 1, *, size: int = _SIZE) -> Work:
    """Return so many ECDSA verifies on P-384 with SHA-384, over ``size`` bytes each."""
    return _ecdsa(ec.SECP384R1(), hashes.SHA384(), count, size)


def rsa_2048(count: int = 1) -> Work:
    """Return so many RSA-2048 verifies, PKCS #1 v1.5 with SHA-256, as a TPM signs."""
    return _rsa(2048, padding.PKCS1v15(), hashes.SHA256(), count)


def rsa_pss_4096(count: int = 1) -> Work:
    """Return so many RSA-4096 verifies, PSS with SHA-384, as AMD signs certificates."""
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA384()), salt_length=48)
    return _rsa(4096, pss, hashes.SHA384(), count)


def together(*works: Work) -> Work:
    """Return all of them, one after the other."""

    def work() -> None:
        for each in works:
            each()

    return work


def forget() -> None:
    """Empty every cache of ``teeproof.evidence``: what follows is as in a fresh process."""
    for clear in _caches(len(sys.modules)):
        clear()


@cache
def _caches(modules: int) -> list[Work]:
    """Return how to empty each cache; they are looked for again where more modules are loaded."""
    loaded = [module for name, module in sys.modules.items() if name.startswith(_OURS)]
    values = [value for module in loaded for value in vars(module).values()]
    return [value.cache_clear for value in values if isinstance(value, _CACHE)]


def _ecdsa(
    curve: ec.EllipticCurve, hashed: hashes.HashAlgorithm, count: int, size: int = _SIZE
) -> Work:
    key, message, how = ec.derive_private_key(12345, curve), bytes(size), ec.ECDSA(hashed)
    public, signature = key.public_key(), key.sign(message, how)

    def work() -> None:
        for _ in range(count):
            public.verify(signature, message, how)

    return work


@cache
def _rsa_key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def _rsa(
    bits: int, pad: padding.AsymmetricPadding, hashed: hashes.HashAlgorithm, count: int
) -> Work:
    key, message = _rsa_key(bits), bytes(_SIZE)
    public, signature = key.public_key(), key.sign(message, pad, hashed)

    def work() -> None:
        for _ in range(count):
            public.verify(signature, message, pad, hashed)

    return work
