"""What a market answers: one record for each kind of answer, the same at both ends of the wire.

Trusts: nothing.  Does not trust: a market that answers; its statements are what can be checked.
"""

from __future__ import annotations

import msgspec

from teeproof.network.admission import Decision
from teeproof.network.leases import Closing, Lease
from teeproof.network.matching import Rejected
from teeproof.network.offers import Offer
from teeproof.network.terms import Terms

__all__ = [
    "Admission",
    "Balance",
    "Challenge",
    "LeaseView",
    "MarketView",
    "Matched",
    "Offers",
    "Pulse",
]


class _Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Any answer."""


class MarketView(_Answer, frozen=True):
    """What a market says of itself.

    Attributes:
        identity: ``sha256:…`` of its identity; the record is at ``/v1/identity``.
        terms: what it admits, and how a lease is paid.
        digest: ``sha256:…`` of the terms, which every order names.
        time: its clock, seconds since 1970.
        nodes: how many are admitted.
        free: how many of them can be had.
    """

    identity: str
    terms: Terms
    digest: str
    time: int
    nodes: int
    free: int


class Challenge(_Answer, frozen=True):
    """A nonce for fresh evidence.

    Attributes:
        challenge: 64 hex digits, good for one answer: boot with it as the nonce.
        until: when it expires, by the market's clock.
    """

    challenge: str
    until: int


class Admission(_Answer, frozen=True):
    """What was decided about a node.

    Attributes:
        decision: admitted or refused, with label and every reason.
        statement: ``sha256:…`` of the statement that says so.
    """

    decision: Decision
    statement: str

    @property
    def admitted(self) -> bool:
        """Whether the node is admitted."""
        return self.decision.admitted

    @property
    def reason(self) -> str:
        """Why not, for people; empty if it is."""
        return "; ".join(reason.detail for reason in self.decision.reasons)


class Matched(_Answer, frozen=True):
    """What came of an order.

    Attributes:
        order: ``sha256:…`` of the order.
        match: ``sha256:…`` of the statement with every offer and every reason.
        node: the node that was chosen; None if no offer met the order.
        lease: ``sha256:…``, the lease's name; None as above.
        statement: ``sha256:…`` of the lease's statement; None as above.
        rate: micro-units for each second; None as above.
        rejected: why each listed offer was not chosen, cheapest first.
        unlisted: how many more offers there were.
        closest: if none was chosen, the offers that came closest, and what kept each.
    """

    order: str
    match: str
    node: str | None = None
    lease: str | None = None
    statement: str | None = None
    rate: int | None = None
    rejected: tuple[Rejected, ...] = ()
    unlisted: int = 0
    closest: tuple[Rejected, ...] = ()


class Pulse(_Answer, frozen=True):
    """What a node learns from its heartbeat.

    Attributes:
        lease: under which lease it is to work, ``sha256:…``; empty if under none.
        state: how that lease stands; empty as above.
        detail: the same in a sentence.
        earned: micro-units under it.
        until: until when the node's evidence is fresh, by the market's clock.
        time: the market's clock.
        beat: in how many seconds the next heartbeat is expected.
    """

    lease: str
    state: str
    detail: str
    earned: int
    until: int
    time: int
    beat: int


class LeaseView(_Answer, frozen=True):
    """A lease, as it stands now.

    Attributes:
        name: ``sha256:…``.
        lease: what was agreed.
        statement: ``sha256:…`` of its statement.
        state: ``waiting``, ``running``, ``suspect``, ``paused`` or ``closed``.
        detail: the same in a sentence; of a closed one, the reason.
        seconds: how many the node has proved.
        beats: how many signs of life it gave.
        earned: micro-units for them.
        rest: micro-units that would go back, or went back.
        closing: how it ended; None while it is open.
        closed: ``sha256:…`` of that statement; empty while it is open.
        time: the market's clock.
    """

    name: str
    lease: Lease
    statement: str
    state: str
    detail: str
    seconds: int
    beats: int
    earned: int
    rest: int
    closing: Closing | None
    closed: str
    time: int


class Balance(_Answer, frozen=True):
    """What an account holds, in micro-units, and what is set aside for its open leases."""

    account: str
    balance: int
    held: int


class Offers(_Answer, frozen=True):
    """The cheapest offers, and how many there are in all."""

    offers: tuple[Offer, ...]
    total: int
