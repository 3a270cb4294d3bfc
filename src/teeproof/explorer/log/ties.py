"""Which statements belong to one thing: the trainings of a model, the answers that it gave, a pool.

It is fed by the index with what its author signed, and holds a bounded number of ids in memory. It
believes what statements say of themselves: whoever shows a tie says what of it was checked.

    model         trainings that name a digest as their model
    trained-on    trainings of a dataset, by its digest
    answers       receipts that name a model, by its digest
    answer-used   statements that took a receipt's answer as an input, by the receipt's id
    pool          contributions to a pool, by the digest of its terms
    dataset       datasets of a pool
    pool-model    trainings of a pool's datasets
    pool-answer   receipts of models that were trained on a pool's datasets
    withdrawn     withdrawals of a contribution, by its id
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import msgspec

from teeproof.core.errors import Error
from teeproof.data.statements import Contribution, Dataset, Withdrawn
from teeproof.data.terms import PoolTerms
from teeproof.proof.source import Read
from teeproof.training.statements import MODEL, Training

__all__ = ["MOST_TIES", "RELATIONS", "Ties"]

MOST_TIES: Final = 1_000_000
RELATIONS: Final = (
    "model", "trained-on", "answers", "answer-used", "pool", "dataset", "pool-model",
    "pool-answer", "withdrawn",
)  # fmt: skip
_ID = re.compile(r"[0-9a-f]{64}", re.ASCII)
_POOLS = ("dataset", "pool-model")  # ties of a statement of which more is made
_MOST_TERMS = 256
_packed = msgspec.msgpack.Encoder(order="sorted")
_MOST_OF_ONE = 16  # ties of one statement: whoever names more inputs gains no room


@dataclass(slots=True)
class Ties:
    """The lists: oldest first inside.

    Attributes:
        full: whether there was no more room; then later statements have no ties.
    """

    full: bool = False
    _size: int = 0
    _ties: dict[str, dict[str, list[bytes]]] = field(
        default_factory=lambda: {relation: {} for relation in RELATIONS}
    )
    _pools: dict[bytes, str] = field(default_factory=dict)  # by a dataset's or training's id
    _digests: dict[bytes, str] = field(default_factory=dict)  # of terms that were seen lately

    def add(self, read: Read) -> list[tuple[str, str]]:
        """Take in a statement, and return its ties."""
        if self.full:
            return []
        found = self.of(read)
        for relation, name in found:
            self._size += 1
            self._ties[relation].setdefault(name, []).append(read.id)
        pool = next((name for relation, name in found if relation in _POOLS), None)
        if pool is not None:
            self._pools.setdefault(read.id, pool)
        self.full = self._size >= MOST_TIES
        return found

    def of(self, read: Read) -> list[tuple[str, str]]:
        """Return a statement's ties, each once; one whose terms are none has none."""
        found: dict[tuple[str, str], None] = {}
        with suppress(Error):
            found = dict.fromkeys(islice(self._found(read), _MOST_OF_ONE))
        return list(found)

    def count(self, relation: str, name: str) -> int:
        """Return how many statements have a tie."""
        return len(self._ties[relation].get(name, ()))

    def first(self, relation: str, name: str, *, count: int) -> list[bytes]:
        """Return the ids of the oldest statements of a tie, oldest first."""
        return self._ties[relation].get(name, [])[:count]

    def latest(self, relation: str, name: str, *, start: int = 0, count: int = 100) -> list[bytes]:
        """Return the ids of a tie's statements, newest first."""
        every = self._ties[relation].get(name, [])
        end = max(0, len(every) - start)
        return every[max(0, end - count) : end][::-1]

    def names(self, relation: str, *, count: int = 100) -> list[str]:
        """Return what has such ties, in hex: what was named last for the first time, first."""
        return list(islice(reversed(self._ties[relation]), count))

    def names_count(self, relation: str) -> int:
        """Return how many things have such ties."""
        return len(self._ties[relation])

    def pool_of(self, statement: bytes) -> str | None:
        """Return the pool of a dataset or a training by its id: the digest of its terms, hex."""
        return self._pools.get(statement)

    def _found(self, read: Read) -> Iterator[tuple[str, str]]:
        said = None if read.statement is None else read.statement.predicate
        if read.receipt is not None:
            yield from self._of_receipt(read)
        elif isinstance(said, Training):
            yield from self._of_training(read)
        elif isinstance(said, Dataset):
            yield "dataset", self._digest(said.terms)
        elif isinstance(said, Contribution):
            yield "pool", self._digest(said.terms)
        elif isinstance(said, Withdrawn) and _ID.fullmatch(said.contribution):
            yield "withdrawn", said.contribution
        for link in read.links:
            if link.role == "answer" and link.statement is not None:
                yield "answer-used", link.statement.hex()

    def _digest(self, terms: PoolTerms) -> str:
        """Return the digest of terms, hex; few terms stand in many statements."""
        form = _packed.encode(terms)
        found = self._digests.get(form)
        if found is None:
            if len(self._digests) >= _MOST_TERMS:
                self._digests.clear()
            found = self._digests[form] = terms.digest.hex()
        return found

    def _of_training(self, read: Read) -> Iterator[tuple[str, str]]:
        for subject in read.subjects:
            if subject.name == MODEL:
                yield "model", subject.digest["sha256"]
        for link in read.links:
            if link.role == "dataset":
                yield "trained-on", link.digest.removeprefix("sha256:")
                pool = self._pools.get(link.statement or b"")
                if pool is not None:
                    yield "pool-model", pool

    def _of_receipt(self, read: Read) -> Iterator[tuple[str, str]]:
        for link in read.links:
            if link.role == "model":
                yield "answers", link.digest.removeprefix("sha256:")
                pool = self._pools.get(link.statement or b"")
                if pool is not None:
                    yield "pool-answer", pool
