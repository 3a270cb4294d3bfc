"""What NVIDIA says: manifests of drivers and VBIOSes, and OCSP answers about certificates.

    rim   manifest, and where it is known the id under which the service has it
    ocsp  answer, certificate, issuer (DER): the answer, about which certificate, by whom issued

Trusts: the root that a thing ends in, for the question whether it holds.
Does not trust: whoever handed it over.
"""

from __future__ import annotations

import re

from teeproof.core.digests import framed_sha256, named
from teeproof.core.errors import Error, Malformed, NotAuthentic
from teeproof.evidence.kept.record import Parts, Said
from teeproof.evidence.nvidia import issuance, revocation, rim, xmlsig
from teeproof.evidence.nvidia.certificates import Certificate, parse_der
from teeproof.evidence.nvidia.ocsp import parse_answer
from teeproof.evidence.nvidia.rim import Rim, Wanted

__all__ = ["ID", "about_answer", "about_manifest", "answer_said", "manifest_said"]

ID = re.compile(r"[A-Z0-9_.\-]{1,120}", re.ASCII)
"""What an id of the RIM service looks like."""

_META = "{http://standards.iso.org/iso/19770/-2/2015/schema.xsd}Meta"
_REVOKED = frozenset({"ocsp_revoked", "ocsp_hold"})


def manifest_said(parts: Parts) -> Said:
    """Return what a manifest says, if its signature and chain hold.

    Raises:
        Malformed, NotAuthentic: they do not.
    """
    xml = parts["manifest"]
    root = xmlsig.parse(xml).certificates[-1].fingerprint
    meta = xmlsig.peek(xml, _META)
    product, version = meta.get("product", ""), meta.get("colloquialVersion", "")
    want = Wanted("manifest", (product,), version, ())
    _, found = rim.endorse((Rim(xml),), want, level="simulated", roots=frozenset({root}), now=0)
    subject = about_manifest(found.product, found.version)
    if "id" in parts:
        text = parts["id"].decode("ascii", "replace")
        if not ID.fullmatch(text):
            raise Malformed("this is no id of a manifest", code="rim_id_malformed", got=ascii(text))
        subject["id"] = text
    return Said(
        subject=subject,
        root=root,
        window=(
            max(each.not_before for each in found.chain),
            min(each.not_after for each in found.chain),
        ),
    )


def about_manifest(product: str, version: str) -> dict[str, str]:
    """Return what to look for to find the manifest of a chip's driver or VBIOS."""
    return {"product": product, "version": version.upper()}


def answer_said(parts: Parts) -> Said:
    """Return what an OCSP answer says, if whoever may answer signed it: also that it is revoked.

    Raises:
        Malformed, NotAuthentic: it does not hold, or is about another certificate.
    """
    certificate = parse_der(parts["certificate"], what="certificate that is asked about")
    issuer = parse_der(parts["issuer"], what="issuer's certificate")
    if not issuance.issued_by(certificate, issuer):
        raise NotAuthentic(
            f"{issuer.subject} did not sign the certificate of {certificate.subject}",
            code="ocsp_issuer",
        )
    answer = parse_answer(parts["answer"])
    says = "good"
    try:
        unknown = revocation.unanswered(
            (certificate, issuer), (answer,), now=answer.this_update, first=0
        )
    except Error as error:
        if error.code not in _REVOKED:
            raise
        says, unknown = answer.reason or "revoked", ()
    if unknown:
        raise NotAuthentic(
            "the OCSP answer is about another certificate than the one that was asked about",
            code="ocsp_unfit",
            expected=certificate.subject,
        )
    return Said(
        subject=about_answer(certificate, issuer) | {"says": says},
        root=issuer.fingerprint,
        window=(answer.this_update, answer.next_update),
    )


def about_answer(certificate: Certificate, issuer: Certificate) -> dict[str, str]:
    """Return what to look for to find answers about a certificate.

    By a hash: the serial number of a chip's certificate names the chip.
    """
    serial = certificate.serial.to_bytes(32, "big", signed=True)
    name = framed_sha256("teeproof.certificate.nvidia.v1", issuer.spki, serial)
    return {"issuer": issuer.subject, "certificate": named(name)}
