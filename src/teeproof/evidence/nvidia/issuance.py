"""Who signed what: certificates up to a pinned root, and data by a certificate's key.

Trusts: the roots that are passed in.  Does not trust: names; a signature counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from teeproof.core.errors import NotAuthentic
from teeproof.evidence.dates import Window
from teeproof.evidence.nvidia.certificates import Certificate

__all__ = ["issued_by", "require_chain", "signed_by", "signed_raw", "window"]

_SHA384 = ec.ECDSA(hashes.SHA384())


def require_chain(chain: Sequence[Certificate], *, what: str, code: str) -> None:
    """Check that each certificate was issued by the next, and the last one by itself."""
    for depth, (child, issuer) in enumerate(zip(chain, [*chain[1:], chain[-1]], strict=True)):
        if not issuer.is_ca:
            raise NotAuthentic(f"{what}: {issuer.subject} may not sign certificates", code=code)
        # RFC 5280, 4.2.1.9: authorities between the issuer and the leaf.
        if issuer.depth is not None and child is not issuer and issuer.depth < depth:
            raise NotAuthentic(
                f"{what}: {issuer.subject} may not stand above so many authorities", code=code
            )
        if not issued_by(child, issuer):
            raise NotAuthentic(
                f"{what}: {issuer.subject} did not sign the certificate of {child.subject}",
                code=code,
            )


@lru_cache(maxsize=1024)
def issued_by(child: Certificate, issuer: Certificate) -> bool:
    """Whether ``issuer`` is named as the issuer of ``child``, and its key signed it.

    Remembered: the GPUs of one family share all certificates but two.
    """
    return child.issuer_name == issuer.subject_name and signed_by(
        issuer.key, child.signature, child.tbs
    )


def signed_by(key: ec.EllipticCurvePublicKey, signature: bytes, message: bytes) -> bool:
    """Whether ``signature`` (DER, ECDSA over SHA-384) is the key's over ``message``."""
    try:
        key.verify(signature, message, _SHA384)
    except InvalidSignature:
        return False
    return True


def signed_raw(key: ec.EllipticCurvePublicKey, signature: bytes, message: bytes) -> bool:
    """As ``signed_by``, of a signature that is r then s, 48 bytes each, big-endian."""
    if len(signature) != 96:
        return False
    r, s = int.from_bytes(signature[:48], "big"), int.from_bytes(signature[48:], "big")
    return signed_by(key, encode_dss_signature(r, s), message)


def window(certificate: Certificate, code: str) -> Window:
    """Return when a certificate is valid; ``code`` begins the codes of being outside it."""
    return Window(
        f"certificate of {certificate.subject}", code, certificate.not_before, certificate.not_after
    )
