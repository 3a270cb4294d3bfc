"""Verify an SEV-SNP report at a time T: from the pinned root down to every byte of the report.

The checks, in reading order:

    report-format                                      what the bytes say they are
    vek-certificates, root, vek-chain, vek-revocation  whom we believe
    certificate-dates, collateral-dates                whether all that holds at T
    report-signature                                   the report is what that key signed
    signing-key, vek-product, vek-tcb, vek-chip        the key is this machine's, for its firmware

Trusts: the pinned roots, this code.
Does not trust: host, network, operator, the certificates that come with a report.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from teeproof.evidence.dates import check_dates
from teeproof.evidence.sev_snp.chain import Chain, endorse
from teeproof.evidence.sev_snp.facts import SnpFacts, evidence_identity
from teeproof.evidence.sev_snp.layout import ReportBody
from teeproof.evidence.sev_snp.report import SnpReport
from teeproof.evidence.sev_snp.vek import Vek, VekKind, Wanted
from teeproof.evidence.verdict import Check, failed, not_checked, passed

__all__ = ["Verification", "verify"]

# SEC 2, 2.5.1: the order of P-384.
ORDER = int(
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    16,
)
_SHA384 = ec.ECDSA(hashes.SHA384())
_SIGNERS: dict[int, VekKind] = {0: "VCEK", 1: "VLEK"}
_UNFOUNDED = "there is no endorsement key that hangs on a trusted root"


@dataclass(frozen=True, slots=True)
class Verification:
    """What verification found.

    Attributes:
        checks: in reading order.
        facts: None if a check failed.
        evidence_id: the evidence's identity.
    """

    checks: tuple[Check, ...]
    facts: SnpFacts | None
    evidence_id: str


def verify(
    report: SnpReport, *, certificates: bytes | None, roots: frozenset[str], now: int
) -> Verification:
    """Return the checks and, if all held, the facts.

    Args:
        report: a parsed report.
        certificates: PEM of VEK, authority and root, and of AMD's revocation list if there is one.
        roots: fingerprints (``sha256:…``) of the vendor's root keys.
        now: the T to verify at, seconds since 1970.
    """
    chain = endorse(certificates, roots, wanted=_wanted(report.body))
    checks = (
        passed("report-format", f"SEV-SNP report version {report.body.version}"),
        *chain.checks,
        check_dates("certificate-dates", chain.certificate_windows, now, beside=chain.list_windows),
        check_dates("collateral-dates", chain.list_windows, now, beside=chain.certificate_windows),
        _signature(report, chain),
        *_about_key(report.body, chain.vek),
    )
    evidence_id = evidence_identity(report)
    facts = None
    held = not any(check.state == "failed" for check in checks)
    if held and chain.root is not None and chain.vek is not None and chain.level is not None:
        facts = SnpFacts(
            evidence_id=evidence_id,
            level=chain.level,
            root=chain.root.fingerprint,
            body=report.body,
            vek=chain.vek,
            list_issued=chain.list_windows[0].begins if chain.list_windows else None,
        )
    return Verification(checks=checks, facts=facts, evidence_id=evidence_id)


def _wanted(body: ReportBody) -> Wanted:
    chip = None if body.masked or body.signing_key else body.chip_id
    return Wanted(_SIGNERS.get(body.signing_key), chip, body.raw[0x180:0x188])


def _signature(report: SnpReport, chain: Chain) -> Check:
    if chain.key is None:
        return not_checked("report-signature", _UNFOUNDED)
    if not (0 < report.r < ORDER and 0 < report.s < ORDER):
        return failed(
            "report-signature",
            "report_signature_range",
            "the signature's numbers are out of range: no key makes such a signature",
            expected="two numbers from 1 up to the order of P-384",
        )
    try:
        chain.key.verify(encode_dss_signature(report.r, report.s), report.signed, _SHA384)
    except InvalidSignature:
        return failed(
            "report-signature",
            "report_signature",
            "the endorsement key did not sign this report: the report was changed, or the"
            " certificate is another key's",
        )
    return passed("report-signature", "the endorsement key signed the report")


def _about_key(body: ReportBody, vek: Vek | None) -> list[Check]:
    names = ("signing-key", "vek-product", "vek-tcb", "vek-chip")
    if vek is None:
        return [not_checked(name, _UNFOUNDED) for name in names]
    return [_signing_key(body, vek), _product(body, vek), _tcb(body, vek), _chip(body, vek)]


def _signing_key(body: ReportBody, vek: Vek) -> Check:
    said: str = _SIGNERS.get(body.signing_key) or f"key {body.signing_key}"
    if said != vek.kind:
        return failed(
            "signing-key",
            "signing_key_kind",
            "the report names another kind of key than the certificate is for",
            expected=said,
            got=vek.kind,
        )
    whose = "the chip's own key" if vek.kind == "VCEK" else f"a key that AMD lent to {vek.csp_id}"
    return passed("signing-key", f"{vek.kind}, {whose}", got=vek.kind)


def _product(body: ReportBody, vek: Vek) -> Check:
    if body.cpuid is None:
        why = f"a report of version {body.version} does not say which processor made it"
        return not_checked("vek-product", why, got=vek.product_name)
    if body.product != vek.product:
        family, model, _ = body.cpuid
        return failed(
            "vek-product",
            "vek_product",
            "the report was made by another kind of processor than the key is for",
            expected=vek.product_name,
            got=f"{body.product or 'unknown'}: family {family:#x}, model {model:#x}",
        )
    return passed("vek-product", f"made by a {vek.product} processor, which the key is for")


def _tcb(body: ReportBody, vek: Vek) -> Check:
    reported = body.tcb("reported", vek.product)
    if reported != vek.tcb:
        return failed(
            "vek-tcb",
            "vek_tcb",
            "the key was derived for another TCB version than the report claims: give the"
            " certificate for the reported one",
            expected=str(reported),
            got=str(vek.tcb),
        )
    return passed("vek-tcb", f"the key was derived for the reported TCB: {reported}")


def _chip(body: ReportBody, vek: Vek) -> Check:
    if vek.chip_id is None:
        return not_checked("vek-chip", "a VLEK belongs to a cloud, and names no chip")
    if body.masked:
        return not_checked("vek-chip", "the host masked the chip's id: nothing shows which it is")
    if body.chip_id != vek.chip_id:
        return failed(
            "vek-chip",
            "vek_chip",
            "the certificate is another chip's: give the one for the chip that made this report",
        )
    return passed("vek-chip", "the key is the one of the chip that the report names")
