"""The latest things of each family, for the page of what is here, and where a statement leads."""

from __future__ import annotations

from collections.abc import Iterator

from teeproof.core.errors import Error
from teeproof.core.text import many
from teeproof.data.statements import Contribution, Dataset
from teeproof.explorer.log.content import Book
from teeproof.explorer.made.events import first_of
from teeproof.explorer.telling.times import moment
from teeproof.proof.source import Read
from teeproof.training.statements import MODEL, Training

__all__ = ["Line", "answers", "led_to", "models", "named_by", "pools"]

Line = tuple[str, str, str]
"""A page's address, the thing's name, a clause about it."""


def models(book: Book, count: int) -> tuple[list[Line], int]:
    """Return the latest models, and how many there are."""
    ties, lines = book.ties, list[Line]()
    for digest, read in _firsts(book, "model", count):
        said = None if read.statement is None else read.statement.predicate
        assert isinstance(said, Training)  # so the ties found it
        good = f"{said.after.right} of {said.after.of} held-out orders right, as its trainer says"
        words = f"{good}; {ties.count('answers', digest)} answers"
        lines.append((f"/model/{digest}", f"model {digest[:8]}", words))
    return lines, ties.names_count("model")


def answers(book: Book, count: int) -> tuple[list[Line], int]:
    """Return the latest answers, and how many there are."""
    roll, lines = book.roll, list[Line]()
    newest = roll.of("aci/1", count=count)
    reads = book.reads([bytes.fromhex(one.id) for one in newest])
    for one, read in zip(newest, reads, strict=True):
        body = {} if read.receipt is None else read.receipt.body
        when = moment(body.get("served_at")) or "a day that it does not tell"
        refused = "refused a request" if first_of(body, "x.refusal") else "answered a request"
        lines.append((f"/answer/{one.id}", f"answer {one.id[:8]}", f"{refused} on {when}"))
    return lines, roll.count("aci/1")


def pools(book: Book, count: int) -> tuple[list[Line], int]:
    """Return the latest pools, and how many there are."""
    ties, lines = book.ties, list[Line]()
    for digest, read in _firsts(book, "pool", count):
        said = None if read.statement is None else read.statement.predicate
        assert isinstance(said, Contribution)
        words = ", ".join(
            many(ties.count(tie, digest), noun)
            for tie, noun in (("pool", "contribution"), ("dataset", "dataset"),
                              ("pool-model", "training"))
        )  # fmt: skip
        lines.append((f"/pool/{digest}", f"pool “{said.terms.name}”", words))
    return lines, ties.names_count("pool")


def _firsts(book: Book, relation: str, count: int) -> list[tuple[str, Read]]:
    """Return the latest names of a tie, each with its oldest statement; the log is opened once."""
    names = book.ties.names(relation, count=count)
    firsts = [book.ties.first(relation, name, count=1)[0] for name in names]
    return list(zip(names, book.reads(firsts), strict=True))


def named_by(book: Book, text: str) -> list[tuple[str, str]]:
    """Return the pages of the model and the pool that a whole digest names, and words."""
    digest = text.strip().lower().removeprefix("sha256:")
    found = []
    if book.ties.count("model", digest) or book.ties.count("answers", digest):
        found.append((f"/model/{digest}", "a model"))
    if book.ties.count("pool", digest) or book.ties.count("dataset", digest):
        found.append((f"/pool/{digest}", "a pool"))
    return found


def led_to(read: Read) -> Iterator[tuple[str, str]]:
    """Yield the pages of the models, answers and pools that a statement speaks of, and words."""
    said = None if read.statement is None else read.statement.predicate
    if read.receipt is not None:
        yield f"/answer/{read.id.hex()}", "its answer"
    if isinstance(said, Training):
        for one in read.subjects:
            if one.name == MODEL:
                yield f"/model/{one.digest['sha256']}", "the model that was made"
    if isinstance(said, Contribution | Dataset):
        try:
            yield f"/pool/{said.terms.digest.hex()}", "its pool"
        except Error:
            return  # terms that are none lead nowhere
    for link in read.links:
        if link.role == "model":
            yield f"/model/{link.digest[7:]}", "the model that ran"
        if link.role == "answer" and link.statement is not None:
            yield f"/answer/{link.statement.hex()}", "the answer that was used"
