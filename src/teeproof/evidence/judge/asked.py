"""What a judge is asked, and what it answers.

Trusts: nothing; it only carries.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

import msgspec

from teeproof.core.digests import framed_sha256, named
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.policy import Policy
from teeproof.evidence.record import Evidence
from teeproof.evidence.verdict import Check, Level, not_checked

__all__ = ["WEAKEST_FIRST", "Asked", "Judged", "any_failed", "not_appraised"]

WEAKEST_FIRST: tuple[Level, ...] = ("simulated", "measured", "hardware")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """All that a verdict depends on; the fields are the arguments of ``verify``."""

    evidence: Evidence
    policy: Policy
    collateral: Collateral | None
    now: int
    both_paths: bool
    seen: Container[bytes] | None
    expected_spki: bytes | None

    @property
    def digest(self) -> str:
        """``sha256:…`` of the inputs for which provenance has no digest of their own."""
        given = self.evidence
        optional = [
            given.event_log,
            given.compose,
            given.mr_config,
            given.certificate,
            self.expected_spki,
        ]
        beside = self._beside
        # Quotes of Intel's carry their certificates, and few machines have GPUs: no such parts.
        if given.certificates is not None or beside:
            optional.append(given.certificates)
        optional += beside
        for name in ("firmware_log", "tpm", "platform_key"):  # named, for most evidence has none
            if (part := getattr(given, name)) is not None:
                optional += [name.encode(), part]
        parts = (b"\0" if part is None else b"\1" + part for part in optional)
        return named(
            framed_sha256(
                "teeproof.verdict-inputs.v1", given.quote, bytes([self.both_paths]), *parts
            )
        )

    @property
    def _beside(self) -> list[bytes | None]:
        """GPUs, what their vendor says, and the key document's digest and nonce; empty if none."""
        given = self.evidence
        manifests = framed_sha256("teeproof.manifests.v1", *given.manifests)
        answers = framed_sha256("teeproof.ocsp-answers.v1", *given.ocsp)
        texts = [given.keyset_digest, given.nonce]
        if not (given.gpus or given.manifests or given.ocsp) and texts == [None, None]:
            return []
        return [given.gpus, manifests, answers, *(t if t is None else t.encode() for t in texts)]


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What a judge found; the fields are those of a verdict.

    Attributes:
        subject: the evidence's identity, if it could be read.
        checks: in reading order.
        facts: what is established; empty where a check of authenticity failed.
        level: hardware, measured or simulated; None where nothing is established.
        confidential: whether the machine keeps the workload's memory from its host.
        evaluation_number: Intel's ``tcbEvaluationDataNumber``, where there is one.
        second_path: name and version of the other verifier that ran, if one did.
    """

    subject: str | None
    checks: Sequence[Check]
    facts: dict[str, Any]
    level: Level | None
    confidential: bool
    evaluation_number: int | None = None
    second_path: str | None = None


def any_failed(checks: Sequence[Check]) -> bool:
    """Whether a check failed."""
    return any(check.state == "failed" for check in checks)


def not_appraised() -> Check:
    """Return the check that stands for all expectations where nothing can be expected."""
    return not_checked(
        "policy", "not reached: nothing can be expected of evidence that does not hold", "policy"
    )
