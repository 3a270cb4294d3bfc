"""The certificate chain of an attestation key, as vendors of TPMs and clouds issue it.

A chain vouches for a key if it ends in a pinned root, each certificate signed the one below, and
the leaf is of a TPM's key for signing. An *endorsement* key's is not: that key cannot sign, and
says nothing of another key unless the TPM answered a challenge made for both (``credential``). The
usage tells the two apart. Purposes do not: Google's certificates state none, and its older ones
call every key of a TPM an endorsement key.

Source: TCG EK Credential Profile 2.6; RFC 5280.

Trusts: nothing; it only answers questions about bytes.  Does not trust: names, order, PEM text.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtensionOID

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Malformed, NotAuthentic
from teeproof.evidence import pem
from teeproof.evidence.dates import Window
from teeproof.evidence.der import SEQUENCE, elements, only
from teeproof.evidence.marks import SIMULATED_ROOT_OID
from teeproof.evidence.x509 import UNREADABLE

__all__ = ["AkChain", "parse_chain", "require_chain", "require_endorsement_key", "require_leaf"]

MAX_CHAIN_BYTES = 32 << 10
MAX_CERTIFICATES = 6
AK_CERTIFICATE = "2.23.133.8.3"  # tcg-kp-AIKCertificate
EK_CERTIFICATE = "2.23.133.8.1"  # tcg-kp-EKCertificate
_SAFE = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
# Name constraints are not among them: nothing here evaluates those.
_UNDERSTOOD = {
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,  # names of the TPM's maker and model
    ExtensionOID.CERTIFICATE_POLICIES,
}
_UNREADABLE = (*UNREADABLE, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
_E = TypeVar("_E", bound=x509.ExtensionType)


@dataclass(frozen=True, slots=True, eq=False)
class AkChain:
    """Certificates, leaf first; one text of PEM gives one object.

    Attributes:
        certificates: as the library reads them.
        spki: the leaf's key, DER.
        leaf_tbs: the leaf's signed part; unlike the certificate it has no malleable twin.
        root: fingerprint (``sha256:…``) of the last certificate's key.
        simulated: whether the last certificate carries the mark of a simulator's root.
        windows: from when until when each is valid.
    """

    certificates: tuple[x509.Certificate, ...]
    spki: bytes
    leaf_tbs: bytes
    root: str
    simulated: bool
    windows: tuple[Window, ...]


def parse_chain(text: bytes) -> AkChain:
    """Return the certificates of a PEM text, leaf first; nothing is verified.

    Raises:
        Malformed: anything but one to six certificates that can be read.
    """
    if len(text) > MAX_CHAIN_BYTES:
        raise _malformed(f"at most {MAX_CHAIN_BYTES} bytes", f"{len(text)} bytes")
    return _parsed(text)


@lru_cache(maxsize=64)
def _parsed(text: bytes) -> AkChain:
    found, rest = pem.split(text)
    if not 1 <= len(found) <= MAX_CERTIFICATES or rest.strip():
        raise _malformed("one to six PEM certificates and nothing else", f"{len(found)} of them")
    try:
        certificates = tuple(_load(pem.decoded(block.base64)) for block in found)
        leaf, root = certificates[0], certificates[-1]
        return AkChain(
            certificates=certificates,
            spki=_spki(leaf),
            leaf_tbs=leaf.tbs_certificate_bytes,
            root=named(sha256(_spki(root))),
            simulated=any(e.oid.dotted_string == SIMULATED_ROOT_OID for e in root.extensions),
            windows=tuple(map(_window, certificates)),
        )
    except _UNREADABLE as error:
        raise _malformed("X.509 certificates", str(error)[:200]) from None


def _load(der: bytes) -> x509.Certificate:
    version, serial, *_ = elements(elements(only(der, SEQUENCE))[0][1])
    if version[0] != 0xA0 or int.from_bytes(serial[1], "big", signed=True) <= 0:
        raise ValueError("not of version 3, or a serial number that is not positive (RFC 5280)")
    certificate = x509.load_der_x509_certificate(der)
    if certificate.public_bytes(Encoding.DER) != der:
        raise ValueError("DER that is not canonical")
    # What the library reads only when it is asked is asked for here, so that it cannot fail later.
    _ = (certificate.extensions, certificate.signature_hash_algorithm, certificate.public_key())
    return certificate


def _spki(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _window(certificate: x509.Certificate) -> Window:
    return Window(
        "certificate of the attestation key or of its issuer",
        "certificate",
        int(certificate.not_valid_before_utc.timestamp()),
        int(certificate.not_valid_after_utc.timestamp()),
    )


def require_chain(chain: AkChain) -> None:
    """Check that each certificate is signed by the next, and the last by itself.

    Raises:
        NotAuthentic: one is not, or its issuer may not sign certificates.
    """
    _held(chain)


@lru_cache(maxsize=64)
def _held(chain: AkChain) -> None:
    """Remember what was found good: of certificates alone, whatever roots and T are asked for."""
    above = chain.certificates[1:]
    for depth, (child, issuer) in enumerate(zip(chain.certificates, above, strict=False)):
        _require_issued(child, issuer, below=depth)
    root = chain.certificates[-1]
    _require_issued(root, root, below=max(0, len(above) - 1))


def _require_issued(child: x509.Certificate, issuer: x509.Certificate, *, below: int) -> None:
    if not _may_sign(issuer, below):
        raise NotAuthentic(
            "a certificate of the chain may not sign the one below it", code="ak_chain_signature"
        )
    critical = {e.oid for e in (*child.extensions, *issuer.extensions) if e.critical}
    if critical - _UNDERSTOOD:
        raise NotAuthentic(
            "a certificate demands something that this version does not understand",
            code="ak_chain_extension",
            expected="only critical extensions that can be checked",
            got=", ".join(sorted(oid.dotted_string for oid in critical - _UNDERSTOOD)),
        )
    if not isinstance(child.signature_hash_algorithm, _SAFE):
        raise NotAuthentic(
            "a certificate of the chain is signed over a hash that is no longer safe",
            code="ak_chain_signature",
        )
    try:
        child.verify_directly_issued_by(issuer)
    except (InvalidSignature, *UNREADABLE):
        raise NotAuthentic(
            "a certificate of the chain is not signed by the next", code="ak_chain_signature"
        ) from None


def _may_sign(issuer: x509.Certificate, below: int) -> bool:
    constraints = _extension(issuer, x509.BasicConstraints)
    usage = _extension(issuer, x509.KeyUsage)
    if constraints is None or not constraints.ca:
        return False
    length = constraints.path_length
    return (usage is None or usage.key_cert_sign) and (length is None or below <= length)


def require_leaf(chain: AkChain, spki: bytes) -> None:
    """Check that the leaf is a certificate of this attestation key: one that signs, of a TPM.

    Raises:
        NotAuthentic: it is another key's, an authority's, an endorsement key's, or not for signing.
    """
    leaf = chain.certificates[0]
    if chain.spki != spki:
        raise NotAuthentic(
            "the certificate is another key's, not that of the key that signed the quote",
            code="ak_other_key",
            expected=named(sha256(spki)),
            got=named(sha256(chain.spki)),
        )
    constraints, usage = _extension(leaf, x509.BasicConstraints), _extension(leaf, x509.KeyUsage)
    purposes = _purposes(leaf)
    is_ca = constraints is not None and constraints.ca
    signs = usage is not None and usage.digital_signature
    if is_ca or not signs or (purposes and not purposes & {AK_CERTIFICATE, EK_CERTIFICATE}):
        raise NotAuthentic(
            "the certificate does not say that its key is a TPM's attestation key",
            code="ak_purpose",
            expected=f"digital signature, purpose {AK_CERTIFICATE} (attestation key)",
            got=", ".join(sorted(purposes)) or "no purpose",
        )


def require_endorsement_key(
    chain: AkChain, spki: bytes, *, roots: frozenset[str], now: int
) -> None:
    """Check that a chain certifies this endorsement key at T.

    Args:
        chain: the certificates, leaf first.
        spki: the endorsement key, DER.
        roots: fingerprints (``sha256:…``) of the root keys of makers of TPMs.
        now: the T to verify at, seconds since 1970.

    Raises:
        NotAuthentic: another key or purpose, another root, a signature or a date that fails.
    """
    leaf = chain.certificates[0]
    purposes, usage = _purposes(leaf), _extension(leaf, x509.KeyUsage)
    signs = usage is None or usage.digital_signature
    in_force = all(window.begins <= now <= window.ends for window in chain.windows)
    if chain.spki != spki or signs or (purposes and EK_CERTIFICATE not in purposes):
        raise NotAuthentic(
            "the certificate is not one of this endorsement key",
            code="ek_other_key",
            expected=f"{named(sha256(spki))}, purpose {EK_CERTIFICATE} (endorsement key)",
            got=f"{named(sha256(chain.spki))}, {', '.join(sorted(purposes)) or 'no purpose'}",
        )
    if chain.root not in roots or not in_force:
        raise NotAuthentic(
            "the endorsement key's chain ends in a root that nobody pinned, or was not in force",
            code="ek_not_trusted",
            expected=", ".join(sorted(roots)) or "a pinned root, and none is",
            got=chain.root,
        )
    require_chain(chain)


def _purposes(certificate: x509.Certificate) -> set[str]:
    extended = _extension(certificate, x509.ExtendedKeyUsage)
    return {purpose.dotted_string for purpose in extended or ()}


def _extension(certificate: x509.Certificate, kind: type[_E]) -> _E | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _malformed(expected: str, got: str) -> Malformed:
    return Malformed(
        f"the attestation key's certificates are malformed: expected {expected}, got {got}",
        code="ak_certificates_malformed",
        expected=expected,
        got=got,
    )
