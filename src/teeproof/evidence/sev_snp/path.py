"""Find, among the certificates that came along, the three that lead to the key of a report.

Finding is no verification: what comes out is only the path that a verifier then walks.

Trusts: nothing; the path is verified elsewhere.  Does not trust: host, network, order, names.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec

from teeproof.core.errors import NotAuthentic, Unavailable
from teeproof.evidence.sev_snp.certificates import (
    AmdCertificate,
    parse_blocks,
    parse_certificates,
    signed_by,
)
from teeproof.evidence.sev_snp.vek import Wanted

__all__ = ["Path", "find_path"]

Path = tuple[AmdCertificate, AmdCertificate, AmdCertificate]
"""Leaf, authority, root."""


def find_path(pem: bytes | None, wanted: Wanted) -> tuple[Path, list[bytes]]:
    """Return leaf, authority and root by their names, and the revocation lists (DER).

    Where several certificates have a name that fits, the one that signed counts: a stranger's or
    another product's beside it change nothing.

    Raises:
        Unavailable: one of the three is missing.
        NotAuthentic: of several endorsement keys, not exactly one is the report's.
        Malformed: anything but AMD's certificates and lists.
    """
    ders, lists = parse_blocks(pem or b"")
    found = parse_certificates(ders)
    leaves = [each for each in found if isinstance(each.key, ec.EllipticCurvePublicKey)]
    if not leaves:
        raise _missing("the endorsement key's own certificate (VCEK or VLEK)")
    leaf = leaves[0] if len(leaves) == 1 else _of_report(leaves, found, wanted)
    authority = _issuer(leaf, found)
    if authority is None:
        raise _missing(f"the authority that issued {leaf.subject} (ASK or ASVK)")
    root = _issuer(authority, found)
    if root is None:
        raise _missing(f"AMD's root (ARK) above {authority.subject}")
    return (leaf, authority, root), lists


def _of_report(
    leaves: list[AmdCertificate], found: tuple[AmdCertificate, ...], wanted: Wanted
) -> AmdCertificate:
    """Return, of several, the certificate that is for the key which the report names."""
    claiming = [leaf for leaf in leaves if wanted.fits(leaf)]
    issued = [
        leaf
        for leaf in claiming
        if any(
            each.subject_name == leaf.issuer_name and signed_by(each, leaf.signature, leaf.tbs)
            for each in found
        )
    ]
    fitting = issued or claiming
    if len(fitting) != 1:
        raise NotAuthentic(
            "there are certificates of several endorsement keys: give the one of this report",
            code="vek_several",
            expected="1 VCEK or VLEK for the kind of key, the chip and the TCB of the report",
            got=f"{len(fitting)} of {len(leaves)}",
        )
    return fitting[0]


def _issuer(child: AmdCertificate, found: tuple[AmdCertificate, ...]) -> AmdCertificate | None:
    named = [each for each in found if each.subject_name == child.issuer_name]
    signing = [each for each in named if signed_by(each, child.signature, child.tbs)]
    return next(iter(signing or named), None)


def _missing(what: str) -> Unavailable:
    return Unavailable(
        f"{what} did not come along, so nothing is known of who signed: put it beside the report,"
        " or let teeproof endorsements fetch ask AMD's key server for it"
    )
