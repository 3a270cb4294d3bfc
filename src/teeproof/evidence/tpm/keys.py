"""Check a TPM's signature with a key as other software writes it.

Trusts: ``cryptography``.  Does not trust: the key; who vouches for it is another check.
"""

from __future__ import annotations

from typing import TypeGuard

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from teeproof.core.errors import Malformed, NotAuthentic
from teeproof.evidence.tpm.signature import ECDSA, RSAPSS, Signature
from teeproof.evidence.tpm.wire import SHA256, SHA384, SHA512
from teeproof.evidence.x509 import UNREADABLE

__all__ = ["MAX_KEY_BYTES", "Key", "load", "require_signed"]

Key = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

MAX_KEY_BYTES = 1 << 10
RSA_BITS = range(2048, 4096 + 1)
CURVES = ("secp256r1", "secp384r1")
_HASHES = {SHA256: hashes.SHA256(), SHA384: hashes.SHA384(), SHA512: hashes.SHA512()}


def load(spki: bytes) -> Key:
    """Return the key in a SubjectPublicKeyInfo (DER): RSA of 2048 to 4096 bits, P-256 or P-384.

    Raises:
        Malformed: another key, a weaker one, or another encoding of it.
    """
    try:
        key = load_der_public_key(spki[: MAX_KEY_BYTES + 1])
        canonical = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except UNREADABLE as error:
        raise _unusable(str(error)[:200]) from None
    if canonical == spki and _is_strong(key):
        return key
    raise _unusable(f"another {type(key).__name__.lstrip('_')}")


def _is_strong(key: object) -> TypeGuard[Key]:
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size in RSA_BITS
    return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in CURVES


def _unusable(got: str) -> Malformed:
    return Malformed(
        "this is no attestation key: it cannot be read, or is too weak",
        code="ak_malformed",
        expected="RSA of 2048 to 4096 bits, or ECC on P-256 or P-384, as DER",
        got=got,
    )


def require_signed(key: Key, signature: Signature, message: bytes) -> None:
    """Check that ``key`` signed ``message``.

    Raises:
        NotAuthentic: it did not, or by a scheme that is too weak or not for such a key.
    """
    chosen = _HASHES.get(signature.hash)
    if chosen is None or isinstance(key, rsa.RSAPublicKey) is (signature.scheme == ECDSA):
        raise NotAuthentic(
            "the signature's scheme is not for this key, or its hash is no longer safe",
            code="tpm_signature_scheme",
            expected="RSASSA or RSAPSS of an RSA key, ECDSA of another, with SHA-2",
            got=signature.name,
        )
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            der = encode_dss_signature(signature.r, signature.s)
            key.verify(der, message, ec.ECDSA(chosen))
        else:
            key.verify(signature.value, message, _padding(signature, chosen), chosen)
    except InvalidSignature:
        raise NotAuthentic(
            "the attestation key did not sign this quote", code="tpm_signature"
        ) from None


def _padding(signature: Signature, chosen: hashes.HashAlgorithm) -> padding.AsymmetricPadding:
    if signature.scheme == RSAPSS:
        # Part 1, B.7: the salt is as long as fits, or as the digest (FIPS 186-4).
        return padding.PSS(padding.MGF1(chosen), padding.PSS.AUTO)
    return padding.PKCS1v15()
