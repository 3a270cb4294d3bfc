"""How the attack tests put a question to the verifier: by both paths, and by ours alone.

An attack counts as refused when exactly the named checks fail, whichever paths are asked: what
only the second path notices is no merit of ours.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.policy import Policy
from teeproof.evidence.record import Evidence
from teeproof.evidence.verdict import Check, Verdict
from teeproof.evidence.verify import verify
from tests.evidence.scenes import NOW, evidence, failures, opt_in, reference
from tests.vectors import Record, records

Failure = tuple[str, str]


def real(name: str) -> tuple[Record, Evidence]:
    """Return a record of real evidence, and the evidence."""
    record = next(record for record in records("dcap") if record.id == name)
    log = record.path / "event_log.json"
    return record, Evidence(
        quote=record.read("quote.bin"),
        event_log=log.read_bytes() if log.exists() else None,
        collateral=Collateral.parse(record.read("collateral.json")),
    )


def quote_only(quote: bytes, collateral: Collateral | None = None) -> Evidence:
    """Return evidence that consists of a quote, by default with collateral in order."""
    return Evidence(quote=quote, collateral=collateral or evidence().collateral)


def but(given: Evidence, **changes: object) -> Evidence:
    """Return evidence with some of its parts exchanged."""
    parts = {name: getattr(given, name) for name in given.__struct_fields__}
    return Evidence(**(parts | changes))


@cache
def _without_second_path(policy: Policy) -> Policy:
    return policy.with_(second_path=None)


def _verdicts(
    given: Evidence | bytes, policy: Policy | None, now: datetime, asked: dict[str, Any]
) -> tuple[Verdict, Verdict]:
    policy = policy or opt_in()
    both = verify(given, policy=policy, now=now, **asked)
    lone = _without_second_path(policy)
    return both, verify(given, policy=lone, now=now, both_paths=False, **asked)


def accepted(
    given: Evidence | bytes, *, policy: Policy | None = None, now: datetime = NOW, **asked: Any
) -> Verdict:
    """Return the verdict on evidence that nothing is held against, by either path."""
    both, alone = _verdicts(given, policy, now, asked)
    assert (failures(both), failures(alone)) == ([], [])
    assert (both.exit_code, both.ok) == (0, True)
    assert both.subject == alone.subject
    assert both.facts == alone.facts
    return both


def refused(
    given: Evidence | bytes,
    *expected: Failure,
    exit_code: int = 2,
    policy: Policy | None = None,
    now: datetime = NOW,
    **asked: Any,
) -> Verdict:
    """Return the verdict on evidence against which exactly these checks speak."""
    both, alone = _verdicts(given, policy, now, asked)
    assert failures(both) == list(expected)
    assert failures(alone) == list(expected)
    assert both.exit_code == alone.exit_code == exit_code
    assert not both.ok
    if exit_code == 2:
        assert not both.confidential
    return both


def alone(given: Evidence | bytes, *, policy: Policy | None = None) -> Verdict:
    """Return our path's verdict, where dcap-qvl is known to be more lenient or more strict."""
    return verify(given, policy=policy or opt_in(), now=NOW, both_paths=False)


def only(verdict: Verdict) -> Check:
    """Return the one check that failed."""
    (check,) = verdict.failures
    return check


def flagged(verdict: Verdict, name: str, words: str) -> None:
    """Check that a verdict says in words that something was not checked."""
    check = verdict.check(name)
    assert check.state == "not_checked"
    assert words in check.detail


__all__ = [
    "Failure",
    "accepted",
    "alone",
    "but",
    "flagged",
    "only",
    "quote_only",
    "real",
    "reference",
    "refused",
]
