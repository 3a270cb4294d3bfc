"""Verify an SGX quote, version 3, through dcap-qvl alone.

We parse the quote, so that its identity and fields are ours; signatures, revocation, dates and TCB
levels are dcap-qvl's word. There is no second path: the verdict says so, and a policy that asks for
two paths refuses.

Trusts: dcap-qvl, Intel's root inside it.  Does not trust: host, network.
"""

from __future__ import annotations

import struct
from collections.abc import Container
from dataclasses import dataclass
from typing import Any

import msgspec

from teeproof.core.digests import framed_sha256, named
from teeproof.core.errors import Error, NotAuthentic, TooLarge
from teeproof.evidence import second_path, x509
from teeproof.evidence.crl import parse_crl
from teeproof.evidence.dates import Window, check_dates
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.entries import require_held
from teeproof.evidence.policy import INTEL_ROOT
from teeproof.evidence.second_path import Opinion
from teeproof.evidence.tdx.documents import TcbInfo, parse_qe_identity, parse_tcb_info
from teeproof.evidence.tdx.layout import HEADER_BYTES, TEE_SGX, Header, malformed
from teeproof.evidence.tdx.pck import parse_pck
from teeproof.evidence.tdx.quote import MAX_QUOTE_BYTES
from teeproof.evidence.verdict import Check, failed, not_checked, passed

__all__ = ["SgxFacts", "SgxQuote", "is_debug", "parse", "verify"]

VERSION = 3
REPORT_BYTES = 384  # Intel SGX SDK, sgx_report_body_t
_MIN = HEADER_BYTES + REPORT_BYTES + 4 + 64 + 64 + REPORT_BYTES + 64 + 2 + 6


@dataclass(frozen=True, slots=True)
class SgxQuote:
    """An SGX quote, version 3.

    Attributes:
        raw: the bytes as they came.
        header: version, key type, TEE type.
        report: 384 bytes, the enclave's report.
        signed: header and report.
        attestation_key: 64 bytes, x then y.
        pck_chain: PEM, leaf first.
        trailing: bytes behind the signature; nobody signed them.
    """

    raw: bytes
    header: Header
    report: bytes
    signed: bytes
    attestation_key: bytes
    pck_chain: bytes
    trailing: bytes


def parse(raw: bytes) -> SgxQuote:
    """Return the quote in ``raw``.

    Raises:
        TooLarge: more than ``MAX_QUOTE_BYTES``.
        Malformed: not an SGX quote of version 3 with a PEM chain, or a length that does not add up.
    """
    if len(raw) > MAX_QUOTE_BYTES:
        raise TooLarge("this is too large for a quote", expected=f"at most {MAX_QUOTE_BYTES} bytes")
    if len(raw) < _MIN:
        raise malformed("length", f"at least {_MIN} bytes", f"{len(raw)} bytes")
    header = Header(raw[:HEADER_BYTES])
    if (header.version, header.tee_type) != (VERSION, TEE_SGX):
        raise malformed("version", "3 (SGX)", f"{header.version}, TEE type {header.tee_type:#x}")
    signed = raw[: HEADER_BYTES + REPORT_BYTES]
    start = len(signed) + 4
    size = int.from_bytes(raw[len(signed) : start], "little")
    section = raw[start : start + size]
    if len(section) != size or size < _MIN - start:
        raise malformed("signature section", f"{size} bytes", f"{len(raw) - start} bytes")
    (auth_size,) = struct.unpack_from("<H", section, 576)
    inner = 578 + auth_size
    if inner + 6 > size:
        raise malformed(
            "QE authentication data", f"at most {size - 584} bytes", f"{auth_size} bytes"
        )
    kind, chain_size = struct.unpack_from("<HI", section, inner)
    if kind != 5 or chain_size != size - inner - 6:
        raise malformed(
            "PCK chain", f"type 5, {size - inner - 6} bytes", f"type {kind}, {chain_size} bytes"
        )
    return SgxQuote(
        raw=raw,
        header=header,
        report=signed[HEADER_BYTES:],
        signed=signed,
        attestation_key=section[64:128],
        pck_chain=section[inner + 6 :],
        trailing=raw[start + size :],
    )


class SgxFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Facts of one SGX quote.

    Attributes:
        evidence_id: the evidence's identity.
        report: the enclave's report, 384 bytes.
        status: dcap-qvl's TCB status; None if it stopped at its debug rule.
        advisories: Intel's advisories that apply.
        tcb_info: the endorsement that the status rests on.
    """

    evidence_id: str
    report: bytes
    status: str | None
    advisories: tuple[str, ...]
    tcb_info: TcbInfo

    @property
    def debug(self) -> bool:
        """Whether the host can read the enclave."""
        return is_debug(self.report)

    @property
    def mrenclave(self) -> bytes:
        """32 bytes: measurement of the enclave."""
        return self.report[64:96]

    @property
    def mrsigner(self) -> bytes:
        """32 bytes: who signed the enclave."""
        return self.report[128:160]

    @property
    def report_data(self) -> bytes:
        """64 bytes chosen by the enclave."""
        return self.report[320:384]

    def to_json(self) -> dict[str, Any]:
        """Return the facts for people and programs."""
        return {
            "quote_version": VERSION,
            "mrenclave": self.mrenclave.hex(),
            "mrsigner": self.mrsigner.hex(),
            "isv_prod_id": int.from_bytes(self.report[256:258], "little"),
            "isv_svn": int.from_bytes(self.report[258:260], "little"),
            "attributes": self.report[48:64].hex(),
            "debug": self.debug,
            "report_data": self.report_data.hex(),
            "tcb": {"status": self.status, "advisories": list(self.advisories)},
        }


def verify(
    quote: SgxQuote, *, collateral: Collateral | None, roots: Container[str], now: int
) -> tuple[tuple[Check, ...], SgxFacts | None, str | None]:
    """Return the checks, the facts if all held, and the evidence's identity.

    Args:
        quote: a parsed quote.
        collateral: Intel's endorsements.
        roots: fingerprints of trusted roots. Only Intel's serves here: it is inside dcap-qvl.
        now: the T to verify at, seconds since 1970.
    """
    checks = [passed("quote-format", "SGX quote version 3")]
    if any(quote.trailing):
        detail = f"{len(quote.trailing)} bytes follow the signature; nobody signed them"
        checks.append(not_checked("quote-tail", detail))
    try:
        leaf = x509.parse_chain(quote.pck_chain, what="PCK certificate chain")[0]
    except Error as error:
        checks.append(failed("pck-certificates", error.code, error.detail, got=error.got))
        return tuple(checks), None, None
    evidence_id = named(
        framed_sha256("teeproof.evidence.sgx.v1", quote.signed, quote.attestation_key, leaf.tbs)
    )
    if INTEL_ROOT not in roots:
        detail = "the policy does not pin Intel's root, and SGX quotes have no other"
        checks.append(failed("root", "root_not_pinned", detail, expected=INTEL_ROOT))
        return tuple(checks), None, evidence_id
    if collateral is None:
        checks.append(
            failed(
                "collateral-dates",
                "endorsements_missing",
                "no endorsements for this platform were given: add them (teeproof endorsements add "
                "FILE) or name them (--endorsements FILE)",
                "availability",
            )
        )
        return tuple(checks), None, evidence_id
    checks += [_vendor(collateral, leaf), _dates(collateral, now)]
    if any(check.state == "failed" for check in checks):
        stopped = not_checked("signatures", "the endorsements do not hold, so nothing was asked")
        return (*checks, stopped), None, evidence_id
    opinion = second_path.ask(
        quote.raw, collateral=collateral, root_fingerprint=INTEL_ROOT, root_der=b"", now=now
    )
    checks += _checks(opinion, debug=is_debug(quote.report))
    alone = f"SGX is verified by {second_path.NAME} alone; we have no path of our own"
    checks += second_path.skipped(alone)
    if any(check.state == "failed" for check in checks):
        return tuple(checks), None, evidence_id
    facts = SgxFacts(
        evidence_id=evidence_id,
        report=quote.report,
        status=opinion.status,
        advisories=opinion.advisories,
        tcb_info=parse_tcb_info(collateral.tcb_info),
    )
    return tuple(checks), facts, evidence_id


def _vendor(collateral: Collateral, leaf: x509.Certificate) -> Check:
    """Check who signed the endorsements, and for which platform.

    dcap-qvl asks only that a chain ends in the root. Any PCK key would do, so a platform could
    write its own TCB info.
    """
    try:
        require_held(collateral, root=INTEL_ROOT)
        ours, theirs = parse_pck(leaf), parse_tcb_info(collateral.tcb_info)
        if theirs.pce_id.lower() != ours.pce_id.hex():
            raise NotAuthentic(
                "the collateral is for another provisioning enclave",
                code="tcb_info_pceid",
                expected=ours.pce_id.hex(),
                got=theirs.pce_id,
            )
    except Error as error:
        return failed(
            "collateral-signatures",
            error.code,
            error.detail,
            expected=error.expected,
            got=error.got,
        )
    return passed(
        "collateral-signatures",
        "TCB info, QE identity and revocation lists are signed by those who may",
    )


def _dates(collateral: Collateral, now: int) -> Check:
    """Name the date on which a part expired; dcap-qvl's refusal says only that one has."""
    try:
        return check_dates("collateral-dates", _windows(collateral), now)
    except Error as error:
        return failed("collateral-dates", error.code, error.detail, got=error.got)


def _windows(collateral: Collateral) -> list[Window]:
    for pem in (collateral.tcb_info_issuer_chain, collateral.qe_identity_issuer_chain):
        x509.parse_chain(pem, what="issuer chain")
    windows = [
        Window("TCB info", "tcb_info", *parse_tcb_info(collateral.tcb_info).window),
        Window("QE identity", "qe_identity", *parse_qe_identity(collateral.qe_identity).window),
    ]
    for what, der in (("root CA", collateral.root_ca_crl), ("PCK", collateral.pck_crl)):
        name = f"{what} revocation list"
        crl = parse_crl(der, what=name)
        windows.append(Window(name, "crl", crl.this_update, crl.next_update - 1))
    return windows


def is_debug(report: bytes) -> bool:
    """Whether the host can read the enclave (ATTRIBUTES bit 1)."""
    return bool(report[48] & 0x02)


def _checks(opinion: Opinion, *, debug: bool) -> list[Check]:
    by = f"by {second_path.NAME}"
    held = passed("signatures", f"every signature from Intel's root to the report holds, {by}")
    if opinion.accepted:
        return [held, passed("tcb-level", f"{opinion.status}, {by}", got=opinion.status)]
    # Its debug rule comes behind every signature and level; the report must bear it out.
    if opinion.reason == "built_in" and opinion.code == "debug" and debug:
        return [held, not_checked("tcb-level", f"{second_path.NAME} stopped: {opinion.text}")]
    refused = f"refused {by}: {opinion.text}"
    code = opinion.code or "refused"
    if opinion.reason == "tcb":
        stopped = not_checked("signatures", f"{second_path.NAME} stopped at the TCB level")
        return [stopped, failed("tcb-level", code, refused)]
    return [
        failed("signatures", code, refused, got=opinion.text),
        not_checked("tcb-level", "the signatures did not hold"),
    ]
