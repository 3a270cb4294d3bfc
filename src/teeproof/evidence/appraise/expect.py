"""The three forms that most expectations have: any of these, this way, at least that.

Trusts: its caller.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from collections.abc import Sequence

from teeproof.evidence.policy import Policy
from teeproof.evidence.verdict import Check, failed, not_checked, passed

__all__ = ["advisories", "any_of", "code_of", "flag"]


def code_of(name: str) -> str:
    """Return the failure code that belongs to a check's name."""
    return name.replace("-", "_")


def any_of(
    name: str, allowed: Sequence[str] | None, got: str | None, *, what: str, advice: str = ""
) -> Check:
    """Check that ``got`` is one of ``allowed``.

    Args:
        name: the check's name.
        allowed: what the policy lists; None if it does not care.
        got: what the evidence establishes; None if it establishes nothing.
        what: the thing, as in "the policy does not say which {what} it expects".
        advice: what the reader can do about a mismatch.
    """
    if allowed is None:
        return not_checked(
            name, f"the policy does not say which {what} it expects", "policy", got=got
        )
    if got is None:
        return failed(
            name,
            f"{code_of(name)}_unknown",
            f"the policy expects a certain {what}, and the evidence establishes none{advice}",
            "policy",
            expected=_list(allowed),
        )
    if got in allowed:
        return passed(name, f"the {what} is one that the policy lists", "policy", got=got)
    return failed(
        name,
        f"{code_of(name)}_mismatch",
        f"the {what} is not one that the policy lists{advice}",
        "policy",
        expected=_list(allowed),
        got=got,
    )


def flag(name: str, expected: bool | None, got: bool | None, *, on: str, off: str) -> Check:
    """Check a yes-or-no property; ``on`` and ``off`` are sentences that say what each means."""
    state = "unknown" if got is None else "on" if got else "off"
    meaning = "the evidence does not say" if got is None else on if got else off
    if expected is None:
        return not_checked(name, f"the policy does not ask; {meaning}", "policy", got=state)
    if got is expected:
        return passed(name, meaning, "policy", got=state)
    return failed(
        name,
        f"{code_of(name)}_{state}",
        f"{meaning}, which the policy does not allow",
        "policy",
        expected="on" if expected else "off",
        got=state,
    )


def advisories(applying: Sequence[str] | None, policy: Policy) -> Check:
    """Check that none of the advisories that apply is denied; None if nobody knows which do."""
    got = None if applying is None else ", ".join(applying) or "none"
    if not policy.denied_advisories or applying is None:
        return not_checked("advisories", "the policy denies none", "policy", got=got)
    denied = sorted({*applying} & {*policy.denied_advisories})
    if denied:
        return failed(
            "advisories",
            "advisory_denied",
            "a flaw that the policy does not accept is open on this platform",
            "policy",
            expected=f"none of {', '.join(policy.denied_advisories)}",
            got=", ".join(denied),
        )
    return passed("advisories", "no advisory that the policy denies is open", "policy", got=got)


def _list(allowed: Sequence[str]) -> str:
    return " or ".join(allowed) if allowed else "nothing: the policy's list is empty"
