"""Verify a TDX quote at a time T: from the pinned root down to every byte of the report.

The checks, in reading order:

    quote-format, quote-tail, quoting-enclave          what the bytes say they are
    pck-certificates, root, pck-chain, pck-revocation  whom we believe
    tcb-info, qe-identity, collateral-platform         what the vendor says of the platform
    qe-report, attestation-key, qe-measurement         how the signing key hangs on the root
    certificate-dates, collateral-dates                whether all that holds at T
    quote-signature                                    the report is what that key signed
    tdx-module, tcb-level                              how well patched the platform is

Trusts: the pinned roots, this code.
Does not trust: host, network, operator, the collateral that comes with a quote.
"""

from __future__ import annotations

from dataclasses import dataclass

from teeproof.core.errors import Error
from teeproof.evidence import crl, x509
from teeproof.evidence.dates import check_dates
from teeproof.evidence.endorsements import REMEMBERED_BYTES, Collateral
from teeproof.evidence.tdx import chain, documents, pck, tcb
from teeproof.evidence.tdx.endorsed import Endorsed
from teeproof.evidence.tdx.facts import TdAttributes, TdxFacts, evidence_identity
from teeproof.evidence.tdx.layout import ECDSA_P256, INTEL_QE_VENDOR
from teeproof.evidence.tdx.quote import TdxQuote
from teeproof.evidence.verdict import Check, failed, not_checked, passed

__all__ = ["Verification", "clear_caches", "verify"]


@dataclass(frozen=True, slots=True)
class Verification:
    """What verification found.

    Attributes:
        checks: in reading order.
        facts: None if a check of authenticity failed.
        evidence_id: the evidence's identity; None if the chain could not be read.
        root: fingerprint of the root that the chain ends in; None if it is not trusted.
        root_der: that root's certificate.
        tcb: Intel's judgement, if our path got that far.
    """

    checks: tuple[Check, ...]
    facts: TdxFacts | None
    evidence_id: str | None
    root: str | None
    root_der: bytes | None
    tcb: tcb.Tcb | None


def verify(
    quote: TdxQuote, *, collateral: Collateral | None, roots: frozenset[str], now: int
) -> Verification:
    """Return the checks and, if all held, the facts.

    Args:
        quote: a parsed quote.
        collateral: Intel's endorsements; without them nothing is known of revocation and TCB, and
            the check ``endorsements`` fails.
        roots: fingerprints (``sha256:…``) of the vendor's root keys.
        now: the T to verify at, seconds since 1970.
    """
    small = collateral is None or collateral.size <= REMEMBERED_BYTES
    endorse = chain.endorse if small else chain.endorse_cold
    endorsed = endorse(quote.signature.endorsed, collateral, roots)
    levels, judged = _platform(quote, endorsed)
    checks = (
        *_form(quote),
        *endorsed.checks,
        check_dates(
            "certificate-dates",
            endorsed.certificate_windows,
            now,
            beside=endorsed.collateral_windows,
        ),
        _collateral_dates(collateral, endorsed, now),
        _quote_signature(quote, endorsed),
        *levels,
    )
    leaf, root = endorsed.leaf, endorsed.root
    evidence_id = evidence_identity(quote, leaf.tbs) if leaf else None
    facts = None
    if evidence_id and root and endorsed.level and not any(c.state == "failed" for c in checks):
        facts = TdxFacts(
            evidence_id=evidence_id,
            level=endorsed.level,
            root=root.fingerprint,
            quote_version=quote.header.version,
            body=quote.body,
            attributes=TdAttributes.of(quote.body),
            pck=endorsed.pck,
            tcb=judged,
            tcb_info=endorsed.tcb_info,
            qe_identity=endorsed.qe_identity,
            lists_issued=tuple(w.begins for w in endorsed.collateral_windows if w.code == "crl"),
        )
    return Verification(
        checks=checks,
        facts=facts,
        evidence_id=evidence_id,
        root=root.fingerprint if root else None,
        root_der=root.der if root else None,
        tcb=judged,
    )


def _form(quote: TdxQuote) -> list[Check]:
    header, tail = quote.header, quote.trailing
    checks = [
        passed("quote-format", f"TDX quote version {header.version} with a {quote.body.name}")
    ]
    if not tail:
        checks.append(passed("quote-tail", "nothing follows the signature"))
    elif not any(tail):
        checks.append(
            passed("quote-tail", f"{len(tail)} zero bytes of padding follow the signature")
        )
    else:
        checks.append(
            not_checked("quote-tail", f"{len(tail)} bytes follow the signature; nobody signed them")
        )
    if header.qe_vendor != INTEL_QE_VENDOR or header.key_type != ECDSA_P256:
        checks.append(
            failed(
                "quoting-enclave",
                "qe_vendor",
                "the header names a quoting enclave or a key type that we do not know",
                expected=f"vendor {INTEL_QE_VENDOR.hex()}, key type {ECDSA_P256} (ECDSA P-256)",
                got=f"vendor {header.qe_vendor.hex()}, key type {header.key_type}",
            )
        )
    else:
        checks.append(
            passed("quoting-enclave", "the header names Intel's quoting enclave, ECDSA P-256")
        )
    return checks


def _collateral_dates(collateral: Collateral | None, endorsed: Endorsed, now: int) -> Check:
    if collateral is None:
        return failed(
            "collateral-dates",
            "endorsements_missing",
            "no endorsements for this platform were given, so nothing is known of revocation and "
            "of its patch level: add them (teeproof endorsements add FILE) or name them "
            "(--endorsements FILE)",
            "availability",
        )
    return check_dates(
        "collateral-dates",
        endorsed.collateral_windows,
        now,
        beside=endorsed.certificate_windows,
    )


def _quote_signature(quote: TdxQuote, endorsed: Endorsed) -> Check:
    if endorsed.attestation_key is None:
        return not_checked("quote-signature", "there is no endorsed attestation key")
    try:
        x509.require_signature(
            endorsed.attestation_key,
            quote.signature.quote_signature,
            quote.signed,
            what="the attestation key did not sign this report",
            code="quote_signature",
        )
    except Error as error:
        return failed("quote-signature", error.code, error.detail)
    return passed("quote-signature", "the attestation key signed header and report")


def _platform(quote: TdxQuote, endorsed: Endorsed) -> tuple[list[Check], tcb.Tcb | None]:
    body = quote.body
    # All of the report that the two checks look at.
    key = body.raw[:16] + body.raw[64:120] + body.raw[584:600]
    known = endorsed.tcb_by_svn.get(key)
    if known is None:
        known = _assess(quote, endorsed)
        if len(endorsed.tcb_by_svn) < 1024:
            endorsed.tcb_by_svn[key] = known
    return known


def _assess(quote: TdxQuote, endorsed: Endorsed) -> tuple[list[Check], tcb.Tcb | None]:
    info, pck, qe_level = endorsed.tcb_info, endorsed.pck, endorsed.qe_level
    out = Endorsed()
    if info is None or pck is None:
        out.skip("tdx-module", "there is no TCB info for this platform")
        out.skip("tcb-level", "there is no TCB info for this platform")
        return out.checks, None
    module = out.attempt("tdx-module", lambda: (tcb.check_module(quote.body, info), True))
    if module is None or qe_level is None:
        out.skip("tcb-level", "the TDX module or the quoting enclave did not hold")
        return out.checks, None
    try:
        judged = tcb.assess(quote.body, info=info, pck=pck, qe=qe_level)
    except Error as error:
        out.checks.append(
            failed("tcb-level", error.code, error.detail, expected=error.expected, got=error.got)
        )
        return out.checks, None
    out.checks.append(_level(judged))
    return out.checks, judged


def _level(judged: tcb.Tcb) -> Check:
    if judged.status == tcb.REVOKED:
        return failed(
            "tcb-level",
            "tcb_revoked",
            "the vendor revoked this platform's TCB: its keys may be in other hands, so its "
            "signature proves nothing",
            expected="any other status",
            got=judged.status,
        )
    return passed(
        "tcb-level",
        f"a level that the vendor lists, of {judged.date:%Y-%m-%d}: {judged.status}",
        got=judged.status,
    )


def clear_caches() -> None:
    """Forget everything that was computed before (for measurements of cold runs)."""
    chain.endorse.cache_clear()
    pck.clear_caches()
    documents.clear_caches()
    x509.clear_caches()
    crl.clear_caches()
