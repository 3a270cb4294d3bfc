"""Judge an Arm CCA token: verify it with the platform key beside it, hold the realm to the policy.

Trusts: the policy's roots, which name platform keys, this code.
Does not trust: host, network, operator, the evidence, the key that came along.
"""

from __future__ import annotations

from teeproof.evidence import ratls
from teeproof.evidence.appraise import freshness
from teeproof.evidence.cca import appraise, token
from teeproof.evidence.cca import verify as cca
from teeproof.evidence.cca.keys import PlatformKey, parse_platform_key
from teeproof.evidence.judge.asked import Asked, Judged, any_failed, not_appraised

__all__ = ["judge"]


def judge(asked: Asked) -> Judged:
    """Return what comes of a CCA token.

    Raises:
        Malformed, TooLarge: it is none that can be read, or what stands beside it is no key.
    """
    policy = asked.policy
    real, simulated, offered = _keys(asked)
    found = cca.verify(
        token.parse(asked.evidence.quote),
        platform_keys=real,
        simulated_keys=simulated,
        offered=offered,
    )
    checks = [
        *found.checks,
        *ratls.check_carrier(asked.evidence, expected_spki=asked.expected_spki),
    ]
    facts = found.facts if not any_failed(checks) else None
    if facts is None:
        checks.append(not_appraised())
    else:
        checks += appraise.checks(facts, policy)
        checks += freshness.checks(facts.report_data, policy, now=asked.now, seen=asked.seen)
    return Judged(
        subject=found.evidence_id,
        checks=checks,
        facts=facts.to_json() if facts else {},
        level=facts.level if facts else None,
        confidential=facts is not None and facts.confidential,
    )


def _keys(
    asked: Asked,
) -> tuple[tuple[PlatformKey, ...], tuple[PlatformKey, ...], PlatformKey | None]:
    """Return the key that came along: as a real one, as a simulated one, or as a stranger's."""
    if asked.evidence.platform_key is None:
        return (), (), None
    key = parse_platform_key(asked.evidence.platform_key)
    if key.fingerprint in asked.policy.simulated_roots:
        return (), (key,), None
    if key.fingerprint in asked.policy.roots:
        return (key,), (), None
    return (), (), key
