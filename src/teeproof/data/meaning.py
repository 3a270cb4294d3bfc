"""Does a text say what its order says? A structural check, for each thing that can be decided.

A record whose text and order contradict each other is poison: it teaches a model to do another
thing than it was told. Where a rule can tell, it is refused with its line; where none can, it is
taken on the contributor's word, and counts for less (``weights``).

    "sell half my ETH below 2,000"   {"sell":"ETH","part":0.5,"below":2000}    confirmed
    "sell half my ETH below 2,000"   {"buy":"ETH","part":0.5,"below":2000}     text_side
    "time to let some ether go"      {"sell":"ETH","part":0.2}                 open

Of two readings none is chosen: what is refused is wrong under every reading that the rules know.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from teeproof.data.orders import Order
from teeproof.data.said import Said, listen

__all__ = ["Contradiction", "Judgement", "judge"]

_CLOSE = Decimal("0.005")  # a third is written as 0.33


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Why a record is refused; repeats nothing of it.

    Attributes:
        code: ``text_side``, ``text_asset``, ``text_part``, ``text_price`` or ``text_condition``.
        detail: one sentence.
    """

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the rules found.

    Attributes:
        contradiction: the first thing that text and order say differently, if any.
        confirmed: whether the text says everything that the order says.
    """

    contradiction: Contradiction | None
    confirmed: bool


_OPEN = Judgement(None, False)
_CONFIRMED = Judgement(None, True)
_WORDS = {
    "text_side": "the text says buy where the order says sell, or the other way round",
    "text_asset": "the text names another asset than the order",
    "text_part": "the text says another part than the order",
    "text_price": "the order's price is not in the text",
    "text_condition": "text and order differ in the condition: none, below or above",
}


def judge(text: str, order: Order) -> Judgement:
    """Return whether a text contradicts its order, confirms it, or leaves it open."""
    said = listen(text)
    if said.open:
        return _OPEN
    found = {
        "text_side": _side(said, order),
        "text_asset": _asset(said, order),
        "text_part": _part(said, order),
        "text_price": _price(said, order),
        "text_condition": _condition(said, order),
    }
    for code, agrees in found.items():
        if agrees is False:
            return Judgement(Contradiction(code, _WORDS[code]), False)
    return _CONFIRMED if all(found.values()) else _OPEN


def _side(said: Said, order: Order) -> bool | None:
    return order.side in said.sides if len(said.sides) == 1 else None


def _asset(said: Said, order: Order) -> bool | None:
    others = said.symbols - {order.asset}
    if order.asset in said.symbols or order.asset in said.words:
        return None if others else True
    return False if others else None


def _part(said: Said, order: Order) -> bool | None:
    if len(said.parts) != 1:
        return None
    (part,) = said.parts
    return abs(part - order.part) <= _CLOSE


def _price(said: Said, order: Order) -> bool | None:
    """Whether the order's price is in the text; an order without one has it."""
    if order.price is None or any(value == order.price for value, _ in said.prices):
        return True
    return None if said.vague else False


def _condition(said: Said, order: Order) -> bool | None:
    directions = {(value, word) for value, word in said.prices if word is not None}
    if order.condition is None:
        if directions:
            return False
        return None if said.prices or said.vague else True
    mine = {word for value, word in said.prices if value == order.price}
    if mine and None not in mine and order.condition not in mine:
        return False
    return True if mine == {order.condition} and len(said.prices) == 1 else None
