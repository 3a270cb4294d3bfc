"""X.509 as AMD uses it: RSA-4096 authorities that sign with PSS and SHA-384, and P-384 leaves.

A leaf's serial number is 0, so a list can revoke an authority and never a single chip. Keys are
read from the SubjectPublicKeyInfo alone: X.509 libraries will refuse such serial numbers.

Source: AMD 57230 (VCEK Certificate and KDS Interface Specification); RFC 4055 for PSS.

Trusts: nothing; it only answers questions about bytes.  Does not trust: names, order, PEM text.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from teeproof.core.digests import named, sha256
from teeproof.evidence import pem
from teeproof.evidence.certificate import common_name, may_sign_certificates, read_fields, window
from teeproof.evidence.der import encode_oid
from teeproof.evidence.marks import SIMULATED_ROOT_OID
from teeproof.evidence.x509 import UNREADABLE, malformed_x509

__all__ = [
    "MAX_BYTES",
    "PSS_SHA384",
    "AmdCertificate",
    "parse_blocks",
    "parse_certificates",
    "signed_by",
]

MAX_BYTES = 64 << 10
MAX_CERTIFICATES = 12
SERIAL_BYTES = 20  # RFC 5280, 4.1.2.2
_WHAT = "AMD certificates"

# AlgorithmIdentifier content of RSASSA-PSS: SHA-384, MGF1 with SHA-384, a salt of 48 bytes. AMD
# writes it with the trailer field's default value, and newer certificates as DER demands.
_PSS = (
    "06092a864886f70d01010a30{}a00f300d06096086480165030402020500"
    "a11c301a06092a864886f70d010108300d06096086480165030402020500a203020130{}"
)
PSS_SHA384 = (
    bytes.fromhex(_PSS.format("34", "")),
    bytes.fromhex(_PSS.format("39", "a303020101")),
)
_PADDING = padding.PSS(mgf=padding.MGF1(hashes.SHA384()), salt_length=48)
_MARK = encode_oid(SIMULATED_ROOT_OID)


class AmdCertificate(msgspec.Struct, frozen=True, eq=False):
    """A certificate of AMD's: of an authority (RSA), or of an endorsement key (P-384).

    Attributes:
        der: its bytes.
        tbs: the signed part.
        signature: over ``tbs``, by RSA-PSS.
        serial: serial number; 0 for endorsement keys.
        subject: the subject's common name.
        subject_name: the subject's name, DER content.
        issuer_name: the issuer's name, DER content.
        window: first and last valid second since 1970.
        fingerprint: ``sha256:…`` of the SubjectPublicKeyInfo.
        key: the public key.
        is_ca: whether it may sign certificates.
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
    window: tuple[int, int]
    fingerprint: str
    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey
    is_ca: bool
    extensions: dict[bytes, bytes]
    simulated: bool


def parse_blocks(text: bytes) -> tuple[list[bytes], list[bytes]]:
    """Return the certificates and the revocation lists (DER) of a PEM text, each once.

    Between and around the blocks only white space and NUL bytes may stand.

    Raises:
        Malformed: anything else, too much of it, or base64 that is not canonical.
    """
    if len(text) > MAX_BYTES:
        raise malformed_x509(_WHAT, f"at most {MAX_BYTES} bytes", f"{len(text)} bytes")
    found, rest = pem.split(text, lists=True)
    certificates = dict.fromkeys(_decoded(one) for one in found if one.is_certificate)
    lists = dict.fromkeys(_decoded(one) for one in found if not one.is_certificate)
    if rest.strip(pem.SPACE) or len(certificates) > MAX_CERTIFICATES:
        raise malformed_x509(
            _WHAT,
            f"PEM blocks and nothing else, at most {MAX_CERTIFICATES} certificates",
            f"{len(certificates)} certificates",
        )
    return list(certificates), list(lists)


def _decoded(block: pem.Block) -> bytes:
    try:
        der = pem.decoded(block.base64)
    except ValueError:
        der = b""
    if not der:
        raise malformed_x509(_WHAT, "canonical base64", ascii(block.base64[:40]))
    return der


def parse_certificates(ders: list[bytes]) -> tuple[AmdCertificate, ...]:
    """Return the certificates, parsed.

    Raises:
        Malformed: one is not as AMD makes them.
    """
    try:
        return tuple(_load(der) for der in ders)
    except UNREADABLE as error:
        raise malformed_x509(
            _WHAT, "certificates with RSA-PSS and SHA-384", str(error)[:200]
        ) from None


@lru_cache(maxsize=256)
def _load(der: bytes) -> AmdCertificate:
    fields = read_fields(der)
    if fields.algorithm not in PSS_SHA384:
        raise ValueError("the signature algorithm is not RSA-PSS with SHA-384")
    if fields.serial < 0:
        raise ValueError("the serial number is negative")
    if fields.serial.bit_length() > 8 * SERIAL_BYTES:
        raise ValueError("the serial number is too long")
    return AmdCertificate(
        der=der,
        tbs=fields.tbs,
        signature=fields.signature,
        serial=fields.serial,
        subject=common_name(fields.subject),
        subject_name=fields.subject,
        issuer_name=fields.issuer,
        window=window(fields.validity),
        fingerprint=named(sha256(fields.spki)),
        key=_key(fields.spki),
        is_ca=may_sign_certificates(fields.extensions),
        extensions=fields.extensions,
        simulated=_MARK in fields.extensions,
    )


def _key(spki: bytes) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey:
    key = load_der_public_key(spki)
    if isinstance(key, rsa.RSAPublicKey) and key.key_size == 4096:
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp384r1":
        return key
    raise ValueError("the key is neither RSA with 4096 bits nor on P-384")


def signed_by(issuer: AmdCertificate, signature: bytes, message: bytes) -> bool:
    """Whether ``signature`` is the authority's over ``message``, by RSA-PSS with SHA-384."""
    if not isinstance(issuer.key, rsa.RSAPublicKey):
        return False
    try:
        issuer.key.verify(signature, message, _PADDING, hashes.SHA384())
    except InvalidSignature:
        return False
    return True
