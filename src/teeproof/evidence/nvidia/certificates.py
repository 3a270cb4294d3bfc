"""X.509 as NVIDIA uses it: chains of P-384 certificates, signed with ECDSA over SHA-384.

They are read by our own DER reader alone: a library that reads names and serial numbers may warn or
fail at what a stranger put there. A root is recognised by the fingerprint of its public key, never
by its name.

Trusts: nothing; it only answers questions about bytes.  Does not trust: names, order, PEM text.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from teeproof.core.digests import named, sha256
from teeproof.evidence import pem
from teeproof.evidence.certificate import window
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

__all__ = [
    "ECDSA_SHA384",
    "GENERALIZED_TIME",
    "Certificate",
    "bit_string",
    "parse_chain",
    "parse_der",
]

GENERALIZED_TIME = 0x18  # ITU-T X.680
MAX_CHAIN_BYTES = 32 << 10
MAX_CERTIFICATES = 6
# AlgorithmIdentifier of ecdsa-with-SHA384 (RFC 5758, 3.2), as DER writes it.
ECDSA_SHA384 = (SEQUENCE, bytes.fromhex("06082a8648ce3d040303"))
_VERSION_3 = (0xA0, bytes((INTEGER, 1, 2)))
_MARK = encode_oid(SIMULATED_ROOT_OID)
_COMMON_NAME = encode_oid("2.5.4.3")
_BASIC_CONSTRAINTS, _KEY_USAGE = encode_oid("2.5.29.19"), encode_oid("2.5.29.15")
_EXTENDED_USAGE = encode_oid("2.5.29.37")
_OCSP_SIGNING = encode_oid("1.3.6.1.5.5.7.3.9")
_UNDERSTOOD = (_BASIC_CONSTRAINTS, _KEY_USAGE, _EXTENDED_USAGE)
_DIGITAL_SIGNATURE, _KEY_CERT_SIGN = 0x80, 0x04  # bits 0 and 5 of KeyUsage, from the left


class Certificate(msgspec.Struct, frozen=True, eq=False):
    """A P-384 certificate, signed with ECDSA over SHA-384.

    Attributes:
        der: its bytes.
        tbs: the signed part; unlike ``der`` it has no malleable twin.
        signature: DER, over ``tbs``.
        serial: serial number.
        subject: the subject's common name.
        subject_name: the subject's name, DER content; ``issuer_name`` likewise.
        not_before: first valid second since 1970; ``not_after`` the last.
        fingerprint: ``sha256:…`` of the SubjectPublicKeyInfo.
        spki: the SubjectPublicKeyInfo, DER.
        key: the public key.
        is_ca: whether it may sign certificates.
        claims_ca: whether it calls itself an authority, allowed or not.
        depth: how many authorities may stand below it; None for any number.
        may_sign: whether its key may sign data.
        ocsp: whether it was made to sign OCSP answers.
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
    spki: bytes
    key: ec.EllipticCurvePublicKey
    is_ca: bool
    claims_ca: bool
    depth: int | None
    may_sign: bool
    ocsp: bool
    extensions: dict[bytes, bytes]
    simulated: bool

    @property
    def name_der(self) -> bytes:
        """The subject's name, as DER writes it."""
        return encode(SEQUENCE, self.subject_name)


def parse_chain(text: bytes, *, what: str) -> tuple[Certificate, ...]:
    """Return the certificates of a PEM chain, leaf first.

    Raises:
        Malformed: anything but one to six certificates over P-384 and white space.
    """
    if len(text) > MAX_CHAIN_BYTES:
        raise malformed_x509(what, f"at most {MAX_CHAIN_BYTES} bytes", f"{len(text)} bytes")
    found, rest = pem.split(text)
    if not 1 <= len(found) <= MAX_CERTIFICATES or rest.strip(pem.SPACE):
        raise malformed_x509(
            what,
            f"one to {MAX_CERTIFICATES} PEM certificates and nothing else",
            f"{len(found)} certificates",
        )
    return tuple(_parse_block(block, what) for block in found)


def _parse_block(block: pem.Block, what: str) -> Certificate:
    try:
        der = pem.decoded(block.base64)
    except ValueError:
        raise malformed_x509(what, "canonical base64", block.base64[:20].decode()) from None
    return parse_der(der, what=what)


def parse_der(der: bytes, *, what: str) -> Certificate:
    """Return one certificate.

    Raises:
        Malformed: not a certificate over P-384 that we understand to the last critical extension.
    """
    try:
        return _load(der)
    except UNREADABLE as error:
        raise malformed_x509(what, "X.509 certificates over P-384", str(error)[:200]) from None


@lru_cache(maxsize=256)
def _load(der: bytes) -> Certificate:
    tbs, parts = signed_part(der)
    fields = elements(parts[0][1])
    if len(fields) != 8 or fields[0] != _VERSION_3 or fields[7][0] != 0xA3:
        raise ValueError("not a version 3 certificate without unique identifiers")
    if parts[1] != ECDSA_SHA384 or fields[2] != ECDSA_SHA384:
        raise ValueError("the signature algorithm is not ECDSA with SHA-384")
    serial = int.from_bytes(fields[1][1], "big", signed=True)
    if serial <= 0:  # RFC 5280, 4.1.2.2; no answer about revocation could name it
        raise ValueError("the serial number is not positive")
    not_before, not_after = window(fields[4][1])
    spki = encode(SEQUENCE, fields[6][1])
    extensions = _extensions(fields[7][1])
    basic = extensions.get(_BASIC_CONSTRAINTS)
    usage = _usage(extensions.get(_KEY_USAGE))
    claims_ca, depth = _constraints(basic) if basic is not None else (False, None)
    return Certificate(
        der=der,
        tbs=tbs,
        signature=bit_string(parts[2]),
        serial=serial,
        subject=_common_name(fields[5][1]),
        subject_name=fields[5][1],
        issuer_name=fields[3][1],
        not_before=not_before,
        not_after=not_after,
        fingerprint=named(sha256(spki)),
        spki=spki,
        key=_key(spki),
        is_ca=claims_ca and bool(usage & _KEY_CERT_SIGN),
        claims_ca=claims_ca,
        depth=depth,
        may_sign=bool(usage & _DIGITAL_SIGNATURE),
        ocsp=(OID, _OCSP_SIGNING) in _purposes(extensions.get(_EXTENDED_USAGE)),
        extensions=extensions,
        simulated=_MARK in extensions,
    )


def _key(spki: bytes) -> ec.EllipticCurvePublicKey:
    key = load_der_public_key(spki)
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp384r1":
        raise ValueError("the key is not on P-384")
    return key


def _extensions(data: bytes) -> dict[bytes, bytes]:
    """Return {OID: value} of a list of extensions (RFC 5280, 4.1): OID, critical or not, octets."""
    found: dict[bytes, bytes] = {}
    for tag, extension in elements(only(data, SEQUENCE)):
        parts = elements(extension)
        critical = len(parts) == 3 and parts[1] == (BOOLEAN, b"\xff")
        if tag != SEQUENCE or [t for t, _ in parts] != [OID, *[BOOLEAN] * critical, OCTETS]:
            raise ValueError("a malformed extension")
        oid, value = parts[0][1], parts[-1][1]
        if oid in found:
            raise ValueError("a repeated extension")
        # RFC 5280, 4.2: a critical extension that is not understood voids the certificate.
        if critical and oid not in _UNDERSTOOD:
            raise ValueError(f"an unknown critical extension, OID {oid.hex()}")
        found[oid] = value
    return found


def _constraints(value: bytes) -> tuple[bool, int | None]:
    """Return whether it is an authority, and how many may stand below it (RFC 5280, 4.2.1.9)."""
    parts = elements(only(value, SEQUENCE))
    tags = [tag for tag, _ in parts]
    if not parts:
        return False, None
    if parts[0] != (BOOLEAN, b"\xff") or tags not in ([BOOLEAN], [BOOLEAN, INTEGER]):
        raise ValueError("malformed basic constraints")
    return True, int.from_bytes(parts[1][1], "big") if len(parts) == 2 else None


def _usage(value: bytes | None) -> int:
    """Return the first byte of a key's usages; all of them where none is said."""
    if value is None:
        return 0xFF
    bits = only(value, BITS)
    if len(bits) < 2:
        raise ValueError("a key without any usage")
    return bits[1]


def _purposes(value: bytes | None) -> list[tuple[int, bytes]]:
    return [] if value is None else elements(only(value, SEQUENCE))


def _common_name(name: bytes) -> str:
    for _, attributes in elements(name):
        for _, attribute in elements(attributes):
            parts = elements(attribute)
            if parts[:1] == [(OID, _COMMON_NAME)] and len(parts) == 2:
                return parts[1][1].decode(errors="replace")[:100]
    return "(no common name)"


def bit_string(element: tuple[int, bytes]) -> bytes:
    """Return the bytes of a BIT STRING that is made of whole bytes; else ValueError."""
    if element[0] != BITS or not element[1].startswith(b"\0"):
        raise ValueError("not a bit string of whole bytes")
    return element[1][1:]
