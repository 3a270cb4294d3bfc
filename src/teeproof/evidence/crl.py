"""Certificate revocation lists, as Intel publishes two of: of its root, and of each PCK CA.

Trusts: nothing; it only answers questions about bytes.  Does not trust: names.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec
from cryptography import x509

from teeproof.core.errors import NotAuthentic
from teeproof.evidence.der import BOOLEAN, elements, signed_part
from teeproof.evidence.x509 import (
    ECDSA_SHA256,
    UNREADABLE,
    Certificate,
    malformed_x509,
    signed_by,
)

__all__ = ["RevocationList", "clear_caches", "parse_crl", "require_crl"]

MAX_CRL_BYTES = 2 << 20
_PARTIAL = frozenset(
    {
        x509.oid.ExtensionOID.DELTA_CRL_INDICATOR,
        x509.oid.ExtensionOID.ISSUING_DISTRIBUTION_POINT,
    }
)
_CRITICAL = bytes((BOOLEAN, 1, 0xFF))  # how DER writes it


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
        serial = certificate.serial
        # However an entry is encoded, it holds the number's bytes: most lists need no reading.
        if serial.to_bytes((serial.bit_length() + 7) // 8, "big") not in self.tbs:
            return False
        return self.x509.get_revoked_certificate_by_serial_number(serial) is not None


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
    _require_whole(crl, tbs)
    return RevocationList(
        tbs=tbs,
        issuer_name=fields[2][1],
        this_update=int(crl.last_update_utc.timestamp()),
        next_update=int(crl.next_update_utc.timestamp()),
        x509=crl,
    )


def _require_whole(crl: x509.CertificateRevocationList, tbs: bytes) -> None:
    """Refuse a list that is only a part, or that speaks of other issuers' certificates."""
    # RFC 5280, 5.2: lists of changes and of some certificates only are marked by a critical
    # extension. The two that do it are refused even where somebody left the mark out.
    if any(extension.critical or extension.oid in _PARTIAL for extension in crl.extensions):
        raise ValueError("an extension says that it is not the complete list")
    # 5.3: the same for single entries. Few lists have any, and to read all of them takes long.
    if _CRITICAL in tbs and any(each.critical for entry in crl for each in entry.extensions):
        raise ValueError("a critical extension says that an entry is not the issuer's own")


def require_crl(crl: RevocationList, issuer: Certificate, *, what: str, code: str) -> None:
    """Check that ``issuer`` issued the revocation list; raise NotAuthentic with ``code`` if not."""
    if crl.issuer_name != issuer.subject_name or not signed_by(
        issuer.key, crl.x509.signature, crl.tbs
    ):
        raise NotAuthentic(f"{what}: {issuer.subject} did not sign it", code=code)


def clear_caches() -> None:
    """Forget every parsed revocation list (for measurements of cold runs)."""
    _load_crl.cache_clear()
