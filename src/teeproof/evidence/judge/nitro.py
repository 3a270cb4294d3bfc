"""Judge a Nitro document: verify it, then hold the enclave against the policy.

Trusts: the policy's roots, this code.  Does not trust: host, network, operator, the evidence.
"""

from __future__ import annotations

from teeproof.evidence.judge.asked import Asked, Judged, any_failed, not_appraised
from teeproof.evidence.nitro import appraise, document
from teeproof.evidence.nitro import verify as nitro
from teeproof.evidence.ratls import check_carrier

__all__ = ["judge"]


def judge(asked: Asked) -> Judged:
    """Return what comes of a Nitro document.

    Raises:
        Malformed: it is not a document; TooLarge: it is too large to be one.
    """
    found = nitro.verify(
        document.parse(asked.evidence.quote), roots=frozenset(asked.policy.roots), now=asked.now
    )
    checks = [*found.checks, *check_carrier(asked.evidence, expected_spki=asked.expected_spki)]
    facts = found.facts if not any_failed(checks) else None
    if facts is None:
        checks.append(not_appraised())
    else:
        checks += appraise.checks(facts, asked.policy, now=asked.now, seen=asked.seen)
    return Judged(
        subject=found.evidence_id,
        checks=checks,
        facts=facts.to_json() if facts else {},
        level=facts.level if facts else None,
        confidential=facts is not None and facts.confidential,
    )
