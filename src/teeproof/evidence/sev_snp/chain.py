"""From AMD's root to the endorsement key: all that a report's signature rests on.

    ARK (self-signed) -> ASK  -> VCEK     the chip's own key
    ARK (self-signed) -> ASVK -> VLEK     a key that AMD lent to a cloud

Nothing here depends on the report or on the time: reports of one chip share every result, so it is
computed once and remembered. Dates come out as windows.

Trusts: the pinned roots.  Does not trust: host, network, whoever chose the certificates.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric import ec

from teeproof.core.errors import Error, NotAuthentic, Unavailable
from teeproof.evidence.dates import Window
from teeproof.evidence.sev_snp.certificates import (
    MAX_BYTES,
    AmdCertificate,
    parse_blocks,
    parse_certificates,
    signed_by,
)
from teeproof.evidence.sev_snp.crl import AmdRevocationList, parse_crl, require_crl
from teeproof.evidence.sev_snp.vek import Vek, parse_vek
from teeproof.evidence.steps import Steps
from teeproof.evidence.verdict import Level, failed, passed

__all__ = ["Chain", "endorse"]

_T = TypeVar("_T")
_Path = tuple[AmdCertificate, AmdCertificate, AmdCertificate]  # leaf, authority, root


@dataclass(slots=True)
class Chain(Steps):
    """What the chain establishes, and the checks that it made on the way, in reading order.

    A field is None where the check that yields it failed or was not made.
    """

    certificate_windows: list[Window] = field(default_factory=list)
    list_windows: list[Window] = field(default_factory=list)
    level: Level | None = None
    root: AmdCertificate | None = None
    leaf: AmdCertificate | None = None
    vek: Vek | None = None

    @property
    def key(self) -> ec.EllipticCurvePublicKey | None:
        """The endorsement key; None unless the whole chain held."""
        key = self.leaf.key if self.leaf is not None and self.vek is not None else None
        return key if isinstance(key, ec.EllipticCurvePublicKey) else None


def endorse(pem: bytes | None, roots: frozenset[str]) -> Chain:
    """Return what hangs on the roots, remembered unless strangers blew it up.

    Args:
        pem: the certificates and revocation lists that came along, in any order; None if none did.
        roots: fingerprints of the vendor's root keys.
    """
    small = pem is None or len(pem) <= MAX_BYTES
    return (_remembered if small else _endorse)(pem, roots)


def _endorse(pem: bytes | None, roots: frozenset[str]) -> Chain:
    out = Chain()
    try:
        path, lists = _path(pem)
    except Unavailable as error:
        out.checks.append(
            failed("vek-certificates", "certificates_missing", error.detail, "availability")
        )
        return _unfounded(out, "certificates are missing")
    except Error as error:
        out.checks.append(
            failed(
                "vek-certificates",
                error.code,
                error.detail,
                expected=error.expected,
                got=error.got,
            )
        )
        return _unfounded(out, "the certificates could not be read")
    leaf, authority, root = path
    out.checks.append(
        passed("vek-certificates", f"{leaf.subject}, {authority.subject} and {root.subject}")
    )
    level = out.attempt("root", lambda: _root(root, roots))
    if level is None:
        out.skip("vek-chain", "it ends in a root that is not trusted")
        out.skip("vek-revocation", "there is no trusted chain")
        return out
    vek = out.attempt("vek-chain", lambda: _held(path))
    if vek is None:
        out.skip("vek-revocation", "there is no trusted chain")
        return out
    out.level, out.root, out.leaf, out.vek = level, root, leaf, vek
    out.certificate_windows += [
        Window(f"certificate of {each.subject}", "certificate", *each.window) for each in path
    ]
    _revocation(out, authority, root, lists)
    return out


_remembered = lru_cache(maxsize=128)(_endorse)


def _unfounded(out: Chain, why: str) -> Chain:
    for name in ("root", "vek-chain", "vek-revocation"):
        out.skip(name, why)
    return out


def _path(pem: bytes | None) -> tuple[_Path, list[bytes]]:
    """Return leaf, authority and root by their names, and the revocation lists.

    Where several certificates have a name that fits, the one that signed counts: a stranger's
    beside it changes nothing.
    """
    ders, lists = parse_blocks(pem or b"")
    found = parse_certificates(ders)
    leaves = [each for each in found if isinstance(each.key, ec.EllipticCurvePublicKey)]
    if len(leaves) != 1:
        if not leaves:
            raise _missing("the endorsement key's own certificate (VCEK or VLEK)")
        raise NotAuthentic(
            "there are certificates of several endorsement keys: give the one of this report",
            code="vek_several",
            expected="1 VCEK or VLEK",
            got=f"{len(leaves)}",
        )
    leaf = leaves[0]
    authority = _issuer(leaf, found)
    if authority is None:
        raise _missing(f"the authority that issued {leaf.subject} (ASK or ASVK)")
    root = _issuer(authority, found)
    if root is None:
        raise _missing(f"AMD's root (ARK) above {authority.subject}")
    return (leaf, authority, root), lists


def _issuer(child: AmdCertificate, found: tuple[AmdCertificate, ...]) -> AmdCertificate | None:
    named = [each for each in found if each.subject_name == child.issuer_name]
    signing = [each for each in named if signed_by(each, child.signature, child.tbs)]
    return next(iter(signing or named), None)


def _missing(what: str) -> Unavailable:
    return Unavailable(
        f"{what} did not come along, so nothing is known of who signed: put it beside the report;"
        " AMD's key server has the certificates of every chip"
    )


def _root(root: AmdCertificate, roots: frozenset[str]) -> tuple[str, Level]:
    # Whoever pins a simulator's root as a vendor's is mistaken: it is never hardware.
    if root.fingerprint in roots and not root.simulated:
        return f"{root.subject}, by its pinned key {root.fingerprint[:23]}…", "hardware"
    if root.simulated:
        return f"{root.subject}: a simulator's root, marked as such", "simulated"
    raise NotAuthentic(
        f"the chain ends in a root that nobody pinned, whatever its name says ({root.subject})",
        code="root_not_pinned",
        expected=" or ".join(sorted(roots)) or "no root is pinned",
        got=root.fingerprint,
    )


def _held(path: _Path) -> tuple[str, Vek]:
    leaf, authority, root = path
    _require_issued(root, root, code="root_certificate")
    _require_issued(authority, root, code="vek_chain_signature")
    _require_issued(leaf, authority, code="vek_chain_signature")
    vek = parse_vek(leaf)
    # AMD issues both kinds of key under one root: the authority's name keeps them apart.
    lent = "VLEK" in authority.subject
    if leaf.is_ca or not leaf.subject.endswith(f"SEV-{vek.kind}") or lent != (vek.kind == "VLEK"):
        raise NotAuthentic(
            "the first certificate is not one of an endorsement key, or of the other kind",
            code="vek_chain_leaf",
            expected=f"SEV-{vek.kind} by the authority for such keys",
            got=f"{leaf.subject} by {authority.subject}",
        )
    return f"{root.subject} signed {authority.subject}, which signed {leaf.subject}", vek


def _require_issued(child: AmdCertificate, issuer: AmdCertificate, *, code: str) -> None:
    if not issuer.is_ca:
        raise NotAuthentic(f"{issuer.subject} may not sign certificates", code=code)
    if child.issuer_name != issuer.subject_name or not signed_by(
        issuer, child.signature, child.tbs
    ):
        raise NotAuthentic(
            f"{issuer.subject} did not sign the certificate of {child.subject}", code=code
        )


def _revocation(
    out: Chain, authority: AmdCertificate, root: AmdCertificate, lists: list[bytes]
) -> None:
    if not lists:
        out.skip("vek-revocation", "no revocation list of AMD's came along")
        return
    newest = out.attempt("vek-revocation", lambda: _not_revoked(authority, root, lists))
    if newest is not None:
        out.list_windows.append(
            Window("AMD revocation list", "crl", newest.this_update, newest.next_update)
        )


def _not_revoked(
    authority: AmdCertificate, root: AmdCertificate, lists: list[bytes]
) -> tuple[str, AmdRevocationList]:
    parsed = [parse_crl(der) for der in lists]
    for crl in parsed:
        require_crl(crl, root)
    for certificate, code in ((authority, "vek_ca_revoked"), (root, "ark_revoked")):
        if any(certificate.serial in crl.serials for crl in parsed):
            raise NotAuthentic(
                f"AMD revoked {certificate.subject}: believe nothing that hangs on it",
                code=code,
                got=f"serial number {certificate.serial}",
            )
    newest = max(parsed, key=lambda crl: crl.this_update)
    return (
        f"AMD's list names neither {authority.subject} nor {root.subject}; it could not name a"
        " single chip's key, for those have no serial numbers",
        newest,
    )
