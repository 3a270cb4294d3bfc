"""Judge an SGX quote, version 3: verified by dcap-qvl alone, then held against the policy.

Trusts: dcap-qvl, Intel's root inside it.  Does not trust: host, network.
"""

from __future__ import annotations

from teeproof.evidence import ratls, second_path, sgx
from teeproof.evidence.appraise import enclave
from teeproof.evidence.judge.asked import Asked, Judged, any_failed, not_appraised

__all__ = ["judge"]


def judge(asked: Asked) -> Judged:
    """Return what comes of an SGX quote.

    Raises:
        Malformed, TooLarge: it is not an SGX quote of version 3.
    """
    policy, now = asked.policy, asked.now
    quote = sgx.parse(asked.evidence.quote)
    found, facts, evidence_id = sgx.verify(
        quote, collateral=asked.collateral, roots=policy.roots, now=now
    )
    checks = [
        *found,
        *ratls.check_carrier(asked.evidence, expected_spki=asked.expected_spki),
    ]
    if any_failed(checks):
        facts = None
    if facts is None:
        checks.append(not_appraised())
    else:
        checks += enclave.checks(facts, policy, now=now, seen=asked.seen)
    return Judged(
        subject=evidence_id,
        checks=checks,
        facts=facts.to_json() if facts else {},
        level="hardware" if facts else None,
        confidential=facts is not None and not facts.debug,
        evaluation_number=facts.tcb_info.tcb_evaluation_data_number if facts else None,
        second_path=second_path.NAME if asked.collateral else None,
    )
