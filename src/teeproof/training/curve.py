"""How a training went, as a few dozen numbers: the loss on the way, and the held-out orders.

A loss is the mean over the steps since the point before it, so that no step is left out; what is
kept is bounded, however long the training is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

__all__ = ["MOST_POINTS", "Curve"]

MOST_POINTS: Final = 64
"""Losses that are kept of one training."""
LOOKS: Final = 4
"""Into how many parts the training is divided by looks at the held-out orders."""


@dataclass(slots=True)
class Curve:
    """Follows a training.

    Attributes:
        steps: how many there will be.
        measure: says how many held-out orders are right just now.
        losses: step and mean loss since the step before.
        held_out: step and how many were right, between the first step and the last.
    """

    steps: int
    measure: Callable[[], int]
    losses: list[tuple[int, float]] = field(default_factory=list)
    held_out: list[tuple[int, int]] = field(default_factory=list)
    _sum: float = 0.0
    _since: int = 0

    def take(self, step: int, loss: float) -> None:
        """Take in one step, counted from 1."""
        self._sum += loss
        self._since += 1
        if step % math.ceil(self.steps / MOST_POINTS) == 0 or step == self.steps:
            self.losses.append((step, self._sum / self._since))
            self._sum, self._since = 0.0, 0
        if step < self.steps and step in {self.steps * k // LOOKS for k in range(1, LOOKS)}:
            self.held_out.append((step, self.measure()))
