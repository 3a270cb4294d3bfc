"""Rows that several pages have, and their JSON twins: a model as trained, and a withdrawal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from teeproof.explorer.made.standing import Standing
from teeproof.training.statements import Training

__all__ = ["Trained", "trained_json", "withdrawn_json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A model, by its digest in hex: the statement that made it, and how that stands."""

    model: str
    id: bytes
    said: Training
    standing: Standing


def trained_json(one: Trained) -> dict[str, Any]:
    """Return a model with its statement, what its trainer says of it, and how that stands."""
    return {
        "model": f"sha256:{one.model}", "statement": f"sha256:{one.id.hex()}",
        "right": one.said.after.right, "of": one.said.after.of, "standing": one.standing.to_json(),
    }  # fmt: skip


def withdrawn_json(found: tuple[bytes, Standing] | None) -> dict[str, Any] | None:
    """Return a withdrawal: its statement, and how that stands; None where there is none."""
    if found is None:
        return None
    return {"statement": f"sha256:{found[0].hex()}", "standing": found[1].to_json()}
