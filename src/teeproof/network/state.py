"""What a market knows: accounts, nodes, leases. Nothing but the sum of its changes.

Money moves between accounts and is never made: what was granted stands as a debt of ``issued``, so
all accounts together are always zero. An account but that one is never below zero.

    issued -> renter:<key> -> escrow:<lease> -> node:<payout>, and what is left back to the renter

Trusts: the changes, which the market made.  Does not trust: nothing else comes in.
"""

from __future__ import annotations

from typing import Any

import msgspec

from teeproof.core.errors import NotAllowed
from teeproof.network import events
from teeproof.network.claim import NodeClaim
from teeproof.network.escrow import Meter
from teeproof.network.events import Change
from teeproof.network.forms import money
from teeproof.network.leases import Closing, Lease
from teeproof.network.offers import Book, Offer
from teeproof.network.orders import Tee
from teeproof.network.terms import Terms

__all__ = ["ISSUED", "Node", "Running", "State", "escrow_of", "payee", "purse"]

ISSUED = "issued"


def purse(renter: str) -> str:
    """Return the name of a renter's account."""
    return f"renter:{renter}"


def escrow_of(lease: str) -> str:
    """Return the name of the account that holds a lease's deposit."""
    return f"escrow:{lease}"


def payee(payout: str) -> str:
    """Return the name of the account of whoever is paid at an address."""
    return f"node:{payout}"


class Node(msgspec.Struct, kw_only=True):
    """An admitted node.

    Attributes:
        name: ``sha256:…`` of the identity that it was first admitted as.
        identity: its newest identity, ``sha256:…``.
        key: that identity's statement key, hex.
        machine: ``sha256:…`` of its platform's id.
        claim: what it said.
        tee: its label.
        admission: ``sha256:…`` of the newest statement that admitted it.
        decision: ``sha256:…`` of the decision in that statement.
        since: number of the change that admitted it.
        until: until when its evidence is fresh.
        counter: of its last heartbeat; 0 before the first.
        beat: when it last gave a sign of life.
        lease: under which lease it works; empty if under none.
        gpus: what stands for each of its GPUs, ``sha256:…``.
    """

    name: str
    identity: str
    key: str
    machine: str
    claim: NodeClaim
    tee: Tee
    admission: str
    decision: str
    since: int
    until: int
    beat: int
    counter: int = 0
    lease: str = ""
    gpus: tuple[str, ...] = ()

    def is_alive(self, now: int, terms: Terms) -> bool:
        """Return whether it gave a sign of life not long ago."""
        return now - self.beat <= terms.pause_after

    def can_be_had(self, now: int, terms: Terms) -> bool:
        """Return whether its word and its evidence are fresh enough for a new lease."""
        return now - self.beat <= terms.window and now < self.until

    def offer(self) -> Offer:
        """Return what it offers."""
        return Offer(
            node=self.name, admission=self.admission, price=money(self.claim.price, "price"),
            since=self.since, tee=self.tee, region=self.claim.region,
            hardware=self.claim.hardware, labels=self.claim.labels,
            taken="leased" if self.lease else "",
        )  # fmt: skip


class Running(msgspec.Struct, kw_only=True):
    """A lease, open or closed.

    Attributes:
        lease: what was agreed.
        name: its digest, ``sha256:…``.
        statement: ``sha256:…`` of its statement.
        meter: what was proved.
        last_beat: ``sha256:…`` of the last heartbeat; empty before the first.
        closing: how it ended; None while it is open.
        closed: ``sha256:…`` of that statement; empty while it is open.
    """

    lease: Lease
    name: str
    statement: str
    meter: Meter
    last_beat: str = ""
    closing: Closing | None = None
    closed: str = ""


class State(msgspec.Struct, kw_only=True):
    """Everything; change it with ``apply`` only.

    Attributes:
        time: of the last change: the market's clock never shows less.
        accounts: micro-units by account.
        nodes: by name.
        leases: by digest.
        orders: digest of each order that was answered, by the renter's key and its id.
        machines: the node on each machine, by the digest of the platform's id.
        names: the node with each name that people call it.
        gpus: the node that shows each GPU.
    """

    time: int = 0
    accounts: dict[str, int] = {}
    nodes: dict[str, Node] = {}
    leases: dict[str, Running] = {}
    orders: dict[str, str] = {}
    machines: dict[str, str] = {}
    names: dict[str, str] = {}
    gpus: dict[str, str] = {}

    def book(self) -> Book:
        """Return the book of all offers."""
        return Book(node.offer() for node in self.nodes.values())

    def apply(self, change: Change, *, number: int, terms: Terms) -> None:
        """Take in one change."""
        self.time = max(self.time, change.at)
        _APPLY[type(change)](self, change, number, terms)

    def _granted(self, change: events.Granted, *_: Any) -> None:
        self._move(ISSUED, purse(change.renter), change.amount)

    def _admitted(self, change: events.Admitted, number: int, _: Terms) -> None:
        for name in change.replaces:
            old = self.nodes.pop(name)
            self.machines.pop(old.machine)
            self.names.pop(old.claim.name)
            self._hold(old.name, old.gpus, ())
        self.machines[change.machine] = self.names[change.claim.name] = change.node
        self.nodes[change.node] = Node(
            name=change.node, identity=change.node, key=change.key, machine=change.machine,
            claim=change.claim, tee=change.tee, admission=change.admission,
            decision=change.decision, since=number,
            until=change.until, beat=change.at, gpus=change.gpus,
        )  # fmt: skip
        self._hold(change.node, (), change.gpus)

    def _hold(self, node: str, before: tuple[str, ...], now: tuple[str, ...]) -> None:
        """Note which GPUs a node shows, in place of those that it showed."""
        for gpu in before:
            self.gpus.pop(gpu, None)
        self.gpus |= dict.fromkeys(now, node)

    def _renewed(self, change: events.Renewed, _: int, terms: Terms) -> None:
        node = self.nodes[change.node]
        node.identity, node.key = change.identity, change.key
        node.admission, node.decision = change.admission, change.decision
        node.until, node.beat = change.until, change.at
        self._hold(node.name, node.gpus, change.gpus)
        node.gpus = change.gpus
        running = self.leases.get(node.lease)
        if running is not None:
            running.meter = running.meter.attested(change.at, change.until, terms)

    def _beaten(self, change: events.Beaten, _: int, terms: Terms) -> None:
        node = self.nodes[change.node]
        node.counter, node.beat = change.counter, change.at
        running = self.leases.get(change.lease)
        if running is not None:
            running.meter = running.meter.beaten(change.at, terms)
            running.last_beat = change.digest

    def _matched(self, change: events.Matched, *_: Any) -> None:
        self.orders[change.name] = change.order
        lease = change.lease
        if lease is None:
            return
        self._move(purse(lease.renter), escrow_of(change.lease_name), lease.amount)
        node = self.nodes[lease.node]
        node.lease = change.lease_name
        meter = Meter(
            rate=lease.price, deposit=lease.amount, opened=lease.opened, until=node.until
        )  # fmt: skip
        self.leases[change.lease_name] = Running(
            lease=lease, name=change.lease_name, statement=change.statement, meter=meter
        )

    def _closed(self, change: events.Closed, *_: Any) -> None:
        running = self.leases[change.closing.lease]
        lease, held = running.lease, escrow_of(running.name)
        self._move(held, payee(lease.payout), change.paid)
        self._move(held, purse(lease.renter), change.refund)
        if self.accounts.pop(held, 0):
            raise _not_conserved("nothing left of a deposit", "some")
        running.closing, running.closed = change.closing, change.statement
        node = self.nodes.get(lease.node)
        if node is not None and node.lease == running.name:
            node.lease = ""

    def _refused(self, *_: Any) -> None:
        """Nothing changes; the ledger has counted on."""

    def _move(self, source: str, target: str, amount: int) -> None:
        left = self.accounts.get(source, 0) - amount
        if amount < 0 or (left < 0 and source != ISSUED):
            raise _not_conserved(f"at least {amount}", str(self.accounts.get(source, 0)))
        self.accounts[source] = left
        self.accounts[target] = self.accounts.get(target, 0) + amount


_APPLY: dict[type, Any] = {
    events.Granted: State._granted,
    events.Admitted: State._admitted,
    events.Refused: State._refused,
    events.Renewed: State._renewed,
    events.Beaten: State._beaten,
    events.Matched: State._matched,
    events.Closed: State._closed,
}


def _not_conserved(expected: str, got: str) -> NotAllowed:
    return NotAllowed(
        "an account does not hold what is to be moved", code="balance_short", expected=expected,
        got=got,
    )  # fmt: skip
