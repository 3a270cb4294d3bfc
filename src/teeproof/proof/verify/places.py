"""What the logs in a proof say of one statement or identity: where it stands, since when.

Trusts: the relying party's trust.  Does not trust: the proof.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from teeproof.evidence.verdict import Check, failed, not_checked
from teeproof.proof.verify.trust import Trust

__all__ = ["Place", "broken_place", "not_logged"]


class Place(NamedTuple):
    """What is known of one entry.

    Attributes:
        checks: ``inclusion``, ``checkpoint``, ``witnesses`` and ``time``.
        time: the T of the entry, seconds since 1970; None where nobody vouches for one.
    """

    checks: tuple[Check, ...]
    time: int | None

    @property
    def rank(self) -> tuple[int, float]:
        """Less is better: fewer failures, then an earlier time."""
        failures = sum(check.state == "failed" for check in self.checks)
        if self.checks[0].state == "not_checked":
            failures += len(self.checks)  # a log whose entries do not fit together
        return failures, math.inf if self.time is None else self.time


def not_logged(trust: Trust) -> Place:
    """Return what is known of what is in no log; a relying party with a log policy refuses it."""
    timeless = not_checked("time", "without a log nothing says when it was said", "policy")
    detail = "it is in no log: whoever holds it can hide that it was said"
    if trust.logs is None:
        return Place((not_checked("inclusion", detail, "policy"), timeless), None)
    missing = failed(
        "inclusion", "not_logged", detail, "policy", expected="an entry in a log that you trust"
    )
    return Place((missing, timeless), None)


def broken_place(origin: str) -> Place:
    """Return what is known of an entry among others that do not fit together: which is open."""
    detail = f"the entries of {origin} do not fit together, and which of them is false is open"
    return Place(
        (
            not_checked("inclusion", detail),
            not_checked("time", "no log that holds together says when it was said", "policy"),
        ),
        None,
    )
