"""An answer: its receipt, who earns by it, what used it, and whether some bytes are those signed.

The receipt's own rule is the SHA-256 of a body's bytes, as they were on the wire, before any other
reading of them. A form in a browser turns line ends into CR LF and people copy one line end more or
less, so a pasted text is also tried with LF, and with one line end more or less; which of them it
was is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Error, Unavailable
from teeproof.explorer.log.content import Book, Page
from teeproof.explorer.made.events import price_of
from teeproof.explorer.made.standing import Standing, looked_at, standing_of
from teeproof.inference.fees import Split, split
from teeproof.proof.receipt import Receipt
from teeproof.proof.source import Read

__all__ = ["BODIES", "Answer", "Compared", "answer_of", "compared", "divided"]

BODIES: Final = ("request", "response")
MOST_USES: Final = 20
_LOOKS = 5  # uses that are verified


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer.

    Attributes:
        page: of its receipt.
        receipt: as parsed.
        standing: of its proof.
        digests: what the receipt signs of each body, by name; None where it has none.
        model: digest of the model that ran, hex; None if it names none.
        split: who gets what of its fee; None if it is free, or that cannot be told.
        why_not: where it costs something and cannot be divided, why.
        uses: statements that took the answer as an input, and how each stands.
        more_uses: how many further ones there are.
    """

    page: Page
    receipt: Receipt
    standing: Standing
    digests: dict[str, str | None]
    model: str | None
    split: Split | None
    why_not: str | None
    uses: tuple[tuple[Read, Standing], ...]
    more_uses: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Whether bytes that somebody has are those that were signed.

    Attributes:
        which: ``request`` or ``response``.
        same: whether they are.
        size: of what was given, in bytes.
        got: their digest.
        expected: what the receipt signs; None if it signs no such body.
        how: what was changed for them to be the same; empty if nothing.
    """

    which: str
    same: bool
    size: int
    got: str
    expected: str | None
    how: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the same for programs."""
        return {"which": self.which, "same": self.same, "bytes": self.size, "got": self.got,
                "expected": self.expected, "changed": self.how}  # fmt: skip


def answer_of(book: Book, statement: bytes) -> Answer:
    """Return what a log says of an answer, by its receipt's id.

    Raises:
        Unavailable: it holds no such receipt (``answer_not_here``).
    """
    page = book.page(statement)
    receipt = page.read.receipt
    if receipt is None:
        raise Unavailable(
            "this statement is no answer's receipt", code="answer_not_here",
            expected="the id of a receipt", got=page.id,
        )  # fmt: skip
    signed = {one.name: one.sha256 for one in receipt.subjects}
    model = next((link.digest[7:] for link in receipt.links if link.role == "model"), None)
    found, why_not = (None, None) if price_of(receipt.body) is None else divided(book, statement)
    uses = book.ties.latest("answer-used", statement.hex(), count=MOST_USES)
    standings = [
        (read, looked_at(book, read.id)[1]) for read in book.reads(uses[:_LOOKS])
    ]  # fmt: skip
    return Answer(
        page=page, receipt=receipt, standing=standing_of(page.verdict), model=model,
        digests={which: signed.get(which) for which in BODIES}, split=found, why_not=why_not,
        uses=tuple(standings),
        more_uses=book.ties.count("answer-used", statement.hex()) - len(standings),
    )  # fmt: skip


def divided(book: Book, statement: bytes) -> tuple[Split | None, str | None]:
    """Return who gets what of an answer's fee by its lineage, or why that cannot be told."""
    try:
        with book.opened() as source:
            return split(statement, source), None
    except Error as error:
        return None, error.detail


def compared(which: str, data: bytes, expected: str | None, *, pasted: bool) -> Compared:
    """Return whether bytes are those that a receipt signs.

    Args:
        which: ``request`` or ``response``.
        data: what somebody has.
        expected: ``sha256:…`` by the receipt; None if it signs no such body.
        pasted: whether a browser's form carried them, which changes line ends.
    """
    ways = _ways(data) if pasted else [(data, "")]
    for tried, how in ways:
        if expected is not None and named(sha256(tried)) == expected:
            return Compared(which=which, same=True, size=len(tried), got=expected,
                            expected=expected, how=how)  # fmt: skip
    plain = ways[0][0]
    return Compared(which=which, same=False, size=len(plain), got=named(sha256(plain)),
                    expected=expected)  # fmt: skip


def _ways(data: bytes) -> list[tuple[bytes, str]]:
    """Return what a pasted text may have been before a form carried it: the likeliest first."""
    lines = data.replace(b"\r\n", b"\n")
    found = [(lines, ""), (lines + b"\n", "with one more line end at its end")]
    if lines.endswith(b"\n"):
        found.append((lines[:-1], "without the last line end"))
    if lines != data:
        found.append((data, "with line ends of two bytes"))
    return found
