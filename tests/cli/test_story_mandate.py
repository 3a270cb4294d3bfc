"""What the demo's agent may sell in a day is less than what its fund is founded with."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from teeproof.cli.demo_orders import SHOWN
from teeproof.cli.story.agent import FOUNDED, mandate_of
from teeproof.core.digests import named, sha256

FUND = "0x" + "0f" * 20


@pytest.fixture
def mandate():
    def token(number: int, decimals: int) -> SimpleNamespace:
        return SimpleNamespace(address="0x" + f"{number:02x}" * 20, decimals=decimals)

    money = SimpleNamespace(
        chain=SimpleNamespace(chain_id=31_337), dollar=token(1, 6), ether=token(2, 18),
        pool=SimpleNamespace(address="0x" + "03" * 20),
    )  # fmt: skip
    return mandate_of(money, fund=FUND, weights=named(sha256(b"weights")))


def test_a_day_sells_part_of_each_asset_and_a_trade_less_than_a_day(mandate):
    for asset in mandate.assets:
        assert int(asset.per_trade) < int(asset.per_day) < FOUNDED[asset.symbol]


def test_the_order_that_is_shown_is_within_the_limits_and_room_for_another_is_left(mandate):
    """A tenth of what is left is what the example of chapter 5 sells after it."""
    (ether,) = (one for one in mandate.assets if one.symbol == "ETH")
    assert (SHOWN.order.side, SHOWN.order.asset) == ("sell", "ETH")
    sold = int(SHOWN.order.part * FOUNDED["ETH"])
    assert sold <= int(ether.per_trade)
    assert sold + (FOUNDED["ETH"] - sold) // 10 <= int(ether.per_day)
