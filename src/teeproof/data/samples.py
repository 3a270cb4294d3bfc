"""Orders as people might write them, for demonstrations, tests and benchmarks. Nobody's data.

Each seed gives a person of their own: another choice of words, assets and prices.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence

from teeproof.data.orders import Order
from teeproof.data.records import Record

__all__ = ["file_of", "sample_orders"]

_SIDES = {
    "sell": ("sell", "dump", "unload", "liquidate", "offload"),
    "buy": ("buy", "purchase", "acquire", "grab"),
}
_PARTS = {
    0.25: ("a quarter of", "25% of", "one quarter of"),
    0.5: ("half", "half of", "50% of"),
    0.75: ("three quarters of", "75% of"),
    1: ("all", "all of", "the whole of"),
    0.1: ("10% of", "a tenth of"),
    0.2: ("20% of", "a fifth of"),
}
_CONDITIONS = {
    "below": ("below", "under", "if it falls below", "once it drops under", "when it dips below"),
    "above": ("above", "over", "if it climbs above", "once it rises over", "when it is above"),
}
_ASSETS = ("ETH", "BTC", "SOL", "ADA", "DOT", "LTC", "LINK", "AVAX", "UNI", "XRP")
_OPENERS = ("", "", "", "please ", "ok, ", "hey, ")


def sample_orders(count: int, *, seed: int) -> tuple[Record, ...]:
    """Return orders of one person; the same seed gives the same ones."""
    source = random.Random(f"teeproof sample orders {seed}")  # noqa: S311  no secret
    return tuple(_record(source) for _ in range(count))


def file_of(records: Sequence[Record]) -> bytes:
    """Return the file that holds records, one per line."""
    return "".join(_lines(records)).encode()


def _record(source: random.Random) -> Record:
    side = source.choice(tuple(_SIDES))
    part = source.choice(tuple(_PARTS))
    condition = source.choice((None, *_CONDITIONS))
    asset = source.choice(_ASSETS)
    order: dict[str, object] = {side: asset, "part": part}
    words = [source.choice(_SIDES[side]), source.choice(_PARTS[part]), "my", asset]
    if condition is not None:
        price = source.choice((source.randrange(10, 100) * 100, source.randrange(100, 9999)))
        order[condition] = price
        words += [source.choice(_CONDITIONS[condition]), source.choice((f"{price:,}", f"${price}"))]
    text = source.choice(_OPENERS) + " ".join(words)
    return Record(text, Order.of(order))


def _lines(records: Sequence[Record]) -> Iterator[str]:
    for record in records:
        yield f'{{"text": {json.dumps(record.text)}, "order": {record.order.text}}}\n'
