"""Check that a key came from a dstack KMS: two signatures, from the KMS root to the key.

    chain[1]  KMS root signs Keccak-256("dstack-kms-issued:", app id, application's key)
    chain[0]  application's key signs Keccak-256(purpose, ":", hex of the key)

Both are 65 bytes: r, s, recovery id. A signature alone proves nothing, because some key can be
recovered from any: what counts is that the chain ends at the root that the caller pinned.

Source: dstack kms, ``crypto.rs``; guest-agent, ``rpc_service.rs``.

Trusts: the pinned KMS root.  Does not trust: host, guest agent, application.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from teeproof.core.digests import keccak256
from teeproof.core.errors import Malformed, NotAuthentic, Usage

__all__ = ["KeyChain", "verify_key_chain"]

_SIGNATURE_BYTES = 65
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # SEC 2, secp256k1
_APP_ID_BYTES = 20


class KeyChain(msgspec.Struct, frozen=True, kw_only=True):
    """A key and those that vouch for it.

    Attributes:
        public_key: 33 bytes (secp256k1, compressed) or 32 bytes (Ed25519).
        app_key: 33 bytes, the application's own key.
        root: 33 bytes, the KMS root that was pinned.
        app_id: 20 bytes.
        purpose: what the application asked the key for; nobody but itself enforces it.
    """

    public_key: bytes
    app_key: bytes
    root: bytes
    app_id: bytes
    purpose: str


def verify_key_chain(
    chain: Sequence[bytes],
    *,
    public_key: bytes,
    purpose: str,
    app_id: bytes,
    expected_root: bytes,
) -> KeyChain:
    """Return the keys of a GetKey answer whose chain ends at the pinned KMS root.

    Args:
        chain: ``signature_chain`` of GetKey; of a Sign answer, its last two.
        public_key: 33 or 65 bytes of secp256k1, or 32 bytes of Ed25519.
        purpose: as it was asked for.
        app_id: 20 bytes, from a verified event log.
        expected_root: the KMS root's secp256k1 key, 33 or 65 bytes.

    Raises:
        Malformed: a signature or key of another form, or the high-S twin of a signature.
        NotAuthentic: ``kms_root_mismatch``: the chain ends at another root, or it was made for
            another key, purpose or application; from outside these are the same.
    """
    if len(chain) != 2:
        raise Malformed(
            "a key's signature chain has two signatures",
            code="signature_chain_malformed",
            expected="2",
            got=str(len(chain)),
        )
    if len(app_id) != _APP_ID_BYTES:
        raise Usage("an app id has 20 bytes", code="app_id_malformed", got=f"{len(app_id)} bytes")
    key = public_key if len(public_key) == 32 else _compressed(public_key, "public key")
    root = _compressed(expected_root, "KMS root")
    app_key = _signer(chain[0], keccak256(purpose.encode(), b":", key.hex().encode()))
    signer = _signer(chain[1], keccak256(b"dstack-kms-issued:", app_id, app_key))
    if signer != root:
        raise NotAuthentic(
            "the key's chain does not end at the pinned KMS root: another KMS signed it, or it was"
            " made for another key, purpose or application",
            code="kms_root_mismatch",
            expected=root.hex(),
            got=signer.hex(),
        )
    return KeyChain(public_key=key, app_key=app_key, root=root, app_id=app_id, purpose=purpose)


def _signer(signature: bytes, digest: bytes) -> bytes:
    from coincurve import PublicKey  # noqa: PLC0415  imported only when used

    if len(signature) != _SIGNATURE_BYTES or signature[64] > 3:
        raise _malformed("65 bytes: r, s, recovery id 0 to 3", signature)
    # Both signers write low S; its twin would be a second form of the same chain.
    if int.from_bytes(signature[32:64], "big") > _ORDER // 2:
        raise _malformed("low S", signature)
    try:
        return PublicKey.from_signature_and_message(signature, digest, hasher=None).format()
    except Exception:  # coincurve raises Exception itself
        raise _malformed("a signature from which a key can be recovered", signature) from None


def _compressed(key: bytes, what: str) -> bytes:
    from coincurve import PublicKey  # noqa: PLC0415  imported only when used

    try:
        return PublicKey(key).format()
    except ValueError:
        raise Malformed(
            f"the {what} is no point on secp256k1",
            code="public_key_malformed",
            expected="33 or 65 bytes, or 32 of Ed25519",
            got=key.hex()[:140],
        ) from None


def _malformed(expected: str, signature: bytes) -> Malformed:
    return Malformed(
        f"a signature of the chain is malformed: expected {expected}",
        code="signature_malformed",
        expected=expected,
        got=f"{len(signature)} bytes: {signature.hex()[:140]}",
    )
