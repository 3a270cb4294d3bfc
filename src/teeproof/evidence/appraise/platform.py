"""Hold a platform against a policy: root, patches, its owner's choices, its place on lists.

Trusts: facts of a verified quote, verified collateral.  Does not trust: nothing else comes in.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from teeproof.core.clock import format_time, from_epoch
from teeproof.evidence.appraise.expect import advisories, flag
from teeproof.evidence.policy import Policy
from teeproof.evidence.tdx.facts import TdxFacts
from teeproof.evidence.tdx.tcb import UP_TO_DATE, Tcb
from teeproof.evidence.verdict import Check, Level, failed, not_checked, passed

__all__ = ["checks", "listed", "simulated_root"]


def checks(facts: TdxFacts, policy: Policy, *, now: int) -> list[Check]:
    """Return the checks that concern the machine, not the workload."""
    pck = facts.pck
    return [
        *simulated_root(facts.level, facts.root, policy),
        _tcb_status(facts.tcb, policy, now),
        advisories(facts.tcb.advisories if facts.tcb else None, policy),
        _evaluation_number(facts, policy, now),
        _collateral_age(facts, policy, now),
        flag(
            "dynamic-platform",
            policy.dynamic_platform,
            pck.dynamic_platform if pck else None,
            on="a server whose processors can be added to or replaced",
            off="a server whose processors are fixed",
        ),
        flag(
            "cached-keys",
            policy.cached_keys,
            pck.cached_keys if pck else None,
            on="Intel keeps a copy of the platform's root keys",
            off="Intel keeps no copy of the platform's root keys",
        ),
        flag(
            "smt",
            policy.smt,
            pck.smt if pck else None,
            on="two threads share each core",
            off="each core runs one thread",
        ),
        listed(pck.platform_id if pck else None, policy),
    ]


def simulated_root(level: Level, root: str, policy: Policy) -> list[Check]:
    """Return the check that the policy accepts a simulator's root; none for hardware."""
    if level != "simulated":
        return []
    if root in policy.simulated_roots:
        return [
            passed(
                "simulated-root", "SIMULATED: the policy accepts this simulator's root", "policy"
            )
        ]
    return [
        failed(
            "simulated-root",
            "simulated_root_not_accepted",
            "SIMULATED: no hardware stands behind this evidence, and the policy does not accept "
            "this simulator's root: pin it under simulated_roots to test with it",
            "policy",
            expected=" or ".join(policy.simulated_roots) or "evidence of real hardware",
            got=root,
        )
    ]


def _tcb_status(tcb: Tcb | None, policy: Policy, now: int) -> Check:
    if tcb is None:
        return not_checked("tcb-status", "the TCB is not known", "policy")
    if policy.tcb_statuses is None:
        return not_checked(
            "tcb-status", "the policy does not say which it allows", "policy", got=tcb.status
        )
    if tcb.status in policy.tcb_statuses:
        return passed(
            "tcb-status",
            f"{tcb.status} is a status that the policy allows",
            "policy",
            got=tcb.status,
        )
    days = dict(policy.tcb_grace_days or ()).get(tcb.status)  # type: ignore[call-overload]
    if days is not None:
        ends = _dated(tcb) + timedelta(days=days)
        if from_epoch(now) <= ends:
            return passed(
                "tcb-status",
                f"{tcb.status}, which the policy tolerates until {ends:%Y-%m-%d}",
                "policy",
                got=tcb.status,
            )
        return failed(
            "tcb-status",
            "tcb_grace_over",
            f"the platform is {tcb.status}, and the policy's {days} days of grace are over: "
            "its owner must update it",
            "policy",
            expected=f"until {ends:%Y-%m-%d}",
            got=format_time(now),
        )
    return failed(
        "tcb-status",
        "tcb_status",
        f"the platform is {tcb.status}, which the policy does not allow: its owner must update or "
        "reconfigure it",
        "policy",
        expected=" or ".join(policy.tcb_statuses) or "nothing: the policy's list is empty",
        got=tcb.status,
    )


def _dated(tcb: Tcb) -> datetime:
    """Return the date that grace counts from: of the oldest part that is not up to date."""
    dates = [tcb.date] if tcb.platform_status != UP_TO_DATE else []
    dates += [tcb.qe_date] if tcb.qe_status != UP_TO_DATE else []
    return min(dates, default=tcb.date)


def _evaluation_number(facts: TdxFacts, policy: Policy, now: int) -> Check:
    number = facts.evaluation_number
    got = None if number is None else str(number)
    if not policy.tcb_evaluation_floor or number is None:
        return not_checked("evaluation-number", "the policy sets no floor", "policy", got=got)
    today = datetime.fromtimestamp(now, UTC).date()
    floor = max((f.number for f in policy.tcb_evaluation_floor if f.since <= today), default=None)
    if floor is None:
        return not_checked(
            "evaluation-number",
            "the policy's floors begin after the time in question",
            "policy",
            got=got,
        )
    if number < floor:
        return failed(
            "evaluation-number",
            "evaluation_number_rollback",
            "the collateral is older than what Intel had published by then: it may hide a known "
            "flaw; fetch the current one",
            "policy",
            expected=f"at least {floor}",
            got=got,
        )
    return passed("evaluation-number", f"at least the policy's floor of {floor}", "policy", got=got)


def _collateral_age(facts: TdxFacts, policy: Policy, now: int) -> Check:
    if (
        policy.max_collateral_age_days is None
        or facts.tcb_info is None
        or facts.qe_identity is None
    ):
        return not_checked("collateral-age", "the policy sets no limit", "policy")
    # The lists too: behind an old one hides whoever was revoked since.
    issued = min(facts.tcb_info.window[0], facts.qe_identity.window[0], *facts.lists_issued)
    days, limit = (now - issued) // 86400, policy.max_collateral_age_days
    if now - issued > limit * 86400:
        return failed(
            "collateral-age",
            "collateral_too_old",
            f"the collateral is more than {days} days old, the policy allows {limit}: fetch the "
            "current one",
            "policy",
            expected=f"at most {limit} days",
            got=f"more than {days} days",
        )
    return passed(
        "collateral-age", f"{days} days, the policy allows {limit}", "policy", got=f"{days} days"
    )


def listed(platform: str | None, policy: Policy) -> Check:
    """Check the lists of platforms. A stolen or opened machine is known by its id alone."""
    allowed, blocked = policy.allowed_platforms, policy.blocked_platforms
    if allowed is None and not blocked:
        return not_checked(
            "platform-lists", "the policy lists no platforms", "policy", got=platform
        )
    if platform is not None and platform in (blocked or ()):
        return failed(
            "platform-lists",
            "platform_blocked",
            "the policy blocks this very machine",
            "policy",
            expected="a platform that is not on blocked_platforms",
            got=platform,
        )
    if allowed is not None and platform not in allowed:
        return failed(
            "platform-lists",
            "platform_not_allowed",
            "this machine is not on the policy's list of known ones",
            "policy",
            expected=f"one of {len(allowed)} allowed platforms",
            got=platform,
        )
    return passed(
        "platform-lists",
        "no list blocks this machine, and it is on the list of known ones, if there is one",
        "policy",
        got=platform,
    )
