"""X.509 as AWS uses it for Nitro: DER certificates over P-384, signed with ECDSA over SHA-384.

Trusts: nothing; it only answers questions about bytes.  Does not trust: names, order.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtensionOID, NameOID, SignatureAlgorithmOID

from teeproof.core.digests import named, sha256
from teeproof.evidence.der import elements, signed_part
from teeproof.evidence.marks import SIMULATED_ROOT_OID
from teeproof.evidence.x509 import UNREADABLE, malformed_x509

__all__ = ["Certificate", "issued", "parse"]

_MARK = x509.ObjectIdentifier(SIMULATED_ROOT_OID)
_UNDERSTOOD = (ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE)
_SHA384 = ec.ECDSA(hashes.SHA384())


class Certificate(msgspec.Struct, frozen=True, eq=False):
    """A P-384 certificate, signed with ECDSA over SHA-384.

    Attributes:
        der: its bytes.
        tbs: the signed part; unlike ``der`` it has no malleable twin.
        signature: DER, over ``tbs``.
        subject: the subject's common name, for messages.
        subject_name: the subject's name, DER.
        issuer_name: the issuer's name, DER.
        not_before: first valid second since 1970.
        not_after: last valid second since 1970.
        fingerprint: ``sha256:…`` of the SubjectPublicKeyInfo.
        key: the public key.
        is_ca: whether it calls itself an authority, in a critical extension.
        path_length: how many authorities may stand below it; None if it does not say.
        signs_certificates: whether its key usage has keyCertSign.
        signs_data: whether its key usage has digitalSignature.
        simulated: whether it carries the mark of a simulator's root.
    """

    der: bytes
    tbs: bytes
    signature: bytes
    subject: str
    subject_name: bytes
    issuer_name: bytes
    not_before: int
    not_after: int
    fingerprint: str
    key: ec.EllipticCurvePublicKey
    is_ca: bool
    path_length: int | None
    signs_certificates: bool
    signs_data: bool
    simulated: bool


def parse(der: bytes, *, what: str) -> Certificate:
    """Return the certificate in ``der``.

    Raises:
        Malformed: anything but a P-384 certificate that this module understands.
    """
    try:
        return _load(der)
    except (*UNREADABLE, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise malformed_x509(what, "X.509 over P-384", str(error)[:200]) from None


@lru_cache(maxsize=256)
def _load(der: bytes) -> Certificate:
    tbs, parts = signed_part(der)
    fields = elements(parts[0][1])
    if len(fields) != 8 or fields[0][0] != 0xA0:
        raise ValueError("not a version 3 certificate without unique identifiers")
    if int.from_bytes(fields[1][1], "big", signed=True) <= 0:  # RFC 5280, 4.1.2.2
        raise ValueError("the serial number is not positive")
    # RFC 5280, 4.1.1.2: both name the same algorithm; a twin could differ in the outer one.
    if parts[1] != fields[2] or not parts[2][1].startswith(b"\0"):
        raise ValueError("another signature algorithm outside than inside")
    certificate = x509.load_der_x509_certificate(der)
    if certificate.signature_algorithm_oid != SignatureAlgorithmOID.ECDSA_WITH_SHA384:
        raise ValueError("the signature algorithm is not ECDSA with SHA-384")
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp384r1":
        raise ValueError("the key is not on P-384")
    basic, usage, marked = _extensions(certificate)
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Certificate(
        der=der,
        tbs=tbs,
        signature=certificate.signature,
        subject=_common_name(certificate.subject),
        subject_name=certificate.subject.public_bytes(),
        issuer_name=certificate.issuer.public_bytes(),
        not_before=int(certificate.not_valid_before_utc.timestamp()),
        not_after=int(certificate.not_valid_after_utc.timestamp()),
        fingerprint=named(sha256(spki)),
        key=key,
        is_ca=basic.ca if basic else False,
        path_length=basic.path_length if basic else None,
        signs_certificates=usage.key_cert_sign if usage else False,
        signs_data=usage.digital_signature if usage else False,
        simulated=marked,
    )


def _extensions(
    certificate: x509.Certificate,
) -> tuple[x509.BasicConstraints | None, x509.KeyUsage | None, bool]:
    """Return basic constraints, key usage, and whether the simulator's mark is there."""
    basic, usage, marked = None, None, False
    for extension in certificate.extensions:
        value = extension.value
        # RFC 5280, 4.2: a critical extension that is not understood voids the certificate.
        if extension.critical and extension.oid not in _UNDERSTOOD:
            raise ValueError(f"an unknown critical extension, {extension.oid.dotted_string}")
        if isinstance(value, x509.BasicConstraints):
            # RFC 5280, 4.2.1.9: in an authority's certificate it must be critical.
            basic = value if extension.critical or not value.ca else None
        elif isinstance(value, x509.KeyUsage):
            usage = value
        marked = marked or extension.oid == _MARK
    return basic, usage, marked


def _common_name(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else "(no common name)"


def issued(child: Certificate, issuer: Certificate) -> bool:
    """Whether ``issuer`` signed ``child`` and is named as its issuer."""
    try:
        issuer.key.verify(child.signature, child.tbs, _SHA384)
    except InvalidSignature:
        return False
    return child.issuer_name == issuer.subject_name
