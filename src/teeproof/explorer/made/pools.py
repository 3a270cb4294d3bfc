"""A pool: its terms, what came in and what became of it, what was made of it, what it earned.

Nothing here is anybody's data: the pool's statements have counts and factors, and no place for a
text. Contributors are named by their keys and accounts, as the statements name them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from teeproof.core.errors import Unavailable
from teeproof.data.statements import Contribution, Dataset
from teeproof.data.terms import PoolTerms
from teeproof.explorer.log.content import Book, Page
from teeproof.explorer.log.together import signed_of
from teeproof.explorer.made.answers import divided
from teeproof.explorer.made.models import MOST_PARTS, withdrawal_of
from teeproof.explorer.made.rows import Trained
from teeproof.explorer.made.standing import UNCHECKED, Standing, looked_at, standing_of
from teeproof.training.statements import MODEL, Training

__all__ = ["MOST_ANSWERS", "Came", "Earned", "Made", "Pool", "pool_of"]

MOST_MADE: Final = 20
MOST_ANSWERS: Final = 20
"""Of which the fees are added up; each is verified."""
_AUTHORS = 5  # of which the newest word is verified, for what the answer is about
_GRAVITY: Final[dict[int | None, int]] = {0: 0, 4: 1, 3: 2, 2: 3}  # by exit code
_LOOKS = 10  # contributions, and withdrawals, that a page verifies one by one


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """A contribution, what the pool says became of it, and how that stands.

    Attributes:
        id: of the pool's statement.
        said: the statement.
        author: identity of whoever spoke for the pool, hex.
        standing: of the statement.
        withdrawn: the withdrawal's statement and how it stands; None if nobody claims one.
    """

    id: bytes
    said: Contribution
    author: str
    standing: Standing
    withdrawn: tuple[bytes, Standing] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A dataset: its statement, its digest, and which of its parts were withdrawn since.

    Attributes:
        left: contributions of which a withdrawal holds.
        claimed: of how many further parts a withdrawal is claimed that does not hold, or was not
            looked at.
    """

    id: bytes
    digest: str
    said: Dataset
    standing: Standing
    left: tuple[str, ...]
    claimed: int


@dataclass(slots=True)
class Earned:
    """What the fees of the latest answers come to, by account.

    Attributes:
        looked: how many answers were looked at.
        held: how many of these hold, and cost something that could be divided.
        parts: what each account gets of the data's share, by token and account, in base units.
        counts: of how many answers each.
    """

    looked: int = 0
    held: int = 0
    parts: dict[tuple[str, str], int] = field(default_factory=dict)
    counts: dict[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A pool.

    Attributes:
        digest: of its terms, hex.
        terms: what it is.
        page: of its newest dataset that holds, else contribution: what the answer is about.
        standing: of that.
        came: contributions, newest first.
        count: how many there are.
        start: how many newer ones there are than those that are here.
        made: datasets, newest first; more_made: how many further ones there are.
        trained: models, newest first; more_trained: how many further ones there are.
        earned: what its data earned.
        answers: how many answers its models gave.
        all_tried: whether of every author who speaks of it a statement was looked at, until one
            held.
        left_out: how many records name it and are not signed by whom they name as their author.
    """

    digest: str
    terms: PoolTerms
    page: Page
    standing: Standing
    came: tuple[Came, ...]
    count: int
    start: int
    made: tuple[Made, ...]
    more_made: int
    trained: tuple[Trained, ...]
    more_trained: int
    earned: Earned
    answers: int
    all_tried: bool
    left_out: int

    @property
    def speakers(self) -> int:
        """How many identities speak for the pool in what is shown."""
        return len({one.author for one in self.came})


def pool_of(book: Book, digest: str, *, start: int = 0) -> Pool:
    """Return what a log says of a pool; ``start``: how many of the newest contributions to skip.

    Raises:
        Unavailable: it speaks of no such pool (``pool_not_here``).
    """
    ties = book.ties
    sets, files = ties.latest("dataset", digest, count=MOST_MADE), ties.count("pool", digest)
    spoken = ties.latest("dataset", digest) or ties.latest("pool", digest)
    if not spoken:
        raise Unavailable(
            "the log has nothing on such a pool that its author signed", code="pool_not_here",
            expected="the digest of a pool's terms", got=digest,
        )  # fmt: skip
    about, all_tried = _about(book, spoken)
    page = book.page(about)
    relation = "dataset" if sets else "pool"
    said = None if page.read.statement is None else page.read.statement.predicate
    assert isinstance(said, Dataset | Contribution)  # so the ties found it
    gone = _Gone(book)
    came = _came(book, page, ties.latest("pool", digest, start=start, count=MOST_PARTS), gone)
    trained = ties.latest("pool-model", digest, count=MOST_MADE)
    return Pool(
        digest=digest, terms=said.terms, page=page, standing=standing_of(page.verdict), came=came,
        count=files, start=start, made=_made(book, sets, gone),
        more_made=max(0, ties.count("dataset", digest) - len(sets)),
        trained=_trained(book, trained),
        more_trained=max(0, ties.count("pool-model", digest) - len(trained)),
        earned=_earned(book, ties.latest("pool-answer", digest, count=MOST_ANSWERS)),
        answers=ties.count("pool-answer", digest),
        all_tried=standing_of(page.verdict).ok
        or (all_tried and ties.count(relation, digest) <= len(spoken)),
        left_out=sum(
            book.left_out.of(tie, digest)
            for tie in ("pool", "dataset", "pool-model", "pool-answer")
        ),
    )  # fmt: skip


def _about(book: Book, ids: Sequence[bytes]) -> tuple[bytes, bool]:
    """Return the newest statement that holds, of each author's the newest that is signed.

    Anybody may write to the log that he is the pool, and in the name of who is. Where none
    holds, it is the first of the least grave kind. With it, whether that is of all authors.
    """
    by: dict[bytes | None, list[str]] = {}
    for read in book.reads(ids):
        by.setdefault(read.author, []).append(read.id.hex())
    tried: list[tuple[int, bytes]] = []
    for some in list(by.values())[:_AUTHORS]:
        for one in map(bytes.fromhex, signed_of(book, some, most=1)):
            tried.append((_GRAVITY.get(looked_at(book, one)[1].code, 3), one))
            if tried[-1][0] == 0:
                return one, True
    return min(tried, key=lambda each: each[0], default=(3, ids[0]))[1], len(by) <= _AUTHORS


class _Gone:
    """Withdrawals: of a page, so many are verified, each once, whatever speaks of them."""

    def __init__(self, book: Book) -> None:
        self._book, self._left = book, _LOOKS
        self._known: dict[tuple[str, bytes | None], tuple[bytes, Standing] | None] = {}

    def of(self, contribution: str, author: bytes | None) -> tuple[bytes, Standing] | None:
        """Return the withdrawal of a contribution, and how it stands; None if nobody claims one."""
        claims = self._book.ties.first("withdrawn", contribution, count=1)
        key = contribution, author
        if claims and key not in self._known:
            if not self._left:
                return claims[0], UNCHECKED
            self._left -= 1
            self._known[key] = withdrawal_of(self._book, contribution, author=author)
        return self._known.get(key)


def _came(book: Book, page: Page, ids: Sequence[bytes], withdrawals: _Gone) -> tuple[Came, ...]:
    """Return contributions; those below the dataset that was verified need no further look."""
    known = {one.id for one in page.verdict.statements}
    looks, found = _LOOKS, list[Came]()
    for read in book.reads(ids):
        said = None if read.statement is None else read.statement.predicate
        assert isinstance(said, Contribution)
        name = f"sha256:{read.id.hex()}"
        if name in known:
            standing = standing_of(page.verdict, name)
        elif looks:
            looks, standing = looks - 1, looked_at(book, read.id)[1]
        else:
            standing = UNCHECKED
        gone = withdrawals.of(said.contribution, read.author)
        author = read.author.hex() if read.author else ""
        found.append(Came(id=read.id, said=said, author=author, standing=standing, withdrawn=gone))
    return tuple(found)


def _made(book: Book, ids: Sequence[bytes], withdrawals: _Gone) -> tuple[Made, ...]:
    found = []
    for number, read in enumerate(book.reads(ids)):
        said = None if read.statement is None else read.statement.predicate
        assert isinstance(said, Dataset)
        gone = [part for part in said.parts if book.ties.count("withdrawn", part.contribution)]
        left = tuple(
            part.contribution for part in gone
            if (claim := withdrawals.of(part.contribution, read.author)) is not None and claim[1].ok
        )  # fmt: skip
        standing = looked_at(book, read.id)[1] if number < _LOOKS else UNCHECKED
        root = read.subjects[0].digest["sha256"]
        found.append(Made(id=read.id, digest=root, said=said, standing=standing, left=left,
                          claimed=len(gone) - len(left)))  # fmt: skip
    return tuple(found)


def _trained(book: Book, ids: Sequence[bytes]) -> tuple[Trained, ...]:
    found = []
    for number, read in enumerate(book.reads(ids)):
        said = None if read.statement is None else read.statement.predicate
        model = next((s.digest["sha256"] for s in read.subjects if s.name == MODEL), "")
        assert isinstance(said, Training)
        standing = looked_at(book, read.id)[1] if number < _LOOKS else UNCHECKED
        found.append(Trained(id=read.id, model=model, said=said, standing=standing))
    return tuple(found)


def _earned(book: Book, ids: Sequence[bytes]) -> Earned:
    """Add up the data's parts of answers whose own proof holds."""
    earned = Earned(looked=len(ids))
    for one in ids:
        _, standing = looked_at(book, one)
        found = divided(book, one)[0] if standing.ok else None
        if found is None:
            continue
        earned.held += 1
        for payee in found.payees:
            if payee.role == "data":
                key = found.token, payee.address
                earned.parts[key] = earned.parts.get(key, 0) + payee.amount
                earned.counts[key] = earned.counts.get(key, 0) + 1
    return earned
