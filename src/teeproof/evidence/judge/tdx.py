"""Judge a TDX quote: verify it, ask the second path, read its log, hold it against the policy.

Trusts: the policy's roots, this code.  Does not trust: host, network, operator, the evidence.
"""

from __future__ import annotations

from typing import Any

from teeproof.evidence import eventlog, ratls, second_path
from teeproof.evidence.appraise import application, domain, freshness, platform
from teeproof.evidence.judge.asked import Asked, Judged, any_failed, not_appraised
from teeproof.evidence.policy import Policy
from teeproof.evidence.tdx import quote as tdx_quote
from teeproof.evidence.tdx import verify as tdx
from teeproof.evidence.tdx.facts import TdxFacts, unwelcome
from teeproof.evidence.tdx.quote import TdxQuote
from teeproof.evidence.verdict import Check, failed, not_checked, passed

__all__ = ["judge"]


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
    checks = [
        *ours.checks,
        *_second_path(asked, quote, ours),
        *ratls.check_carrier(asked.evidence, expected_spki=asked.expected_spki),
    ]
    facts = ours.facts if not any_failed(checks) else None
    described: dict[str, Any] = {}
    if facts is None:
        checks.append(not_appraised())
    else:
        more, described = _appraise(asked, facts, checks)
        checks += more
    return Judged(
        subject=ours.evidence_id,
        checks=checks,
        facts=described,
        level=facts.level if facts else None,
        confidential=facts.confidential if facts else False,
        evaluation_number=facts.evaluation_number if facts else None,
        second_path=_ran(checks),
    )


def _appraise(
    asked: Asked, facts: TdxFacts, before: list[Check]
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
    checks = [
        *log_checks,
        _required_path(policy, before),
        *platform.checks(facts, policy, now=now),
        *domain.checks(facts, policy),
        *application.checks(
            facts.body, app, policy, log_checks=log_checks, compose=evidence.compose
        ),
        *freshness.checks(facts.body.report_data, policy, now=now, seen=asked.seen),
    ]
    return checks, facts.to_json() | {"application": application.describe(facts.body, app)}


def _second_path(asked: Asked, quote: TdxQuote, ours: tdx.Verification) -> list[Check]:
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


def _required_path(policy: Policy, checks: list[Check]) -> Check:
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


def _ran(checks: list[Check]) -> str | None:
    ran = any(c.name.startswith("second-path") and c.state != "not_checked" for c in checks)
    return second_path.NAME if ran else None
