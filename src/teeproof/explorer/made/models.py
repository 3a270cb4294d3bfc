"""A model: the trainings that claim it, what it was made of, how good it is said to be.

Anybody who may write to the log can claim to have made a model. The oldest claims are looked at:
none of them can be a copy of a later one; of these the first that holds counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Final

from teeproof.core.errors import Error, Unavailable
from teeproof.core.weights import DTYPES
from teeproof.data.statements import Dataset, DatasetPart
from teeproof.explorer.log.content import Book, Page
from teeproof.explorer.made.rows import Trained
from teeproof.explorer.made.standing import UNCHECKED, Standing, looked_at
from teeproof.proof.source import Read
from teeproof.training.statements import MODEL, TensorSaid, Training

__all__ = [
    "MOST_CLAIMS",
    "MOST_PARTS",
    "Claim",
    "Model",
    "Part",
    "model_of",
    "part_names",
    "size_of",
    "withdrawal_of",
]

MOST_CLAIMS: Final = 8
MOST_PARTS: Final = 100
MOST_OTHERS: Final = 6
_LOOKS = 10  # withdrawals that one page checks
_WITHDRAWALS = 3  # claims of one withdrawal that are verified
_MOST_CLAIMED = 100  # and that are read


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A training statement that names the model, and how it stands; no page if unreadable."""

    id: bytes
    page: Page | None
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a dataset, as a training took it.

    Attributes:
        part: as the dataset states it.
        used: how many of its records were trained on; None where the part was left out.
        share: of what the data earns by this model, in millionths; 0 of what was left out.
        statement: id of the pool's statement on the contribution; None if it names none.
        withdrawn: the withdrawal's statement and how it stands; None if nobody claims one.
    """

    part: DatasetPart
    used: int | None
    share: int
    statement: bytes | None
    withdrawn: tuple[bytes, Standing] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model.

    Attributes:
        digest: its root, hex.
        claims: the oldest statements that claim to have made it.
        claimed: how many there are.
        chosen: the claim that counts; None if nobody says how the model was made.
        said: what that claim says.
        datasets: the statements of its data that are here.
        parts: of these datasets, with what became of them.
        more_parts: how many further parts there are.
        others: other models of the same data.
        more_others: how many further trainings there are.
        pool: digest of the pool's terms, hex, if the data came of one.
    """

    digest: str
    claims: tuple[Claim, ...]
    claimed: int
    chosen: Claim | None
    said: Training | None
    datasets: tuple[Read, ...] = ()
    parts: tuple[Part, ...] = ()
    more_parts: int = 0
    others: tuple[Trained, ...] = ()
    more_others: int = 0
    pool: str | None = None

    @property
    def page(self) -> Page | None:
        """The page of the statement that counts."""
        return None if self.chosen is None else self.chosen.page


def model_of(book: Book, digest: str) -> Model:
    """Return what a log says of a model.

    Raises:
        Unavailable: it speaks of no such model (``model_not_here``).
    """
    ties = book.ties
    claimed = ties.count("model", digest)
    if not claimed and not ties.count("answers", digest):
        raise Unavailable(
            "the log has nothing on such a model that its author signed", code="model_not_here",
            expected="the digest of a model that a training made, or that answered", got=digest,
        )  # fmt: skip
    claims = []
    for one in ties.first("model", digest, count=MOST_CLAIMS):
        page, standing = looked_at(book, one)
        claims.append(Claim(id=one, page=page, standing=standing))
    chosen = _best(claims)
    said = None if chosen is None else _said(chosen.page)
    if chosen is None or said is None or chosen.page is None:
        return Model(digest=digest, claims=tuple(claims), claimed=claimed, chosen=chosen, said=None)
    datasets = _datasets(book, chosen.page.read)
    every = [row for dataset in datasets for row in _rows(dataset)]
    author = next((dataset.author for dataset in datasets), None)
    others, more = _others(book, chosen.page.read, digest)
    return Model(
        digest=digest, claims=tuple(claims), claimed=claimed, chosen=chosen, said=said,
        datasets=datasets, parts=_parts(book, said, every, author), others=others, more_others=more,
        more_parts=max(0, len(every) - MOST_PARTS), pool=ties.pool_of(chosen.id),
    )  # fmt: skip


def size_of(tensor: TensorSaid) -> int | None:
    """Return how many bytes a tensor has; None if its type or shape is none."""
    width = DTYPES.get(tensor.dtype)
    if width is None or any(one < 0 for one in tensor.shape) or len(tensor.shape) > 16:
        return None
    return prod(tensor.shape) * width


def part_names(parts: Sequence[Part]) -> dict[str, str]:
    """Return a short name for each file: its place in the order of arrival."""
    return {one.part.file: f"contribution {one.part.sequence}" for one in parts}


def withdrawal_of(
    book: Book, contribution: str, *, author: bytes | None
) -> tuple[bytes, Standing] | None:
    """Return a statement that a contribution was withdrawn, and how it stands; None without one.

    Anybody can claim one, so what the pool itself says is looked at first, and of a few claims the
    first that holds is taken; where none does, that is told.

    Args:
        book: the log.
        contribution: its id, hex.
        author: identity of whoever spoke for the pool when the contribution came.
    """
    ids = book.ties.first("withdrawn", contribution, count=_MOST_CLAIMED)
    count = book.ties.count("withdrawn", contribution)
    if count > len(ids) and author is not None:  # others' do not hide what the pool itself said
        own = book.ties.latest("withdrawn-by", contribution + author.hex(), count=_WITHDRAWALS)
        ids = [*own, *ids]
    claims = book.reads(list(dict.fromkeys(ids)))
    claims.sort(key=lambda read: read.author != author)
    found = [(read.id, looked_at(book, read.id)[1]) for read in claims[:_WITHDRAWALS]]
    return min(found, key=lambda each: not each[1].ok, default=None)


def _best(claims: Sequence[Claim]) -> Claim | None:
    """Return the first claim that holds; else the first of the least grave kind."""
    order = {0: 0, 4: 1, 3: 2, 2: 3}
    known = [one for one in claims if _said(one.page) is not None]
    return min(known, key=lambda one: order.get(one.standing.code or 0, 3), default=None)


def _said(page: Page | None) -> Training | None:
    found = None if page is None or page.read.statement is None else page.read.statement.predicate
    return found if isinstance(found, Training) else None


def _datasets(book: Book, read: Read) -> tuple[Read, ...]:
    found: list[Read] = []
    for link in read.links:
        if link.role == "dataset" and link.statement is not None and len(found) < MOST_CLAIMS:
            try:
                found += book.reads([link.statement])
            except Error:
                continue  # the pages say that the statement is not here
    return tuple(found)


def _rows(dataset: Read) -> list[tuple[DatasetPart, bytes | None]]:
    said = None if dataset.statement is None else dataset.statement.predicate
    if not isinstance(said, Dataset):
        return []
    links = [link.statement for link in dataset.links if link.role == "contribution"]
    links += [None] * len(said.parts)
    return list(zip(said.parts, links, strict=False))


def _parts(
    book: Book,
    said: Training,
    rows: Sequence[tuple[DatasetPart, bytes | None]],
    author: bytes | None,
) -> tuple[Part, ...]:
    used = {source.file: source.records for source in said.sources}
    whole = sum(part.weight for part, _ in rows if used.get(part.file, 0) > 0)
    looks, found = _LOOKS, list[Part]()
    for part, statement in rows[:MOST_PARTS]:
        records = used.get(part.file)
        earns = part.weight if records and whole > 0 else 0
        withdrawn: tuple[bytes, Standing] | None = None
        if book.ties.count("withdrawn", part.contribution):
            first = book.ties.first("withdrawn", part.contribution, count=1)[0]
            withdrawn = first, UNCHECKED
            if looks:
                withdrawn = withdrawal_of(book, part.contribution, author=author) or withdrawn
                looks -= 1
        found.append(
            Part(part=part, used=records, share=earns * 1_000_000 // max(1, whole),
                 statement=statement, withdrawn=withdrawn)
        )  # fmt: skip
    return tuple(found)


def _others(book: Book, read: Read, digest: str) -> tuple[tuple[Trained, ...], int]:
    ties = book.ties
    data = [link.digest[7:] for link in read.links if link.role == "dataset"][:MOST_CLAIMS]
    ids = [
        one
        for each in data
        for one in ties.latest("trained-on", each, count=MOST_OTHERS + MOST_CLAIMS + 1)
    ]
    found: dict[str, Trained] = {}
    for one in dict.fromkeys(ids):
        (other,) = book.reads([one])
        model = next((s.digest["sha256"] for s in other.subjects if s.name == MODEL), digest)
        said = None if other.statement is None else other.statement.predicate
        if model == digest or model in found or not isinstance(said, Training):
            continue
        if len(found) >= MOST_OTHERS:
            break
        standing = looked_at(book, one)[1]
        found[model] = Trained(model=model, id=one, said=said, standing=standing)
    every = sum(ties.count("trained-on", each) for each in data)
    mine = min(ties.count("model", digest), every)
    return tuple(found.values()), max(0, every - mine - len(found))
