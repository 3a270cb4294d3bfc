"""Read a model's answer as one order, or refuse it: an exact grammar, and nothing beside it.

    {"sell":"ETH","part":0.5,"below":2000}

    order  = "{" side "," part [ "," bound ] "}"
    side   = ("sell" | "buy") with an asset's symbol, two to five capital letters
    part   = "part" with a number above 0 and at most 1: which part of what is given away
    bound  = ("below" | "above") with a number above 0: the price at which to act
    number = digits without leading zeros, and at most 12 digits after the point; no exponent

There is no recipient in it and no contract: whatever a model is talked into, it has no words for
sending anything to anybody. Numbers stay text and are read as integers, never as floats.

Trusts: nothing.  Does not trust: the model, who instructed it, who served it.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

import msgspec

from teeproof.core.errors import Malformed
from teeproof.core.text import cut

__all__ = ["MAX_ANSWER", "Decimal", "Order", "parse_order"]

MAX_ANSWER = 256  # the longest order has 94 characters

_NUMBER = r"((?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,12})?)"
_ORDER = re.compile(
    r'\{"(sell|buy)":"([A-Z]{2,5})","part":' + _NUMBER + r'(?:,"(below|above)":' + _NUMBER + r")?\}"
)
_FIELDS = ("side", "asset", "part", "bound", "price")  # the groups of the pattern
_DECIMAL = re.compile(_NUMBER)


class Decimal(NamedTuple):
    """A number without a sign, exactly: ``digits`` divided by 10 to the ``places``."""

    digits: int
    places: int

    @classmethod
    def parse(cls, text: str) -> Decimal:
        """Return the number that a text is.

        Raises:
            Malformed: a sign, an exponent, more than 15 digits before the point or 12 after it.
        """
        if not _DECIMAL.fullmatch(text):
            raise Malformed(
                "this is not a decimal number",
                code="number_malformed",
                expected="digits, with at most 12 more after a point",
                got=cut(text, 60),
            )
        whole, _, rest = text.partition(".")
        return cls(int(whole + rest), len(rest))

    def of(self, amount: int) -> int:
        """Return this part of an amount, rounded down."""
        return amount * self.digits // self.scale

    @property
    def is_a_part(self) -> bool:
        """Whether it is above 0 and at most 1."""
        return 0 < self.digits <= self.scale

    @property
    def scale(self) -> int:
        """What the digits are divided by."""
        return int(10**self.places)

    def compare(self, above: int, below: int) -> int:
        """Return the sign, -1, 0 or 1, of the fraction ``above / below`` less this number."""
        ours, theirs = self.digits * below, above * self.scale
        return (theirs > ours) - (theirs < ours)


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """An order as it was written.

    Attributes:
        side: ``sell``, or ``buy``.
        asset: the symbol of what is sold or bought.
        part: which part of what is given away, as it was written.
        bound: whether the price must be ``below`` or ``above``; none if it need not be.
        price: what it must be below or above, in units of the market's quote, as it was written.
    """

    side: Literal["sell", "buy"]
    asset: str
    part: str
    bound: Literal["below", "above"] | None = None
    price: str | None = None

    def encode(self) -> str:
        """Return the order in the one way in which it is written."""
        bound = f',"{self.bound}":{self.price}' if self.bound else ""
        return f'{{"{self.side}":"{self.asset}","part":{self.part}{bound}}}'


def parse_order(text: str) -> Order:
    """Return the order that an answer is.

    Raises:
        Malformed: code ``order_malformed``: it is not exactly one order.
    """
    found = _ORDER.fullmatch(text) if len(text) <= MAX_ANSWER else None
    if found is None:
        raise _malformed(text)
    order = msgspec.convert(dict(zip(_FIELDS, found.groups(), strict=True)), Order)
    priceless = order.price is not None and not Decimal.parse(order.price).digits
    if not Decimal.parse(order.part).is_a_part or priceless:
        raise _malformed(text)
    return order


def _malformed(got: str) -> Malformed:
    return Malformed(
        "the answer is not exactly one order",
        code="order_malformed",
        expected='such as {"sell":"ETH","part":0.5,"below":2000}',
        got=cut(got, 100),
    )
