"""What the hardware's report inside the paravisor's establishes, and how TDX's is verified.

A hardware is a function from the paravisor's report to checks and, if all held, what is known. The
one of SEV-SNP is for the caller to make: it verifies ``HclReport.report``, 1184 bytes, as any
SEV-SNP report, and expects VMPL 0, at which the paravisor runs.

Trusts: the pinned roots.  Does not trust: the report, the quote beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from teeproof.core.errors import Error
from teeproof.evidence.azure.hcl import HclReport
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.tdx import quote as tdx_quote
from teeproof.evidence.tdx import verify as tdx
from teeproof.evidence.tdx.layout import TdReport10
from teeproof.evidence.verdict import Check, Level, failed, not_checked, passed

__all__ = ["Established", "Hardware", "check_td_report", "tdx_hardware"]

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
    """

    report_data: bytes
    level: Level
    what: str


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
        report_data=quote.body.report_data, level=found.facts.level, what="the TDX quote"
    )
    return [*found.checks, same], established


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
