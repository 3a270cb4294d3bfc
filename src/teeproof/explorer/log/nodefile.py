"""What is known of one node of a market, as records say it; ``nodes`` fills it in.

Nothing here is checked.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final

__all__ = ["MOST_MARKETS", "Admitted", "Closed", "Leased", "NodeFile", "Spoken"]

MOST_MARKETS: Final = 16
"""Markets that spoke of one node first, of which each keeps its place."""
_MOST = 200  # admissions and leases of one node; of more, the latest
_MOST_OF_MARKET = 20  # leases of one market that are kept in any case


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A market's decision: its statement, its author, whether it admits, the reasons' codes.

    The identity on which it decided may be another than the node's first.
    """

    id: str
    author: str
    identity: str
    admitted: bool
    codes: tuple[str, ...]
    claim: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """How a lease ended, by the word of whoever closed it; amounts as they are written."""

    id: str
    author: str
    reason: str
    seconds: int
    beats: int
    paid: str
    refund: str
    at: int


@dataclass(slots=True, kw_only=True)
class Leased:
    """A lease, its end if there is one, and by model the answers that name it as their machine's.

    Attributes:
        id: of the statement, hex.
        digest: of the lease, hex.
        author: hex.
        renter: the renter's key, hex.
        rate: micro-units a second, as it is written.
        asset: what is paid with.
        payout: the address that is paid.
        opened: seconds since 1970.
        closings: what was said of its end, oldest first: one that holds, or somebody's invention;
            whoever leased it always has room.
        closing_count: how often its end was told.
        models: how many receipts name each model, and the latest of them.
        copies: statements of the very same lease by others, and their authors; hex. Whoever saw it
            before the log did may have been quicker than who leased.
    """

    id: str
    digest: str
    author: str
    renter: str
    rate: str
    asset: str
    payout: str
    opened: int
    closings: list[Closed] = field(default_factory=list)
    closing_count: int = 0
    models: dict[str, tuple[int, str]] = field(default_factory=dict)
    copies: list[tuple[str, str]] = field(default_factory=list)

    @property
    def statements(self) -> list[tuple[str, str]]:
        """Each statement of it, and its author; oldest first."""
        return [(self.id, self.author), *self.copies]

    @property
    def authors(self) -> set[str]:
        """Who says that they leased it."""
        return {author for _, author in self.statements}


@dataclass(slots=True)
class Spoken:
    """What one market said of a node: its latest decision, and its leases, oldest first."""

    latest: Admitted | None = None
    leases: deque[Leased] = field(default_factory=lambda: deque(maxlen=_MOST_OF_MARKET))


@dataclass(slots=True, kw_only=True)
class NodeFile:
    """What is known of one node.

    Attributes:
        id: the identity that it was first admitted, or refused, as; hex.
        name: what it calls itself.
        claim: the latest claim's statement, hex; empty where the log has none.
        admissions: oldest first.
        leases: oldest first.
        markets: by identity, in the order in which they first spoke of it, what each said. Who
            comes later pushes nobody out, under however many names.
        chosen: how many matches chose it.
        passed_over: how many did not, by reason.
        number: the latest entry about it.
    """

    id: str
    name: str = ""
    claim: str = ""
    admissions: deque[Admitted] = field(default_factory=lambda: deque(maxlen=_MOST))
    leases: deque[Leased] = field(default_factory=lambda: deque(maxlen=_MOST))
    markets: dict[str, Spoken] = field(default_factory=dict)
    admission_count: int = 0
    lease_count: int = 0
    chosen: int = 0
    passed_over: Counter[str] = field(default_factory=Counter)
    number: int = 0

    @property
    def latest(self) -> Admitted | None:
        """The latest decision on it."""
        return self.admissions[-1] if self.admissions else None

    @property
    def every_lease(self) -> list[Leased]:
        """Its leases, newest first: the latest, then those of the markets that spoke first."""
        found = list(self.leases)[::-1]
        found += [one for each in self.markets.values() for one in list(each.leases)[::-1]]
        return list({one.digest: one for one in found}.values())

    def by(self, market: str) -> Spoken:
        """Return what a market said, to be added to; what finds no room is nowhere."""
        if len(self.markets) < MOST_MARKETS:
            return self.markets.setdefault(market, Spoken())
        return self.markets.get(market, Spoken())
