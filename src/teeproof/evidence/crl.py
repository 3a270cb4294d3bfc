"""Certificate revocation lists, as Intel publishes two of: of its root, and of each PCK CA.

Trusts: nothing; it only answers questions about bytes.  Does not trust: names.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec
from cryptography import x509

from teeproof.core.errors import NotAuthentic
from teeproof.evidence.der import elements, signed_part
from teeproof.evidence.x509 import (
    ECDSA_SHA256,
    UNREADABLE,
    Certificate,
    malformed_x509,
    signed_by,
)

__all__ = ["RevocationList", "clear_caches", "parse_crl", "require_crl"]

MAX_CRL_BYTES = 2 << 20


class RevocationList(msgspec.Struct, frozen=True, eq=False):
    """A certificate revocation list, signed with ECDSA over SHA-256.

    Attributes:
        tbs: the signed part.
        issuer_name: the issuer's name, DER content.
        this_update: when it was issued, seconds since 1970.
        next_update: when it expires, seconds since 1970.
        x509: the library's object.
    """

    tbs: bytes
    issuer_name: bytes
    this_update: int
    next_update: int
    x509: x509.CertificateRevocationList

    def revokes(self, certificate: Certificate) -> bool:
        """Whether it lists the certificate's serial number."""
        return self.x509.get_revoked_certificate_by_serial_number(certificate.serial) is not None


def parse_crl(der: bytes, *, what: str) -> RevocationList:
    """Return the revocation list in ``der``.

    Raises:
        Malformed: not a DER CRL, or one that never expires.
    """
    if len(der) > MAX_CRL_BYTES:
        raise malformed_x509(what, f"at most {MAX_CRL_BYTES} bytes", f"{len(der)} bytes")
    try:
        return _load_crl(der)
    except (*UNREADABLE, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise malformed_x509(what, "a DER certificate revocation list", str(error)[:200]) from None


@lru_cache(maxsize=64)
def _load_crl(der: bytes) -> RevocationList:
    crl = x509.load_der_x509_crl(der)
    if crl.next_update_utc is None:
        raise ValueError("it has no next update")
    tbs, parts = signed_part(der)
    fields = elements(parts[0][1])
    # RFC 5280, 5.1.2: version, algorithm, issuer, this update, …
    if fields[1] != ECDSA_SHA256 or parts[1] != ECDSA_SHA256:
        raise ValueError("the signature algorithm is not ECDSA with SHA-256")
    if any(extension.critical for extension in crl.extensions):
        # RFC 5280, 5.2: lists of changes and of some certificates only are marked like this.
        raise ValueError("a critical extension says that it is not the complete list")
    return RevocationList(
        tbs=tbs,
        issuer_name=fields[2][1],
        this_update=int(crl.last_update_utc.timestamp()),
        next_update=int(crl.next_update_utc.timestamp()),
        x509=crl,
    )


def require_crl(crl: RevocationList, issuer: Certificate, *, what: str, code: str) -> None:
    """Check that ``issuer`` issued the revocation list; raise NotAuthentic with ``code`` if not."""
    if crl.issuer_name != issuer.subject_name or not signed_by(
        issuer.key, crl.x509.signature, crl.tbs
    ):
        raise NotAuthentic(f"{what}: {issuer.subject} did not sign it", code=code)


def clear_caches() -> None:
    """Forget every parsed revocation list (for measurements of cold runs)."""
    _load_crl.cache_clear()
