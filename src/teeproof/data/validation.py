"""Judge one contribution: from a sealed file and its key to a decision in counts and factors.

The same file, against the same accepted data, the same held-out set and the same seed, gets the
same decision and the same numbers in every run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Error, Unavailable
from teeproof.core.sealed import DataKey
from teeproof.data.factors import novelty_of
from teeproof.data.novelty import Index, Sketches
from teeproof.data.records import Fault, read_records
from teeproof.data.snapshot import open_file, part_root
from teeproof.data.statements import LineFault, Scores
from teeproof.data.terms import PoolTerms
from teeproof.data.value import HeldOut
from teeproof.data.weights import Measured, measure

__all__ = ["Outcome", "Yardstick", "judge_file", "refused"]

MOST_REASONS = 20


@dataclass(frozen=True)
class Yardstick:
    """What every file of a pool is measured by.

    Attributes:
        terms: the pool's.
        held_out: the held-out set.
        seed: 32 secret bytes, for near-duplicates.
    """

    terms: PoolTerms
    held_out: HeldOut
    seed: bytes = field(repr=False)

    @property
    def seed_digest(self) -> str:
        """``sha256:…`` of the seed."""
        return named(sha256(b"teeproof.data-seed.v1", self.seed))


@dataclass(frozen=True)
class Outcome:
    """The decision on one file.

    Attributes:
        decision: what became of it.
        reasons: of a refused file, its first faults.
        faults: how many there are.
        scores: of any other file.
        weight: in millionths of a record.
        originals: of a copy, the places of what it copies.
        root: over the records, hex; None of a refused file.
        sketches: of an accepted file, what later ones are compared with.
    """

    decision: Literal["accepted", "copy", "refused"]
    reasons: tuple[LineFault, ...] = ()
    faults: int = 0
    scores: Scores | None = None
    weight: int = 0
    originals: tuple[int, ...] = ()
    root: str | None = None
    sketches: Sketches | None = None


def judge_file(
    blob: bytes, *, key: Callable[[], DataKey], index: Index, yardstick: Yardstick
) -> Outcome:
    """Return what is to be said of a sealed file.

    Args:
        blob: the sealed file.
        key: gets its data key; what it raises but ``Unavailable`` is a reason to refuse the file.
        index: all that was accepted before; it is not changed.
        yardstick: the pool's.

    Raises:
        Unavailable: the key could not be had now; ask again later.
    """
    try:
        return _judge(blob, key, index, yardstick)
    except Unavailable:
        raise
    except Error as error:
        return refused(error)
    except Exception:  # a fault of ours: if it came out, it would hold up everyone behind
        return refused(Error("the pool made a mistake with this file", code="judge_failed"))


def refused(error: Error) -> Outcome:
    """Return the decision on a file that could not be opened or read."""
    return _refused([Fault(0, error.code, error.detail)])


def _judge(blob: bytes, key: Callable[[], DataKey], index: Index, yardstick: Yardstick) -> Outcome:
    terms, data_key = yardstick.terms, key()
    plain = open_file(blob, key=data_key, max_bytes=terms.max_bytes)
    contents = read_records(
        plain, max_bytes=terms.max_bytes, max_records=terms.max_records,
        min_records=terms.min_records,
    )  # fmt: skip
    if contents.faults:
        return _refused(contents.faults)
    sketches = Sketches.of([r.text for r in contents.records], seed=yardstick.seed)
    measured = measure(
        contents.records, twins=index.twins(sketches), confirmed=contents.confirmed,
        held_out=yardstick.held_out,
    )  # fmt: skip
    return Outcome(
        decision="copy" if measured.is_copy else "accepted",
        scores=_scores(measured, yardstick.seed_digest),
        weight=measured.weight,
        originals=measured.originals,
        root=part_root(contents.records, key=data_key).hex(),
        sketches=None if measured.is_copy else sketches,
    )


def _refused(faults: Sequence[Fault]) -> Outcome:
    reasons = tuple(LineFault(fault.line, fault.code) for fault in faults[:MOST_REASONS])
    return Outcome("refused", reasons=reasons, faults=len(faults))


def _scores(measured: Measured, seed: str) -> Scores:
    return Scores(
        records=measured.records,
        new=measured.new,
        known=measured.known,
        confirmed=measured.confirmed,
        novelty=novelty_of(records=measured.records, new=measured.new),
        value=measured.value,
        evidence=measured.evidence,
        level=measured.level,
        seed=seed,
    )
