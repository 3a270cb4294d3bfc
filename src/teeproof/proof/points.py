"""Whether bytes are a public key of an algorithm, and one that a private key can stand behind.

Points of small order let anyone "sign" or agree on a known secret, so they are no keys. Nor are
points with a part of small order: each key would have seven twins with the same secret.

Trusts: libsodium, OpenSSL and libsecp256k1.  Does not trust: whoever wrote the bytes.
"""

from __future__ import annotations

from functools import lru_cache

__all__ = ["HYBRID_BYTES", "is_valid", "p256_spki", "parts"]

_PRIME = (1 << 255) - 19  # RFC 7748 4.1

ML_KEM_768_BYTES = 1184  # FIPS 203, table 3
HYBRID_BYTES = ML_KEM_768_BYTES + 32
P256_SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")  # RFC 5480


@lru_cache(maxsize=4096)
def is_valid(algorithm: str, raw: bytes) -> bool:
    """Return whether these bytes are a usable public key of this algorithm."""
    try:
        return _CHECKS[algorithm](raw)
    except (ValueError, KeyError):
        return False


@lru_cache(maxsize=4096)
def parts(algorithm: str, raw: bytes) -> tuple[bytes, ...]:
    """Return what must differ from every other key: the key, and what is combined in it.

    A point is told by one coordinate: the key with the other sign has the same secret. So has the
    X25519 key that an Ed25519 key is turned into, so both are told by the X25519 coordinate.
    """
    if algorithm == "mlkem768-x25519":
        return raw[:ML_KEM_768_BYTES], raw[ML_KEM_768_BYTES:]
    if algorithm == "ed25519":
        return (_montgomery(raw),)
    return (raw[1:],) if algorithm in ("p256", "secp256k1") else (raw,)


def p256_spki(raw: bytes) -> bytes:
    """Return the SubjectPublicKeyInfo (DER) of a compressed P-256 point."""
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        PublicFormat,
    )

    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
    return P256_SPKI + key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _ed25519(raw: bytes) -> bool:
    from nacl.bindings import crypto_core_ed25519_is_valid_point  # noqa: PLC0415

    return len(raw) == 32 and crypto_core_ed25519_is_valid_point(raw)


def _x25519(raw: bytes) -> bool:
    u = int.from_bytes(raw, "little")
    if len(raw) != 32 or u >= _PRIME - 1:
        return False  # RFC 7748 5: readers would reduce it, so one key would have two texts
    # RFC 7748 4.1: the same point of Ed25519; libsodium refuses what is none, and small orders.
    y = (u - 1) * pow(u + 1, -1, _PRIME) % _PRIME
    return _ed25519(y.to_bytes(32, "little"))


def _montgomery(raw: bytes) -> bytes:
    y = int.from_bytes(raw, "little") & ((1 << 255) - 1)
    u = (1 + y) * pow(1 - y, -1, _PRIME) % _PRIME  # RFC 7748 4.1; y is 1 at the identity only
    return u.to_bytes(32, "little")


def _p256(raw: bytes) -> bool:
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
    return len(raw) == 33


def _secp256k1(raw: bytes) -> bool:
    from coincurve import PublicKey  # noqa: PLC0415

    return len(raw) == 33 and PublicKey(raw).format() == raw


def _hybrid(raw: bytes) -> bool:
    from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey  # noqa: PLC0415

    if len(raw) != HYBRID_BYTES:
        return False
    MLKEM768PublicKey.from_public_bytes(raw[:ML_KEM_768_BYTES])
    return _x25519(raw[ML_KEM_768_BYTES:])


_CHECKS = {
    "ed25519": _ed25519,
    "x25519": _x25519,
    "p256": _p256,
    "secp256k1": _secp256k1,
    "mlkem768-x25519": _hybrid,
}
