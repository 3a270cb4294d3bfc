"""Signatures and key pairs of each algorithm, from 32 secret bytes; nothing of roles here.

Signatures have 64 bytes. Of the two twins of an ECDSA signature only the one with the low s is
made and accepted, so nobody can make a second signature out of a first.

Sources: RFC 8032 (Ed25519); SEC 1 and FIPS 186-5 (P-256, secp256k1); EIP-2 (low s);
draft-connolly-cfrg-xwing-kem (how one seed makes an ML-KEM-768 and an X25519 key).

Trusts: libsodium, OpenSSL, libsecp256k1, this process's memory.  Does not trust: a signature.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from typing import Any

from teeproof.core.errors import Unavailable

__all__ = [
    "SECRET_BYTES",
    "draw",
    "expand_ed25519",
    "holds_ecdsa",
    "holds_ed25519",
    "public_key",
    "sign_ecdsa",
    "sign_ed25519",
    "sign_recoverable",
]

SECRET_BYTES = 32
_DRAWS = 100  # of which one in four thousand million fails
_ORDERS = {  # SEC 2, 2.4.2 (P-256) and 2.4.1 (secp256k1)
    "p256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "secp256k1": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
}


def draw(algorithm: str, random: Callable[[int], bytes]) -> bytes:
    """Return a fresh private key, 32 bytes.

    Raises:
        Unavailable: the random source gives nothing that could be one (``random_broken``).
    """
    order = _ORDERS.get(algorithm)
    for _ in range(_DRAWS):
        secret = random(SECRET_BYTES)
        if len(secret) != SECRET_BYTES:
            break
        if order is None or 0 < int.from_bytes(secret, "big") < order:
            return secret
    raise Unavailable("the random source gives no usable key: is it broken?", code="random_broken")


def public_key(algorithm: str, secret: bytes) -> bytes:
    """Return the public key in the form that ``keys.Key`` describes."""
    return _PUBLIC[algorithm](secret)


def expand_ed25519(secret: bytes) -> bytes:
    """Return what ``sign_ed25519`` signs with, 64 bytes: the private key, then the public one."""
    from nacl.bindings import crypto_sign_seed_keypair  # noqa: PLC0415  the import costs 20 ms

    return bytes(crypto_sign_seed_keypair(secret)[1])


def sign_ed25519(expanded: bytes, message: bytes) -> bytes:
    """Return an Ed25519 signature; ``expanded`` is what ``expand_ed25519`` returned."""
    signed: bytes = _ed25519_signer()(message, expanded)
    return signed[:64]


def holds_ed25519(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether an Ed25519 signature holds; libsodium refuses weak keys."""
    if len(signature) != 64:
        return False
    open_signed, bad_signature = _ed25519_opener()
    try:
        open_signed(signature + message, public_key)
    except bad_signature:
        return False
    return True


@cache
def _ed25519_signer() -> Callable[[bytes, bytes], bytes]:
    from nacl.bindings import crypto_sign  # noqa: PLC0415  the import costs 20 ms

    return crypto_sign


@cache
def _ed25519_opener() -> tuple[Callable[[bytes, bytes], bytes], type[Exception]]:
    from nacl.bindings import crypto_sign_open  # noqa: PLC0415  the import costs 20 ms
    from nacl.exceptions import BadSignatureError  # noqa: PLC0415

    return crypto_sign_open, BadSignatureError


def _ed25519_public(secret: bytes) -> bytes:
    from nacl.bindings import crypto_sign_seed_keypair  # noqa: PLC0415

    return bytes(crypto_sign_seed_keypair(secret)[0])


def _x25519_public(secret: bytes) -> bytes:
    from nacl.bindings import crypto_scalarmult_base  # noqa: PLC0415

    return bytes(crypto_scalarmult_base(secret))


def _hybrid_public(secret: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey  # noqa: PLC0415

    seed = hashlib.shake_256(secret).digest(96)
    kem = MLKEM768PrivateKey.from_seed_bytes(seed[:64]).public_key()
    return bytes(kem.public_bytes_raw()) + _x25519_public(seed[64:])


def _p256_public(secret: bytes) -> bytes:
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        PublicFormat,
    )

    public = _p256_private(secret).public_key()
    return bytes(public.public_bytes(Encoding.X962, PublicFormat.CompressedPoint))


def _p256_private(secret: bytes) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    return ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256R1())


def _secp256k1_public(secret: bytes) -> bytes:
    from coincurve import PrivateKey  # noqa: PLC0415

    return PrivateKey(secret).public_key.format()


def sign_ecdsa(algorithm: str, secret: bytes, digest: bytes) -> bytes:
    """Return r and s, 32 bytes each, over a digest of 32 bytes; ``p256`` or ``secp256k1``."""
    if algorithm == "secp256k1":
        from coincurve import PrivateKey  # noqa: PLC0415

        return PrivateKey(secret).sign_recoverable(digest, hasher=None)[:64]
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, utils  # noqa: PLC0415

    der = _p256_private(secret).sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    r, s = utils.decode_dss_signature(der)
    s = min(s, _ORDERS["p256"] - s)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def sign_recoverable(secret: bytes, digest: bytes) -> bytes:
    """Return r, s and v (27 or 28, as Ethereum's ecrecover takes it) of a secp256k1 key."""
    from coincurve import PrivateKey  # noqa: PLC0415

    signature = PrivateKey(secret).sign_recoverable(digest, hasher=None)
    return signature[:64] + bytes([27 + signature[64]])


def holds_ecdsa(algorithm: str, public_key: bytes, digest: bytes, signature: bytes) -> bool:
    """Return whether an ECDSA signature with a low s holds over a digest of 32 bytes."""
    if len(signature) != 64:
        return False
    if int.from_bytes(signature[32:], "big") > _ORDERS[algorithm] // 2:
        return False
    check = _secp256k1_holds if algorithm == "secp256k1" else _p256_holds
    return check(public_key, digest, signature)


def _secp256k1_holds(public_key: bytes, digest: bytes, signature: bytes) -> bool:
    from coincurve import PublicKey  # noqa: PLC0415
    from coincurve.ecdsa import cdata_to_der, deserialize_compact  # noqa: PLC0415

    try:
        der = cdata_to_der(deserialize_compact(signature))
        return PublicKey(public_key).verify(der, digest, hasher=None)
    except ValueError:
        return False


def _p256_holds(public_key: bytes, digest: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, utils  # noqa: PLC0415

    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key)
    try:
        der = utils.encode_dss_signature(r, s)
        key.verify(der, digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    except InvalidSignature:
        return False
    return True


_PUBLIC: dict[str, Callable[[bytes], bytes]] = {
    "ed25519": _ed25519_public,
    "x25519": _x25519_public,
    "mlkem768-x25519": _hybrid_public,
    "p256": _p256_public,
    "secp256k1": _secp256k1_public,
}
