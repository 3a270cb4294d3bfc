"""X.509 as AWS uses it for Nitro: certificates over P-384, signed with ECDSA over SHA-384.

Trusts: nothing; it only answers questions about bytes.  Does not trust: names, order.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from teeproof.core.digests import named, sha256
from teeproof.evidence.certificate import common_name, read_fields, window
from teeproof.evidence.der import BITS, BOOLEAN, INTEGER, SEQUENCE, elements, encode_oid, only
from teeproof.evidence.marks import SIMULATED_ROOT_OID
from teeproof.evidence.x509 import UNREADABLE, malformed_x509

__all__ = ["Certificate", "issued", "parse"]

# AlgorithmIdentifier of ecdsa-with-SHA384 (RFC 5758, 3.2), as DER writes it.
_ECDSA_SHA384 = bytes.fromhex("06082a8648ce3d040303")
_BASIC_CONSTRAINTS, _KEY_USAGE = encode_oid("2.5.29.19"), encode_oid("2.5.29.15")
_MARK = encode_oid(SIMULATED_ROOT_OID)
_TRUE = (BOOLEAN, b"\xff")
_DIGITAL_SIGNATURE, _KEY_CERT_SIGN = 0x80, 0x04  # bits 0 and 5 of KeyUsage, from the left
_SHA384 = ec.ECDSA(hashes.SHA384())


class Certificate(msgspec.Struct, frozen=True, eq=False):
    """A P-384 certificate, signed with ECDSA over SHA-384.

    Attributes:
        der: its bytes.
        tbs: the signed part; unlike ``der`` it has no malleable twin.
        signature: DER, over ``tbs``.
        subject: the subject's common name, for messages.
        subject_name: the subject's name, DER content.
        issuer_name: the issuer's name, DER content.
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
    except UNREADABLE as error:
        raise malformed_x509(what, "X.509 over P-384", str(error)[:200]) from None


@lru_cache(maxsize=256)
def _load(der: bytes) -> Certificate:
    fields = read_fields(der)
    if fields.algorithm != _ECDSA_SHA384:
        raise ValueError("the signature algorithm is not ECDSA with SHA-384")
    if fields.serial <= 0:  # RFC 5280, 4.1.2.2
        raise ValueError("the serial number is not positive")
    # Fewer than other vendors' certificates may have: AWS's have no others that are critical.
    if strange := fields.critical - {_BASIC_CONSTRAINTS, _KEY_USAGE}:
        raise ValueError(f"an unknown critical extension, OID {min(strange).hex()}")
    key = load_der_public_key(fields.spki)
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp384r1":
        raise ValueError("the key is not on P-384")
    begins, ends = window(fields.validity)
    is_ca, path_length = _basic_constraints(fields.extensions.get(_BASIC_CONSTRAINTS))
    usage = _key_usage(fields.extensions.get(_KEY_USAGE))
    return Certificate(
        der=der,
        tbs=fields.tbs,
        signature=fields.signature,
        subject=common_name(fields.subject),
        subject_name=fields.subject,
        issuer_name=fields.issuer,
        not_before=begins,
        not_after=ends,
        fingerprint=named(sha256(fields.spki)),
        key=key,
        is_ca=is_ca and _BASIC_CONSTRAINTS in fields.critical,
        path_length=path_length,
        signs_certificates=bool(usage & _KEY_CERT_SIGN),
        signs_data=bool(usage & _DIGITAL_SIGNATURE),
        simulated=_MARK in fields.extensions,
    )


def _basic_constraints(value: bytes | None) -> tuple[bool, int | None]:
    """Return whether it calls itself an authority's, and the path length (RFC 5280, 4.2.1.9)."""
    if value is None:
        return False, None
    parts = elements(only(value, SEQUENCE))
    is_ca = parts[:1] == [_TRUE]
    rest = parts[is_ca:]
    if len(rest) > 1 or any(tag != INTEGER or not 0 < len(v) < 3 for tag, v in rest):
        raise ValueError("malformed basic constraints")
    length = int.from_bytes(rest[0][1], "big", signed=True) if rest else None
    if length is not None and length < 0:
        raise ValueError("a negative path length")
    return is_ca, length


def _key_usage(extension: bytes | None) -> int:
    """Return the first eight bits of KeyUsage; none where there is no such extension."""
    if extension is None:
        return 0
    value = only(extension, BITS)
    if not 2 <= len(value) <= 3 or value[0] > 7:
        raise ValueError("a malformed key usage")
    return value[1]


def issued(child: Certificate, issuer: Certificate) -> bool:
    """Whether ``issuer`` signed ``child`` and is named as its issuer.

    Remembered by the very bytes of both: documents of one enclave share all certificates, and of
    one instance all authorities.
    """
    return _issued(child.der, issuer.der)


@lru_cache(maxsize=256)
def _issued(child_der: bytes, issuer_der: bytes) -> bool:
    child, issuer = _load(child_der), _load(issuer_der)
    try:
        issuer.key.verify(child.signature, child.tbs, _SHA384)
    except InvalidSignature:
        return False
    return child.issuer_name == issuer.subject_name
