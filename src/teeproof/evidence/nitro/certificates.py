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

from teeproof.core.digests import named, sha256
from teeproof.evidence.der import (
    BITS,
    BOOLEAN,
    INTEGER,
    OCTETS,
    OID,
    SEQUENCE,
    elements,
    encode,
    encode_oid,
    only,
    signed_part,
)
from teeproof.evidence.marks import SIMULATED_ROOT_OID
from teeproof.evidence.x509 import UNREADABLE, malformed_x509

__all__ = ["Certificate", "issued", "parse"]

# AlgorithmIdentifier of ecdsa-with-SHA384 (RFC 5758, 3.2), as DER writes it.
_ECDSA_SHA384 = (SEQUENCE, bytes.fromhex("06082a8648ce3d040303"))
_BASIC_CONSTRAINTS, _KEY_USAGE = encode_oid("2.5.29.19"), encode_oid("2.5.29.15")
_COMMON_NAME = (OID, encode_oid("2.5.4.3"))
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
    tbs, parts = signed_part(der)
    fields = elements(parts[0][1])
    if len(fields) != 8 or fields[0][0] != 0xA0 or fields[7][0] != 0xA3:
        raise ValueError("not a version 3 certificate without unique identifiers")
    if parts[1] != _ECDSA_SHA384 or fields[2] != _ECDSA_SHA384:
        raise ValueError("the signature algorithm is not ECDSA with SHA-384")
    if not parts[2][1].startswith(b"\0"):
        raise ValueError("a signature with unused bits")
    if int.from_bytes(fields[1][1], "big", signed=True) <= 0:  # RFC 5280, 4.1.2.2
        raise ValueError("the serial number is not positive")
    certificate = x509.load_der_x509_certificate(der)
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp384r1":
        raise ValueError("the key is not on P-384")
    extensions = _extensions(fields[7][1])
    is_ca, path_length = _basic_constraints(extensions)
    usage = _key_usage(extensions)
    return Certificate(
        der=der,
        tbs=tbs,
        signature=parts[2][1][1:],
        subject=_common_name(fields[5][1]),
        subject_name=fields[5][1],
        issuer_name=fields[3][1],
        not_before=int(certificate.not_valid_before_utc.timestamp()),
        not_after=int(certificate.not_valid_after_utc.timestamp()),
        fingerprint=named(sha256(encode(SEQUENCE, fields[6][1]))),
        key=key,
        is_ca=is_ca,
        path_length=path_length,
        signs_certificates=bool(usage & _KEY_CERT_SIGN),
        signs_data=bool(usage & _DIGITAL_SIGNATURE),
        simulated=_MARK in extensions,
    )


def _extensions(data: bytes) -> dict[bytes, tuple[bool, bytes]]:
    """Return {OID: (critical, value)} of a list of extensions (RFC 5280, 4.1)."""
    found: dict[bytes, tuple[bool, bytes]] = {}
    for tag, extension in elements(only(data, SEQUENCE)):
        parts = elements(extension)
        critical = parts[1:2] == [_TRUE]
        if tag != SEQUENCE or len(parts) != 2 + critical or parts[0][0] != OID:
            raise ValueError("a malformed extension")
        oid, (kind, value) = parts[0][1], parts[-1]
        if kind != OCTETS or oid in found:
            raise ValueError("a malformed or repeated extension")
        # RFC 5280, 4.2: a critical extension that is not understood voids the certificate.
        if critical and oid not in (_BASIC_CONSTRAINTS, _KEY_USAGE):
            raise ValueError(f"an unknown critical extension, OID {oid.hex()}")
        found[oid] = critical, value
    return found


def _basic_constraints(extensions: dict[bytes, tuple[bool, bytes]]) -> tuple[bool, int | None]:
    """Return whether it is an authority's, and the path length (RFC 5280, 4.2.1.9)."""
    if _BASIC_CONSTRAINTS not in extensions:
        return False, None
    critical, value = extensions[_BASIC_CONSTRAINTS]
    parts = elements(only(value, SEQUENCE))
    is_ca = parts[:1] == [_TRUE]
    rest = parts[is_ca:]
    if len(rest) > 1 or any(tag != INTEGER or not 0 < len(v) < 3 for tag, v in rest):
        raise ValueError("malformed basic constraints")
    length = int.from_bytes(rest[0][1], "big", signed=True) if rest else None
    if length is not None and length < 0:
        raise ValueError("a negative path length")
    return is_ca and critical, length


def _key_usage(extensions: dict[bytes, tuple[bool, bytes]]) -> int:
    """Return the first eight bits of KeyUsage; none where there is no such extension."""
    if _KEY_USAGE not in extensions:
        return 0
    value = only(extensions[_KEY_USAGE][1], BITS)
    if not 2 <= len(value) <= 3 or value[0] > 7:
        raise ValueError("a malformed key usage")
    return value[1]


def _common_name(name: bytes) -> str:
    for _, attributes in elements(name):
        for _, attribute in elements(attributes):
            parts = elements(attribute)
            if len(parts) == 2 and parts[0] == _COMMON_NAME:
                return parts[1][1].decode(errors="replace")
    return "(no common name)"


def issued(child: Certificate, issuer: Certificate) -> bool:
    """Whether ``issuer`` signed ``child`` and is named as its issuer."""
    try:
        issuer.key.verify(child.signature, child.tbs, _SHA384)
    except InvalidSignature:
        return False
    return child.issuer_name == issuer.subject_name
