"""The grammar of an answer: one order, in one spelling, and no word for a recipient."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.agents.orders import Decimal, Order, parse_order
from teeproof.core.errors import Malformed
from teeproof.data.orders import Order as Taught


@pytest.mark.parametrize(
    "text",
    [
        '{"sell":"ETH","part":0.5,"below":2000}',
        '{"buy":"BTC","part":1,"above":61000.25}',
        '{"sell":"WBTC","part":0.000000000001}',
        '{"buy":"ETH","part":1.0}',
    ],
)
def test_an_order_is_read_and_written_alike(text: str) -> None:
    order = parse_order(text)
    assert order.encode() == text
    value = json.loads(text)
    assert value[order.side] == order.asset
    assert Fraction(order.part) == Fraction(str(value["part"]))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0xbad",
        '{"sell":"ETH","part":0.5,"to":"0xbad"}',
        '{"sell":"ETH","part":0.5,"below":2000,"to":"0xbad"}',
        '{"send":"ETH","part":1}',
        '{"transfer":"0xbad","part":1}',
        '{"sell":"ETH","part":0.5,"below":2000}{"sell":"ETH","part":1}',
        '[{"sell":"ETH","part":0.5}]',
        '{"sell":"ETH","buy":"BTC","part":0.5}',
        '{"sell":"ETH"}',
        '{"part":0.5,"sell":"ETH"}',
        '{"sell":"ETH","sell":"BTC","part":0.5}',
        '{"sell": "ETH", "part": 0.5}',
        ' {"sell":"ETH","part":0.5}',
        '{"sell":"ETH","part":0.5}\n',
        '```json\n{"sell":"ETH","part":0.5}\n```',
        'Sure! {"sell":"ETH","part":0.5}',
        '{"sell":"eth","part":0.5}',
        '{"sell":"E","part":0.5}',
        '{"sell":"ETHEREUM","part":0.5}',
        '{"sell":"ＥＴＨ","part":0.5}',
        '{"sell":"\\u0045TH","part":0.5}',
        '{"sell":"ETH","part":0}',
        '{"sell":"ETH","part":0.0}',
        '{"sell":"ETH","part":1.000000000001}',
        '{"sell":"ETH","part":2}',
        '{"sell":"ETH","part":-0.5}',
        '{"sell":"ETH","part":"0.5"}',
        '{"sell":"ETH","part":.5}',
        '{"sell":"ETH","part":5e-1}',
        '{"sell":"ETH","part":00.5}',
        '{"sell":"ETH","part":NaN}',
        '{"sell":"ETH","part":٠.5}',
        '{"sell":"ETH","part":null}',
        '{"sell":"ETH","part":0.5,"below":0}',
        '{"sell":"ETH","part":0.5,"below":2,000}',
        '{"sell":"ETH","part":0.5,"below":2000,"above":1000}',
        '{"sell":"ETH","part":0.5,"below":9999999999999999}',
        '{"sell":"ETH","part":0.5,"near":2000}',
        '{"sell":"ETH\x00","part":0.5}',
        '{"sell":"ETH","part":0.5,"below":' + "1" * 500 + "}",
    ],
)
def test_what_is_not_exactly_one_order_is_none(text: str) -> None:
    with pytest.raises(Malformed) as refused:
        parse_order(text)
    assert refused.value.code == "order_malformed"


def test_there_is_no_word_for_a_recipient() -> None:
    assert Order.__struct_fields__ == ("side", "asset", "part", "bound", "price")


@given(
    st.integers(0, 2**256 - 1),
    st.decimals(0, 1, allow_nan=False, allow_infinity=False, places=12),
)
def test_a_part_is_exact_and_rounded_down(balance: int, part: object) -> None:
    number = Decimal.parse(f"{part:f}")
    exact = Fraction(str(part)) * balance
    assert number.of(balance) <= exact < number.of(balance) + 1


def test_half_of_an_odd_balance_loses_no_unit_to_a_float() -> None:
    assert Decimal.parse("0.1").of(10**24 + 9) == 10**23
    assert Decimal.parse("1").of(2**255 + 1) == 2**255 + 1


@given(st.integers(0, 10**30), st.integers(1, 10**30), st.decimals(0, 10**6, places=6))
def test_prices_are_compared_exactly(above: int, below: int, limit: object) -> None:
    difference = Fraction(above, below) - Fraction(str(limit))
    sign = (difference > 0) - (difference < 0)
    assert Decimal.parse(f"{limit:f}").compare(above, below) == sign


@pytest.mark.parametrize("side", ["sell", "buy"])
@pytest.mark.parametrize("part", [0.0001, 0.12345678, 0.5, 1, 1.0])
@pytest.mark.parametrize("bound", [{}, {"below": 2000}, {"above": 1e9}, {"below": 0.0001}])
def test_each_order_that_data_may_teach_is_understood(
    side: str, part: float, bound: dict[str, float]
) -> None:
    taught = Taught.of({side: "ETH", "part": part} | bound)
    order = parse_order(taught.text)
    assert (order.side, order.bound) == (taught.side, taught.condition)
    assert Fraction(order.part) == Fraction(taught.part)
