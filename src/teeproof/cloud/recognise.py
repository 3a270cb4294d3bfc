"""Is this identity, right now, the machine and the code that a policy expects?

This is for services that decide on the spot. What a stranger checks later, with the time of a log,
is ``proof.verify``, of which the same judge is used.

Trusts: the policy.  Does not trust: whoever hands over an identity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from teeproof.core.clock import format_time, to_epoch
from teeproof.core.errors import Error, NotAllowed, NotAuthentic, Unavailable, Usage
from teeproof.evidence.policy import Policy
from teeproof.evidence.verdict import Check
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.verify.identities import judge_identity
from teeproof.proof.verify.places import Place

__all__ = ["Recognised", "recognise", "require_pinned"]


class Recognised(NamedTuple):
    """An identity that was found to be what was expected.

    Attributes:
        record: the identity.
        facts: what its evidence establishes.
        compose_hash: the application that it runs, hex; empty if the evidence does not say.
    """

    record: IdentityRecord
    facts: Mapping[str, Any]
    compose_hash: str


def recognise(
    record: IdentityRecord, *, blob: Callable[[str], bytes], policy: Policy, now: datetime
) -> Recognised:
    """Return an identity with the facts of its evidence, if a policy accepts it.

    Args:
        record: the identity.
        blob: its evidence's bytes, asked by ``sha256:…``.
        policy: what is expected of the machine and of what runs there.
        now: the time as of which it is judged.

    Raises:
        NotAuthentic: keys, evidence or their binding do not hold.
        NotAllowed: they do, and it is not what the policy expects; or its keys have expired.
        Unavailable: something that is needed to judge it is missing.
        The code is that of the check which failed.
    """
    at = to_epoch(now)
    verdict = judge_identity(
        record, blob=blob, place=Place((), None), now=at, policy=policy, further=None,
        both_paths=policy.second_path is True, known={},
    )  # fmt: skip
    machine = verdict.evidence
    for check in (*verdict.checks, *(machine.failures if machine is not None else ())):
        if check.state == "failed":
            raise _refused(check)
    if at > record.keys.not_after:
        raise NotAllowed(
            "the identity's keys have expired: boot anew",
            code="keys_expired",
            expected=f"no later than {format_time(record.keys.not_after)}",
            got=format_time(at),
        )
    facts = machine.facts if machine is not None else {}
    application = facts.get("application") or {}
    return Recognised(record, facts, str(application.get("compose_hash") or ""))


def require_pinned(policy: Policy) -> None:
    """Raise Usage unless a policy knows the guest whose word for its application it takes.

    Whatever runs in a domain can claim any compose hash; only a known guest makes it mean anything.
    """
    if not policy.pins_guest or policy.event_log is not True:
        raise Usage(
            "this policy pins no guest, so any machine could claim to run any code: pin mrtd,"
            " rtmr1 and rtmr2, and require the event log",
            code="guest_image_unpinned",
            expected="mrtd, rtmr1, rtmr2 and event_log = true",
        )


def _refused(check: Check) -> Error:
    kinds: dict[str, type[Error]] = {
        "policy": NotAllowed,
        "availability": Unavailable,
        "authenticity": NotAuthentic,
    }
    return kinds[check.concern](
        check.detail, code=check.code or check.name, expected=check.expected, got=check.got
    )
