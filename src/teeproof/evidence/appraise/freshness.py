"""Hold a quote's report_data against a policy: whose key it binds, and how old it can be.

Trusts: the policy's nonce, the verifier's memory.  Does not trust: the workload's choice of bytes.
"""

from __future__ import annotations

from collections.abc import Container

from teeproof.core.clock import format_time, to_epoch
from teeproof.evidence.binding import report_data_for
from teeproof.evidence.policy import Policy
from teeproof.evidence.verdict import Check, failed, not_checked, passed

__all__ = ["age", "checks", "expected_report_data", "first_time", "replayed"]


def checks(
    report_data: bytes, policy: Policy, *, now: int, seen: Container[bytes] | None
) -> list[Check]:
    """Return the checks of binding, replay and age.

    Args:
        report_data: 64 bytes that the workload chose.
        policy: expectations.
        now: the T of the verdict, seconds since 1970.
        seen: report_data of evidence that this verifier already accepted; None if it keeps none.
    """
    binding = _binding(report_data, policy)
    bound = binding.state == "passed"
    return [binding, replayed(report_data, seen), age(policy, bound=bound, now=now)]


def _binding(report_data: bytes, policy: Policy) -> Check:
    expected = expected_report_data(policy)
    if expected is None:
        if not any(report_data):
            return not_checked(
                "report-data",
                "report_data is all zero: nothing binds this quote to a key, a nonce or a moment",
                "policy",
                got=report_data.hex(),
            )
        return not_checked(
            "report-data",
            "the policy does not say what it must bind",
            "policy",
            got=report_data.hex(),
        )
    if report_data != expected:
        what = "this nonce and keyset" if policy.nonce is not None else "what the policy expects"
        return failed(
            "report-data",
            "report_data_mismatch",
            f"report_data does not bind {what}: the quote was made for something else, or for "
            "someone else's challenge; ask for a quote over your own nonce",
            "policy",
            expected=expected.hex(),
            got=report_data.hex(),
        )
    return passed(
        "report-data",
        "report_data binds exactly what the policy expects",
        "policy",
        got=report_data.hex(),
    )


def expected_report_data(policy: Policy) -> bytes | None:
    """Return the 64 bytes that a policy expects to be bound; None if it does not say."""
    if policy.report_data is not None:
        return bytes.fromhex(policy.report_data)
    if policy.keyset_digest is not None:
        return report_data_for(policy.keyset_digest, nonce=policy.nonce)
    return None


def replayed(report_data: bytes, seen: Container[bytes] | None) -> Check:
    """Return the check that these 64 bytes were not accepted before."""
    if not any(report_data):
        return not_checked(
            "replay", "report_data is all zero, so two quotes cannot be told apart", "policy"
        )
    if seen is not None and report_data in seen:
        return failed(
            "replay",
            "report_data_reused",
            "this report_data was accepted before: the quote is replayed",
            "policy",
            expected="report_data that was not seen before",
            got=report_data.hex(),
        )
    return not_checked("replay", first_time(seen), "policy")


def first_time(seen: Container[bytes] | None) -> str:
    """Say what it means that evidence is not among what was accepted before."""
    if seen is None:
        return "the verifier was given no earlier evidence to compare with"
    return "not among what this verifier accepted before, and a first time proves nothing"


def age(policy: Policy, *, bound: bool, now: int) -> Check:
    """Return the check of age, known through the nonce of a policy where evidence binds it."""
    limit, issued = policy.max_age_seconds, policy.nonce_issued_at
    if limit is None or issued is None:
        return not_checked("age", "a quote carries no time, and the policy sets no limit", "policy")
    if not bound:
        return failed(
            "age",
            "age_unknown",
            "the quote does not bind the nonce, so nothing shows how old it is",
            "policy",
            expected=f"at most {limit} seconds",
        )
    old = now - to_epoch(issued)
    if old < 0:
        return failed(
            "age",
            "nonce_from_the_future",
            "the nonce was issued after the time in question",
            "policy",
            expected=f"not after {format_time(now)}",
            got=format_time(issued),
        )
    if old > limit:
        return failed(
            "age",
            "too_old",
            f"the nonce is {old} seconds old, the policy allows {limit}: ask for a fresh quote",
            "policy",
            expected=f"at most {limit} seconds",
            got=f"{old} seconds",
        )
    return passed(
        "age",
        f"made within the last {old} seconds, the policy allows {limit}",
        "policy",
        got=f"{old} seconds",
    )
