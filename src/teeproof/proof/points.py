"""Whether bytes are a public key of an algorithm, and one that a private key can stand behind.

Points of small order let anyone "sign" or agree on a known secret, so they are no keys.

Trusts: libsodium, OpenSSL and libsecp256k1.  Does not trust: whoever wrote the bytes.
"""

from __future__ import annotations

from functools import lru_cache

__all__ = ["HYBRID_BYTES", "is_valid", "p256_spki", "parts"]

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


def parts(algorithm: str, raw: bytes) -> tuple[bytes, ...]:
    """Return what must differ from every other key: the key, and what is combined in it.

    A point is told by its x coordinate: the key with the other sign has the same secret.
    """
    if algorithm == "mlkem768-x25519":
        return raw[:ML_KEM_768_BYTES], raw[ML_KEM_768_BYTES:]
    if algorithm == "ed25519":
        return (raw[:31] + bytes([raw[31] & 0x7F]),)
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
    from cryptography.hazmat.primitives.asymmetric.x25519 import (  # noqa: PLC0415
        X25519PrivateKey,
        X25519PublicKey,
    )

    if len(raw) != 32 or raw[31] & 0x80 or int.from_bytes(raw, "little") >= (1 << 255) - 19:
        return False  # RFC 7748 5: readers would reduce it, so one key would have two texts
    X25519PrivateKey.from_private_bytes(b"\1" * 32).exchange(X25519PublicKey.from_public_bytes(raw))
    return True  # the exchange raises ValueError for points of small order


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
