"""Match an order to the cheapest offer that meets it, and say of every other why it does not.

Offers are asked in one order, price, then who came first; the first without an objection is chosen.
An objection is the first constraint that an offer breaks, in a fixed order. Nothing else decides,
so the same order over the same offers always gives the same answer, here and at whoever checks it.

Trusts: nothing.  Does not trust: nothing; it only compares.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Literal

import msgspec

from teeproof.core.errors import NotAllowed
from teeproof.network.forms import several
from teeproof.network.offers import Book, Offer
from teeproof.network.orders import Need, Order
from teeproof.network.terms import Terms
from teeproof.proof.links import Integer

__all__ = [
    "MAX_LISTED",
    "Match",
    "Rejected",
    "choose",
    "closest",
    "explain",
    "listed",
    "objection",
    "rematch",
]

MAX_LISTED = 64  # offers in one statement: the longest that there can be stay below 256 KiB

Code = Literal[
    "leased", "stale", "tee", "gpus", "cpus", "memory", "region", "labels", "price", "deposit",
    "dearer", "later",
]  # fmt: skip


class Rejected(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Why an offer was not chosen.

    Attributes:
        node: whose offer.
        code: the first constraint that it breaks; ``dearer`` or ``later`` if another was chosen
            only for its price, or because it came first.
        wanted: what the order needs, in words.
        offered: what the offer has.
    """

    node: str
    code: Code
    wanted: str
    offered: str


class Match(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """What came of an order.

    Attributes:
        order: the order.
        signature: the renter's under it, 128 hex digits.
        chosen: the node; None if no offer meets the order.
        offers: the cheapest offers of the book, at most ``MAX_LISTED``, and the chosen one.
        rejected: each of them that was not chosen, and why, in the same order.
        unlisted: how many more offers the book had; none of them is cheaper than a listed one,
            but for the chosen.
        at: when, by the market's clock, seconds since 1970.
        sequence: the number of this change in the market's ledger.
    """

    order: Order
    signature: str
    chosen: str | None = None
    offers: tuple[Offer, ...]
    rejected: tuple[Rejected, ...]
    unlisted: Integer = 0
    at: Integer
    sequence: Integer


def choose(order: Order, book: Book, *, terms: Terms) -> Offer | None:
    """Return the cheapest offer in the book that meets the order."""
    need, most, amount = order.need, order.price, order.amount
    for offer in book.candidates(need):
        if offer.price > most:
            return None
        if _meets(need, offer) and offer.price * terms.least <= amount:
            return offer
    return None


def explain(
    order: Order, offers: Iterable[Offer], chosen: Offer | None, *, terms: Terms
) -> tuple[Rejected, ...]:
    """Return of each offer but the chosen one why it was not chosen."""
    return tuple(
        objection(order, offer, terms=terms) or _behind(offer, chosen)
        for offer in offers
        if chosen is None or offer.node != chosen.node
    )


def rematch(
    order: Order, offers: Iterable[Offer], *, terms: Terms
) -> tuple[Offer | None, tuple[Rejected, ...]]:
    """Return choice and reasons, found offer by offer: what a stranger does with a match."""
    ranked = sorted(offers, key=lambda offer: offer.rank)
    free = (offer for offer in ranked if objection(order, offer, terms=terms) is None)
    chosen = next(free, None)
    return chosen, explain(order, ranked, chosen, terms=terms)


def listed(book: Book, chosen: Offer | None) -> tuple[Offer, ...]:
    """Return the offers that a statement lists: the cheapest, and the chosen one at its place."""
    first = tuple(islice(book, MAX_LISTED))
    if chosen is None or any(offer.node == chosen.node for offer in first):
        return first
    return (*first, chosen)


def objection(order: Order, offer: Offer, *, terms: Terms) -> Rejected | None:
    """Return the first constraint that an offer breaks; None if it meets the order."""
    return next(_objections(order, offer, terms), None)


def closest(order: Order, book: Book, *, terms: Terms, most: int = 3) -> tuple[Rejected, ...]:
    """Return what kept the closest offers from meeting an order: they break the fewest constraints.

    Every offer is looked at, so this is for orders that found none.
    """
    found = []
    for offer in book:
        broken = list(_objections(order, offer, terms))
        if broken:
            found.append((len(broken), offer.rank, broken[0]))
    found.sort(key=lambda entry: entry[:2])
    return tuple(entry[2] for entry in found[:most])


def _meets(need: Need, offer: Offer) -> bool:
    hardware = offer.hardware
    return (
        hardware.cpus >= need.cpus
        and hardware.memory_mib >= need.memory_mib
        and not offer.taken
        and (not need.labels or need.labels.items() <= offer.labels.items())
    )


def _objections(order: Order, offer: Offer, terms: Terms) -> Iterator[Rejected]:
    def broken(code: Code, wanted: object, offered: object) -> Rejected:
        return Rejected(node=offer.node, code=code, wanted=str(wanted), offered=str(offered))

    need, hardware = order.need, offer.hardware
    if offer.taken:
        yield broken("leased" if offer.taken == "leased" else "stale", "a free node", offer.taken)
    if offer.tee not in need.tee:
        yield broken("tee", " or ".join(need.tee), offer.tee)
    if not hardware.has(need.gpus):
        yield broken("gpus", several(map(str, need.gpus)), several(map(str, hardware.gpus)))
    if hardware.cpus < need.cpus:
        yield broken("cpus", f"{need.cpus} cores", f"{hardware.cpus} cores")
    if hardware.memory_mib < need.memory_mib:
        yield broken("memory", f"{need.memory_mib} MiB", f"{hardware.memory_mib} MiB")
    if need.regions and offer.region not in need.regions:
        yield broken("region", " or ".join(need.regions), offer.region)
    for key in sorted(need.labels):
        if offer.labels.get(key) != need.labels[key]:
            yield broken("labels", f"{key}={need.labels[key]}", f"{key}={offer.labels.get(key)}")
            break
    if offer.price > order.price:
        yield broken("price", f"at most {order.price} a second", f"{offer.price} a second")
    if offer.price * terms.least > order.amount:
        yield broken("deposit", f"{terms.least} s for {order.amount}", f"{offer.price} a second")


def _behind(offer: Offer, chosen: Offer | None) -> Rejected:
    """Return why an offer without an objection was not chosen: another one stood before it."""
    if chosen is None or offer.rank < chosen.rank:
        raise NotAllowed(
            "an offer that meets the order was skipped: no such match is written down",
            code="offer_skipped",
            expected=offer.node,
            got="none" if chosen is None else chosen.node,
        )
    if offer.price > chosen.price:
        wanted, offered = f"{chosen.price} a second", f"{offer.price} a second"
        return Rejected(node=offer.node, code="dearer", wanted=wanted, offered=offered)
    wanted, offered = f"number {chosen.since}", f"number {offer.since}"
    return Rejected(node=offer.node, code="later", wanted=wanted, offered=offered)
