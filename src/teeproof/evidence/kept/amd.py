"""What AMD says: the certificate of one endorsement key with those above it; a revocation list.

    amd-key  key, authority, root      VCEK or VLEK, ASK or ASVK, ARK (DER)
    amd-crl  list, authority, root     the list on which that authority would stand

A key's certificate is good for years, a list for months; so each is kept by itself.

Trusts: the root that a thing ends in, for the question whether it holds.
Does not trust: whoever handed it over.
"""

from __future__ import annotations

from collections.abc import Mapping

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Malformed, NotAuthentic
from teeproof.evidence.der import armoured
from teeproof.evidence.kept.record import Parts, Said
from teeproof.evidence.sev_snp import chain
from teeproof.evidence.sev_snp.certificates import AmdCertificate, parse_certificates, signed_by
from teeproof.evidence.sev_snp.crl import parse_crl, require_crl
from teeproof.evidence.sev_snp.report import SnpReport
from teeproof.evidence.sev_snp.vek import Vek, Wanted, parse_vek

__all__ = ["about_list", "above", "is_about", "key_said", "key_subject", "list_said", "pem_of"]


def pem_of(*parts: bytes) -> bytes:
    """Return certificates and lists (DER) as one PEM text."""
    return b"".join(map(armoured, parts))


def key_said(parts: Parts) -> Said:
    """Return what the certificate of an endorsement key says, if all signatures hold.

    Raises:
        Malformed, NotAuthentic: they do not, or a part is not what its name says.
    """
    leaf, authority, root = parse_certificates([parts["key"], parts["authority"], parts["root"]])
    held = chain.endorse(
        pem_of(leaf.der, authority.der, root.der),
        frozenset({root.fingerprint}),
        wanted=Wanted(None, None, b""),  # there is one, and no choice
    )
    for check in held.checks:
        if check.state == "failed":
            raise NotAuthentic(
                check.detail, code=check.code, expected=check.expected, got=check.got
            )
    if held.vek is None or held.leaf is None or held.leaf.der != leaf.der:
        raise NotAuthentic("the certificates are not in their places", code="vek_chain_leaf")
    windows = [each.window for each in (leaf, authority, root)]
    return Said(
        subject=_subject(held.vek),
        root=root.fingerprint,
        window=(max(w[0] for w in windows), min(w[1] for w in windows)),
    )


def _subject(vek: Vek) -> dict[str, str]:
    subject = {"signer": vek.kind, "product": vek.product, "tcb": vek.tcb.raw.hex()}
    if vek.chip_id is not None:
        return subject | {"chip": named(sha256(vek.chip_id))}
    return subject | {"cloud": vek.csp_id or ""}


def above(
    leaf: AmdCertificate, found: tuple[AmdCertificate, ...]
) -> tuple[AmdCertificate, AmdCertificate] | None:
    """Return authority and root of a key among certificates, by names alone; None if not there."""
    authority = next((c for c in found if c.subject_name == leaf.issuer_name), None)
    if authority is None:
        return None
    root = next((c for c in found if c.subject_name == authority.issuer_name), None)
    return None if root is None else (authority, root)


def is_about(leaf: AmdCertificate, about: Mapping[str, str]) -> bool:
    """Whether the certificate of an endorsement key is for what is looked for, as it says."""
    try:
        return about.items() <= _subject(parse_vek(leaf)).items()
    except Malformed:
        return False


def key_subject(report: SnpReport) -> dict[str, str] | None:
    """Return what to look for to find the key that signed a report; None if nothing tells it.

    A report of version 2 does not name the product; one of a VLEK does not name the cloud.
    """
    body = report.body
    if body.signing_key not in (0, 1) or (body.signing_key == 0 and body.masked):
        return None
    subject = {"signer": "VLEK" if body.signing_key else "VCEK"}
    if body.product is not None:
        subject["product"] = body.product
    # The TCB's eight bytes are the same whatever their order means.
    subject["tcb"] = body.tcb("reported", body.product or "Milan").raw.hex()
    if not body.signing_key:
        subject["chip"] = named(sha256(body.chip_id))
    return subject


def list_said(parts: Parts) -> Said:
    """Return what a revocation list says, if root signed it and the authority.

    Raises:
        Malformed, NotAuthentic: it does not hold.
    """
    authority, root = parse_certificates([parts["authority"], parts["root"]])
    for child in (root, authority):
        _require_issued(child, root)
    crl = parse_crl(parts["list"])
    require_crl(crl, root)
    if crl.next_update < crl.this_update:
        raise Malformed("the revocation list ends before it begins", code="crl_malformed")
    listed = {authority.serial, root.serial} & crl.serials
    return Said(
        subject=about_list(authority) | {"says": "revoked" if listed else "good"},
        root=root.fingerprint,
        window=(crl.this_update, crl.next_update),
    )


def about_list(authority: AmdCertificate) -> dict[str, str]:
    """Return what to look for to find the list on which an authority would stand."""
    return {"authority": authority.subject, "key": authority.fingerprint}


def _require_issued(child: AmdCertificate, issuer: AmdCertificate) -> None:
    good = child.is_ca and issuer.is_ca and child.issuer_name == issuer.subject_name
    if not good or not signed_by(issuer, child.signature, child.tbs):
        raise NotAuthentic(
            f"{issuer.subject} did not sign the certificate of {child.subject}",
            code="vek_chain_signature",
        )
