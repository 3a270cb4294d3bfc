"""Judge an SEV-SNP report: verify it, then hold the guest and its machine against the policy.

Trusts: the policy's roots, this code.  Does not trust: host, network, operator, the evidence.
"""

from __future__ import annotations

from teeproof.evidence import ratls
from teeproof.evidence.appraise import freshness, guest
from teeproof.evidence.eventlog.hostdata import check_host_data
from teeproof.evidence.judge.asked import Asked, Judged, any_failed, not_appraised
from teeproof.evidence.sev_snp import report as snp_report
from teeproof.evidence.sev_snp import verify as sev_snp

__all__ = ["judge"]


def judge(asked: Asked) -> Judged:
    """Return what comes of an SEV-SNP report.

    Raises:
        Malformed: it is not a report of version 2 to 5.
    """
    policy = asked.policy
    found = sev_snp.verify(
        snp_report.parse(asked.evidence.quote),
        certificates=asked.evidence.certificates,
        roots=frozenset(policy.roots),
        now=asked.now,
    )
    checks = [
        *found.checks,
        *ratls.check_carrier(asked.evidence, expected_spki=asked.expected_spki),
    ]
    facts = found.facts if not any_failed(checks) else None
    application = None
    if facts is None:
        checks.append(not_appraised())
    else:
        more, application = check_host_data(
            facts.body.host_data,
            document=asked.evidence.mr_config,
            compose=asked.evidence.compose,
            event_log=asked.evidence.event_log,
        )
        checks += more
        checks += guest.checks(facts, policy, now=asked.now)
        checks += freshness.checks(facts.body.report_data, policy, now=asked.now, seen=asked.seen)
    return Judged(
        subject=found.evidence_id,
        checks=checks,
        facts=facts.to_json() | {"application": application} if facts else {},
        level=facts.level if facts else None,
        confidential=facts is not None and facts.confidential,
    )
