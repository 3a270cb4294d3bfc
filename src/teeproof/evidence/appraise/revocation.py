"""Hold AMD's revocation list against a policy: whether it came along, and how old it may be.

A host that was given away with its authority leaves the list out, or hands over one from before. So
a policy that bounds the age of collateral asks for the list as well.

Trusts: facts of a verified report.  Does not trust: the host that chooses which list comes along.
"""

from __future__ import annotations

from teeproof.core.clock import format_time
from teeproof.evidence.policy import Policy
from teeproof.evidence.verdict import Check, failed, not_checked, passed

__all__ = ["checks"]


def checks(issued: int | None, policy: Policy, *, now: int) -> list[Check]:
    """Return the checks of the revocation list.

    Args:
        issued: when the newest list that holds was issued, seconds since 1970; None without one.
        policy: expectations.
        now: the T of the verdict, seconds since 1970.
    """
    return [_given(issued, policy), _age(issued, policy, now)]


def _given(issued: int | None, policy: Policy) -> Check:
    name = "revocation-list"
    got = None if issued is None else format_time(issued)
    if policy.revocation_list is None:
        return not_checked(name, "the policy does not ask for AMD's list", "policy", got=got)
    if issued is None:
        return failed(
            name,
            "revocation_list_missing",
            "the policy asks for AMD's revocation list, and none of this product came along: put it"
            " beside the report; AMD's key server has it",
            "policy",
            expected="AMD's revocation list, in force",
            got="none",
        )
    return passed(
        name, f"AMD's list of {format_time(issued)} was looked at, as the policy asks", "policy"
    )


def _age(issued: int | None, policy: Policy, now: int) -> Check:
    limit = policy.max_collateral_age_days
    if limit is None:
        return not_checked("collateral-age", "the policy sets no limit", "policy")
    if issued is None:
        return failed(
            "collateral-age",
            "collateral_age_unknown",
            "the policy bounds the age of AMD's revocation list, and none of this product came"
            " along: put it beside the report; AMD's key server has it",
            "policy",
            expected=f"at most {limit} days",
            got="no revocation list",
        )
    days = (now - issued) // 86400
    if now - issued > limit * 86400:
        return failed(
            "collateral-age",
            "collateral_too_old",
            f"AMD's revocation list is more than {days} days old, the policy allows {limit}: fetch"
            " the current one",
            "policy",
            expected=f"at most {limit} days",
            got=f"more than {days} days",
        )
    return passed(
        "collateral-age", f"{days} days, the policy allows {limit}", "policy", got=f"{days} days"
    )
