"""A mandate has one spelling and one digest, and says nothing that cannot be followed."""

from __future__ import annotations

from typing import Any

import pytest

from teeproof.agents.mandate import MAX_MANDATE_BYTES, Mandate, Market
from teeproof.agents.orders import parse_order
from teeproof.core.errors import Malformed, TooLarge
from tests.agents.people import ETH_TOKEN, POOL, USD_TOKEN, mandate

ETH, USD = mandate().assets


def market(**changes: str) -> Market:
    values = {"venue": POOL, "base": "ETH", "quote": "USD", "lowest": "1", "highest": "2"}
    return Market(**(values | changes))


def asset(**changes: Any) -> Any:
    return type(ETH)(**({name: getattr(ETH, name) for name in ETH.__struct_fields__} | changes))


def test_a_mandate_is_read_as_it_was_written() -> None:
    one = mandate(instructors=("ab" * 32,), not_after=2_000_000_000)
    assert Mandate.parse(one.encode()) == one
    assert Mandate.parse(one.encode()).digest == one.digest != mandate().digest


@pytest.mark.parametrize(
    "changes",
    [
        {"fund": "0xBAD"},
        {"fund": "0x" + "F1" * 20},
        {"chain_id": 0},
        {"slippage_bps": 10_000},
        {"slippage_bps": -1},
        {"valid_seconds": 0},
        {"valid_seconds": 86_401},
        {"not_after": -1},
        {"model": ""},
        {"model": "a b"},
        {"weights": ("aa" * 32,)},
        {"instructors": ("AB" * 32,)},
        {"assets": (ETH, ETH, USD)},
        {"assets": (ETH, asset(symbol="ETX"), USD)},
        {"assets": (asset(symbol="eth"), USD)},
        {"assets": (asset(token="0x00"), USD)},
        {"assets": (asset(decimals=37), USD)},
        {"assets": (asset(per_trade="-1"), USD)},
        {"assets": (asset(per_trade="01"), USD)},
        {"assets": (asset(per_day="1.5"), USD)},
        {"assets": (ETH,)},
        {"markets": (market(base="USD"),)},
        {"markets": (market(base="BTC"),)},
        {"markets": (market(venue=""),)},
        {"markets": (market(), market())},
        {"markets": (market(lowest="0"),)},
        {"markets": (market(lowest="3"),)},
        {"markets": (market(highest="-2"),)},
        {"weights": ("sha256:" + "aa" * 32,) * 65},
    ],
)
def test_what_cannot_be_followed_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        Mandate.parse(mandate(**changes).encode())


def test_a_mandate_with_a_field_for_a_recipient_is_none() -> None:
    data = mandate().encode()
    with pytest.raises(Malformed):
        Mandate.parse(data[:-1] + b',"zz_recipient":"0xbad"}')
    with pytest.raises(Malformed):
        Mandate.parse(data.replace(b"mandate:v1", b"mandate:v2"))
    with pytest.raises(Malformed):
        Mandate.parse(b" " + data)
    with pytest.raises(TooLarge):
        Mandate.parse(b"x" * (MAX_MANDATE_BYTES + 1))


def test_an_order_goes_one_way() -> None:
    one = mandate()
    sell, buy = (one.way(parse_order(f'{{"{side}":"ETH","part":1}}')) for side in ("sell", "buy"))
    assert sell is not None
    assert buy is not None
    assert (sell.gives.token, sell.gets.token) == (ETH_TOKEN, USD_TOKEN)
    assert (buy.gives.token, buy.gets.token) == (USD_TOKEN, ETH_TOKEN)
    assert one.way(parse_order('{"sell":"BTC","part":1}')) is None
    assert one.way(parse_order('{"sell":"USD","part":1}')) is None
