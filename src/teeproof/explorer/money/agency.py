"""What the explorer knows of agents: which there are, and who can do what to one of them.

The statements and the verdict come from the book; what a fund holds comes from a node, if the
explorer was given one. A node is asked by one at a time, and what it said, or that it said nothing,
is shown for ten seconds: whoever reloads a page does not reload the node.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from teeproof.agents.acted import Acted, acted_by, numbers_of
from teeproof.agents.known import Known, known_of
from teeproof.agents.powers import Power, powers
from teeproof.agents.statements import ACTION, RECHECK
from teeproof.chain.onlooker import Onlooker
from teeproof.chain.standing import FundState, fund_state
from teeproof.core.errors import Error, Unavailable
from teeproof.explorer.log.content import Book, Page
from teeproof.explorer.log.roll import Said
from teeproof.explorer.money.asking import Lately

__all__ = ["NEWEST", "NO_NODE", "Agency", "Agent", "Listed", "listed"]

NEWEST = 500
"""Actions, newest first, among which agents are looked for; of others one must know the id."""
_KEPT = 64  # funds whose state is kept
NO_NODE = "this explorer is connected to no node of its chain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An agent that actions name, not yet checked: its id, the numbers of its turns, its newest."""

    agent: str
    numbers: tuple[int, ...]
    statement: str
    clause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """All that a page of an agent shows.

    Attributes:
        acted: its last turns.
        known: what its powers rest on.
        powers: who can do what to it.
        page: its last action, verified; None where that could not be done.
    """

    acted: Acted
    known: Known
    powers: tuple[Power, ...]
    page: Page | None


_LISTED: WeakKeyDictionary[Book, tuple[int, list[Listed]]] = WeakKeyDictionary()


def listed(book: Book) -> list[Listed]:
    """Return the agents of the newest actions, newest first; read once while the log is the same.

    An agent is listed by what actions say; its page says whether its own key stands behind them.
    """
    roll = book.roll
    count = roll.count(ACTION)
    known = _LISTED.get(book)
    if known is not None and known[0] == count:
        return known[1]
    said = roll.of(ACTION, count=NEWEST)
    found: dict[str, Listed] = {}
    reads = book.reads([bytes.fromhex(one.id) for one in said])
    for one, read in zip(said, reads, strict=True):
        for agent, numbers in numbers_of([read]).items():
            newer = found.get(agent)
            found[agent] = Listed(
                agent=agent,
                numbers=(*(newer.numbers if newer else ()), *numbers),
                statement=newer.statement if newer else one.id,
                clause=newer.clause if newer else one.clause,
            )
    _LISTED[book] = count, list(found.values())
    return _LISTED[book][1]


class Agency:
    """Agents of one log.

    Args:
        book: the log.
        node: of the chain; None where there is none.
        clock: seconds that only grow.
    """

    def __init__(
        self, book: Book, node: Onlooker | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._book, self._node = book, node
        self._funds: Lately[str, tuple[FundState | None, str]] = Lately(most=_KEPT, clock=clock)

    def is_here(self, agent: str) -> bool:
        """Whether the log has an action of an agent, by ``sha256:…``."""
        return self._acted(agent) is not None

    def agent(self, agent: str) -> Agent:
        """Return what is known of an agent.

        Raises:
            Unavailable: the log has no action that its own key stands behind (``agent_unknown``).
        """
        acted = self._acted(agent)
        if acted is None:
            raise Unavailable(
                "the log has no action of this agent that its own key stands behind",
                code="agent_unknown", expected="an agent of /here", got=agent,
            )  # fmt: skip
        page, problem = self._page(acted)
        fund, unasked = self.fund(acted.latest.action.mandate.fund)
        with self._book.opened() as contents:
            known = known_of(
                acted, page.verdict if page else None, contents, fund=fund, unasked=unasked,
                problem=problem,
            )  # fmt: skip
        return Agent(acted=acted, known=known, powers=powers(known), page=page)

    def fund(self, address: str) -> tuple[FundState | None, str]:
        """Return what the latest block holds of a fund; None, and why, where that is not known."""
        node = self._node
        if node is None:
            return None, NO_NODE

        def ask() -> tuple[FundState | None, str]:
            try:
                return node.ask(lambda c, tick: fund_state(c, address, in_time=tick)), ""
            except Error as error:
                return None, f"the node did not say: {node.says(error)}"

        return self._funds.of(address, ask)

    def _acted(self, agent: str) -> Acted | None:
        roll, hints = self._book.roll, tuple[int, ...]()
        for one in listed(self._book):
            hints = one.numbers if one.agent == agent else hints
        acted = self._asked(agent, hints, roll.of(RECHECK, count=NEWEST))
        if acted is None or roll.count(RECHECK) <= NEWEST:
            return acted
        own = [  # others' newer ones do not hide what this agent said
            said for author in acted.authors
            for said in roll.by(author[7:], count=NEWEST, only=RECHECK)
        ]  # fmt: skip
        return self._asked(agent, hints, sorted(own, key=lambda said: -said.number)[:NEWEST])

    def _asked(self, agent: str, hints: Sequence[int], said: Sequence[Said]) -> Acted | None:
        rechecks = self._book.reads([bytes.fromhex(one.id) for one in reversed(said)])
        with self._book.opened() as contents:
            return acted_by(contents, agent, hints=sorted(hints)[-8:], rechecks=rechecks)

    def _page(self, acted: Acted) -> tuple[Page | None, str]:
        try:
            return self._book.page(bytes.fromhex(acted.latest.statement[7:])), ""
        except Error as error:  # such as a history that is too long for one proof
            return None, f"its last action could not be verified: {error.detail}"
