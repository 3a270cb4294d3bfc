"""Judge a TDX quote: verify it, ask the second path, read its log, hold it against the policy.

Trusts: the policy's roots, this code.  Does not trust: host, network, operator, the evidence.
"""

from __future__ import annotations

from typing import Any

from teeproof.evidence import eventlog, ratls, second_path
from teeproof.evidence.appraise import application, domain, freshness, platform
from teeproof.evidence.judge.asked import (
    WEAKEST_FIRST,
    Asked,
    Judged,
    any_failed,
    not_appraised,
)
from teeproof.evidence.judge.beside import Beside, booted, tpm_of
from teeproof.evidence.naming import with_tpm
from teeproof.evidence.policy import Policy
from teeproof.evidence.tdx import quote as tdx_quote
from teeproof.evidence.tdx import verify as tdx
from teeproof.evidence.tdx.facts import TdxFacts, unwelcome
from teeproof.evidence.tdx.quote import TdxQuote
from teeproof.evidence.verdict import Check, Level, failed, not_checked, passed

__all__ = ["judge", "ran", "required_path", "second_opinion"]


def judge(asked: Asked) -> Judged:
    """Return what comes of a TDX quote.

    Raises:
        Malformed, TooLarge: it is not a TDX quote of version 4 or 5.
    """
    quote = tdx_quote.parse(asked.evidence.quote)
    ours = tdx.verify(
        quote,
        collateral=asked.collateral,
        roots=frozenset(asked.policy.roots),
        now=asked.now,
    )
    beside = tpm_of(asked)
    checks = [
        *ours.checks,
        *beside.checks,
        *second_opinion(asked, quote, ours),
        *ratls.check_carrier(asked.evidence, expected_spki=asked.expected_spki),
    ]
    facts = ours.facts if not any_failed(checks) else None
    described: dict[str, Any] = {}
    if facts is None:
        checks.append(not_appraised())
    else:
        more, described = _appraise(asked, facts, checks, beside)
        checks += more
    level = _level(facts, beside)
    return Judged(
        subject=_subject(ours.evidence_id, beside),
        checks=checks,
        facts=described,
        level=level,
        # What a simulator had a part in is never called confidential, however good the rest is.
        confidential=facts is not None and facts.confidential and level != "simulated",
        evaluation_number=facts.evaluation_number if facts else None,
        second_path=ran(checks),
    )


def _subject(quote: str | None, beside: Beside) -> str | None:
    return with_tpm(quote, beside.id) if quote and beside.id else quote


def _level(facts: TdxFacts | None, beside: Beside) -> Level | None:
    """Return the level of the weakest part; None where nothing is established."""
    parts = [part.level for part in (facts, beside.facts) if part is not None]
    return min(parts, key=WEAKEST_FIRST.index) if facts else None


def _appraise(
    asked: Asked, facts: TdxFacts, before: list[Check], beside: Beside
) -> tuple[list[Check], dict[str, Any]]:
    """Return the checks of event log and policy, and the facts for people and programs."""
    evidence, policy, now = asked.evidence, asked.policy, asked.now
    log_checks, app = eventlog.verify(
        evidence.event_log,
        rtmrs=facts.body.rtmrs,
        mrconfigid=facts.body.mrconfigid,
        compose=evidence.compose,
        mr_config=evidence.mr_config,
    )
    boot = booted(asked, facts, beside)
    checks = [
        *log_checks,
        *boot.log_checks,
        required_path(policy, before),
        *platform.checks(facts, policy, now=now),
        *domain.checks(facts, policy),
        *boot.checks,
        *application.checks(
            facts.body, app, policy, log_checks=log_checks, compose=evidence.compose
        ),
        *freshness.checks(facts.body.report_data, policy, now=now, seen=asked.seen),
    ]
    described = facts.to_json() | {"application": application.describe(facts.body, app)}
    tpm = {"tpm": beside.facts.to_json()} if beside.facts else {}
    return checks, described | tpm | boot.facts


def second_opinion(asked: Asked, quote: TdxQuote, ours: tdx.Verification) -> list[Check]:
    """Return what the second path says of a quote that our own path judged."""
    if not asked.both_paths:
        return second_path.skipped("only our own path was asked for")
    if asked.collateral is None or ours.root_der is None or ours.root is None:
        return second_path.skipped(f"{second_path.NAME} needs endorsements and a trusted root")
    opinion = second_path.ask(
        quote.raw,
        collateral=asked.collateral,
        root_fingerprint=ours.root,
        root_der=ours.root_der,
        now=asked.now,
    )
    return second_path.compare(
        opinion, ours=ours.checks, tcb=ours.tcb, unwelcome=unwelcome(quote.body)
    )


def required_path(policy: Policy, checks: list[Check]) -> Check:
    """Return the check that a second verifier ran, if the policy asks for one."""
    agreed = any(c.name == "second-path-signatures" and c.state == "passed" for c in checks)
    if policy.second_path is None:
        return not_checked("two-paths", "the policy does not ask for a second verifier", "policy")
    if agreed:
        return passed(
            "two-paths",
            "a second verifier ran and found every signature good, as the policy asks",
            "policy",
        )
    return failed(
        "two-paths",
        "second_path_missing",
        "the policy asks for a second verifier, and none ran",
        "policy",
        expected=second_path.NAME,
        got="no second verifier",
    )


def ran(checks: list[Check]) -> str | None:
    """Return the name of the second path if it ran."""
    any_ran = any(c.name.startswith("second-path") and c.state != "not_checked" for c in checks)
    return second_path.NAME if any_ran else None
