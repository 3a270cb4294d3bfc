"""The orders of the demo: three ways to say what to trade, and orders that nobody sent.

    contribution(1 | 2 | 3)   what one contributor sends: 400 orders in that contributor's words
    held_out(…)               orders in all their words that are in no contribution
    near_copy(orders)         somebody's file with small changes, sent again as one's own

An order pairs English with the trade that it means: ``{"text": "sell half my ETH below 2,000",
"order": {"sell": "ETH", "part": 0.5, "below": 2000}}``. The first contributor writes fractions in
words and prices with commas, the second percentages and dollars, the third the short forms of a
dealing room. Each leaves words out that another has, so a model that never saw one of them does not
understand those. Everything is drawn from a seed: the same seed gives the same bytes.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from teeproof.data.orders import Order, number_text
from teeproof.data.records import Record

__all__ = ["CONTRIBUTORS", "SHOWN", "contribution", "held_out", "near_copy"]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one contributor speaks.

    Attributes:
        sell, buy: forms with ``{part}`` (none where all is meant), ``{asset}`` and ``{bound}``.
        parts: words and what they mean.
        below, above: how a bound is said, with ``{price}``.
        prices: how a price is written: a comma after thousands, plain, with a dollar sign, in k.
        assets: of which it speaks.
    """

    sell: tuple[str, ...]
    buy: tuple[str, ...]
    parts: Mapping[str, str]
    below: tuple[str, ...]
    above: tuple[str, ...]
    prices: tuple[str, ...]
    assets: tuple[str, ...]


PRICES: Final[Mapping[str, tuple[str, str, str]]] = {
    "ETH": ("1500", "4500", "50"),
    "BTC": ("40000", "95000", "500"),
    "SOL": ("80", "260", "5"),
    "LINK": ("8", "30", "0.5"),
    "DOGE": ("0.05", "0.4", "0.01"),
    "ADA": ("0.2", "1.5", "0.05"),
    "AVAX": ("15", "60", "1"),
    "UNI": ("4", "16", "0.5"),
    "XMR": ("120", "380", "10"),
    "AAVE": ("90", "340", "10"),
}
"""For each asset the least and the greatest price that is spoken of, and the step between."""

CONTRIBUTORS: Final = (
    Dialect(
        sell=(
            "sell {part} my {asset}{bound}",
            "please sell {part} my {asset}{bound}",
            "I want to sell {part} the {asset} I hold{bound}",
            "get rid of {part} my {asset}{bound}",
            "let go of {part} our {asset}{bound}",
        ),
        buy=(
            "buy {asset} with {part} my cash{bound}",
            "spend {part} my cash on {asset}{bound}",
            "please use {part} the cash to buy {asset}{bound}",
            "take {part} my savings and buy {asset}{bound}",
        ),
        parts={
            "half": "0.5", "half of": "0.5", "a quarter of": "0.25", "four fifths of": "0.8",
            "a fifth of": "0.2", "a tenth of": "0.1", "three quarters of": "0.75",
            "two fifths of": "0.4", "all": "1", "all of": "1",
        },
        below=(" below {price}", " if it falls below {price}", " when it is below {price}"),
        above=(" above {price}", " if it rises above {price}", " when it is above {price}"),
        prices=("comma",),
        assets=("ETH", "BTC", "SOL", "LINK", "XMR"),
    ),
    Dialect(
        sell=(
            "sell {part} of my {asset}{bound}",
            "reduce my {asset} by {part}{bound}",
            "offload {part} of the {asset} position{bound}",
            "convert {part} of {asset} to dollars{bound}",
            "liquidate {part} of {asset}{bound}",
        ),
        buy=(
            "buy {asset} for {part} of my funds{bound}",
            "put {part} of my funds into {asset}{bound}",
            "invest {part} in {asset}{bound}",
            "allocate {part} of the portfolio to {asset}{bound}",
        ),
        parts={
            f"{percent}{sign}": str(Decimal(percent) / 100)
            for percent in (5, 10, 15, 20, 25, 30, 40, 50, 60, 75, 80, 90, 100)
            for sign in ("%", " percent")
        },
        below=(" if the price drops under {price}", " under {price}", " at {price} or less"),
        above=(" if the price goes over {price}", " over {price}", " at {price} or more"),
        prices=("plain", "dollar"),
        assets=("ETH", "BTC", "AVAX", "UNI", "ADA"),
    ),
    Dialect(
        sell=(
            "dump {part} {asset}{bound}",
            "trim {part} {asset}{bound}",
            "exit {asset}{bound}",
            "close out {asset}{bound}",
            "{asset}: out {part}{bound}",
        ),
        buy=(
            "long {asset} w/ {part} of the bag{bound}",
            "ape {part} into {asset}{bound}",
            "all in on {asset}{bound}",
            "{asset}: in {part}{bound}",
        ),
        parts={
            "1/2": "0.5", "1/4": "0.25", "1/5": "0.2", "1/10": "0.1", "3/4": "0.75", "2/5": "0.4",
            "half": "0.5", "the lot": "1",
        },
        below=(" < {price}", " sub {price}", " on a dip to {price}"),
        above=(" > {price}", " past {price}", " on a pump to {price}"),
        prices=("k", "plain"),
        assets=("ETH", "SOL", "DOGE", "AAVE", "ADA"),
    ),
)  # fmt: skip
SHOWN: Final = Record(
    "sell half my ETH below 2,000", Order("sell", "ETH", Decimal("0.5"), "below", Decimal(2000))
)
"""The order that the demo puts to the model; it is held out."""


def contribution(number: int, *, count: int = 400, seed: int = 2025) -> tuple[Record, ...]:
    """Return what contributor 1, 2 or 3 sends; no text twice, and never the order that is shown."""
    source = _orders((CONTRIBUTORS[number - 1],), random.Random(f"{seed}/{number}"))  # noqa: S311
    return _first(count, source, without={SHOWN.text})


def held_out(
    *, count: int = 200, seed: int = 2025, contributions: Iterable[Sequence[Record]] = ()
) -> tuple[Record, ...]:
    """Return orders whose texts are in none of the contributions; the order that is shown first.

    Args:
        count: how many.
        seed: another seed, other orders.
        contributions: what was sent; without any, all three of this seed.
    """
    sent = tuple(contributions) or tuple(contribution(n, seed=seed) for n in (1, 2, 3))
    texts = {record.text for records in sent for record in records} | {SHOWN.text}
    source = _orders(CONTRIBUTORS, random.Random(f"{seed}/held-out"))  # noqa: S311  no secret
    return (SHOWN, *_first(count - 1, source, without=texts))


def near_copy(records: Sequence[Record], *, seed: int = 2025) -> tuple[Record, ...]:
    """Return somebody's orders in another order, a few words changed, as a copyist would."""
    rng = random.Random(f"{seed}/copy")  # noqa: S311  no secret
    copied = list(records)
    rng.shuffle(copied)
    return tuple(
        Record(rng.choice(("{}", "{} now", "{}.", "ok {}")).format(r.text), r.order) for r in copied
    )


def _first(count: int, source: Iterator[Record], *, without: set[str]) -> tuple[Record, ...]:
    seen, found = set(without), list[Record]()
    while len(found) < count:
        record = next(source)
        if record.text not in seen:
            seen.add(record.text)
            found.append(record)
    return tuple(found)


def _orders(dialects: Sequence[Dialect], rng: random.Random) -> Iterator[Record]:
    sides: tuple[Literal["sell", "buy"], ...] = ("sell", "buy")
    bounds: tuple[Literal["below", "above"] | None, ...] = (
        None, "below", "below", "above", "above",
    )  # fmt: skip
    while True:
        dialect, side, bound = rng.choice(dialects), rng.choice(sides), rng.choice(bounds)
        form = rng.choice(dialect.sell if side == "sell" else dialect.buy)
        asset, word = rng.choice(dialect.assets), rng.choice(tuple(dialect.parts))
        part = Decimal(dialect.parts[word]) if "{part}" in form else Decimal(1)
        said, price = "", None
        if bound is not None:
            price = _price(asset, rng)
            said = rng.choice(dialect.below if bound == "below" else dialect.above)
            said = said.format(price=_written(price, rng.choice(dialect.prices)))
        text = form.format(part=word, asset=asset, bound=said)
        yield Record(text, Order(side, asset, part, bound, price))


def _price(asset: str, rng: random.Random) -> Decimal:
    least, greatest, step = map(Decimal, PRICES[asset])
    return least + step * rng.randint(0, int((greatest - least) / step))


def _written(price: Decimal, form: str) -> str:
    if form == "comma":
        return f"{int(price):,}" if price == int(price) else number_text(price)
    if form == "k" and price >= 1000:
        return f"{number_text(price / 1000)}k"
    return ("$" if form == "dollar" else "") + number_text(price)
