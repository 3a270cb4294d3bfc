"""Offers of admitted nodes, in one order: price, then who came first. And a book that finds fast.

The book keeps offers in shelves, one for each label, region and set of GPUs, each sorted. An order
looks at the heads of the shelves that could hold what it needs, cheapest first, so what it costs
does not grow with the number of nodes that are too dear or elsewhere.

Trusts: nothing.  Does not trust: nothing comes in that was not admitted.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from operator import attrgetter

import msgspec

from teeproof.network.claim import Gpus, Hardware
from teeproof.network.orders import Need, Tee
from teeproof.proof.links import Integer

__all__ = ["Book", "Offer"]

Shelf = tuple[Tee, str, tuple[Gpus, ...]]


class Offer(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """What one node offers.

    Attributes:
        node: the node's name in the market, ``sha256:…``.
        admission: ``sha256:…`` of the statement that admitted it.
        price: micro-units for each second.
        since: the market's sequence number of its first admission at this price; of two equal
            prices the lower one is first.
        tee: what vouches for it.
        region: where it says it stands.
        hardware: what it says it has.
        labels: what else it says.
        taken: why it cannot be had now: ``leased`` or ``stale``; empty if it can.
    """

    node: str
    admission: str
    price: Integer
    since: Integer
    tee: Tee
    region: str
    hardware: Hardware
    labels: dict[str, str] = {}
    taken: str = ""

    @property
    def rank(self) -> tuple[int, int]:
        """What offers are sorted by: price, then time. No two are equal."""
        return self.price, self.since


_rank = attrgetter("rank")


class Book:
    """All offers, by node; those that can be had also on shelves."""

    def __init__(self, offers: Iterable[Offer] = ()) -> None:
        self._offers: dict[str, Offer] = {}
        self._all: list[Offer] = []
        self._shelves: dict[Shelf, list[Offer]] = {}
        for offer in offers:
            self.put(offer)

    def __len__(self) -> int:
        return len(self._offers)

    def __iter__(self) -> Iterator[Offer]:
        """Yield every offer, cheapest first."""
        return iter(self._all)

    def get(self, node: str) -> Offer | None:
        """Return a node's offer."""
        return self._offers.get(node)

    def put(self, offer: Offer) -> None:
        """Add a node's offer, in place of the one that it had."""
        self.remove(offer.node)
        self._offers[offer.node] = offer
        insort(self._all, offer, key=_rank)
        if not offer.taken:
            self._shelve(offer)

    def remove(self, node: str) -> None:
        """Remove a node's offer, if it has one."""
        offer = self._offers.pop(node, None)
        if offer is None:
            return
        _drop(self._all, offer)
        if not offer.taken:
            self._unshelve(offer)

    def mark(self, node: str, taken: str) -> None:
        """Say why a node cannot be had, or with an empty text that it can."""
        offer = self._offers.get(node)
        if offer is None or offer.taken == taken:
            return
        if not offer.taken:
            self._unshelve(offer)
        marked = msgspec.structs.replace(offer, taken=taken)
        self._offers[node] = self._all[bisect_left(self._all, offer.rank, key=_rank)] = marked
        if not taken:
            self._shelve(marked)

    def candidates(self, need: Need) -> Iterator[Offer]:
        """Yield what could meet a need by label, region and GPUs, cheapest first."""
        shelves = [
            shelf
            for (tee, region, gpus), shelf in self._shelves.items()
            if tee in need.tee
            and (not need.regions or region in need.regions)
            and (not need.gpus or _have(gpus, need.gpus))
        ]
        return iter(shelves[0]) if len(shelves) == 1 else heapq.merge(*shelves, key=_rank)

    def _shelve(self, offer: Offer) -> None:
        insort(self._shelves.setdefault(_shelf(offer), []), offer, key=_rank)

    def _unshelve(self, offer: Offer) -> None:
        shelf = self._shelves[_shelf(offer)]
        _drop(shelf, offer)
        if not shelf:
            del self._shelves[_shelf(offer)]


def _shelf(offer: Offer) -> Shelf:
    return offer.tee, offer.region, offer.hardware.gpus


def _have(there: tuple[Gpus, ...], wanted: tuple[Gpus, ...]) -> bool:
    counts = {gpus.model: gpus.count for gpus in there}
    return all(counts.get(gpus.model, 0) >= gpus.count for gpus in wanted)


def _drop(offers: list[Offer], offer: Offer) -> None:
    del offers[bisect_left(offers, offer.rank, key=_rank)]
