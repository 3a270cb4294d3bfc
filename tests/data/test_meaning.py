"""A text that says another thing than its order is found, where that can be decided."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.data.meaning import judge
from teeproof.data.orders import Order
from teeproof.data.records import read_records
from teeproof.data.samples import file_of, sample_orders

SHOWN = "sell half my ETH below 2,000"


def found(text: str, **order) -> str | bool:
    judgement = judge(text, Order.of(order))
    return judgement.contradiction.code if judgement.contradiction else judgement.confirmed


def test_the_order_that_the_text_says_is_confirmed():
    assert found(SHOWN, sell="ETH", part=0.5, below=2000) is True


@pytest.mark.parametrize(
    ("order", "code"),
    [
        ({"buy": "ETH", "part": 0.5, "below": 2000}, "text_side"),
        ({"sell": "BTC", "part": 0.5, "below": 2000}, "text_asset"),
        ({"sell": "ETH", "part": 0.25, "below": 2000}, "text_part"),
        ({"sell": "ETH", "part": 1, "below": 2000}, "text_part"),
        ({"sell": "ETH", "part": 0.5, "below": 2001}, "text_price"),
        ({"sell": "ETH", "part": 0.5, "below": 200}, "text_price"),
        ({"sell": "ETH", "part": 0.5, "above": 2000}, "text_condition"),
        ({"sell": "ETH", "part": 0.5}, "text_condition"),
    ],
)
def test_contributor_poisons_records(order, code):
    assert found(SHOWN, **order) == code


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("buy 25% of SOL once it rises above $1.5k", {"buy": "SOL", "part": 0.25, "above": 1500}),
        ("liquidate three quarters of my bitcoin", {"sell": "BTC", "part": 0.75}),
        ("sell a third of my link under 12.50", {"sell": "LINK", "part": 0.33, "below": 12.5}),
        ("SELL ALL MY ETH ABOVE 4,000 USD", {"sell": "ETH", "part": 1, "above": 4000}),
        ("dump 1/4 of my PEPE > 3k", {"sell": "PEPE", "part": 0.25, "above": 3000}),
        ("reduce my UNI by 10% at 8 or less", {"sell": "UNI", "part": 0.1, "below": 8}),
        ("invest 5 percent in AVAX", {"buy": "AVAX", "part": 0.05}),
        ("sell 0.5 of my ETH on a dip to 900", {"sell": "ETH", "part": 0.5, "below": 900}),
        ("buy two fifths of my USDC", {"buy": "USDC", "part": 0.4}),
    ],
)
def test_many_ways_to_say_it_are_understood(text, order):
    assert found(text, **order) is True


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("time to let some ether go", {"sell": "ETH", "part": 0.2}),
        ("sell my ETH if it drops 10%", {"sell": "ETH", "part": 1}),
        ("sell all my ETH at two thousand", {"sell": "ETH", "part": 1, "below": 2000}),
        ("sell 3 ETH", {"sell": "ETH", "part": 0.5}),
        ("sell 7K% of a lot of ETH at $1,0/0, 1/0 of it", {"sell": "ETH", "part": 0.5}),
        ("sell ETH, buy BTC", {"buy": "BTC", "part": 1}),
        ("swap half my ETH for BTC", {"sell": "ETH", "part": 0.5}),
        ("do not sell half my ETH, buy", {"buy": "ETH", "part": 0.5}),
        ("sell a bit", {"sell": "ETH", "part": 0.1}),
        ("sell half my ETH at 2,000", {"sell": "ETH", "part": 0.5, "below": 2000}),
    ],
)
def test_what_cannot_be_decided_is_left_open(text, order):
    assert found(text, **order) is False


@given(st.integers(0, 2**32))
def test_honest_orders_are_never_refused(seed):
    contents = read_records(file_of(sample_orders(20, seed=seed)))
    assert contents.faults == ()
    assert contents.confirmed == 20


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=120))
def test_any_text_can_be_judged(text):
    for order in ({"sell": "ETH", "part": 0.5}, {"buy": "BTC", "part": 1, "above": 3}):
        judge(text, Order.of(order))
