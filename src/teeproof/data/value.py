"""What records are worth: do they help to tell the shape of orders that nobody has seen?

The pool has a held-out set of typed orders, sealed for its validator alone. Half of it is the
*reference*, which any pool could start from, half are *probes*. A new file's records join the
reference; each probe is answered by its nearest neighbour, and each record gets its Shapley value
in that game: how much it helps on average, over all orders in which the records could have come.
Near are texts that share words (Dice), numbers and symbols apart: those are copied, not understood.
The answers are the orders' shapes (side, condition, usual part).

    value of a record = (its Shapley value x the number of records - chance) / (1 - chance)
    value of a file   = the mean over its new records, from 0 to 1

Records far from every probe (noise) are worth what chance is: nothing. Records that lie near and
have a wrong shape (mislabelled copies) are worth less than nothing and pull their file down. What
other contributors sent does not enter, so nobody's value depends on who came first; that is what
novelty is for (``novelty``).

Counting is in integers and every sort is stable, so a second run finds the same value.

Source: Jia et al., "Efficient task-specific data valuation for nearest neighbor algorithms" (2019),
theorem 1 with K = 1.  Trusts: whoever made the held-out set; who knows it can write to it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from teeproof.core.errors import Usage
from teeproof.data.novelty import normalise
from teeproof.data.records import Record

__all__ = ["HeldOut", "value_of"]

_NUMBER = re.compile(r"\d[\d,.]*(?!\d*%)")  # but percentages: they say which part
_SYMBOL = re.compile(r"\b[A-Z]{2,5}\b")
MOST = 512  # held-out records that are used: the first ones
LEAST = 20


@dataclass(frozen=True)
class HeldOut:
    """The held-out set, cut in two.

    Attributes:
        reference: what every file is measured together with.
        probes: what is asked.
    """

    reference: tuple[Record, ...]
    probes: tuple[Record, ...]

    @classmethod
    def of(cls, records: Sequence[Record]) -> HeldOut:
        """Return a held-out set.

        Raises:
            Usage: code ``held_out_small``.
        """
        if len(records) < LEAST:
            raise Usage(
                "a held-out set this small measures nothing: take more records",
                code="held_out_small",
                expected=f"at least {LEAST} records",
                got=str(len(records)),
            )
        used = tuple(records[:MOST])
        return cls(used[::2], used[1::2])

    @property
    def chance(self) -> float:
        """How often a random reference's shape is a random probe's: what knowing nothing earns."""
        ours, asked = Counter(map(_shape, self.reference)), Counter(map(_shape, self.probes))
        hits = sum(count * asked[shape] for shape, count in ours.items())
        return hits / (len(self.reference) * len(self.probes))


def value_of(records: Sequence[Record], held_out: HeldOut) -> int:
    """Return the value of a file's new records in parts per million, 0 to 1,000,000."""
    if not records:
        return 0
    everyone = (*held_out.reference, *records)
    values = _shapley(everyone, held_out.probes)
    # Exact sums of floats: the order in which a machine adds them changes nothing.
    mean = math.fsum(values[len(held_out.reference) :]) * len(everyone) / len(records)
    chance = held_out.chance
    if chance == 1:
        return 0
    return round(1_000_000 * min(1.0, max(0.0, (mean - chance) / (1 - chance))))


def _shapley(everyone: Sequence[Record], probes: Sequence[Record]) -> list[float]:
    """Return the Shapley value of each record, as the mean over all probes."""
    import numpy as np  # noqa: PLC0415  an extra

    count = len(everyone)
    shapes = [record.order.shape for record in everyone]
    kinds = {shape: n for n, shape in enumerate(dict.fromkeys(shapes))}
    labels = np.array([kinds[shape] for shape in shapes])
    near = _Neighbours(everyone)
    ranks = np.arange(1, count)
    totals = np.zeros(count)
    for probe in probes:
        order = near.order(probe.text)
        hits = (labels[order] == kinds.get(probe.order.shape, -1)).astype(np.int64)
        value = np.empty(count)
        value[-1] = hits[-1] / count
        gains = (hits[:-1] - hits[1:]) / ranks
        value[:-1] = value[-1] + np.cumsum(gains[::-1])[::-1]
        totals[order] += value
    return [float(total) / len(probes) for total in totals]


class _Neighbours:
    """Texts by how alike they are to another, nearest first."""

    def __init__(self, records: Sequence[Record]) -> None:
        import numpy as np  # noqa: PLC0415  an extra

        found: dict[str, list[int]] = {}
        sizes = []
        for number, record in enumerate(records):
            frame = _frame(record.text)
            sizes.append(len(frame))
            for word in frame:
                found.setdefault(word, []).append(number)
        self._sizes = np.array(sizes, dtype=np.int64)
        self._holders = {word: np.array(held) for word, held in found.items()}

    def order(self, text: str) -> Any:
        """Return the numbers of all texts; equals stand in their own order."""
        import numpy as np  # noqa: PLC0415  an extra

        asked = _frame(text)
        shared: Any = np.zeros(len(self._sizes), dtype=np.int64)
        for word in asked:
            holders = self._holders.get(word)
            if holders is not None:
                shared[holders] += 1
        return np.argsort(-(2 * shared / (self._sizes + len(asked))), kind="stable")


def _frame(text: str) -> frozenset[str]:
    """Return the words of a text, numbers and symbols apart."""
    return frozenset(normalise(_NUMBER.sub("0", _SYMBOL.sub("X", text))).split())


def _shape(record: Record) -> str:
    return record.order.shape
