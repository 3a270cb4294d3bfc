"""What the rules look at, and its arithmetic: whole numbers only, rounded against the trade.

Trusts: nothing.  Does not trust: the node's numbers; they are only reckoned with.
"""

from __future__ import annotations

from dataclasses import dataclass

from teeproof.agents.mandate import Mandate, Way
from teeproof.agents.orders import Decimal, Order
from teeproof.agents.records import Answer, Facts, Instruction

__all__ = ["Case", "amount_of"]

_BPS = 10_000


@dataclass(frozen=True, kw_only=True)
class Case:
    """What the rules look at; what is None was not reached."""

    mandate: Mandate
    turn: str
    instruction: Instruction
    answer: Answer
    order: Order | None
    way: Way | None
    facts: Facts | None

    @property
    def amount(self) -> int:
        """How much the order gives away, in smallest units."""
        return 0 if self.order is None or self.facts is None else amount_of(self.order, self.facts)

    @property
    def fair(self) -> int:
        """What the amount is worth at the pool's price, in smallest units of the other asset."""
        if self.facts is None or not int(self.facts.reserve_gives):
            return 0
        return self.amount * int(self.facts.reserve_gets) // int(self.facts.reserve_gives)

    @property
    def min_out(self) -> int:
        """The least to accept for the amount."""
        return self.fair * (_BPS - self.mandate.slippage_bps) // _BPS

    def price(self, limit: Decimal) -> int:
        """Return the sign of the pool's price less a limit."""
        assert self.way is not None
        assert self.facts is not None
        gives, gets = int(self.facts.reserve_gives), int(self.facts.reserve_gets)
        sells = self.way.gives.symbol == self.way.market.base
        quote, base = (gets, gives) if sells else (gives, gets)
        quoted, based = (
            (self.way.gets, self.way.gives) if sells else (self.way.gives, self.way.gets)
        )
        return limit.compare(quote * 10**based.decimals, base * 10**quoted.decimals)


def amount_of(order: Order, facts: Facts) -> int:
    """Return how much an order gives away, in smallest units, rounded down."""
    return Decimal.parse(order.part).of(int(facts.balance))
