"""The chain under an agent: what it says of fund and pool, and how a signed trade gets there.

Whoever submits is a relayer, an account that pays for gas and can do nothing else: the fund looks
at the agent's signature and at its own mandate. A node that lies can keep a trade from happening,
or have one signed at a wrong price, no worse than the mandate's lowest and highest and the slippage
allow, and no larger than the fund's own limits; it cannot have anything sent to anybody.

Trusts: nothing.  Does not trust: the node; each of its answers is one block's, and looked at again.
"""

from __future__ import annotations

import contextlib
from typing import Any, NamedTuple

import msgspec

from teeproof.agents.authority import typed_trade
from teeproof.agents.case import amount_of
from teeproof.agents.mandate import Mandate, Way
from teeproof.agents.orders import Order
from teeproof.agents.records import Effect, Facts, Intent
from teeproof.chain.client import BlockHead, Chain
from teeproof.chain.fund import Fund, Traded
from teeproof.chain.outbox import Outbox
from teeproof.chain.pool import Pool
from teeproof.chain.token import Token
from teeproof.core.errors import Malformed, NotAllowed, NotAuthentic, Unavailable

__all__ = ["Done", "Ground", "Standing"]

_DAY = 86_400  # of Fund.vy
_ATTEMPTS = 3  # to read all of one block before it is replaced
_LONGEST_REASON = 120
_GAS = 600_000  # a trade in a pool of ours takes 180,000; an estimate would double its time


class Standing(NamedTuple):
    """What the fund says of its agent.

    Attributes:
        agent: the address whose signature it takes.
        nonce: how many trades it made.
    """

    agent: str
    nonce: int


class Done(NamedTuple):
    """What became of a signed trade; without a transaction, ``detail`` says why."""

    effect: Effect
    detail: str


class Ground:
    """One fund on one chain, seen through one node.

    Args:
        chain: the node.
        outbox: of the relayer's account.
        mandate: which names the fund.
    """

    def __init__(self, chain: Chain, *, outbox: Outbox, mandate: Mandate) -> None:
        self._chain, self._outbox = chain, outbox
        self._fund = Fund(chain, mandate.fund)

    def standing(self) -> Standing:
        """Return what the fund says of its agent.

        Raises:
            Unavailable: the node does not answer, or no fund is there (``fund_missing``).
        """
        if not self._chain.code(self._fund.contract):
            raise Unavailable(
                "there is no fund at the mandate's address: deploy it there, or ask another node",
                code="fund_missing",
                expected=self._fund.address,
            )
        return Standing(self._fund.agent(), self._fund.nonce())

    def final(self) -> int:
        """Return the height up to which the chain will not change, as the node says."""
        return self._chain.block("finalized").number

    def facts(self, order: Order, way: Way, *, clock: int) -> Facts:
        """Return what one block says that an order depends on.

        Raises:
            Unavailable: the node does not answer, or replaces its blocks while it is asked.
        """
        for _ in range(_ATTEMPTS):
            head = self._chain.block()
            found = self._facts(order, way, head, clock)
            if self._chain.block(head.number).hash == head.hash:
                return found
        raise Unavailable("the chain is being reorganised: ask again shortly", code="chain_moving")

    def found(self, intent: Intent, signature: str) -> Done | None:
        """Return the trade of an intent, if a block holds it.

        Raises:
            NotAuthentic: code ``node_contradicts``; the node tells of another trade.
        """
        try:
            traded = self._fund.find(intent.digest)
        except ValueError:  # the fund names a block, and no event is there
            raise Unavailable(
                "the node contradicts itself: ask again shortly", code="chain_moving"
            ) from None
        if traded is None:
            return None
        order = typed_trade(intent)
        wanted = (order.action, order.venue, order.sell, order.buy, order.amount, order.nonce)
        got = (traded.action, traded.venue, traded.sell, traded.buy, traded.amount, traded.nonce)
        receipt = self._chain.receipt(traded.tx_hash)
        if wanted != got or receipt is None or traded.received < order.min_out:
            raise NotAuthentic(
                "the node tells of a trade that nobody signed: ask another node",
                code="node_contradicts",
                expected=str(order.values)[:300],
                got=str(traded)[:300],
            )
        return _done(traded, receipt.block_hash, signature)

    def is_over(self, intent: Intent) -> bool:
        """Return whether no block can hold an intent's trade any more."""
        return self._chain.block().timestamp > typed_trade(intent).deadline

    def trade(self, intent: Intent, signature: bytes) -> Done:
        """Have a signed trade done, unless it is, and return what became of it.

        Raises:
            Unavailable: no block holds it yet, and its time is not over: call it again.
        """
        text = signature.hex()
        done = self.found(intent, text)
        if done is None and self.is_over(intent):
            return _not_done(text, "its time was over before a block held it")
        if done is None:
            refused = self._submit(intent, signature)
            done = self.found(intent, text)  # somebody else may have carried it
            if done is None and refused is not None:
                return _not_done(text, f"the fund refused it: {refused}"[:_LONGEST_REASON])
        if done is None:
            raise Unavailable(
                "the block that held the trade was replaced: ask again shortly", code="chain_moving"
            )
        return done

    def _submit(self, intent: Intent, signature: bytes) -> str | None:
        """Have a block take a trade; return the fund's reason if it refuses."""
        fund, values = self._fund.contract, typed_trade(intent).values
        key = f"trade:{intent.digest.hex()}"
        try:
            # Asked first, so that what the fund refuses costs nobody gas.
            self._chain.call(fund, "trade", values, signature, sender=self._outbox.address)
            self._outbox.send(key, fund, "trade", values, signature, gas=_GAS)
        except NotAllowed as error:
            if error.code == "reverted":
                return error.got or "no reason"
            if error.code == "nonce_taken":  # a second one can do no harm: an action is done once
                with contextlib.suppress(NotAllowed):
                    self._outbox.renew(key)
            raise Unavailable(
                f"the relayer cannot submit: {error.detail}", code=error.code, got=error.got
            ) from None
        return None

    def _facts(self, order: Order, way: Way, head: BlockHead, clock: int) -> Facts:
        fund, pool = self._fund.contract, Pool(self._chain, way.market.venue).contract
        gives, gets = way.gives.token, way.gets.token
        token = Token(self._chain, gives).contract
        day = head.timestamp // _DAY

        def ask(contract: Any, function: str, *arguments: Any) -> str:
            return str(self._chain.call(contract, function, *arguments, at=head.number))

        def ask_pool(function: str, *arguments: Any) -> str:
            try:
                return ask(pool, function, *arguments)
            except (NotAllowed, Malformed):  # it says no, or is no pool: it holds and pays nothing
                return "0"

        facts = Facts(
            venue=way.market.venue,
            block=head.number,
            block_hash=head.hash,
            time=head.timestamp,
            clock=clock,
            nonce=ask(fund, "nonce"),
            balance=ask(token, "balanceOf", fund.address),
            spent=ask(fund, "sold_on", gives, day),
            reserve_gives=ask_pool("reserve_of", gives),
            reserve_gets=ask_pool("reserve_of", gets),
        )
        facts.check()
        amount = amount_of(order, facts)
        return _with(facts, ask_pool("quote", gives, amount) if amount else None)


def _with(facts: Facts, pays: str | None) -> Facts:
    whole = msgspec.structs.replace(facts, pays=pays)
    whole.check()
    return whole


def _done(traded: Traded, block_hash: str, signature: str) -> Done:
    effect = Effect(
        signature=signature,
        tx=traded.tx_hash,
        block=traded.block,
        block_hash=block_hash,
        gave=str(traded.amount),
        got=str(traded.received),
    )
    return Done(effect, f"traded in block {traded.block}: {effect.gave} for {effect.got}")


def _not_done(signature: str, why: str) -> Done:
    return Done(Effect(signature=signature), why)
