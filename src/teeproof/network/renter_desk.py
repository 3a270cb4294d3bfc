"""What renters ask of the market: a match, a lease's standing, an end, a balance.

Trusts: nothing.  Does not trust: renters.
"""

from __future__ import annotations

from itertools import islice

import msgspec

from teeproof.cloud.owner import check_owner, verify_owned
from teeproof.core.digests import framed_sha256, parse_named
from teeproof.core.errors import NotAllowed, NotAuthentic, TooLarge, Unavailable
from teeproof.network import events
from teeproof.network.answers import Balance, LeaseView, MarketView, Matched, Offers
from teeproof.network.forms import money
from teeproof.network.leases import Lease, digest_of
from teeproof.network.market import Market
from teeproof.network.matching import Match, choose, closest, explain, listed
from teeproof.network.offers import Offer
from teeproof.network.orders import CloseRequest, Order
from teeproof.network.state import Running, escrow_of, purse
from teeproof.network.statements import LeaseStatement, MatchStatement, made_of, say
from teeproof.proof import canonical
from teeproof.proof.envelope import Envelope
from teeproof.proof.links import Material

__all__ = ["MAX_ORDER", "RenterDesk"]

MAX_ORDER = 64 << 10
MAX_OFFERS = 1000
MAX_NEW_RENTERS = 100_000  # who get test units: the supply stays far below 2^63


class RenterDesk:
    """The market, as renters see it.

    Args:
        market: the market.
    """

    def __init__(self, market: Market) -> None:
        self._market = market

    def view(self) -> MarketView:
        """Return what the market says of itself."""
        market = self._market
        with market.lock:
            now = market.time()
            free = sum(not offer.taken for offer in market.book)
            return MarketView(
                identity=market.identity.name, terms=market.terms, digest=market.terms.digest,
                time=now, nodes=len(market.book), free=free,
            )  # fmt: skip

    def offers(self) -> Offers:
        """Return the cheapest offers."""
        with self._market.lock:
            self._market.time()
            book = self._market.book
            return Offers(offers=tuple(islice(book, MAX_OFFERS)), total=len(book))

    def order(self, data: bytes) -> Matched:
        """Match an order, and set its deposit aside if an offer meets it.

        Raises:
            Malformed, TooLarge: it is no order.
            NotAuthentic: the renter did not sign it.
            NotAllowed: its id is another order's, it is for another market, too old, or the balance
                is short; nothing was changed.
            Unavailable: the log does not take the statements yet: send the order again.
        """
        envelope, order = _read(data)
        market = self._market
        name = _name(order)
        with market.lock:
            now = market.time()
            known = market.state.orders.get(name.hex())
            if known is not None:
                answer = self._known(order, known, name)
            else:
                self._check(order, now)
                answer = self._match(order, envelope.signatures[0].sig.hex(), name, now)
            market.send()
            return answer

    def lease(self, name: str) -> LeaseView:
        """Return a lease as it stands; Unavailable if there is none of this name."""
        with self._market.lock:
            now = self._market.time()
            return self._view(self._running(name), now)

    def close(self, data: bytes) -> LeaseView:
        """End a lease; what the node has earned until now is paid, the rest goes back.

        Raises:
            Malformed, TooLarge: it is no such request.
            NotAuthentic: the lease's renter did not sign it.
            Unavailable: there is no such lease.
        """
        wish = canonical.decode(
            _envelope(data).payload, limit=MAX_ORDER, what="closing", kind=CloseRequest
        )
        market = self._market
        with market.lock:
            now = market.time()
            running = self._running(wish.lease)
            verify_owned(data, running.lease.renter, kind=CloseRequest, what="closing")
            if running.closing is None:
                market.end(running, "renter_closed", now, running.meter.ended(now, market.terms))
            market.send()
            return self._view(running, now)

    def balance(self, renter: str) -> Balance:
        """Return what a renter has."""
        check_owner(renter)
        market = self._market
        with market.lock:
            market.time()
            state = market.state
            held = sum(
                state.accounts.get(escrow_of(name), 0)
                for name, running in state.leases.items()
                if running.closing is None and running.lease.renter == renter
            )
            own = state.accounts.get(purse(renter), self._grant(renter))
            return Balance(account=purse(renter), balance=own, held=held)

    def _check(self, order: Order, now: int) -> None:
        terms = self._market.terms
        if order.market != terms.digest:
            raise NotAllowed(
                "the order is for another market, or for other terms: read these, and sign anew",
                code="order_for_another_market",
                expected=terms.digest,
                got=order.market[:80],
            )
        if now > order.not_after:
            raise NotAllowed(
                "the order has expired: sign a new one",
                code="order_expired",
                expected=f"a time until {order.not_after}",
                got=str(now),
            )
        own = self._market.state.accounts.get(purse(order.renter), self._grant(order.renter))
        if own < order.amount:
            raise NotAllowed(
                "the balance does not hold the deposit: order less, or end a lease first",
                code="balance_short",
                expected=f"at least {order.amount} micro-units",
                got=str(own),
            )

    def _grant(self, renter: str) -> int:
        """Return how many test units a renter is still to get."""
        terms, accounts = self._market.terms, self._market.state.accounts
        new = purse(renter) not in accounts and len(accounts) < MAX_NEW_RENTERS
        return money(terms.grant, "grant") if terms.grant is not None and new else 0

    def _match(self, order: Order, signature: str, name: bytes, now: int) -> Matched:
        market = self._market
        grant = self._grant(order.renter)
        if grant:
            market.commit(events.Granted(at=now, renter=order.renter, amount=grant))
        chosen = choose(order, market.book, terms=market.terms)
        offers = listed(market.book, chosen)
        match = Match(
            order=order, signature=signature, chosen=chosen.node if chosen else None,
            offers=offers, rejected=explain(order, offers, chosen, terms=market.terms),
            unlisted=len(market.book) - len(offers), at=now, sequence=market.number,
        )  # fmt: skip
        predicate = MatchStatement(
            author=market.identity.name, materials=self._materials(order, chosen), match=match,
            terms=market.terms,
        )  # fmt: skip
        said = say(predicate, match, name="match")
        envelopes = [market.identity.sign(said).encode()]
        answer = Matched(
            order=order.digest, match=said.name, rejected=match.rejected, unlisted=match.unlisted
        )
        change = events.Matched(
            at=now, order=order.digest, name=name.hex(), renter=order.renter, lease=None
        )
        if chosen is None:
            near = closest(order, market.book, terms=market.terms)
            answer = msgspec.structs.replace(answer, closest=near)
        else:
            lease = self._lease(order, chosen, now)
            predicate_of_lease = LeaseStatement(
                author=market.identity.name, materials=(made_of("match", said),), lease=lease,
                payout=lease.payout,
            )  # fmt: skip
            statement, signed = market.sign(predicate_of_lease, lease, name="lease")
            envelopes.append(signed)
            change = msgspec.structs.replace(
                change, lease=lease, lease_name=digest_of(lease), statement=statement
            )
            answer = msgspec.structs.replace(
                answer, node=chosen.node, lease=change.lease_name, statement=statement,
                rate=chosen.price,
            )  # fmt: skip
        market.commit(change, statements=envelopes, answer=(name, msgspec.json.encode(answer)))
        if change.lease is not None:
            market.show(market.state.nodes[change.lease.node], now)
            market.watch(market.state.leases[change.lease_name])
        return answer

    def _lease(self, order: Order, chosen: Offer, now: int) -> Lease:
        market = self._market
        return Lease(
            order=order.digest, node=chosen.node, renter=order.renter, rate=str(chosen.price),
            deposit=order.deposit, payout=market.state.nodes[chosen.node].claim.payout,
            terms=market.terms, opened=now, sequence=market.number,
        )  # fmt: skip

    def _materials(self, order: Order, chosen: Offer | None) -> tuple[Material, ...]:
        asked = Material(role="order", digest={"sha256": _hexed(order.digest)}, name="order")
        if chosen is None:
            return (asked,)
        node = self._market.state.nodes[chosen.node]
        admission = Material(
            role="admission", digest={"sha256": _hexed(node.decision)}, name="admission",
            statement=node.admission,
        )  # fmt: skip
        return asked, admission

    def _known(self, order: Order, known: str, name: bytes) -> Matched:
        if known != order.digest:
            raise NotAllowed(
                "this id names another order of yours: give each order an id of its own",
                code="order_id_taken",
                expected=known,
                got=order.digest,
            )
        answer = self._market.answer_to(name)
        if answer is None:
            raise NotAuthentic(
                "the answer to this order was removed from the ledger", code="ledger_tampered"
            )
        return msgspec.json.decode(answer, type=Matched)

    def _running(self, name: str) -> Running:
        parse_named(name)
        running = self._market.state.leases.get(name)
        if running is None:
            raise Unavailable("there is no such lease here", code="lease_unknown", got=name)
        return running

    def _view(self, running: Running, now: int) -> LeaseView:
        meter, closing = running.meter, running.closing
        standing = meter.standing(now, self._market.terms)
        return LeaseView(
            name=running.name, lease=running.lease, statement=running.statement,
            state="closed" if closing else standing.state,
            detail=closing.detail if closing else standing.detail,
            seconds=closing.seconds if closing else meter.seconds, beats=meter.beats,
            earned=int(closing.paid) if closing else meter.earned,
            rest=int(closing.refund) if closing else meter.rest,
            closing=closing, closed=running.closed, time=now,
        )  # fmt: skip


def _read(data: bytes) -> tuple[Envelope, Order]:
    envelope = _envelope(data)
    order = canonical.decode(envelope.payload, limit=MAX_ORDER, what="order", kind=Order)
    order.check()
    return envelope, verify_owned(envelope, order.renter, kind=Order, what="order")


def _envelope(data: bytes) -> Envelope:
    if len(data) > 2 * MAX_ORDER:
        raise TooLarge("the request is too large", expected=f"at most {2 * MAX_ORDER} bytes")
    return Envelope.parse(data)


def _name(order: Order) -> bytes:
    return framed_sha256("teeproof.order.v1", order.renter.encode(), order.id.encode())


def _hexed(digest: str) -> str:
    return digest.removeprefix("sha256:")
