"""Choose the next token: the greatest score, or a draw that its seed and settings determine.

At temperature 0 nothing is drawn. Otherwise scores are divided by the temperature, the smallest set
of tokens whose shares reach ``top_p`` is kept, and one is drawn with NumPy's PCG64 from the seed:
whoever has the seed, which stands in the receipt, can draw again.
"""

from __future__ import annotations

from dataclasses import dataclass

from teeproof.inference.engine.arrays import Array

__all__ = ["Chooser", "Sampling"]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen.

    Attributes:
        temperature: 0 for the greatest score.
        top_p: above 0, at most 1.
        seed: below 2^53, so that a receipt can hold it.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0


class Chooser:
    """Chooses the tokens of one answer, in order."""

    def __init__(self, sampling: Sampling) -> None:
        import numpy as np  # noqa: PLC0415  only who runs a model pays for it

        self._sampling = sampling
        self._random = np.random.Generator(np.random.PCG64(sampling.seed))

    def choose(self, scores: Array) -> int:
        """Return the next token."""
        import numpy as np  # noqa: PLC0415  as above

        if self._sampling.temperature == 0:
            return int(scores.argmax())
        exact = scores.astype(np.float64)
        shares = np.exp((exact - exact.max()) / self._sampling.temperature)
        shares /= shares.sum()
        order = np.argsort(-shares, kind="stable")
        reached = np.cumsum(shares[order])
        kept = int(np.searchsorted(reached, self._sampling.top_p)) + 1
        drawn = self._random.random() * reached[min(kept, len(reached)) - 1]
        return int(order[min(int(np.searchsorted(reached, drawn, side="right")), kept - 1)])
