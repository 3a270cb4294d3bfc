"""What the hardware's report inside the paravisor's establishes, and how TDX's is verified.

A hardware is a function from the paravisor's report to checks and, if all held, what is known. In
SEV-SNP the paravisor runs at VMPL 0: a report that another level asked for is the guest's own, and
vouches for no TPM.

Trusts: the pinned roots.  Does not trust: the report, the quote beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from teeproof.core.errors import Error
from teeproof.evidence.azure.hcl import HclReport
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.sev_snp import report as snp_report
from teeproof.evidence.sev_snp import verify as sev_snp
from teeproof.evidence.tdx import quote as tdx_quote
from teeproof.evidence.tdx import verify as tdx
from teeproof.evidence.tdx.layout import TdReport10
from teeproof.evidence.verdict import Check, Level, failed, not_checked, passed

__all__ = ["Established", "Hardware", "check_td_report", "snp_hardware", "tdx_hardware"]

# Intel TDX Module ABI, TDREPORT_STRUCT: REPORTDATA, and TDINFO from ATTRIBUTES to RTMR3.
_TYPE_TDX = 0x81
_REPORT_DATA = slice(128, 192)
_TD_INFO = slice(512, 912)
_TD_INFO_IN_QUOTE = slice(120, 520)


class Established(msgspec.Struct, frozen=True, kw_only=True):
    """What verified hardware evidence says of the paravisor.

    Attributes:
        report_data: 64 bytes that the paravisor had the hardware sign.
        level: hardware or simulated.
        what: what to call the evidence in messages.
        measurement: what the domain was started with: MRTD, or SEV-SNP's measurement.
        confidential: whether the domain keeps its memory from its host.
        found: all that verification of the hardware's evidence found.
    """

    report_data: bytes
    level: Level
    what: str
    measurement: bytes = b""
    confidential: bool = False
    found: tdx.Verification | sev_snp.Verification | None = None


Hardware = Callable[[HclReport], tuple[Sequence[Check], Established | None]]


def tdx_hardware(
    td_quote: bytes | None, *, collateral: Collateral | None, roots: frozenset[str], now: int
) -> Hardware:
    """Return the hardware that is Intel's quote over the TDX report; arguments as ``tdx.verify``.

    A quote that cannot be read is a failed check, ``hcl-td-report``.
    """
    return partial(_tdx, td_quote=td_quote, collateral=collateral, roots=roots, now=now)


def _tdx(
    hcl: HclReport,
    *,
    td_quote: bytes | None,
    collateral: Collateral | None,
    roots: frozenset[str],
    now: int,
) -> tuple[Sequence[Check], Established | None]:
    name = "hcl-td-report"
    if hcl.kind != "tdx" or td_quote is None:
        return [_no_quote(hcl)], None
    try:
        quote = tdx_quote.parse(td_quote)
    except Error as error:
        wrong = failed(
            name, "td_quote_malformed", error.detail, expected="a TDX quote", got=error.got
        )
        return [wrong], None
    found = tdx.verify(quote, collateral=collateral, roots=roots, now=now)
    same = check_td_report(hcl, quote.body)
    if found.facts is None or same.state != "passed":
        return [*found.checks, same], None
    established = Established(
        report_data=quote.body.report_data,
        level=found.facts.level,
        what="the TDX quote",
        measurement=quote.body.mrtd,
        confidential=found.facts.confidential,
        found=found,
    )
    return [*found.checks, same], established


def snp_hardware(certificates: bytes | None, *, roots: frozenset[str], now: int) -> Hardware:
    """Return the hardware that is AMD's SEV-SNP; arguments as ``sev_snp.verify``.

    A report that cannot be read is a failed check, ``hcl-snp-report``.
    """
    return partial(_snp, certificates=certificates, roots=roots, now=now)


def _snp(
    hcl: HclReport, *, certificates: bytes | None, roots: frozenset[str], now: int
) -> tuple[Sequence[Check], Established | None]:
    name = "hcl-snp-report"
    try:
        report = snp_report.parse(hcl.report)
    except Error as error:
        wrong = failed(
            name,
            "snp_report_malformed",
            error.detail,
            expected="a report of SEV-SNP",
            got=error.got or hcl.kind,
        )
        return [wrong], None
    found = sev_snp.verify(report, certificates=certificates, roots=roots, now=now)
    level = _asked_by_paravisor(report.body.vmpl)
    if found.facts is None or level.state != "passed":
        return [*found.checks, level], None
    established = Established(
        report_data=report.body.report_data,
        level=found.facts.level,
        what="the SEV-SNP report",
        measurement=report.body.measurement,
        confidential=found.facts.confidential,
        found=found,
    )
    return [*found.checks, level], established


def _asked_by_paravisor(vmpl: int) -> Check:
    name = "hcl-snp-report"
    if vmpl != 0:
        return failed(
            name,
            "hcl_vmpl",
            "the guest asked for this report, not its paravisor: whoever runs in the guest can"
            " write such a text, and make up the TPM in it",
            expected="privilege level 0, the paravisor's",
            got=f"privilege level {vmpl}",
        )
    return passed(name, "asked for at privilege level 0, at which the paravisor runs")


def check_td_report(hcl: HclReport, body: TdReport10) -> Check:
    """Return the check that the quote is one over the very TDX report in the paravisor's."""
    name = "hcl-td-report"
    report = hcl.report
    if hcl.kind != "tdx" or report[0] != _TYPE_TDX:
        return failed(
            name,
            "td_report_kind",
            "a TDX quote came beside a paravisor's report that holds no TDX report",
            expected="a TDX report",
            got=hcl.kind,
        )
    parts = (
        ("report_data", report[_REPORT_DATA], body.report_data),
        ("TD information", report[_TD_INFO], body.raw[_TD_INFO_IN_QUOTE]),
    )
    for what, reported, quoted in parts:
        if reported != quoted:
            return failed(
                name,
                "td_report_mismatch",
                f"the quote is over another TDX report than the paravisor's: their {what} differs",
                expected=reported.hex()[:128],
                got=quoted.hex()[:128],
            )
    return passed(name, "the quote is over the TDX report in the paravisor's report")


def _no_quote(hcl: HclReport) -> Check:
    name = "hcl-td-report"
    if hcl.kind != "tdx":
        return not_checked(name, "the paravisor's report holds none of TDX")
    return failed(
        name,
        "td_quote_missing",
        "the TDX report inside is not signed; the quote that Intel's quoting enclave makes of it "
        "was not given",
        "availability",
        expected="a TDX quote",
        got="none",
    )
