"""What a lease has earned, by arithmetic alone: pay only for time that the node has proved.

A second is paid if it lies between two signs of life that are at most ``window`` apart, and before
the end of the evidence's freshness. So nothing is owed ahead of a heartbeat, a node that stops
proving stops earning at once, and one that comes back is not paid for its absence.

    waiting   no heartbeat yet                       nothing is paid
    running   heartbeat and evidence are fresh       each second is paid when the next beat comes
    suspect   one window without a heartbeat         the gap is not paid; a heartbeat ends it
    paused    a longer gap, or evidence is stale     not paid; only fresh evidence ends it
    due       it is over, and why: whoever looks next closes it, and the rest goes back

Seconds are whole, and each lies in one interval only, so no rounding adds up.

Trusts: the times that it is given.  Does not trust: node, renter.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from teeproof.network.terms import Terms

__all__ = ["CLOSING_REASONS", "ClosingReason", "Meter", "Standing", "State"]

State = Literal["waiting", "running", "suspect", "paused", "due"]

ClosingReason = Literal[
    "renter_closed",
    "node_closed",
    "deposit_spent",
    "node_never_came",
    "heartbeats_missed",
    "evidence_stale",
    "node_replaced",
]
"""Why a lease ended; there is always exactly one of these."""

CLOSING_REASONS: dict[ClosingReason, str] = {
    "renter_closed": "the renter ended it",
    "node_closed": "the node ended it",
    "deposit_spent": "the deposit is spent",
    "node_never_came": "the node sent no heartbeat under it in time",
    "heartbeats_missed": "the node went silent",
    "evidence_stale": "the node did not prove itself anew",
    "node_replaced": "the node's machine came back as another node",
}


class Standing(NamedTuple):
    """How a lease stands at a time.

    Attributes:
        state: as in the module's table.
        reason: of a lease that is due, why it is over.
        detail: one sentence for people.
    """

    state: State
    reason: ClosingReason | None
    detail: str


class Meter(msgspec.Struct, frozen=True, kw_only=True):
    """What was proved under one lease. Times are seconds of the market's clock.

    Attributes:
        rate: micro-units for each second, as it was when the order was matched.
        deposit: micro-units that were set aside.
        opened: when the lease began.
        until: until when the node's evidence is fresh.
        beat: the last sign of life that counts; None before the first.
        seen: the last sign of life at all, also while only fresh evidence would count.
        seconds: how many seconds are proved.
        beats: how many signs of life there were.
    """

    rate: int
    deposit: int
    opened: int
    until: int
    beat: int | None = None
    seen: int = 0
    seconds: int = 0
    beats: int = 0

    @property
    def earned(self) -> int:
        """Micro-units that the node has earned; never more than the deposit."""
        return min(self.deposit, self.rate * self.seconds)

    @property
    def rest(self) -> int:
        """Micro-units that would go back to the renter now."""
        return self.deposit - self.earned

    def provable(self, at: int, terms: Terms) -> int:
        """Return how many seconds a sign of life at this time would prove."""
        if self.beat is None or at - self.beat > terms.window:
            return 0
        return max(0, min(at, self.until) - self.beat)

    def standing(self, now: int, terms: Terms) -> Standing:
        """Return how the lease stands."""
        reason = self._over(now, terms)
        if reason is not None:
            return Standing("due", reason, CLOSING_REASONS[reason])
        if self.beat is None:
            return Standing("waiting", None, "waiting for the node's first heartbeat")
        gap = now - self.beat
        if now >= self.until:
            return Standing("paused", None, f"evidence is stale since {now - self.until} s")
        if gap > terms.pause_after:
            return Standing("paused", None, f"silent for {gap} s: it must prove itself anew")
        if gap > terms.window:
            return Standing("suspect", None, f"no heartbeat for {gap} s")
        return Standing("running", None, f"heartbeat {gap} s ago, evidence fresh")

    def _over(self, now: int, terms: Terms) -> ClosingReason | None:
        if self.earned >= self.deposit:
            return "deposit_spent"
        if self.beat is None:
            late = now - self.opened > terms.accept_within or now >= self.until
            return "node_never_came" if late else None
        if now - self.seen > terms.close_after:
            return "heartbeats_missed"
        stale = max(now - self.beat, now - self.until) > terms.close_after
        return "evidence_stale" if stale else None

    def beaten(self, at: int, terms: Terms) -> Meter:
        """Return the meter after a heartbeat under this lease."""
        state = self.standing(at, terms).state
        proved = self.provable(at, terms)
        # While it is paused, what was proved before the evidence went stale is paid, and no more.
        beat = self.beat + proved if state == "paused" and self.beat is not None else at
        return self._with(beat=beat, seen=at, seconds=self.seconds + proved, beats=self.beats + 1)

    def attested(self, at: int, until: int, terms: Terms) -> Meter:
        """Return the meter after fresh evidence, which is a sign of life too."""
        if self.beat is None:
            return self._with(until=until)
        proved = self.provable(at, terms)
        return self._with(
            until=until, beat=at, seen=at, seconds=self.seconds + proved, beats=self.beats + 1
        )

    def ended(self, at: int, terms: Terms) -> Meter:
        """Return the meter of a lease that renter or node ends: what runs is paid to the end."""
        if self.standing(at, terms).state not in ("running", "paused"):
            return self
        return self._with(seconds=self.seconds + self.provable(at, terms))

    def deadline(self, terms: Terms) -> int:
        """Return the earliest time at which the lease may be due without anything happening."""
        if self.earned >= self.deposit:
            return self.opened
        if self.beat is None:
            return min(self.opened + terms.accept_within + 1, self.until)
        return min(self.beat, self.seen, self.until) + terms.close_after + 1

    def _with(self, **changes: int | None) -> Meter:
        changed: Meter = msgspec.structs.replace(self, **changes)
        return changed
