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
    withdrawn-by  the same by one author: the contribution's id and the identity's
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
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

__all__ = ["MOST_TIES", "RELATIONS", "Tie", "Ties", "tied"]

MOST_TIES: Final = 1_000_000
RELATIONS: Final = (
    "model", "trained-on", "answers", "answer-used", "pool", "dataset", "pool-model",
    "pool-answer", "withdrawn", "withdrawn-by",
)  # fmt: skip
_ID = re.compile(r"[0-9a-f]{64}", re.ASCII)
_POOLS = ("dataset", "pool-model")  # ties of a statement of which more is made
_MOST_TERMS = 256
_MOST_OF_ONE = 16  # ties of one statement: whoever names more inputs gains no room


_packed = msgspec.msgpack.Encoder(order="sorted")
_OF_A_POOL: Final = {"trained-on": "pool-model", "answers": "pool-answer"}
_digests: dict[bytes, str] = {}  # of terms that were seen lately: few stand in many statements

Tie = tuple[str, str, bytes]
"""A relation, the name of a thing in hex, and the statement that made the thing, if one is named:
of what that says depends whether there is a tie to a pool, too."""


def tied(read: Read) -> list[Tie]:
    """Return what a statement says of its ties, each once; one whose terms are none has none."""
    found: dict[Tie, None] = {}
    with suppress(Error):
        found = dict.fromkeys(islice(_found(read), _MOST_OF_ONE))
    return list(found)


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

    def add(self, one: bytes, ties: Sequence[Tie]) -> None:
        """Take in a statement by its id, and what ``tied`` says of it."""
        if self.full:
            return
        found = self.of(ties)
        for relation, name in found:
            self._size += 1
            self._ties[relation].setdefault(name, []).append(one)
        pool = next((name for relation, name in found if relation in _POOLS), None)
        if pool is not None:
            self._pools.setdefault(one, pool)
        self.full = self._size >= MOST_TIES

    def of(self, ties: Sequence[Tie]) -> list[tuple[str, str]]:
        """Return a statement's ties, those to pools too, each once."""
        found: dict[tuple[str, str], None] = {}
        for relation, name, made_by in ties:
            found[relation, name] = None
            pool = self._pools.get(made_by) if made_by else None
            if pool is not None:
                found[_OF_A_POOL[relation], pool] = None
        return list(islice(found, _MOST_OF_ONE))

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


def _found(read: Read) -> Iterator[Tie]:
    said = None if read.statement is None else read.statement.predicate
    if read.receipt is not None:
        yield from _made_of(read, role="model", relation="answers")
    elif isinstance(said, Training):
        for subject in read.subjects:
            if subject.name == MODEL:
                yield "model", subject.digest["sha256"], b""
        yield from _made_of(read, role="dataset", relation="trained-on")
    elif isinstance(said, Dataset):
        yield "dataset", _digest(said.terms), b""
    elif isinstance(said, Contribution):
        yield "pool", _digest(said.terms), b""
    elif isinstance(said, Withdrawn) and _ID.fullmatch(said.contribution):
        yield "withdrawn", said.contribution, b""
        if read.author is not None:
            yield "withdrawn-by", said.contribution + read.author.hex(), b""
    for link in read.links:
        if link.role == "answer" and link.statement is not None:
            yield "answer-used", link.statement.hex(), b""


def _made_of(read: Read, *, role: str, relation: str) -> Iterator[Tie]:
    for link in read.links:
        if link.role == role:
            yield relation, link.digest.removeprefix("sha256:"), link.statement or b""


def _digest(terms: PoolTerms) -> str:
    """Return the digest of terms, hex."""
    form = _packed.encode(terms)
    found = _digests.get(form)
    if found is None:
        found = terms.digest.hex()
        if len(_digests) >= _MOST_TERMS:
            _digests.clear()
        _digests[form] = found
    return found
