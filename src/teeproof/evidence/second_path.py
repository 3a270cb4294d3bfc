"""Ask another verifier: ``dcap-qvl`` 0.7.0, written in Rust by others, on the same bytes.

It answers with a status or with free text; one table turns that text into our codes, which is why
the version is pinned. Whether its answer and ours agree is judged by ``compare``:

* it accepted: our signatures must hold, and status and advisories must be equal;
* it refused by one of its built-in rules (debug, SEPT_VE_DISABLE, …): it had found every signature
  good by then, so signatures are compared and the status is not;
* it refused for a reason of authenticity: so must we.

Trusts: dcap-qvl, as far as it goes.  Does not trust: either path alone.
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import dcap_qvl

from teeproof.core.clock import format_time
from teeproof.evidence.endorsements import FIELDS, REMEMBERED_BYTES, Collateral
from teeproof.evidence.policy import INTEL_ROOT
from teeproof.evidence.tdx.tcb import Tcb
from teeproof.evidence.verdict import Check, failed, not_checked, passed

__all__ = ["NAME", "Opinion", "ask", "compare", "dated", "skipped"]

NAME = "dcap-qvl 0.7.0"

Reason = Literal["built_in", "tcb", "authenticity"]

# dcap-qvl's complete message (a pattern) -> (our code, what kind of refusal). Messages quote bytes
# of whoever made the collateral, so a part of one proves nothing: only the whole counts. Anything
# else is a refusal for authenticity.
# "built_in": refused although every signature held; each stands for a policy check of ours.
REFUSALS: tuple[tuple[str, str, Reason], ...] = (
    (r"SEPT_VE_DISABLE is not enabled", "sept_ve_disable", "built_in"),
    (r"Debug mode is enabled", "debug", "built_in"),
    (r"TD profiling is enabled", "debug", "built_in"),
    (r"TD migration is enabled", "migration", "built_in"),
    (r"SERVTD_EXT is enabled", "service_td", "built_in"),
    (r"Invalid MR service TD", "service_td", "built_in"),
    (r"Reserved bits in TD attributes are set", "td_attributes", "built_in"),
    (r"No matching TCB level found", "tcb_level_none", "tcb"),
    (r"TCB status is invalid: Revoked", "tcb_revoked", "tcb"),
    (
        r"TDX module TCB level check\s+Caused by:\s+TDX module ISVSVN \d{1,3} is below minimum"
        r" required from TDX module TCB levels",
        "svn_level_none",
        "tcb",
    ),
)


# Codes of ours for rules that dcap-qvl does not have: there it has no answer to compare.
OURS_ALONE = frozenset(
    {
        "certificates_malformed",  # it does not look at the root certificate inside the quote
        "collateral_malformed",  # it reads documents that Intel's verifier would not
        "crl_not_yet_valid",
        "pck_chain_leaf",
        "pck_chain_length",
        "pck_extension_malformed",
        "root_certificate",
        "tcb_info_pceid",
        "tcb_status_unknown",
        "tcb_signing_purpose",
        "tdx_module_attributes",
    }
)


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the second path says.

    Attributes:
        accepted: whether it accepted the quote.
        status: its TCB status, if it accepted.
        advisories: its advisories, sorted, if it accepted.
        code: of a refusal, our name for it.
        reason: of a refusal, its kind.
        text: of a refusal, its own words.
    """

    accepted: bool
    status: str | None = None
    advisories: tuple[str, ...] = ()
    code: str | None = None
    reason: Reason | None = None
    text: str | None = None


def ask(
    raw: bytes, *, collateral: Collateral, root_fingerprint: str, root_der: bytes, now: int
) -> Opinion:
    """Return dcap-qvl's opinion of a quote.

    Args:
        raw: the quote's bytes.
        collateral: the same endorsements that our path uses.
        root_fingerprint: of the root that our path trusted; for Intel's, dcap-qvl has its own copy.
        root_der: that root's certificate, for any other root.
        now: the T to verify at, seconds since 1970.
    """
    try:
        convert = _convert if collateral.size <= REMEMBERED_BYTES else _convert.__wrapped__
        theirs = convert(collateral)
        if root_fingerprint == INTEL_ROOT:
            report = dcap_qvl.verify(raw, theirs, now)
        else:
            report = dcap_qvl.verify_with_root_ca(raw, theirs, root_der, now)
    except (ValueError, OverflowError, TypeError) as error:
        return _refusal(str(error))
    except BaseException as error:
        # A panic in Rust arrives as pyo3's own BaseException: that is a refusal, not our end.
        if type(error).__name__ != "PanicException":
            raise
        return _refusal(f"panicked: {error}")
    return Opinion(True, report.status, tuple(sorted(set(report.advisory_ids))))


@lru_cache(maxsize=64)
def _convert(collateral: Collateral) -> dcap_qvl.QuoteCollateralV3:
    text = {name for name in FIELDS if name.endswith(("chain", "_info", "_identity"))}
    fields = {
        name: getattr(collateral, name).decode() if name in text else getattr(collateral, name)
        for name in FIELDS
    }
    return dcap_qvl.QuoteCollateralV3(**fields)


def clear_caches() -> None:
    """Forget converted collateral (for measurements of cold runs)."""
    _convert.cache_clear()


def _refusal(text: str) -> Opinion:
    said = text.removeprefix("Verification failed:").strip()
    words = " ".join(said.split())[:300]
    for pattern, code, reason in REFUSALS:
        if re.fullmatch(pattern, said):
            return Opinion(False, code=code, reason=reason, text=words)
    return Opinion(False, code="refused", reason="authenticity", text=words)


def skipped(why: str) -> list[Check]:
    """Return the two checks as not made."""
    return [not_checked("second-path-signatures", why), not_checked("second-path-tcb", why)]


def compare(
    opinion: Opinion, *, ours: tuple[Check, ...], tcb: Tcb | None, unwelcome: Container[str]
) -> list[Check]:
    """Return the checks ``second-path-signatures`` and ``second-path-tcb``.

    Args:
        opinion: what the second path says.
        ours: the checks of our own path.
        tcb: our judgement of the platform; None if our path did not get that far.
        unwelcome: codes of the built-in rules that, by our reading, the report breaks.
    """
    refused = [check for check in ours if check.state == "failed"]
    judged = [check for check in refused if check.name in _JUDGEMENTS]
    forged = [check for check in refused if check.name not in _JUDGEMENTS]
    if opinion.reason == "authenticity":
        return _both_must_refuse(opinion, refused)
    if any(check.code in OURS_ALONE for check in refused):
        return skipped(f"{NAME} has no rule of its own for {_name(refused[0])}")
    if forged:
        return _split(_name(forged[0]), opinion)
    signatures = passed("second-path-signatures", f"{NAME} finds every signature good, as we do")
    if opinion.reason == "built_in":
        if opinion.code not in unwelcome:
            return _split(f"the report does not break the rule {opinion.code}", opinion)
        rule = f"{NAME} stops at a rule of its own ({opinion.text}), so its TCB status is not known"
        return [signatures, not_checked("second-path-tcb", rule)]
    return [signatures, _compare_tcb(opinion, judged, tcb)]


_JUDGEMENTS = ("tcb-level", "qe-measurement", "tdx-module")


def _compare_tcb(opinion: Opinion, judged: list[Check], tcb: Tcb | None) -> Check:
    if opinion.reason == "tcb" and judged:
        return passed("second-path-tcb", f"{NAME} refuses this TCB, as we do: {opinion.text}")
    if judged or tcb is None:
        return _disagree(
            "second-path-tcb", _name(judged[0]) if judged else "none", _theirs(opinion)
        )
    if _launch_aside(opinion, tcb):
        return passed(
            "second-path-tcb",
            f"{NAME} reaches {opinion.status} where we reach {tcb.status}, with the same "
            "advisories: the two differ only in when a relaunch helps",
            got=opinion.status,
        )
    if (opinion.status, opinion.advisories) != (tcb.status, tcb.advisories):
        ours = f"{tcb.status}, advisories: {', '.join(tcb.advisories) or 'none'}"
        return _disagree("second-path-tcb", ours, _theirs(opinion))
    return passed(
        "second-path-tcb", f"{NAME} reaches the same status and advisories", got=tcb.status
    )


# dcap-qvl 0.7.0 advises a relaunch whenever the TCB as of now is not out of date; Intel's rules,
# which we follow, only where the module was and the newest is loaded. Either way the TCB at the
# launch was out of date.
_AT_LAUNCH = {
    "TDRelaunchAdvised": "OutOfDate",
    "TDRelaunchAdvisedConfigurationNeeded": "OutOfDateConfigurationNeeded",
}


def _launch_aside(opinion: Opinion, tcb: Tcb) -> bool:
    ours, theirs = tcb.status, opinion.status or ""
    same = _AT_LAUNCH.get(ours, ours) == _AT_LAUNCH.get(theirs, theirs)
    return ours != theirs and same and opinion.advisories == tcb.advisories


def _both_must_refuse(opinion: Opinion, refused: list[Check]) -> list[Check]:
    if not refused:
        return _split("every signature, date and level holds", opinion)
    return skipped(f"both paths refuse; {NAME} says: {dated(opinion.text or '')}")


def dated(text: str) -> str:
    """Return dcap-qvl's words with ``UnixTime(1776214258)`` as a date: ``2026-04-15T00:50:58Z``."""
    return re.sub(r"UnixTime\((\d{1,11})\)", lambda found: format_time(int(found[1])), text)


def _split(ours: str, opinion: Opinion) -> list[Check]:
    apart = _disagree("second-path-signatures", ours, _theirs(opinion))
    return [apart, not_checked("second-path-tcb", "the two paths part before they come to the TCB")]


def _disagree(name: str, ours: str, theirs: str) -> Check:
    return failed(
        name,
        "paths_disagree",
        f"two verifiers disagree, so neither is believed: ours says {ours!r}, {NAME} says "
        f"{theirs!r}; please report this evidence",
        expected=f"ours: {ours}",
        got=f"{NAME}: {theirs}",
    )


def _name(check: Check) -> str:
    return f"{check.name}: {check.code}"


def _theirs(opinion: Opinion) -> str:
    if opinion.accepted:
        return f"{opinion.status}, advisories: {', '.join(opinion.advisories) or 'none'}"
    return f"refused: {dated(opinion.text or '')}"
