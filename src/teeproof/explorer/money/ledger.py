"""What the explorer knows of a chain: its contracts, anchors, payments and funds, beside the log.

What is looked for comes from the log: the funds of mandates, the answers of receipts, the log's own
origin. What is found on the chain is one node's word. Each part stands alone: where the node does
not answer, or lies about form, that part says so, and the rest is shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from teeproof.agents.acted import agent_of, did_of
from teeproof.agents.mandate import Mandate
from teeproof.chain.anchors import origin_of
from teeproof.chain.answers import BlockHead
from teeproof.chain.artifacts import load
from teeproof.chain.client import Chain
from teeproof.chain.local.creation import CHAIN_ID
from teeproof.chain.onlooker import Onlooker
from teeproof.chain.seen import Seen, Transaction, seen_of, transaction
from teeproof.chain.standing import NO_CODE, FundState, Place, fund_state
from teeproof.core.digests import named, sha256
from teeproof.core.errors import Error, NotAuthentic
from teeproof.evidence.verdict import Check, failed, not_checked, passed
from teeproof.explorer.log.content import Book
from teeproof.explorer.money.agency import NO_NODE, listed
from teeproof.explorer.money.asking import FRESH, Lately
from teeproof.explorer.money.owed import Owed, owed
from teeproof.proof.log.formats.rfc6962 import root
from teeproof.proof.log.storage.log import Log

__all__ = ["Anchored", "Ledger", "Told"]

ACI = "aci/1"
_AGENTS = 8  # whose funds are looked at
_ANSWERS = 100  # newest receipts whose payments are looked for
_ANCHORS = 32
_Tick = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchored:
    """A checkpoint of this log in a block: how many entries, whether it is this log's, where."""

    size: int
    check: Check
    block: int
    block_hash: str
    time: int
    contract: str
    tx: str


@dataclass(slots=True, kw_only=True)
class Told:
    """What a page of the chain shows; ``problems`` has the reason of each part that is missing.

    Attributes:
        node: what strangers may read of where the node is; empty where there is none.
        chain_id: the chain's; None where no node told it.
        embedded: whether it is one of those that one party alone makes.
        head: its latest block.
        mandates: what the log says: agents and their mandates, newest first.
        funds: by agent, what the latest block holds.
        contracts: one check for each contract: is its code a shipped one?
        anchors: checkpoints of this log.
        owed: answers, who gets what of their fees, and what was paid.
        first: the first block that was looked at.
        problems: by part.
    """

    node: str = ""
    chain_id: int | None = None
    embedded: bool = False
    head: BlockHead | None = None
    mandates: list[tuple[str, Mandate]] = field(default_factory=list)
    funds: list[tuple[str, FundState]] = field(default_factory=list)
    contracts: list[Check] = field(default_factory=list)
    anchors: list[Anchored] = field(default_factory=list)
    owed: list[Owed] = field(default_factory=list)
    first: int | None = None
    problems: dict[str, str] = field(default_factory=dict)


class Ledger:
    """The chain beside one log.

    Args:
        book: the log.
        node: of the chain; None where there is none.
        clock: seconds that only grow.
    """

    def __init__(
        self, book: Book, node: Onlooker | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._book, self._node, self._clock = book, node, clock
        self._told: Lately[tuple[()], Told] = Lately(most=1, clock=clock)
        self._silent = -FRESH  # when the node was last found to be silent

    def told(self) -> Told:
        """Return what is known now, or was a few seconds ago."""
        return self._told.of((), self._tell)

    def _tell(self) -> Told:
        told = Told(node="" if self._node is None else self._node.name)
        told.mandates = list(self._mandates())
        if self._node is None:
            told.problems["chain"] = NO_NODE
            told.owed = self._owed()
        else:
            self._ask(self._node, told)
        return told

    def transaction(self, tx_hash: str) -> tuple[Transaction | None, str]:
        """Return a transaction; None, and why, where the node knows of none or does not say."""
        node = self._node
        if node is None:
            return None, NO_NODE
        if self._clock() - self._silent < FRESH:
            return None, "the node did not answer a moment ago"
        try:
            found = node.ask(lambda chain, tick: transaction(chain, tx_hash, in_time=tick))
        except Error as error:
            self._silent = self._clock()
            return None, f"the node did not say: {node.says(error)}"
        return found, "" if found else "the node knows of no block that holds it"

    def _ask(self, node: Onlooker, told: Told) -> None:
        """Ask a node for all parts, within one time for all of them."""

        def work(chain: Chain, tick: _Tick) -> None:
            told.chain_id, told.embedded = chain.chain_id, chain.chain_id == CHAIN_ID
            told.head = chain.block()
            for name, part in (
                ("funds", self._funds), ("anchors", self._anchors), ("payments", self._payments),
            ):  # fmt: skip
                try:
                    tick()
                    part(chain, tick, told)
                except Error as error:
                    told.problems[name] = node.says(error)

        try:
            node.ask(work)
        except Error as error:
            told.problems["chain"] = node.says(error)
            self._silent = self._clock()
        if not told.owed:
            told.owed = self._owed()

    def _mandates(self) -> Iterator[tuple[str, Mandate]]:
        newest = listed(self._book)[:_AGENTS]
        reads = self._book.reads([bytes.fromhex(one.statement) for one in newest])
        for read in reads:
            did = did_of(read)
            if did is not None:
                yield agent_of(did.action), did.action.mandate

    def _funds(self, chain: Chain, tick: _Tick, told: Told) -> None:
        for agent, mandate in told.mandates:
            if mandate.chain_id != chain.chain_id:
                told.contracts.append(not_checked(
                    "Fund", f"{mandate.fund}: it is on chain {mandate.chain_id}, and the node is of"
                    f" {chain.chain_id}",
                ))  # fmt: skip
                continue
            state = fund_state(chain, mandate.fund, in_time=tick, how_made=False)
            told.funds.append((agent, state))
            told.contracts.append(_code(state.place, "Fund", required=True))
            told.contracts += [_code(one, "Pool") for one in state.venues]
            told.contracts += [_code(one.token, "TestToken") for one in state.holdings]

    def _anchors(self, chain: Chain, tick: _Tick, told: Told) -> None:
        origin = self._book.facts().origin
        seen = seen_of(chain, "Anchors", "Anchored", {"origin": [origin_of(origin)]}, in_time=tick)
        _places(told, seen, "Anchors")
        with Log.open(self._book.log, read_only=True) as log:
            for event in seen.events[:_ANCHORS]:
                tick()
                told.anchors.append(Anchored(
                    size=event["size"], check=_matches(log, event["size"], event["root"]),
                    block=event.block, block_hash=event.block_hash,
                    time=chain.block(event.block).timestamp, contract=event.address,
                    tx=event.tx_hash,
                ))  # fmt: skip

    def _payments(self, chain: Chain, tick: _Tick, told: Told) -> None:
        answers = [bytes.fromhex(one.id) for one in self._book.roll.of(ACI, count=_ANSWERS)]
        if not answers:
            return
        paid = seen_of(chain, "Payments", "Paid", {"answer": answers}, in_time=tick)
        taken = seen_of(chain, "Payments", "Claimed", {"answer": answers}, in_time=tick)
        _places(told, paid, "Payments")
        told.owed = self._owed(paid, taken)

    def _owed(self, paid: Seen | None = None, taken: Seen | None = None) -> list[Owed]:
        newest = self._book.roll.of(ACI, count=_ANSWERS)
        with self._book.opened() as contents:
            return owed([bytes.fromhex(one.id) for one in newest], contents, paid, taken)


def _places(told: Told, seen: Seen, name: str) -> None:
    told.first = seen.first if told.first is None else max(told.first, seen.first)
    told.contracts += [_code(one, name) for one in seen.places]
    told.contracts += [
        _instead(
            _code(one, name),
            f"{one.address}: other code left events that look like ours: not counted",
        )
        for one in seen.strangers
    ]


def _instead(check: Check, detail: str) -> Check:
    """Return a check with another sentence."""
    return not_checked(check.name, detail, got=check.got)


def _code(place: Place, name: str, *, required: bool = False) -> Check:
    """Return whether the shipped contract stands at an address."""
    if place.code == name:
        shipped = f"{place.address}: its code is the shipped contract {name}, byte by byte"
        return passed(name, shipped, got=place.digest)
    what = "no contract stands there" if place.digest == NO_CODE else "other code stands there"
    if not required:
        detail = f"{place.address}: {what}, and nothing is known of what it does"
        return not_checked(name, detail, got=place.digest)
    return failed(
        name, "contract_other",
        f"{place.address}: {what}; put nothing in before somebody has read it",
        expected=named(sha256(load(name).runtime.code)), got=place.digest,
    )  # fmt: skip


def _matches(log: Log, size: int, found: bytes) -> Check:
    """Return whether an anchored root is that of this log's first entries."""
    name = f"{size} entries"
    if not 0 < size <= log.published_size:
        return not_checked(name, f"this copy of the log has published {log.published_size}")
    try:
        own = root(size, log.node)
    except NotAuthentic as error:
        return not_checked(name, f"the log cannot be read: {error.detail}")
    if own == found:
        return passed(name, "the block holds the root of exactly these entries")
    return failed(
        name, "anchor_other", "the block holds another root for so many entries: the log forked, or"
        " whoever anchors lied", expected=own.hex(), got=found.hex(),
    )  # fmt: skip
