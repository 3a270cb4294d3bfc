"""The simulated key provider: secrets of an application, and the signatures that vouch for them.

It stands where dstack's KMS stands: what it derives depends on the application's code, and its
signature chain is dstack's (``evidence.dstack_keys`` verifies it against ``root``).

Trusts: whoever holds the seed.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from teeproof.core.digests import framed_sha256, keccak256

if TYPE_CHECKING:
    from coincurve import PrivateKey

__all__ = ["derive", "root", "vouch"]


def derive(seed: bytes, compose_hash: bytes, path: str) -> bytes:
    """Return the 32 secret bytes of an application for a path."""
    return framed_sha256("teeproof.simulated.derived.v1", seed, compose_hash, path.encode())


def root(seed: bytes) -> bytes:
    """Return the provider's own key, secp256k1, 33 bytes."""
    return _key(seed, b"root").public_key.format()


def vouch(
    seed: bytes, *, compose_hash: bytes, app_id: bytes, public_key: bytes, purpose: str
) -> tuple[bytes, bytes]:
    """Return dstack's two signatures: the application's over the key, the provider's over that."""
    app = _key(seed, b"application", compose_hash)
    over_key = keccak256(purpose.encode(), b":", public_key.hex().encode())
    over_app = keccak256(b"dstack-kms-issued:", app_id, app.public_key.format())
    return (
        app.sign_recoverable(over_key, hasher=None),
        _key(seed, b"root").sign_recoverable(over_app, hasher=None),
    )


def _key(seed: bytes, *use: bytes) -> PrivateKey:
    from coincurve import PrivateKey  # noqa: PLC0415  imported only when used

    return PrivateKey(framed_sha256("teeproof.simulated.provider.v1", seed, *use))
