"""What the tests of the verifier share: one simulated platform, and collateral of any content.

The platform's keys follow from a fixed seed, so every run makes the same bytes. Documents are
changed as JSON and then signed again, as only their publisher could do it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

from teeproof.evidence.collect import simulated
from teeproof.evidence.collect.simulated import SimulatedPlatform
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.policy import Policy, parse_policy
from teeproof.evidence.record import Evidence
from teeproof.evidence.simulated.keys import sign_raw
from teeproof.evidence.verdict import Verdict
from teeproof.evidence.verify import verify

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
REPORT_DATA = bytes(range(64))
PLATFORM = SimulatedPlatform(b"\5" * 32)

Change = Callable[[dict[str, Any]], object]


@cache
def collateral() -> Collateral:
    """Return what the vendor publishes on that day."""
    return PLATFORM.collateral(NOW)


@cache
def evidence() -> Evidence:
    """Return evidence with nothing wrong: quote version 5, event log, collateral."""
    return PLATFORM.machine().evidence(REPORT_DATA, now=NOW, version=5)


@cache
def opt_in() -> Policy:
    """Return a policy that accepts the simulator and expects nothing else."""
    return Policy(roots=(), simulated_roots=(PLATFORM.root_fingerprint,))


@cache
def state(name: str) -> Evidence:
    """Return evidence in one of the simulator's states."""
    return simulated.simulate(name, REPORT_DATA, platform=PLATFORM, now=NOW)


@cache
def reference() -> Policy:
    """Return the policy that lists all that a machine in order has."""
    return parse_policy(simulated.reference_policy(PLATFORM, report_data=REPORT_DATA))


def resigned(
    base: Collateral, *, tcb_info: Change | None = None, qe_identity: Change | None = None
) -> Collateral:
    """Return the collateral with documents changed in place, signed by the same vendor."""
    for field, change in (("tcb_info", tcb_info), ("qe_identity", qe_identity)):
        if change is not None:
            document = json.loads(getattr(base, field))
            change(document)
            base = with_document(base, field, json.dumps(document, separators=(",", ":")).encode())
    return base


def with_document(base: Collateral, field: str, raw: bytes) -> Collateral:
    """Return the collateral with these bytes as one of its documents, signed by the vendor."""
    signature = sign_raw(PLATFORM.pki.tcb_signer.key, raw)
    return base.replace(**{field: raw, f"{field}_signature": signature})


def judge(
    given: Evidence | bytes | None = None,
    *,
    policy: Policy | None = None,
    endorsements: Collateral | None = None,
    now: datetime = NOW,
) -> Verdict:
    """Return the verdict on evidence, by default on evidence with nothing wrong."""
    given = evidence() if given is None else given
    return verify(given, policy=policy or opt_in(), collateral=endorsements, now=now)


def failures(verdict: Verdict) -> list[tuple[str, str | None]]:
    """Return names and codes of the checks that failed."""
    return [(check.name, check.code) for check in verdict.failures]


def flipped(data: bytes, at: int, *, mask: int = 1) -> bytes:
    """Return the bytes with some bits of one of them flipped."""
    return data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]


__all__ = [
    "NOW",
    "PLATFORM",
    "REPORT_DATA",
    "Change",
    "collateral",
    "evidence",
    "failures",
    "flipped",
    "judge",
    "opt_in",
    "reference",
    "resigned",
    "state",
    "with_document",
]
