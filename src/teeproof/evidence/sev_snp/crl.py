"""AMD's revocation lists: of each product's authorities, issued by the product's root.

Source: RFC 5280, 5; AMD 57230, "Certificate Revocation List".

Trusts: nothing; it only answers questions about bytes.  Does not trust: names.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from teeproof.core.errors import NotAuthentic
from teeproof.evidence.certificate import time_of
from teeproof.evidence.der import BOOLEAN, INTEGER, SEQUENCE, elements, only, signed_part
from teeproof.evidence.sev_snp.certificates import (
    PSS_SHA384,
    SERIAL_BYTES,
    AmdCertificate,
    signed_by,
)
from teeproof.evidence.x509 import UNREADABLE, malformed_x509

__all__ = ["AmdRevocationList", "parse_crl", "require_crl"]

_TIMES = (0x17, 0x18)
_EXTENSIONS = 0xA0
_TRUE = bytes((BOOLEAN, 1, 0xFF))
# RFC 5280, 5.2.4 and 5.2.5: a list of changes, and one of some certificates only.
_PARTIAL = (bytes.fromhex("0603551d1b"), bytes.fromhex("0603551d1c"))


class AmdRevocationList(msgspec.Struct, frozen=True, eq=False):
    """A revocation list, signed with RSA-PSS and SHA-384.

    Attributes:
        tbs: the signed part.
        signature: over ``tbs``.
        issuer_name: the issuer's name, DER content.
        this_update: when it was issued, seconds since 1970.
        next_update: when it expires, seconds since 1970.
        serials: the serial numbers of the revoked certificates.
    """

    tbs: bytes
    signature: bytes
    issuer_name: bytes
    this_update: int
    next_update: int
    serials: frozenset[int]

    def is_by(self, issuer: AmdCertificate) -> bool:
        """Whether ``issuer`` issued it."""
        return self.issuer_name == issuer.subject_name and signed_by(
            issuer, self.signature, self.tbs
        )


def parse_crl(der: bytes) -> AmdRevocationList:
    """Return the revocation list in ``der``.

    Raises:
        Malformed: not a complete revocation list as AMD makes them.
    """
    try:
        return _load(der)
    except UNREADABLE as error:
        raise malformed_x509(
            "AMD revocation list", "a complete list with RSA-PSS and SHA-384", str(error)[:200]
        ) from None


@lru_cache(maxsize=64)
def _load(der: bytes) -> AmdRevocationList:
    tbs, parts = signed_part(der)
    fields = elements(parts[0][1])
    if fields[0] != (INTEGER, b"\1"):
        raise ValueError("not of version 2")
    algorithm, issuer, begins, ends = fields[1:5]
    if parts[1] != algorithm or algorithm[1] not in PSS_SHA384:
        raise ValueError("the signature algorithm is not RSA-PSS with SHA-384")
    if begins[0] not in _TIMES or ends[0] not in _TIMES:
        raise ValueError("it has no next update")
    rest = fields[5:]
    entries = rest.pop(0)[1] if rest and rest[0][0] == SEQUENCE else b""
    if [tag for tag, _ in rest] not in ([], [_EXTENSIONS]):
        raise ValueError("fields that nobody here understands")
    for _, extension in elements(only(rest[0][1], SEQUENCE)) if rest else []:
        if _TRUE in extension[:16] or extension.startswith(_PARTIAL):
            raise ValueError("an extension says that it is not the complete list")
    return AmdRevocationList(
        tbs=tbs,
        signature=parts[2][1][1:],
        issuer_name=issuer[1],
        this_update=time_of(*begins),
        next_update=time_of(*ends),
        serials=frozenset(_serial(entry) for _, entry in elements(entries)),
    )


def _serial(entry: bytes) -> int:
    (tag, serial), *_ = fields = elements(entry)
    if tag != INTEGER or len(serial) > SERIAL_BYTES or not 2 <= len(fields) <= 3:
        raise ValueError("a malformed entry")
    if len(fields) == 3 and _TRUE in fields[2][1]:
        raise ValueError("a critical extension says that an entry is not the issuer's own")
    return int.from_bytes(serial, "big", signed=True)


def require_crl(crl: AmdRevocationList, issuer: AmdCertificate) -> None:
    """Check that ``issuer`` issued the revocation list; raise NotAuthentic if not."""
    if not crl.is_by(issuer):
        raise NotAuthentic(
            f"revocation list: {issuer.subject} did not sign it", code="crl_signature"
        )
