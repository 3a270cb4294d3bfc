"""X.509 as Intel uses it: short PEM chains of P-256 certificates.

Parsing is a pure function of the bytes and is remembered; signatures are checked by the callers'
explicit calls. A root is recognised by the fingerprint of its public key, never by its name.

Trusts: nothing; it only answers questions about bytes.  Does not trust: names, order, PEM text.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Malformed, NotAuthentic
from teeproof.evidence import pem
from teeproof.evidence.certificate import (
    claims_ca,
    common_name,
    may_sign_certificates,
    read_fields,
)
from teeproof.evidence.der import SEQUENCE, encode_oid
from teeproof.evidence.marks import SIMULATED_ROOT_OID

__all__ = [
    "UNREADABLE",
    "Certificate",
    "clear_caches",
    "load_key",
    "malformed_x509",
    "parse_chain",
    "require_issued",
    "require_signature",
    "signed_by",
]

MAX_CHAIN_BYTES = 32 << 10
# AlgorithmIdentifier of ecdsa-with-SHA256 (RFC 5758, 3.2), as DER writes it.
ECDSA_SHA256 = (SEQUENCE, bytes.fromhex("06082a8648ce3d040302"))

_MARK = encode_oid(SIMULATED_ROOT_OID)
_SHA256 = ec.ECDSA(hashes.SHA256())

# What the library raises for bytes that it cannot read; not all of it is a ValueError.
UNREADABLE = (ValueError, TypeError, IndexError, UnsupportedAlgorithm, x509.InvalidVersion)


class Certificate(msgspec.Struct, frozen=True, eq=False):
    """A P-256 certificate, signed with ECDSA over SHA-256.

    Attributes:
        der: its bytes.
        tbs: the signed part; unlike ``der`` it has no malleable twin.
        signature: DER, over ``tbs``.
        serial: serial number.
        subject: the subject's common name, for messages and phrases.
        subject_name: the subject's name, DER content.
        issuer_name: the issuer's name, DER content.
        not_before: first valid second since 1970.
        not_after: last valid second since 1970.
        fingerprint: ``sha256:…`` of the SubjectPublicKeyInfo.
        key: the public key.
        is_ca: whether it may sign certificates.
        claims_ca: whether it calls itself an authority, allowed or not.
        extensions: OID (DER content) -> value (DER).
        simulated: whether it carries the mark of a simulator's root.
    """

    der: bytes
    tbs: bytes
    signature: bytes
    serial: int
    subject: str
    subject_name: bytes
    issuer_name: bytes
    not_before: int
    not_after: int
    fingerprint: str
    key: ec.EllipticCurvePublicKey
    is_ca: bool
    claims_ca: bool
    extensions: dict[bytes, bytes]
    simulated: bool


def parse_chain(text: bytes, *, what: str) -> tuple[Certificate, ...]:
    """Return the certificates of a PEM chain, leaf first.

    Between and around the certificates only white space and NUL bytes may stand.

    Raises:
        Malformed: anything else, no certificate, more than six, or one that is not P-256.
    """
    if len(text) > MAX_CHAIN_BYTES:
        raise malformed_x509(what, f"at most {MAX_CHAIN_BYTES} bytes", f"{len(text)} bytes")
    found, rest = pem.split(text)
    if not 1 <= len(found) <= 6 or rest.strip(pem.SPACE):
        raise malformed_x509(
            what, "one to six PEM certificates and nothing else", f"{len(found)} certificates"
        )
    return tuple(_parse_certificate(block, what) for block in found)


def _parse_certificate(block: pem.Block, what: str) -> Certificate:
    try:
        return _load_certificate(pem.decoded(block.base64))
    except UNREADABLE as error:
        raise malformed_x509(what, "X.509 certificates over P-256", str(error)[:200]) from None


@lru_cache(maxsize=256)
def _load_certificate(der: bytes) -> Certificate:
    fields = read_fields(der)
    if (SEQUENCE, fields.algorithm) != ECDSA_SHA256:
        raise ValueError("the signature algorithm is not ECDSA with SHA-256")
    if fields.serial <= 0:  # RFC 5280, 4.1.2.2; no revocation list could name it
        raise ValueError("the serial number is not positive")
    certificate = x509.load_der_x509_certificate(der)
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise ValueError("the key is not on P-256")
    return Certificate(
        der=der,
        tbs=fields.tbs,
        signature=certificate.signature,
        serial=fields.serial,
        subject=common_name(fields.subject),
        subject_name=fields.subject,
        issuer_name=fields.issuer,
        not_before=int(certificate.not_valid_before_utc.timestamp()),
        not_after=int(certificate.not_valid_after_utc.timestamp()),
        fingerprint=named(sha256(fields.spki)),
        key=key,
        is_ca=may_sign_certificates(fields.extensions),
        claims_ca=claims_ca(fields.extensions),
        extensions=fields.extensions,
        simulated=_MARK in fields.extensions,
    )


def require_issued(child: Certificate, issuer: Certificate, *, what: str, code: str) -> None:
    """Check that ``issuer`` is a CA and signed ``child``; else raise NotAuthentic(``code``)."""
    if not issuer.is_ca:
        raise NotAuthentic(f"{what}: {issuer.subject} may not sign certificates", code=code)
    if child.issuer_name != issuer.subject_name or not signed_by(
        issuer.key, child.signature, child.tbs
    ):
        raise NotAuthentic(
            f"{what}: {issuer.subject} did not sign the certificate of {child.subject}", code=code
        )


def signed_by(key: ec.EllipticCurvePublicKey, signature: bytes, message: bytes) -> bool:
    """Whether ``signature`` (DER, ECDSA over SHA-256) is the key's over ``message``."""
    try:
        key.verify(signature, message, _SHA256)
    except InvalidSignature:
        return False
    return True


def load_key(raw: bytes, *, what: str) -> ec.EllipticCurvePublicKey:
    """Return the P-256 key whose coordinates x and y are the 64 bytes ``raw``."""
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + raw)
    except ValueError:
        raise Malformed(f"the {what} is not a point on P-256", code="key_malformed") from None


def require_signature(
    key: ec.EllipticCurvePublicKey, signature: bytes, message: bytes, *, what: str, code: str
) -> None:
    """Check an ECDSA signature over SHA-256; it is r then s, 32 bytes each, big-endian."""
    if len(signature) != 64:
        raise NotAuthentic(what, code=code, expected="64 bytes", got=f"{len(signature)} bytes")
    der = encode_dss_signature(
        int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    )
    if not signed_by(key, der, message):
        raise NotAuthentic(what, code=code)


def clear_caches() -> None:
    """Forget every parsed certificate (for measurements of cold runs)."""
    _load_certificate.cache_clear()


def malformed_x509(what: str, expected: str, got: str) -> Malformed:
    """Return the error for bytes that are no certificate or list."""
    return Malformed(
        f"the {what} is malformed: expected {expected}, got {got}",
        code="certificates_malformed",
        expected=expected,
        got=got,
    )
