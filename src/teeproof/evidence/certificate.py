"""The fields of an X.509 certificate, as DER writes them: what every vendor's profile begins with.

A profile says which algorithms, keys and serial numbers it takes: ``x509`` for Intel's, others
beside their own evidence. No signature is looked at here.

Source: RFC 5280.

Trusts: nothing; it only reads.  Does not trust: lengths, names, order.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from teeproof.evidence.der import (
    BITS,
    BOOLEAN,
    INTEGER,
    OCTETS,
    OID,
    SEQUENCE,
    elements,
    encode,
    only,
    signed_part,
)

__all__ = [
    "Fields",
    "claims_ca",
    "common_name",
    "may_sign_certificates",
    "read_fields",
    "time_of",
    "window",
]

_COMMON_NAME = bytes.fromhex("0603550403")  # OID 2.5.4.3
_BASIC_CONSTRAINTS = bytes.fromhex("551d13")  # id-ce 19; the next two are 15, and 14, 35, 31
_KEY_USAGE = bytes.fromhex("551d0f")
_UNDERSTOOD = {_BASIC_CONSTRAINTS, _KEY_USAGE, *map(bytes.fromhex, ("551d0e", "551d23", "551d1f"))}
_KEY_CERT_SIGN = 0x04  # bit 5 of KeyUsage, counted from the left
_CA = (BOOLEAN, b"\xff")
_TRUE = encode(*_CA)
_VERSION_3 = (0xA0, bytes.fromhex("020102"))
# version, serial number, algorithm, issuer, validity, subject, key, extensions
_FIELDS = (0xA0, INTEGER, *(SEQUENCE,) * 5, 0xA3)
_SET = 0x31
# UTF8String, PrintableString, TeletexString, IA5String, UniversalString, BMPString
_TEXTS = frozenset({0x0C, 0x13, 0x14, 0x16, 0x1C, 0x1E})
_TIMES = {0x17: "%y%m%d%H%M%SZ", 0x18: "%Y%m%d%H%M%SZ"}  # UTCTime, GeneralizedTime


class Fields(NamedTuple):
    """The parts of a certificate that verifiers ask for (RFC 5280, 4.1).

    Attributes:
        tbs: the signed part.
        algorithm: the AlgorithmIdentifier, DER content; the same inside and outside.
        signature: the signature's bits.
        serial: serial number; it may be zero or negative.
        issuer: the issuer's name, DER content.
        validity: both dates, DER content; ``window`` reads them.
        subject: the subject's name, DER content.
        spki: the SubjectPublicKeyInfo, DER.
        extensions: OID (DER content) -> value (DER).
        critical: the OIDs of those that are critical.
    """

    tbs: bytes
    algorithm: bytes
    signature: bytes
    serial: int
    issuer: bytes
    validity: bytes
    subject: bytes
    spki: bytes
    extensions: dict[bytes, bytes]
    critical: frozenset[bytes]


def read_fields(der: bytes) -> Fields:
    """Return the fields of a certificate of version 3.

    Raises:
        ValueError: it is none, or its DER is not canonical, or it has a critical extension that
            nobody here understands.
    """
    tbs, parts = signed_part(der)
    if not parts[2][1].startswith(b"\0"):
        raise ValueError("a signature with unused bits")
    fields = elements(parts[0][1])
    if tuple(tag for tag, _ in fields) != _FIELDS or fields[0] != _VERSION_3:
        raise ValueError("not a version 3 certificate without unique identifiers")
    for _, name in (fields[3], fields[5]):
        _require_name(name)
    if parts[1] != fields[2] or parts[1][0] != SEQUENCE:
        raise ValueError("the signature algorithm differs inside and outside")
    extensions, critical = _extensions(fields[7][1])
    return Fields(
        tbs=tbs,
        algorithm=parts[1][1],
        signature=parts[2][1][1:],
        serial=int.from_bytes(fields[1][1], "big", signed=True),
        issuer=fields[3][1],
        validity=fields[4][1],
        subject=fields[5][1],
        spki=encode(SEQUENCE, fields[6][1]),
        extensions=extensions,
        critical=critical,
    )


def _extensions(data: bytes) -> tuple[dict[bytes, bytes], frozenset[bytes]]:
    """Return {OID: value} of a list of extensions (RFC 5280, 4.1), and which are critical.

    Each is an OID, whether it is critical, and octets.
    """
    found: dict[bytes, bytes] = {}
    demanding: set[bytes] = set()
    for tag, extension in elements(only(data, SEQUENCE)):
        end = 2 + extension[1]
        oid, rest = extension[2:end], extension[end:]
        critical = rest.startswith(_TRUE)
        if tag != SEQUENCE or extension[0] != OID or oid in found:
            raise ValueError("a malformed or repeated extension")
        # RFC 5280, 4.2: a critical extension that is not understood voids the certificate.
        if critical and oid not in _UNDERSTOOD:
            raise ValueError(f"an unknown critical extension, OID {oid.hex()}")
        if critical:
            demanding.add(oid)
        found[oid] = only(rest[len(_TRUE) :] if critical else rest, OCTETS)
    return found, frozenset(demanding)


def _require_name(name: bytes) -> None:
    """Raise ValueError unless it is sets of pairs of an OID and a text (RFC 5280, 4.1.2.4)."""
    for tag, part in elements(name):
        pairs = elements(part)
        if tag != _SET or not pairs or any(kind != SEQUENCE for kind, _ in pairs):
            raise ValueError("a name of another form")
        for _, pair in pairs:
            kinds = [kind for kind, _ in elements(pair)]
            if len(kinds) != 2 or kinds[0] != OID or kinds[1] not in _TEXTS:
                raise ValueError("a name of another form")


def common_name(name: bytes) -> str:
    """Return the first common name; each element of a name is a set of one attribute."""
    for _, attribute in elements(name):
        # SEQUENCE, length, then the OID and a string with its tag and length
        if attribute[2:7] == _COMMON_NAME:
            return attribute[9 : 9 + attribute[8]].decode(errors="replace")
    return "(no common name)"


def claims_ca(extensions: dict[bytes, bytes]) -> bool:
    """Whether a certificate calls itself an authority, allowed or not."""
    constraints = extensions.get(_BASIC_CONSTRAINTS)
    return constraints is not None and _CA in elements(only(constraints, SEQUENCE))[:1]


def may_sign_certificates(extensions: dict[bytes, bytes]) -> bool:
    """Whether a certificate's key may sign others."""
    usage = extensions.get(_KEY_USAGE)
    allowed = usage is None or bool(only(usage, BITS)[1] & _KEY_CERT_SIGN)
    return allowed and claims_ca(extensions)


def window(validity: bytes) -> tuple[int, int]:
    """Return the first and last valid second since 1970 (RFC 5280, 4.1.2.5).

    Raises:
        ValueError: there are not two dates, or one is in another form than DER's.
    """
    begins, ends = (time_of(tag, value) for tag, value in elements(validity))
    return begins, ends


def time_of(tag: int, value: bytes) -> int:
    """Return seconds since 1970 of a UTCTime or GeneralizedTime; ValueError in another form."""
    form = _TIMES.get(tag)
    if form is None or len(value) != (13 if tag == 0x17 else 15) or not value[:-1].isdigit():
        raise ValueError("a date in another form than DER's")
    moment = datetime.strptime(value.decode(), form).replace(tzinfo=UTC)
    if tag == 0x17 and moment.year >= 2050:  # the last year that two digits can mean is 2049
        moment = moment.replace(year=moment.year - 100)
    return int(moment.timestamp())
