"""What a contribution is worth: novelty, value, evidence; integers that a second run finds again.

    novelty    records that are new, against all accepted before and within the file
    value      how much the new ones help (``value``), in parts per million
    evidence   what speaks for the records being what they say, by levels:
                 0  the contributor's word               counts half
                 1  the text says all that the order says (``meaning``)   counts whole
    weight     new records x value x evidence, in millionths of a record

A weight of 1,000,000 is one record: new, confirmed, and as useful as can be. It is linear in
records, so nobody gains by dividing a file. Money is shared in proportion to weights.

A file that is mostly somebody's earlier file is a copy: it weighs nothing, whatever else is in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from teeproof.data.factors import evidence_of, weight_of
from teeproof.data.novelty import Twin
from teeproof.data.records import Record
from teeproof.data.value import HeldOut, value_of

__all__ = ["Measured", "measure"]

COPY = 2  # half of the records, or more
MOST_ORIGINALS = 8


@dataclass(frozen=True)
class Measured:
    """Everything that was measured of one file.

    Attributes:
        records: how many it has.
        new: how many are no near-duplicates.
        known: how many are near-duplicates of earlier contributions.
        confirmed: how many texts say all that their order says.
        value: in parts per million.
        originals: of a copy, the numbers of the files that it copies, most copied first.
    """

    records: int
    new: int
    known: int
    confirmed: int
    value: int
    originals: tuple[int, ...]

    @property
    def is_copy(self) -> bool:
        """Whether it is mostly what others sent before."""
        return bool(self.originals)

    @property
    def weight(self) -> int:
        """The weight, in millionths of a record."""
        if self.is_copy:
            return 0
        return weight_of(new=self.new, value=self.value, evidence=self.evidence)

    @property
    def evidence(self) -> int:
        """The evidence factor, in parts per million."""
        return evidence_of(records=self.records, confirmed=self.confirmed)

    @property
    def level(self) -> int:
        """The level that every record reaches: 0 or 1."""
        return int(self.confirmed == self.records)


def measure(
    records: Sequence[Record],
    *,
    twins: Sequence[Twin | None],
    confirmed: int,
    held_out: HeldOut,
) -> Measured:
    """Return what a file's records are worth.

    Args:
        records: all of them.
        twins: for each, its near-duplicate, as ``novelty.Index.twins`` returns them.
        confirmed: how many are confirmed.
        held_out: what value is measured by.
    """
    copied = Counter(twin.file for twin in twins if twin is not None and twin.file is not None)
    known = copied.total()
    new = [record for record, twin in zip(records, twins, strict=True) if twin is None]
    originals = _ranked(copied) if COPY * known >= len(records) else ()
    value = 0 if originals else value_of(new, held_out)
    return Measured(len(records), len(new), known, confirmed, value, originals)


def _ranked(copied: Mapping[int, int]) -> tuple[int, ...]:
    ranked = sorted(copied, key=lambda file: (-copied[file], file))
    return tuple(ranked[:MOST_ORIGINALS])
