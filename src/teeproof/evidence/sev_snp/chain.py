"""From AMD's root to the endorsement key: all that a report's signature rests on.

    ARK (self-signed) -> ASK  -> VCEK     the chip's own key
    ARK (self-signed) -> ASVK -> VLEK     a key that AMD lent to a cloud

Nothing here depends on the time, and on the report only which key it names: reports of one chip and
TCB share every result, so it is computed once and remembered. Dates come out as windows.

Trusts: the pinned roots.  Does not trust: host, network, whoever chose the certificates.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric import ec

from teeproof.core.errors import Error, Malformed, NotAuthentic, Unavailable
from teeproof.evidence.dates import Window
from teeproof.evidence.marks import SIMULATED_MAKER
from teeproof.evidence.roots import require_root
from teeproof.evidence.sev_snp.certificates import (
    MAX_BYTES,
    AmdCertificate,
    signed_by,
)
from teeproof.evidence.sev_snp.crl import AmdRevocationList, parse_crl, require_crl
from teeproof.evidence.sev_snp.path import Path, find_path
from teeproof.evidence.sev_snp.vek import Vek, Wanted, parse_vek
from teeproof.evidence.steps import Steps
from teeproof.evidence.verdict import Level, failed, passed

__all__ = ["Chain", "endorse"]


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


def endorse(pem: bytes | None, roots: frozenset[str], *, wanted: Wanted) -> Chain:
    """Return what hangs on the roots, remembered unless strangers blew it up.

    Args:
        pem: the certificates and revocation lists that came along, in any order; None if none did.
        roots: fingerprints of the vendor's root keys.
        wanted: which key's certificate to take, where several came along.
    """
    small = pem is None or len(pem) <= MAX_BYTES
    return (_remembered if small else _endorse)(pem, roots, wanted)


def _endorse(pem: bytes | None, roots: frozenset[str], wanted: Wanted) -> Chain:
    out = Chain()
    try:
        path, lists = find_path(pem, wanted)
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
    level = out.attempt("root", lambda: require_root(root, roots, code="root_not_pinned"))
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


def _held(path: Path) -> tuple[str, Vek]:
    leaf, authority, root = path
    _require_issued(root, root, code="root_certificate")
    _require_issued(authority, root, code="vek_chain_signature")
    _require_issued(leaf, authority, code="vek_chain_signature")
    vek = parse_vek(leaf)
    if leaf.is_ca or authority is root:
        raise NotAuthentic(
            "the first certificate is not one of an endorsement key, or an authority is missing",
            code="vek_chain_leaf",
            expected=f"SEV-{vek.kind}, by an authority that the root certified",
            got=f"{leaf.subject} by {authority.subject}",
        )
    _require_names(path, vek)
    return f"{root.subject} signed {authority.subject}, which signed {leaf.subject}", vek


def _require_names(path: Path, vek: Vek) -> None:
    """Check that all three certificates are named for this kind of key and this product.

    AMD has one root for each product, and below it one authority for each kind of key. They are
    told apart by name alone, so a name is held to what the key's certificate says.
    """
    maker = SIMULATED_MAKER if path[2].simulated else ""
    lent = "VLEK-" if vek.kind == "VLEK" else ""
    names = (f"SEV-{vek.kind}", f"SEV-{lent}{vek.product}", f"ARK-{vek.product}")
    expected = tuple(f"{maker}{name}" for name in names)
    got = tuple(each.subject for each in path)
    if got != expected:
        raise NotAuthentic(
            "the authorities are another product's, or for the other kind of key: believe nothing"
            f" that they say of a {vek.product}'s {vek.kind}",
            code="vek_chain_names",
            expected=", ".join(expected),
            got=", ".join(got),
        )


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
    own = [der for der in lists if not _of_another(der, root)]
    if not own:
        whose = "only lists of other products" if lists else "no revocation list of AMD's"
        out.skip("vek-revocation", f"{whose} came along")
        return
    newest = out.attempt("vek-revocation", lambda: _not_revoked(authority, root, own))
    if newest is not None:
        out.list_windows.append(
            Window("AMD revocation list", "crl", newest.this_update, newest.next_update)
        )


def _of_another(der: bytes, root: AmdCertificate) -> bool:
    """Whether a list names another issuer; one that cannot be read is not passed over."""
    try:
        return parse_crl(der).issuer_name != root.subject_name
    except Malformed:
        return False


def _not_revoked(
    authority: AmdCertificate, root: AmdCertificate, lists: list[bytes]
) -> tuple[str, AmdRevocationList]:
    parsed = [parse_crl(der) for der in lists]
    held = [crl for crl in parsed if crl.is_by(root)]
    if not held:
        require_crl(parsed[0], root)
    for certificate, code in ((authority, "vek_ca_revoked"), (root, "ark_revoked")):
        if any(certificate.serial in crl.serials for crl in held):
            raise NotAuthentic(
                f"AMD revoked {certificate.subject}: believe nothing that hangs on it",
                code=code,
                got=f"serial number {certificate.serial}",
            )
    newest = max(held, key=lambda crl: crl.this_update)
    return (
        f"AMD's list names neither {authority.subject} nor {root.subject}; it could not name a"
        " single chip's key, for those have no serial numbers",
        newest,
    )
