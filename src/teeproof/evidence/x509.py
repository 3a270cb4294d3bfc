"""X.509 as Intel uses it: short PEM chains of P-256 certificates, and their revocation lists.

Parsing is a pure function of the bytes and is remembered; signatures are checked by the callers'
explicit calls. A root is recognised by the fingerprint of its public key, never by its name.

Trusts: nothing; it only answers questions about bytes.  Does not trust: names, order, PEM text.
"""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Malformed, NotAuthentic
from teeproof.evidence.marks import SIMULATED_ROOT_OID

__all__ = [
    "Certificate",
    "RevocationList",
    "load_key",
    "parse_chain",
    "parse_crl",
    "require_issued",
    "require_signature",
]

MAX_CHAIN_BYTES = 32 << 10
MAX_CRL_BYTES = 2 << 20
ECDSA_SHA256 = "1.2.840.10045.4.3.2"  # RFC 5758, ecdsa-with-SHA256

_PEM = re.compile(
    rb"-----BEGIN CERTIFICATE-----\r?\n((?:[A-Za-z0-9+/=]{1,76}\r?\n)+)-----END CERTIFICATE-----"
)
_KNOWN_EXTENSIONS = {
    x509.OID_BASIC_CONSTRAINTS,
    x509.OID_KEY_USAGE,
    x509.OID_SUBJECT_KEY_IDENTIFIER,
    x509.OID_AUTHORITY_KEY_IDENTIFIER,
    x509.OID_CRL_DISTRIBUTION_POINTS,
}
_SHA256 = ec.ECDSA(hashes.SHA256())


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """A P-256 certificate.

    Attributes:
        der: its bytes.
        tbs: the signed part; unlike ``der`` it has no malleable twin.
        serial: serial number.
        subject: the subject's common name, for messages only.
        not_before: first valid second since 1970.
        not_after: last valid second since 1970.
        fingerprint: ``sha256:…`` of the SubjectPublicKeyInfo.
        key: the public key.
        is_ca: whether it may sign certificates.
        simulated: whether it carries the mark of a simulator's root.
        x509: the library's object.
    """

    der: bytes
    tbs: bytes
    serial: int
    subject: str
    not_before: int
    not_after: int
    fingerprint: str
    key: ec.EllipticCurvePublicKey
    is_ca: bool
    simulated: bool
    x509: x509.Certificate


@dataclass(frozen=True, slots=True, eq=False)
class RevocationList:
    """A certificate revocation list.

    Attributes:
        issuer: the issuer's name, DER.
        this_update: when it was issued, seconds since 1970.
        next_update: when it expires, seconds since 1970.
        x509: the library's object.
    """

    issuer: bytes
    this_update: int
    next_update: int
    x509: x509.CertificateRevocationList

    def revokes(self, certificate: Certificate) -> bool:
        """Whether it lists the certificate's serial number."""
        return self.x509.get_revoked_certificate_by_serial_number(certificate.serial) is not None


def parse_chain(pem: bytes, *, what: str) -> tuple[Certificate, ...]:
    """Return the certificates of a PEM chain, leaf first.

    Between and around the certificates only white space and NUL bytes may stand.

    Raises:
        Malformed: anything else, no certificate, more than six, or one that is not P-256.
    """
    if len(pem) > MAX_CHAIN_BYTES:
        raise _malformed(what, f"at most {MAX_CHAIN_BYTES} bytes", f"{len(pem)} bytes")
    blocks = _PEM.findall(pem)
    rest = _PEM.sub(b"", pem)
    if not 1 <= len(blocks) <= 6 or rest.strip(b" \r\n\x00"):
        raise _malformed(
            what, "one to six PEM certificates and nothing else", f"{len(blocks)} certificates"
        )
    return tuple(_parse_certificate(block, what) for block in blocks)


def _parse_certificate(base64: bytes, what: str) -> Certificate:
    try:
        return _load_certificate(
            b64decode(base64.replace(b"\r", b"").replace(b"\n", b""), validate=True)
        )
    except (
        ValueError,
        TypeError,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    ) as error:
        raise _malformed(what, "X.509 certificates over P-256", str(error)[:200]) from None


@lru_cache(maxsize=256)
def _load_certificate(der: bytes) -> Certificate:
    certificate = x509.load_der_x509_certificate(der)
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise ValueError("the key is not on P-256")
    if certificate.signature_algorithm_oid.dotted_string != ECDSA_SHA256:
        raise ValueError("the signature algorithm is not ECDSA with SHA-256")
    extensions = {extension.oid: extension for extension in certificate.extensions}
    for oid, extension in extensions.items():
        # RFC 5280, 4.2: a critical extension that is not understood voids the certificate.
        if extension.critical and oid not in _KNOWN_EXTENSIONS:
            raise ValueError(f"unknown critical extension {oid.dotted_string}")
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    names = certificate.subject.get_attributes_for_oid(x509.OID_COMMON_NAME)
    return Certificate(
        der=der,
        tbs=certificate.tbs_certificate_bytes,
        serial=certificate.serial_number,
        subject=str(names[0].value) if names else "(no common name)",
        not_before=int(certificate.not_valid_before_utc.timestamp()),
        not_after=int(certificate.not_valid_after_utc.timestamp()),
        fingerprint=named(sha256(spki)),
        key=key,
        is_ca=_may_sign_certificates(extensions),
        simulated=x509.ObjectIdentifier(SIMULATED_ROOT_OID) in extensions,
        x509=certificate,
    )


def _may_sign_certificates(
    extensions: dict[x509.ObjectIdentifier, x509.Extension[x509.ExtensionType]],
) -> bool:
    constraints = extensions.get(x509.OID_BASIC_CONSTRAINTS)
    usage = extensions.get(x509.OID_KEY_USAGE)
    return bool(
        constraints is not None
        and isinstance(constraints.value, x509.BasicConstraints)
        and constraints.value.ca
        and (
            usage is None or (isinstance(usage.value, x509.KeyUsage) and usage.value.key_cert_sign)
        )
    )


def parse_crl(der: bytes, *, what: str) -> RevocationList:
    """Return the revocation list in ``der``.

    Raises:
        Malformed: not a DER CRL, or one that never expires.
    """
    if len(der) > MAX_CRL_BYTES:
        raise _malformed(what, f"at most {MAX_CRL_BYTES} bytes", f"{len(der)} bytes")
    try:
        return _load_crl(der)
    except (ValueError, TypeError) as error:
        raise _malformed(what, "a DER certificate revocation list", str(error)[:200]) from None


@lru_cache(maxsize=64)
def _load_crl(der: bytes) -> RevocationList:
    crl = x509.load_der_x509_crl(der)
    if crl.next_update_utc is None:
        raise ValueError("it has no next update")
    if crl.signature_algorithm_oid.dotted_string != ECDSA_SHA256:
        raise ValueError("the signature algorithm is not ECDSA with SHA-256")
    return RevocationList(
        issuer=crl.issuer.public_bytes(),
        this_update=int(crl.last_update_utc.timestamp()),
        next_update=int(crl.next_update_utc.timestamp()),
        x509=crl,
    )


def require_issued(child: Certificate, issuer: Certificate, *, what: str, code: str) -> None:
    """Check that ``issuer`` is a CA and signed ``child``; else raise NotAuthentic(``code``)."""
    if not issuer.is_ca:
        raise NotAuthentic(f"{what}: {issuer.subject} may not sign certificates", code=code)
    try:
        child.x509.verify_directly_issued_by(issuer.x509)
    except (InvalidSignature, ValueError, TypeError):
        raise NotAuthentic(
            f"{what}: {issuer.subject} did not sign the certificate of {child.subject}", code=code
        ) from None


def require_crl(crl: RevocationList, issuer: Certificate, *, what: str, code: str) -> None:
    """Check that ``issuer`` issued the revocation list; raise NotAuthentic with ``code`` if not."""
    if crl.issuer != issuer.x509.subject.public_bytes() or not crl.x509.is_signature_valid(
        issuer.key
    ):
        raise NotAuthentic(f"{what}: {issuer.subject} did not sign it", code=code)


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
    half = len(signature) // 2
    der = encode_dss_signature(
        int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
    )
    try:
        key.verify(der, message, _SHA256)
    except InvalidSignature:
        raise NotAuthentic(what, code=code) from None


def clear_caches() -> None:
    """Forget every parsed certificate and revocation list (for measurements of cold runs)."""
    _load_certificate.cache_clear()
    _load_crl.cache_clear()


def _malformed(what: str, expected: str, got: str) -> Malformed:
    return Malformed(
        f"the {what} is malformed: expected {expected}, got {got}",
        code="certificates_malformed",
        expected=expected,
        got=got,
    )
