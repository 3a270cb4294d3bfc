"""X.509 as NVIDIA uses it: chains of P-384 certificates, signed with ECDSA over SHA-384.

What is signed is cut out by our own reader, and extensions are read by the library. A root is
recognised by the fingerprint of its public key, never by its name.

Trusts: nothing; it only answers questions about bytes.  Does not trust: names, order, PEM text.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from functools import lru_cache

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from teeproof.core.digests import named, sha256
from teeproof.core.errors import NotAuthentic
from teeproof.evidence.dates import Window
from teeproof.evidence.der import SEQUENCE, elements, encode, signed_part
from teeproof.evidence.marks import SIMULATED_ROOT_OID
from teeproof.evidence.verdict import Level
from teeproof.evidence.x509 import UNREADABLE, malformed_x509

__all__ = [
    "ECDSA_SHA384_OID",
    "Certificate",
    "issued_by",
    "parse_chain",
    "parse_der",
    "require_chain",
    "require_root",
    "signed_by",
    "signed_raw",
    "window",
]

MAX_CHAIN_BYTES = 32 << 10
MAX_CERTIFICATES = 6
# AlgorithmIdentifier of ecdsa-with-SHA384 (RFC 5758, 3.2), as DER writes it.
ECDSA_SHA384 = (SEQUENCE, bytes.fromhex("06082a8648ce3d040303"))
ECDSA_SHA384_OID = "1.2.840.10045.4.3.3"
_SHA384 = ec.ECDSA(hashes.SHA384())
# 9999-12-31: "no well-defined expiration date" (RFC 5280, 4.1.2.5). A day less can be printed.
_FOREVER = 253402214399
_MARK = x509.ObjectIdentifier(SIMULATED_ROOT_OID)
_UNDERSTOOD = (x509.BasicConstraints, x509.KeyUsage, x509.ExtendedKeyUsage)
_PEM = re.compile(
    rb"-----BEGIN CERTIFICATE-----\r?\n([A-Za-z0-9+/=\r\n]+)\n-----END CERTIFICATE-----"
)


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
        extensions: OID in dotted form -> value (DER), of those that the library does not know.
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
    extensions: dict[str, bytes]
    simulated: bool

    @property
    def name_der(self) -> bytes:
        """The subject's name, as DER writes it."""
        return encode(SEQUENCE, self.subject_name)


def parse_chain(pem: bytes, *, what: str) -> tuple[Certificate, ...]:
    """Return the certificates of a PEM chain, leaf first.

    Raises:
        Malformed: anything but one to six certificates over P-384 and white space.
    """
    if len(pem) > MAX_CHAIN_BYTES:
        raise malformed_x509(what, f"at most {MAX_CHAIN_BYTES} bytes", f"{len(pem)} bytes")
    found, between, at = [], b"", 0
    for match in _PEM.finditer(pem):
        between += pem[at : match.start()]
        found.append(match[1])
        at = match.end()
    if not 1 <= len(found) <= MAX_CERTIFICATES or (between + pem[at:]).strip(b" \r\n\x00"):
        raise malformed_x509(
            what,
            f"one to {MAX_CERTIFICATES} PEM certificates and nothing else",
            f"{len(found)} certificates",
        )
    return tuple(_parse_block(block, what) for block in found)


def _parse_block(block: bytes, what: str) -> Certificate:
    text = block.replace(b"\r", b"").replace(b"\n", b"")
    try:
        der = b64decode(text, validate=True)
    except ValueError:
        der = b""
    if b64encode(der) != text:  # RFC 4648, 3.5: spare bits that are not zero
        raise malformed_x509(what, "canonical base64", text[:20].decode())
    return parse_der(der, what=what)


def parse_der(der: bytes, *, what: str) -> Certificate:
    """Return one certificate.

    Raises:
        Malformed: not a certificate over P-384 that we understand to the last critical extension.
    """
    try:
        return _load(der)
    except (*UNREADABLE, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise malformed_x509(what, "X.509 certificates over P-384", str(error)[:200]) from None


@lru_cache(maxsize=256)
def _load(der: bytes) -> Certificate:
    tbs, parts = signed_part(der)
    fields = elements(parts[0][1])
    if len(fields) != 8 or fields[0][0] != 0xA0 or fields[7][0] != 0xA3:
        raise ValueError("not a version 3 certificate without unique identifiers")
    if parts[1] != ECDSA_SHA384 or fields[2] != ECDSA_SHA384:
        raise ValueError("the signature algorithm is not ECDSA with SHA-384")
    certificate = x509.load_der_x509_certificate(der)
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp384r1":
        raise ValueError("the key is not on P-384")
    serial = int.from_bytes(fields[1][1], "big", signed=True)
    if serial <= 0:  # RFC 5280, 4.1.2.2; no answer about revocation could name it
        raise ValueError("the serial number is not positive")
    known, unknown = _extensions(certificate)
    basic, usage = known.get(x509.BasicConstraints), known.get(x509.KeyUsage)
    purposes = known.get(x509.ExtendedKeyUsage)
    claims_ca = isinstance(basic, x509.BasicConstraints) and basic.ca
    spki = encode(SEQUENCE, fields[6][1])
    return Certificate(
        der=der,
        tbs=tbs,
        signature=certificate.signature,
        serial=serial,
        subject=_common_name(certificate),
        subject_name=fields[5][1],
        issuer_name=fields[3][1],
        not_before=int(certificate.not_valid_before_utc.timestamp()),
        not_after=min(int(certificate.not_valid_after_utc.timestamp()), _FOREVER),
        fingerprint=named(sha256(spki)),
        spki=spki,
        key=key,
        is_ca=claims_ca and (not isinstance(usage, x509.KeyUsage) or usage.key_cert_sign),
        claims_ca=claims_ca,
        depth=basic.path_length if isinstance(basic, x509.BasicConstraints) else None,
        may_sign=not isinstance(usage, x509.KeyUsage) or usage.digital_signature,
        ocsp=isinstance(purposes, x509.ExtendedKeyUsage)
        and x509.oid.ExtendedKeyUsageOID.OCSP_SIGNING in purposes,
        extensions=unknown,
        simulated=_MARK.dotted_string in unknown,
    )


def _extensions(
    certificate: x509.Certificate,
) -> tuple[dict[type, x509.ExtensionType], dict[str, bytes]]:
    known: dict[type, x509.ExtensionType] = {}
    unknown: dict[str, bytes] = {}
    for extension in certificate.extensions:
        # RFC 5280, 4.2: a critical extension that is not understood voids the certificate.
        if extension.critical and not isinstance(extension.value, _UNDERSTOOD):
            raise ValueError(f"an unknown critical extension, {extension.oid.dotted_string}")
        if isinstance(extension.value, x509.UnrecognizedExtension):
            unknown[extension.oid.dotted_string] = extension.value.value
        known[type(extension.value)] = extension.value
    return known, unknown


def _common_name(certificate: x509.Certificate) -> str:
    for attribute in certificate.subject:
        if attribute.oid == x509.oid.NameOID.COMMON_NAME:
            return str(attribute.value)[:100]
    return "(no common name)"


def require_root(
    root: Certificate, roots: frozenset[str], *, what: str, code: str
) -> tuple[str, Level]:
    """Return one sentence and the level of what hangs on a root; NotAuthentic(``code``) if none."""
    # Whoever pins a simulator's root as a vendor's is mistaken: it is never hardware.
    if root.simulated:
        return f"{root.subject}: a simulator's root, marked as such", "simulated"
    if root.fingerprint in roots:
        return f"{root.subject}, by its pinned key {root.fingerprint[:23]}…", "hardware"
    raise NotAuthentic(
        f"the {what} ends in a root that nobody pinned, whatever its name says ({root.subject})",
        code=code,
        expected=" or ".join(sorted(roots)) or "no root is pinned",
        got=root.fingerprint,
    )


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
