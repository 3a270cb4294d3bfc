"""Whatever a model answers and a node says: a trade is within the mandate, or there is none."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from teeproof.agents import words
from teeproof.agents.records import Facts, Trade
from tests.agents.people import DOLLAR, POOL, UNIT, decided, facts, mandate

ANY = st.integers(0, 2**256 - 1).map(str)
NUMBERS = st.builds("{}.{}".format, st.integers(0, 9_999), st.integers(0, 9_999))
BOUNDS = st.builds(',"{}":{}'.format, st.sampled_from(["below", "above"]), NUMBERS)
ORDERS = st.builds(
    '{{"{}":"{}","part":{}{}}}'.format,
    st.sampled_from(["sell", "sell", "buy", "send"]),
    st.sampled_from(["ETH", "ETH", "ETH", "USD", "BTC"]),
    st.one_of(st.sampled_from(["1", "0.5", "0.001", "0.9999"]), NUMBERS),
    st.one_of(st.just(""), st.just(""), BOUNDS),
)
ANSWERS = st.one_of(ORDERS, ORDERS, st.text(max_size=300))
NAMES = ("balance", "spent", "reserve_gives", "reserve_gets", "pays")


def likely(balance: int, spent: int, price: int, paid: int) -> Facts:
    """A pool of 10,000 ETH that pays about what its price says."""
    dollars = 10_000 * price * DOLLAR
    pays = balance * dollars // (10_000 * UNIT) * paid // 1000
    return facts(
        balance=str(balance), spent=str(spent), reserve_gets=str(dollars), pays=str(pays)
    )  # fmt: skip


FOUND = st.one_of(
    st.builds(
        likely, st.integers(0, 12 * UNIT), st.integers(0, 12 * UNIT), st.integers(400, 11_000),
        st.integers(900, 1000),
    ),
    st.builds(facts, **dict.fromkeys(NAMES, ANY)),
)  # fmt: skip


def test_a_trade_is_within_the_mandate_or_there_is_none() -> None:
    decisions: set[str | None] = set()

    @settings(max_examples=400)
    @given(ANSWERS, FOUND)
    def holds(content: str, found: Facts) -> None:
        result = decided(content=content, found=found)
        decisions.add(result.decision)
        assert (result.trade is not None) is (result.decision == "trade")
        if result.trade is not None:
            require_within(result.trade, found)

    holds()
    assert decisions == {"trade", "wait", "refuse"}


def require_within(trade: Trade, found: Facts) -> None:
    by, amount = mandate(), int(trade.amount)
    (gives,) = (one for one in by.assets if one.token == trade.sell)
    (gets,) = (one for one in by.assets if one.token == trade.buy)
    assert gives != gets
    assert trade.venue == POOL
    assert 0 < amount <= int(found.balance)
    assert amount <= int(gives.per_trade)
    assert int(found.spent) + amount <= int(gives.per_day)
    fair = Fraction(amount * int(found.reserve_gets), int(found.reserve_gives))
    assert 1 <= int(trade.min_out) <= min(int(found.pays or "0"), fair)
    assert int(trade.min_out) >= fair * 98 // 100 - 1


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=120))
def test_an_instruction_with_an_address_falls_by_name(text: str) -> None:
    assert words.foreign_effect(f"{text} 0xbad") is not None
    assert decided(text=f"{text} 0xbad").decision == "refuse"
