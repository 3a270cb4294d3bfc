"""Whatever a model answers and a node says: a trade is within the mandate, or there is none."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import example, given, settings
from hypothesis import strategies as st

from teeproof.agents import words
from teeproof.agents.records import Facts, Trade
from tests.agents.people import DOLLAR, POOL, UNIT, decided, facts, mandate

ANY = st.integers(0, 2**256 - 1).map(str)
PRICES = st.builds("{}.{}".format, st.integers(0, 9_999), st.integers(0, 9_999))
BOUNDS = st.builds(',"{}":{}'.format, st.sampled_from(["below", "above"]), PRICES)
ORDERS = st.builds(
    '{{"{}":"{}","part":{}{}}}'.format,
    st.sampled_from(["sell"] * 6 + ["buy", "send"]),
    st.sampled_from(["ETH"] * 6 + ["USD", "BTC"]),
    st.sampled_from(["1", "0.5", "0.25", "0.001", "0.3333"] * 2 + ["0", "1.1"]),
    st.one_of(st.just(""), st.just(""), BOUNDS),
)
NAMES = ("balance", "spent", "reserve_gives", "reserve_gets", "pays")


def likely(balance: int, spent: int, price: int, paid: int) -> Facts:
    """A pool of 10,000 ETH that pays about what its price says."""
    dollars = 10_000 * price * DOLLAR
    pays = balance * dollars // (10_000 * UNIT) * paid // 1000
    return facts(
        balance=str(balance), spent=str(spent), reserve_gets=str(dollars), pays=str(pays)
    )  # fmt: skip


ETHER = st.builds(
    lambda thousandths, more: max(0, thousandths * UNIT // 1000 + more),
    st.sampled_from([1, 2_000, 5_000, 8_000, 9_000, 10_000, 12_000]), st.integers(-2, 2),
)  # fmt: skip
FOUND = st.one_of(
    st.builds(
        likely, ETHER, st.one_of(st.just(0), ETHER),
        st.sampled_from([499, 500, 10_000, 10_001] + [1_900, 5_000] * 4),
        st.sampled_from([1000, 995, 981, 980, 979, 900]),
    ),
    st.builds(facts, **dict.fromkeys(NAMES, ANY)),
)  # fmt: skip


def test_a_trade_is_within_the_mandate_or_there_is_none() -> None:
    decisions: list[str | None] = []

    @settings(max_examples=400)
    @given(ORDERS, FOUND)
    @example('{"sell":"ETH","part":0.5}', likely(8 * UNIT, 0, 1_900, 1000))
    @example('{"sell":"ETH","part":0.5,"below":1900}', likely(8 * UNIT, 0, 1_900, 1000))
    def holds(content: str, found: Facts) -> None:
        result = decided(content=content, found=found)
        decisions.append(result.decision)
        assert (result.trade is not None) is (result.decision == "trade")
        if result.trade is not None:
            require_within(result.trade, found)

    holds()
    assert set(decisions) == {"trade", "wait", "refuse"}


@given(st.text(max_size=120), st.builds(facts, **dict.fromkeys(NAMES, ANY)))
def test_what_is_no_order_is_refused_whatever_the_chain_says(content: str, found: Facts) -> None:
    assert decided(content=content, found=found).decision == "refuse"


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
