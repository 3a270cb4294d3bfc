"""A typed order: sell or buy a part of an asset, at once or once its price is below or above.

Its canonical text is what a model learns to answer: compact JSON, keys in the order sell or buy,
part, below or above; numbers in their shortest decimal form. One order has one text.

    {"sell":"ETH","part":0.5,"below":2000}
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from teeproof.core.errors import Malformed

__all__ = ["Order", "number_text"]

Side = Literal["sell", "buy"]
Condition = Literal["below", "above"]

_LEAST, _MOST = Decimal("0.0001"), Decimal(10) ** 9
_PLACES = 8
_FIELDS = frozenset(("sell", "buy", "part", "below", "above"))
_PARTS = {Decimal("0.25"), Decimal("0.5"), Decimal("0.75"), Decimal(1)}


@dataclass(frozen=True, slots=True)
class Order:
    """One order.

    Attributes:
        side: what to do.
        asset: the symbol, 2 to 5 capital letters.
        part: how much of it, above 0 and at most 1.
        condition: what the price must be, if anything.
        price: below or above which price.
    """

    side: Side
    asset: str
    part: Decimal
    condition: Condition | None = None
    price: Decimal | None = None

    @classmethod
    def of(cls, value: Any) -> Order:
        """Return the order in a JSON value.

        Raises:
            Malformed: codes ``order_fields``, ``order_side``, ``order_asset``, ``order_part``,
                ``order_condition``.
        """
        if not isinstance(value, dict):
            raise _malformed("fields", "an object with sell or buy, and part")
        unknown = value.keys() - _FIELDS
        if unknown:
            raise _malformed("fields", "only sell, buy, part, below, above")
        sides = [side for side in ("sell", "buy") if side in value]
        if len(sides) != 1:
            raise _malformed("side", "exactly one of sell and buy")
        (side,) = sides
        conditions = [word for word in ("below", "above") if word in value]
        if len(conditions) > 1:
            raise _malformed("condition", "at most one of below and above")
        part = _number(value.get("part"))
        if part is None or part > 1:
            raise _malformed("part", f"a number from {_LEAST} to 1")
        if not _is_symbol(value[side]):
            raise _malformed("asset", "a symbol of 2 to 5 capital letters")
        if not conditions:
            return cls(side, value[side], part)  # type: ignore[arg-type]
        price = _number(value[conditions[0]])
        if price is None:
            raise _malformed("condition", f"a price from {_LEAST} to {_MOST}")
        return cls(side, value[side], part, conditions[0], price)  # type: ignore[arg-type]

    @property
    def text(self) -> str:
        """The canonical text."""
        head = f'{{"{self.side}":"{self.asset}","part":{number_text(self.part)}'
        if self.condition is None or self.price is None:
            return head + "}"
        return f'{head},"{self.condition}":{number_text(self.price)}}}'

    @property
    def shape(self) -> str:
        """What kind of order it is: side, condition, and the part where it is a usual one."""
        part = number_text(self.part) if self.part in _PARTS else "other"
        return f"{self.side}|{self.condition or 'at once'}|{part}"


def number_text(number: Decimal) -> str:
    """Return the shortest decimal form, without an exponent: ``0.5``, ``2000``."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _number(value: Any) -> Decimal | None:
    """Return a JSON number that has a short decimal form within bounds; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, int) and value.bit_length() > 64:
        return None
    number = Decimal(repr(value))  # a float's shortest text: what its writer meant
    if not _LEAST <= number <= _MOST:
        return None
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    return number if -exponent <= _PLACES else None


def _is_symbol(value: Any) -> bool:
    return (
        isinstance(value, str) and 2 <= len(value) <= 5 and value.isascii()
        and value.isalpha() and value.isupper()
    )  # fmt: skip


def _malformed(what: str, expected: str) -> Malformed:
    return Malformed(f"this is no order: its {what}", code=f"order_{what}", expected=expected)
