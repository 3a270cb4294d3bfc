"""Hold an SGX enclave against a policy. Only what applies to SGX is looked at; the rest says so.

Trusts: facts of a verified quote.  Does not trust: nothing else comes in.
"""

from __future__ import annotations

from collections.abc import Container

from teeproof.evidence.appraise import freshness
from teeproof.evidence.appraise.expect import advisories, any_of, code_of, flag
from teeproof.evidence.appraise.kind import check_kind
from teeproof.evidence.policy import Policy
from teeproof.evidence.sgx import SgxFacts
from teeproof.evidence.verdict import Check, failed, not_checked, passed

__all__ = ["checks"]


def checks(
    facts: SgxFacts, policy: Policy, *, now: int, seen: Container[bytes] | None
) -> list[Check]:
    """Return the checks of policy."""
    return [
        _status(facts, policy),
        _advisories(facts, policy),
        check_kind("sgx", policy),
        _debug(facts, policy),
        any_of("mrenclave", policy.mrenclave, facts.mrenclave.hex(), what="enclave (MRENCLAVE)"),
        any_of(
            "mrsigner", policy.mrsigner, facts.mrsigner.hex(), what="enclave's signer (MRSIGNER)"
        ),
        *freshness.checks(facts.report_data, policy, now=now, seen=seen),
    ]


def _debug(facts: SgxFacts, policy: Policy) -> Check:
    if facts.debug and policy.debug is None:
        return failed(
            "debug",
            "debug_on",
            "the host can read and change the enclave's memory; dcap-qvl tells no more of such an "
            "enclave, so it is refused unless the policy asks for one",
            "policy",
            expected="off",
            got="on",
        )
    return flag(
        "debug",
        policy.debug is True,
        facts.debug,
        on="the host can read and change the enclave's memory",
        off="the host cannot look into the enclave",
    )


def _status(facts: SgxFacts, policy: Policy) -> Check:
    if policy.tcb_statuses is None:
        why = "the policy does not say which it allows"
        return not_checked("tcb-status", why, "policy", got=facts.status)
    if facts.status is None:
        return _untold("tcb-status", policy, expected=" or ".join(policy.tcb_statuses))
    if facts.status in policy.tcb_statuses:
        return passed("tcb-status", f"{facts.status} is a status that the policy allows", "policy")
    return failed(
        "tcb-status",
        "tcb_status",
        f"the platform is {facts.status}, which the policy does not allow",
        "policy",
        expected=" or ".join(policy.tcb_statuses),
        got=facts.status,
    )


def _untold(name: str, policy: Policy, *, expected: str) -> Check:
    """Return the check of what dcap-qvl does not tell of a debug enclave."""
    why = "dcap-qvl does not tell it of a debug enclave"
    if policy.debug is not True:  # refused for being one
        return not_checked(name, why, "policy")
    return failed(name, f"{code_of(name)}_unknown", why, "policy", expected=expected)


def _advisories(facts: SgxFacts, policy: Policy) -> Check:
    if facts.status is None and policy.denied_advisories is not None:
        return _untold("advisories", policy, expected=f"none of {policy.denied_advisories}")
    return advisories(facts.advisories, policy)
