"""The market itself: its state, its clock, its word. The desks for nodes and renters work on it.

A change is decided, signed and on disk before anyone is told; the log gets what was signed then,
and again after a crash. Changes come one after the other, under one lock.

The clock only goes forward: it is the later of the host's and of the last change. A host that turns
it back stops it, and nothing is earned while it stands; a jump ahead looks like silence, which is
not paid. A host that runs it fast makes seconds shorter: ``workload.steady`` counts by the
machine's own counter, and every answer shows the market's time for a renter to compare.

Trusts: the policy and the terms, which are measured; its own machine.
Does not trust: nodes, renters, the host's clock and disk.
"""

from __future__ import annotations

import contextlib
import heapq
import threading
from collections.abc import Callable, Iterable
from datetime import datetime

import msgspec

from teeproof.core.clock import to_epoch, wall_clock
from teeproof.core.errors import Unavailable
from teeproof.evidence.policy import Policy
from teeproof.network import events
from teeproof.network.escrow import CLOSING_REASONS, ClosingReason, Meter
from teeproof.network.leases import Closing
from teeproof.network.ledger import Ledger
from teeproof.network.state import Node, Running, State
from teeproof.network.statements import ClosingStatement, say
from teeproof.network.terms import Terms
from teeproof.proof.links import Material
from teeproof.proof.statement import Predicate
from teeproof.proof.workload import Identity

__all__ = ["Market"]

KEPT_CHANGES = 10_000  # behind the last state that was written whole; more make a start slow


class Market:
    """One market. Its desks hold ``lock`` while they change it.

    Args:
        identity: the market's own, which signs what it says.
        ledger: where its changes are; nothing else may have opened it.
        policy: what a node's evidence must meet.
        terms: written for that policy.
        now: the host's clock.

    Raises:
        NotAuthentic: the host has changed the ledger.
        Malformed: the terms are of another policy.
    """

    def __init__(
        self,
        identity: Identity,
        *,
        ledger: Ledger,
        policy: Policy,
        terms: Terms,
        now: Callable[[], datetime] = wall_clock,
    ) -> None:
        terms.require_policy(policy)
        self.identity, self.policy, self.terms = identity, policy, terms
        self.lock = threading.RLock()
        self._ledger, self._now = ledger, now
        self.state = _restored(ledger, terms)
        self.book = self.state.book()
        self._due: list[tuple[int, str]] = [
            (running.meter.deadline(terms), name)
            for name, running in self.state.leases.items()
            if running.closing is None
        ]
        self._fading = [(self._fades(node), name) for name, node in self.state.nodes.items()]
        heapq.heapify(self._due)
        heapq.heapify(self._fading)

    @property
    def number(self) -> int:
        """The number that the next change will have."""
        return self._ledger.number + 1

    def time(self) -> int:
        """Return the market's time, after closing every lease that is due and marking offers."""
        now = max(self.state.time, to_epoch(self._now()))
        self._keep_keys(now)
        self._sweep(now)
        return now

    def sign(self, predicate: Predicate, document: object, *, name: str) -> tuple[str, bytes]:
        """Return a statement's name and its envelope."""
        statement = say(predicate, document, name=name)
        return statement.name, self.identity.sign(statement).encode()

    def commit(
        self,
        change: events.Change,
        *,
        statements: Iterable[bytes] = (),
        answer: tuple[bytes, bytes] | None = None,
    ) -> None:
        """Write a change and all that goes with it; it holds when this returns."""
        body = events.encode(change)
        number = self._ledger.append(body, statements=statements, answer=answer)
        self.state.apply(change, number=number, terms=self.terms)

    def answer_to(self, order: bytes) -> bytes | None:
        """Return the answer that was given to an order, by its name in the ledger."""
        return self._ledger.answer(order)

    def send(self) -> None:
        """Give the log what was signed since it last took something.

        Raises:
            Unavailable: it does not take it; what was decided holds all the same.
        """
        with self.lock:
            for number, envelope in self._ledger.unsent():
                self.identity.store.add_statement(envelope)
                self._ledger.sent(number)

    def file(self, record: bytes, blobs: dict[str, bytes], *envelopes: bytes) -> None:
        """Put into the log what a decision rests on: somebody's identity and what he said."""
        self.identity.store.add_identity(record, blobs)
        for envelope in envelopes:
            self.identity.store.add_statement(envelope)

    def end(self, running: Running, reason: ClosingReason, at: int, meter: Meter) -> None:
        """Close a lease: pay what was proved, send back the rest, free the node."""
        closing = Closing(
            lease=running.name, reason=reason, detail=CLOSING_REASONS[reason],
            seconds=meter.seconds, beats=meter.beats, last_beat=running.last_beat,
            paid=str(meter.earned), refund=str(meter.rest), at=at, sequence=self.number,
        )  # fmt: skip
        material = Material(
            role="lease", digest={"sha256": running.name.removeprefix("sha256:")}, name="lease",
            statement=running.statement,
        )  # fmt: skip
        predicate = ClosingStatement(
            author=self.identity.name, materials=(material,), closing=closing
        )  # fmt: skip
        name, envelope = self.sign(predicate, closing, name="lease closing")
        change = events.Closed(
            at=at, closing=closing, paid=meter.earned, refund=meter.rest, statement=name
        )  # fmt: skip
        self.commit(change, statements=[envelope])
        node = self.state.nodes.get(running.lease.node)
        if node is not None:
            self.show(node, at)

    def show(self, node: Node, now: int) -> None:
        """Have the book show whether a node can be had."""
        shown = self.book.get(node.name)
        if shown is None or shown.admission != node.admission:
            self.book.put(node.offer())
        free = node.can_be_had(now, self.terms)
        self.book.mark(node.name, "leased" if node.lease else "" if free else "stale")
        if free:
            heapq.heappush(self._fading, (self._fades(node), node.name))

    def watch(self, running: Running) -> None:
        """Have a lease closed when it is due."""
        heapq.heappush(self._due, (running.meter.deadline(self.terms), running.name))

    def _keep_keys(self, now: int) -> None:
        """Follow the market's own identity with a fresh one in the last third of its life."""
        keys = self.identity.record.keys
        if keys.not_after - now < (keys.not_after - keys.not_before) // 3:
            # The log may be down: the next call tries again, and the old keys are good for days.
            with contextlib.suppress(Unavailable):
                self.identity = self.identity.rotate()

    def _sweep(self, now: int) -> None:
        while self._due and self._due[0][0] <= now:
            running = self.state.leases[heapq.heappop(self._due)[1]]
            if running.closing is not None:
                continue
            standing = running.meter.standing(now, self.terms)
            if standing.reason is None:
                self.watch(running)
            else:
                self.end(running, standing.reason, now, running.meter)
        while self._fading and self._fading[0][0] <= now:
            node = self.state.nodes.get(heapq.heappop(self._fading)[1])
            if node is None:
                continue
            if self._fades(node) > now:
                heapq.heappush(self._fading, (self._fades(node), node.name))
            elif not node.lease:
                self.book.mark(node.name, "stale")

    def _fades(self, node: Node) -> int:
        """Return when a node can be had no longer, if nothing happens."""
        return min(node.beat + self.terms.window + 1, node.until)


def _restored(ledger: Ledger, terms: Terms) -> State:
    whole = ledger.whole()
    state = State() if whole is None else msgspec.json.decode(whole, type=State)
    behind = 0
    for body in ledger.changes():
        behind += 1
        state.apply(events.decode(body), number=ledger.number, terms=terms)
    if behind > KEPT_CHANGES:
        ledger.write_whole(msgspec.json.encode(state))
    return state
