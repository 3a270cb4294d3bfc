"""What is here: the things that a log speaks of, family by family, each with its latest.

GET /here
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from teeproof.agents.statements import ACTION
from teeproof.core.text import many
from teeproof.explorer.answering import json_answer
from teeproof.explorer.log.content import Book
from teeproof.explorer.made.listing import Line, answers, models, pools
from teeproof.explorer.money.agency import NEWEST, listed
from teeproof.explorer.pages.family import Site, aside, read_so_far

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["FAMILIES", "SHOWN", "Family", "HerePages", "Listed", "Row"]

SHOWN = 10  # of each family


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A thing: its page, its name, one clause about it, and a tone of the style sheet, if any."""

    href: str
    title: str
    words: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """The latest of a family, newest first, how many there are, and what was not looked at."""

    rows: Sequence[Row]
    count: int
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A family of things.

    Attributes:
        name: for programs.
        title: for people.
        about: one sentence on what it is.
        listed: the latest of them in a log, at most ``SHOWN``.
    """

    name: str
    title: str
    about: str
    listed: Callable[[Book], Listed]


def _statements(book: Book) -> Listed:
    """Return the kinds of statement, the most frequent first, each with its latest."""
    roll = book.roll
    types = sorted(roll.types(), key=lambda one: (-roll.count(one), one))
    rows = []
    for one in types[:SHOWN]:
        for latest in roll.of(one, count=1):
            words = f"{roll.count(one)}, the latest: {latest.clause}"
            rows.append(Row(href=f"/p/{latest.id}", title=latest.title, words=words))
    return Listed(rows=rows, count=sum(map(roll.count, types)))


def _identities(book: Book) -> Listed:
    """Return the identities, each with what it said last."""
    roll, rows = book.roll, []
    for machine in roll.machines(count=SHOWN):
        latest = roll.by(machine.id, count=1)
        words = latest[0].clause if latest else "has said nothing yet"
        rows.append(Row(href=f"/identity/{machine.id}", title=machine.id[:16] + "…", words=words))
    return Listed(rows=rows, count=roll.machine_count)


def _made(listing: Callable[[Book, int], tuple[list[Line], int]]) -> Callable[[Book], Listed]:
    """Return what lists things that were made."""

    def listed(book: Book) -> Listed:
        lines, count = listing(book, SHOWN)
        rows = [Row(href=href, title=title, words=words) for href, title, words in lines]
        return Listed(rows=rows, count=count)

    return listed


def _agents(book: Book) -> Listed:
    """Return the agents of the newest actions."""
    found = listed(book)
    rows = [
        Row(href=f"/agent/{one.agent[7:]}", title=f"Agent {one.agent[7:15]}",
            words=f"the latest: {one.clause}")
        for one in found[:SHOWN]
    ]  # fmt: skip
    actions = book.roll.count(ACTION)
    note = f"Looked for among the newest {NEWEST} of {actions:,} actions." * (actions > NEWEST)
    return Listed(rows=rows, count=len(found), note=note)


def _nodes(book: Book) -> Listed:
    """Return the nodes of markets, the refused ones marked."""
    rows = []
    for node in book.nodes.latest(SHOWN):
        decided, tone = node.latest, ""
        if decided is None:
            words = "offered itself; no market has decided"
        elif decided.admitted:
            words = f"admitted, {_by(decided.author)}; {many(node.lease_count, 'lease')}"
        else:
            reasons = ", ".join(decided.codes[:3]).replace("_", " ")
            words = f"REFUSED: {reasons or 'no reason said'}, {_by(decided.author)}"
            tone = "bad"
        title = node.name or f"node {node.id[:16]}…"
        rows.append(Row(href=f"/node/{node.id}", title=title, words=words, tone=tone))
    return Listed(rows=rows, count=len(book.nodes))


def _by(market: str) -> str:
    """Return whose word a decision is; anybody can be a market, and nothing is checked here."""
    return f"says the market {market[:8]}"


FAMILIES: tuple[Family, ...] = (
    Family(name="models", title="Models", listed=_made(models),
           about="What trainers made of data, by the digest of the weights."),
    Family(name="answers", title="Answers", listed=_made(answers),
           about="What models were asked and said, by their receipts; the texts are not here."),
    Family(name="pools", title="Pools", listed=_made(pools),
           about="Where people give sealed data, each under terms of its own."),
    Family(name="agents", title="Agents", listed=_agents,
           about="Programs that act for people within a mandate: who can still change, stop or"
                 " drain them, and what they did."),
    Family(name="statements", title="Statements", listed=_statements,
           about="What programs said and signed: how many of each kind, and the latest."),
    Family(name="nodes", title="Nodes", listed=_nodes,
           about="Machines that offered themselves to a market, for rent."),
    Family(name="identities", title="Identities", listed=_identities,
           about="Programs that each ran once in a machine of their own, named by the digest of"
                 " their keys, and what each said last."),
)  # fmt: skip
"""In the order of the page."""


class HerePages:
    """The page of all things."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def page(self, _: Request) -> Response:
        """The page."""
        found = await self._found()
        full, left_out = self._site.log.roll.full, self._site.log.left_out.total
        return self._site.pages.html(
            "here.html", title="What is here", families=found, full=full, left_out=left_out
        )

    async def twin(self, _: Request) -> Response:
        """The same for programs."""
        body: dict[str, Any] = {
            family.name: {
                "count": listed.count,
                "latest": [{"href": row.href, "title": row.title, "says": row.words}
                           for row in listed.rows],
                "note": listed.note,
            }
            for family, listed in await self._found()
        }  # fmt: skip
        book = self._site.log
        body |= {"full": book.roll.full, "left_out": book.left_out.total}
        return json_answer(body | read_so_far(self._site))

    async def _found(self) -> list[tuple[Family, Listed]]:
        book = self._site.log
        every = await aside(self._site, lambda: [(one, one.listed(book)) for one in FAMILIES])
        return [(family, listed) for family, listed in every if listed.count]
