"""What a node's address took of its answers' fees, as a node of the chain tells it.

Claims are found by who was paid. One counts only if the shipped contract left it, the log holds
the answer, that names a lease of this node as its machine's, its lineage gives the address exactly
so much of this token, and its proof holds: anybody can pay anybody a token that he made himself.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from teeproof.chain.abi import Event
from teeproof.chain.client import Chain
from teeproof.chain.local.creation import CHAIN_ID
from teeproof.chain.onlooker import Onlooker
from teeproof.chain.seen import Seen, seen_of
from teeproof.chain.standing import place_of, token_names
from teeproof.chain.token import asset_of, text_of
from teeproof.core.errors import Error
from teeproof.explorer.log.content import Book
from teeproof.explorer.made.standing import Standing, looked_at
from teeproof.explorer.money.asking import Lately
from teeproof.inference.fees import Split, split
from teeproof.proof.source import Source, read_record

if TYPE_CHECKING:
    from teeproof.explorer.machines.node import NodePage

__all__ = ["SHOWN", "Claim", "Earnings", "Taken", "amount_of", "of_leases"]

SHOWN: Final = 20
"""Claims of a page, each with the verdict on its answer's proof."""
_DIVIDED = 60  # answers of a page whose lineage is read
_TOKENS = 8  # that are asked for their names
_KEPT = 64  # nodes whose claims are kept for a moment
_ADDRESS = re.compile(r"0x[0-9a-f]{40}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A part of an answer's fee that the address took.

    Attributes:
        answer: the receipt's id, hex.
        asset: the token, ``eip155:…``.
        amount: how much, in the token's smallest units.
        text: the same as people read it.
        payee: who took it.
        payer: who paid.
        block: where.
        tx: with which transaction.
        standing: of the answer's proof; only where it holds is the claim counted.
    """

    answer: str
    asset: str
    amount: int
    text: str
    payee: str
    payer: str
    block: int
    tx: str
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a node took.

    Attributes:
        problem: why nothing is known; empty if something is.
        addresses: that were looked for.
        claims: newest first.
        totals: of those that count: a token, how much of it, the same as people read it.
        counted: how many claims count.
        others: claims that are not of this node's answers, or not of what their lineage says.
        unread: claims that were not looked at.
        first: the first block that was looked at.
        last: the last one.
        more: whether the node of the chain told of more claims than were looked at.
        embedded: whether the chain is one that one party alone makes.
    """

    problem: str = ""
    addresses: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    totals: tuple[tuple[str, int, str], ...] = ()
    counted: int = 0
    others: int = 0
    unread: int = 0
    first: int = 0
    last: int = 0
    more: bool = False
    embedded: bool = False


@dataclass(frozen=True, slots=True)
class _Told:
    """What a node of the chain said: the claims, and by token its symbol and decimals."""

    seen: Seen | None = None
    chain_id: int = 0
    names: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    why: str = ""


def amount_of(asset: str, amount: int, names: Mapping[str, tuple[str, int]]) -> str:
    """Return an amount as people read it.

    Args:
        asset: the token, ``eip155:…``.
        amount: in its smallest units.
        names: by asset, the symbol and the decimals of those whose code is known.
    """
    if asset not in names:
        return f"{amount} of {asset.rpartition(':')[2]}, in its smallest units"
    symbol, decimals = names[asset]
    return f"{text_of(amount, decimals)} {symbol}"


class Earnings:
    """What nodes of one log took on a chain.

    Args:
        book: the log.
        node: of the chain; None where there is none.
        clock: seconds that only grow.
    """

    def __init__(
        self, book: Book, node: Onlooker | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._book, self._node = book, node
        self._told: Lately[tuple[str, ...], _Told] = Lately(most=_KEPT, clock=clock)

    def of(self, page: NodePage) -> Taken:
        """Return what a node took of its answers' fees, by the addresses that it names itself."""
        node, addresses = self._node, _addresses(page)
        if node is None:
            return Taken(problem="no chain was asked: this explorer is connected to no node of one",
                         addresses=addresses)  # fmt: skip
        if not addresses:
            return Taken(problem="this log does not say to which address it is paid")
        told = self._told.of(addresses, lambda: _asked(node, addresses))
        if told.seen is None:
            return Taken(problem=told.why, addresses=addresses)
        leases = {one.digest for one in page.file.every_lease}
        return self._taken(told, told.seen, leases, addresses)

    def _taken(
        self, told: _Told, seen: Seen, leases: Set[str], addresses: tuple[str, ...]
    ) -> Taken:
        with self._book.opened() as source:
            own, unread = of_leases(seen, leases, source, chain_id=told.chain_id)
        claims = tuple(self._claim(event, told) for event in own[:SHOWN])
        held = [one for one in claims if one.standing.ok]
        sums: Counter[str] = Counter()
        for one in held:
            sums[one.asset] += one.amount
        return Taken(
            addresses=addresses, claims=claims, counted=len(held),
            totals=tuple((asset, amount, amount_of(asset, amount, told.names))
                         for asset, amount in sorted(sums.items())),
            others=len(seen.events) - len(own) - unread,
            unread=unread + len(own) - len(claims),
            first=seen.first, last=seen.last, more=seen.more, embedded=told.chain_id == CHAIN_ID,
        )  # fmt: skip

    def _claim(self, event: Event, told: _Told) -> Claim:
        asset = asset_of(told.chain_id, event["token"])
        return Claim(
            answer=event["answer"].hex(), asset=asset, amount=event["amount"],
            text=amount_of(asset, event["amount"], told.names), payee=event["payee"],
            payer=event["payer"], block=event.block, tx=event.tx_hash,
            standing=looked_at(self._book, event["answer"])[1],
        )  # fmt: skip


def _addresses(page: NodePage) -> tuple[str, ...]:
    """Return where its claim, and its leases that hold, say that it is paid."""
    said = [] if page.claim is None else [page.claim.payout]
    said += [row.lease.payout for row in page.leases if row.objection is None]
    return tuple(sorted({one for one in said if _ADDRESS.fullmatch(one)}))


def _asked(node: Onlooker, addresses: tuple[str, ...]) -> _Told:
    def work(chain: Chain, tick: Callable[[], None]) -> _Told:
        seen = seen_of(chain, "Payments", "Claimed", {"payee": addresses}, in_time=tick)
        names = {}
        for token in list(dict.fromkeys(one["token"] for one in seen.events))[:_TOKENS]:
            tick()
            place = place_of(chain, token)
            if place.code is not None:
                names[asset_of(chain.chain_id, token)] = token_names(chain, place)
        return _Told(seen, chain.chain_id, names)

    try:
        return node.ask(work)
    except Error as error:
        return _Told(why=f"the node did not say: {node.says(error)}")


def of_leases(
    seen: Seen, leases: Set[str], source: Source, *, chain_id: int
) -> tuple[list[Event], int]:
    """Return the claims that are of leases' answers, and how many were not looked at.

    Args:
        seen: ``Claimed`` events of contracts whose code is ours, newest first.
        leases: digests of one node's leases, hex.
        source: the log.
        chain_id: of the chain that the events are of.
    """
    divided: dict[bytes, Split | None] = {}
    own, unread = [], 0
    for event in seen.events:
        answer = event["answer"]
        if answer not in divided and len(divided) == _DIVIDED:
            unread += 1
            continue
        if answer not in divided:
            divided[answer] = _divided(answer, leases, source)
        found = divided[answer]
        if found is not None and _is_of(found, chain_id, event):
            own.append(event)
    return own, unread


def _is_of(found: Split, chain_id: int, event: Event) -> bool:
    """Return whether a claim is what an answer's lineage gives the address."""
    given = found.chain_id, found.token, found.parts.get(event["payee"])
    return given == (chain_id, event["token"], event["amount"])


def _divided(answer: bytes, leases: Set[str], source: Source) -> Split | None:
    """Return who gets what of an answer's fee; None if it names no such lease, or nobody can."""
    record = source.statement(answer)
    if record is None or not set(_leases_of(record)) & leases:
        return None
    try:
        return split(answer, source)
    except Error:
        return None


def _leases_of(record: bytes) -> Iterator[str]:
    """Yield the leases that a receipt names as its machine's, by their digests in hex."""
    read = read_record(record)
    if read.receipt is not None:
        for link in read.links:
            if link.role == "node":
                yield link.digest.removeprefix("sha256:")
