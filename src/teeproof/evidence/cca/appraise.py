"""Hold an Arm CCA realm against a policy: on what platform it runs, and what was started.

Trusts: facts of a verified token.  Does not trust: nothing else comes in.
"""

from __future__ import annotations

from collections.abc import Sequence

from teeproof.evidence.appraise.expect import any_of
from teeproof.evidence.appraise.kind import check_kind
from teeproof.evidence.appraise.platform import listed, simulated_root
from teeproof.evidence.cca.facts import CcaFacts, lifecycle_name
from teeproof.evidence.cca.policy import CcaPolicy
from teeproof.evidence.policy import Policy
from teeproof.evidence.verdict import Check, failed, not_checked, passed

__all__ = ["checks"]


def checks(facts: CcaFacts, policy: Policy) -> list[Check]:
    """Return the checks of policy, but for those of ``appraise.freshness``."""
    expected = policy.cca or CcaPolicy()
    return [
        *simulated_root(facts.level, facts.root, policy),
        listed(facts.platform_id, policy),
        *_platform(facts, expected),
        check_kind("cca", policy),
        *_realm(facts, expected),
    ]


def _platform(facts: CcaFacts, expected: CcaPolicy) -> list[Check]:
    return [
        _lifecycle(facts, expected),
        any_of(
            "implementation-id",
            expected.implementation_id,
            facts.token.platform.implementation_id.hex(),
            what="kind of platform (implementation id)",
        ),
        _components(facts, expected),
    ]


def _realm(facts: CcaFacts, expected: CcaPolicy) -> list[Check]:
    realm = facts.token.realm
    rems = [value.hex() for value in realm.extensible_measurements]
    return [
        any_of(
            "rim",
            expected.rim,
            realm.initial_measurement.hex(),
            what="start of the realm (RIM)",
        ),
        any_of("rem0", expected.rem0, rems[0], what="first register of the realm (REM0)"),
        any_of("rem1", expected.rem1, rems[1], what="second register of the realm (REM1)"),
        any_of("rem2", expected.rem2, rems[2], what="third register of the realm (REM2)"),
        any_of("rem3", expected.rem3, rems[3], what="fourth register of the realm (REM3)"),
        any_of(
            "personalization-value",
            expected.personalization_value,
            realm.personalization_value.hex(),
            what="personalization value",
        ),
    ]


def _lifecycle(facts: CcaFacts, expected: CcaPolicy) -> Check:
    value = facts.token.platform.lifecycle
    name = lifecycle_name(value)
    got = f"{name} ({value:#06x})"
    if expected.lifecycle is not None and name not in expected.lifecycle:
        return failed(
            "cca-lifecycle",
            "lifecycle_not_listed",
            "the platform is in a state of its life that the policy does not list",
            "policy",
            expected=" or ".join(expected.lifecycle) or "nothing: the policy's list is empty",
            got=got,
        )
    if facts.secured:
        detail = "the platform is secured: nobody debugs it"
        return passed("cca-lifecycle", detail, "policy", got=got)
    if expected.lifecycle is not None:
        detail = "the policy lists this state of the platform, in which others may look into it"
        return passed("cca-lifecycle", detail, "policy", got=got)
    return failed(
        "cca-lifecycle",
        "lifecycle_not_secured",
        "the platform is not in its secured state, so others may look into it and into its realms: "
        "believe it again once it has been secured",
        "policy",
        expected="secured (0x30..)",
        got=got,
    )


def _components(facts: CcaFacts, expected: CcaPolicy) -> Check:
    measurements, signers = expected.component_measurements, expected.component_signers
    if measurements is None and signers is None:
        why = "the policy does not say which firmware it expects"
        return not_checked("platform-components", why, "policy")
    unlisted = [
        f"{each.name or 'unnamed'} {each.measurement.hex()}"
        for each in facts.token.platform.components
        if not _listed(each.measurement, measurements) or not _listed(each.signer, signers)
    ]
    if unlisted:
        return failed(
            "platform-components",
            "platform_component_unlisted",
            f"{len(unlisted)} parts of the platform's firmware are not what the policy lists",
            "policy",
            expected="measurements and signers that the policy lists",
            got=", ".join(unlisted)[:400],
        )
    detail = "every part of the platform's firmware is one that the policy lists"
    return passed("platform-components", detail, "policy")


def _listed(value: bytes, allowed: Sequence[str] | None) -> bool:
    return allowed is None or value.hex() in allowed
