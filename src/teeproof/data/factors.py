"""The factors of a weight and how they multiply: integers, which a verifier computes again."""

from __future__ import annotations

from typing import Final

__all__ = ["MILLION", "evidence_of", "novelty_of", "weight_of"]

MILLION: Final = 1_000_000


def weight_of(*, new: int, value: int, evidence: int) -> int:
    """Return the weight that follows from the three factors; what a verifier computes again."""
    return new * value * evidence // MILLION


def evidence_of(*, records: int, confirmed: int) -> int:
    """Return the evidence factor, parts per million: half for each record, whole if confirmed."""
    return MILLION * (records + confirmed) // (2 * records)


def novelty_of(*, records: int, new: int) -> int:
    """Return the share of new records, parts per million."""
    return MILLION * new // records
