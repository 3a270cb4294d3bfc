"""Fund: a mandate that never changes, and shares that are worth their exact part, never more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from teeproof.chain import artifacts
from teeproof.chain.abi import Contract
from teeproof.chain.account import Account
from tests.chain.contracts.evm import NOBODY
from tests.chain.contracts.world import (
    AGENT,
    ALICE,
    BOB,
    CAROL,
    DEPLOYER,
    ETH,
    IDENTITY,
    MALLORY,
    MOST,
    PER_DAY,
    PER_TRADE,
    PURSE,
    USD,
    World,
    refused,
    world,
)

MOST_SHARES = 2**112
PLACES = [f"0x{number:040x}" for number in range(0x100, 0x109)]


def empty(here: World, *tokens: Contract) -> World:
    """The same world with a new fund, of its two tokens or others, that everyone allows all."""
    tokens = tokens or (here.usd, here.eth)
    fund = here.new_fund([(token.address, MOST, MOST) for token in tokens], [here.pool.address])
    for token in tokens:
        for person in (ALICE, BOB, CAROL, MALLORY):
            here.send(person, token, "approve", fund.address, MOST)
    return replace(here, fund=fund)


def deposit(here: World, by: Account, shares: int, *most: int) -> Any:
    return here.send(by, here.fund, "deposit", shares, list(most))


def purse(here: World, who: Account) -> tuple[int, int]:
    return here.balance(here.usd, who), here.balance(here.eth, who)


def held(here: World) -> list[int]:
    return list(here.call(here.fund, "holdings"))


# The mandate


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"agent": NOBODY}, "Fund: no agent"),
        ({"assets": []}, "Fund: no assets"),
        ({"assets": [(NOBODY, 1, 1)]}, "Fund: no token"),
        ({"assets": [(PLACES[0], 1, 1), (PLACES[0], 2, 2)]}, "Fund: an asset twice"),
        ({"venues": [NOBODY]}, "Fund: no venue"),
        ({"venues": [PLACES[0]]}, "Fund: no venue"),  # an asset as a venue
        ({"venues": [PLACES[8], PLACES[8]]}, "Fund: a venue twice"),
        ({"assets": [(place, 1, 1) for place in PLACES]}, ""),
        ({"venues": PLACES}, ""),
    ],
)
def test_a_mandate_that_makes_no_sense_is_refused(here, changes, reason):
    usual: dict[str, Any] = {
        "agent": AGENT.address, "assets": [(PLACES[0], 1, 1)], "venues": [PLACES[8]],
    }  # fmt: skip
    here.new_fund(usual["assets"], usual["venues"], agent=usual["agent"])
    with refused(reason):
        given = usual | changes
        here.new_fund(given["assets"], given["venues"], agent=given["agent"])


def test_a_fund_says_its_mandate(here):
    assets = [
        (here.usd.address, PER_TRADE[0], PER_DAY[0]),
        (here.eth.address, PER_TRADE[1], PER_DAY[1]),
    ]
    assert here.call(here.fund, "assets") == tuple(assets)
    assert here.call(here.fund, "venues") == (here.pool.address,)
    assert here.call(here.fund, "is_venue", here.pool.address)
    assert not here.call(here.fund, "is_venue", here.usd.address)
    assert here.call(here.fund, "agent") == AGENT.address
    assert here.call(here.fund, "identity") == IDENTITY
    assert here.call(here.fund, "left_today", here.usd.address) == PER_DAY[0]
    assert here.call(here.fund, "left_today", here.pool.address) == 0


def test_a_new_fund_says_who_its_agent_is(here):
    fund = here.new_fund([(here.usd.address, 1, 1)], [])
    (event,) = artifacts_events(here, fund)
    assert (event.name, dict(event.values)) == (
        "Rotated", {"agent": AGENT.address, "identity": IDENTITY, "nonce": 0},
    )  # fmt: skip


def artifacts_events(here: World, contract: Contract) -> Any:
    return [contract.interface.event(log) for log in here.evm.deployed.logs]


def test_no_function_changes_the_mandate_or_gives_anybody_power():
    writing = {
        entry["name"]
        for entry in artifacts.load("Fund").abi
        if entry["type"] == "function" and entry["stateMutability"] not in ("view", "pure")
    }
    assert writing == {"deposit", "withdraw", "withdraw_without", "trade", "rotate"}


# Deposits


def test_the_first_deposit_gives_exactly_what_it_names(here):
    here = empty(here)
    with refused("Fund: no shares"):
        here.call(here.fund, "price_of", 1)
    (event,) = deposit(here, BOB, 7, 100, 200).events
    assert (event.name, dict(event.values)) == (
        "Deposited", {"depositor": BOB.address, "shares": 7, "amounts": (100, 200)},
    )  # fmt: skip
    assert held(here) == [100, 200]
    assert here.call(here.fund, "shares_of", BOB.address) == 7
    assert here.call(here.fund, "total_shares") == 7


def test_a_deposit_pays_its_exact_part_rounded_up_and_not_a_unit_more(here):
    here = empty(here)
    deposit(here, ALICE, 3, 100, 200)
    assert list(here.call(here.fund, "price_of", 1)) == [34, 67]
    for most in ((33, 67), (34, 66)):
        with refused("Fund: above the maximum"):
            deposit(here, BOB, 1, *most)
    before = purse(here, BOB)
    deposit(here, BOB, 1, 34, 67)
    assert purse(here, BOB) == (before[0] - 34, before[1] - 67)
    assert held(here) == [134, 267]


def test_a_deposit_of_nothing_or_for_nothing_is_refused(here):
    with refused("Fund: no shares"):
        deposit(here, BOB, 0, MOST, MOST)
    for most in ((), (MOST,), (MOST, MOST, MOST)):
        with refused("Fund: one amount per asset"):
            deposit(here, BOB, 1, *most)
    new = empty(here)
    with refused("Fund: nothing given"):
        deposit(new, BOB, 1, 0, 0)
    deposit(new, BOB, 1, 1, 0)
    assert held(new) == [1, 0]


def test_there_are_at_most_2_to_the_112_shares(here):
    here = empty(here)
    with refused("Fund: too many shares"):
        deposit(here, ALICE, MOST_SHARES + 1, 1, 1)
    deposit(here, ALICE, MOST_SHARES - 1, 1, 1)
    with refused("Fund: too many shares"):
        deposit(here, BOB, 2, MOST, MOST)
    deposit(here, BOB, 1, 1, 1)
    assert here.call(here.fund, "total_shares") == MOST_SHARES
    with refused("Fund: too many shares"):
        deposit(here, BOB, 1, MOST, MOST)
    here.send(ALICE, here.fund, "withdraw", MOST_SHARES - 1)
    here.send(BOB, here.fund, "withdraw", 1)
    assert held(here) == [0, 0]


def test_a_balance_as_large_as_a_test_allows_can_be_deposited_and_withdrawn(here):
    token = here.hostile()
    here.send(DEPLOYER, token, "mint", ALICE.address, 2**143)
    here = empty(here, token)
    deposit(here, ALICE, MOST_SHARES - 1, 2**143)
    deposit(here, BOB, 1, 2**143)
    here.send(ALICE, here.fund, "withdraw", MOST_SHARES - 1)
    assert here.balance(token, ALICE) >= 2**143 + 10**24 - 1


def test_a_depositor_without_allowance_or_money_gets_no_shares(here):
    with refused("TestToken: not allowed"):
        deposit(here, DEPLOYER, 1, MOST, MOST)
    with refused("TestToken: not enough"):
        deposit(here, CAROL, 2 * PURSE[0] * 1000 // (500 * USD), MOST, MOST)
    assert here.call(here.fund, "total_shares") == 2000


# Withdrawals


def test_a_withdrawal_gets_its_exact_part_rounded_down(here):
    here = empty(here)
    deposit(here, ALICE, 2, 100, 200)
    deposit(here, BOB, 1, 50, 100)
    here.send(CAROL, here.usd, "transfer", here.fund.address, 2)
    before = purse(here, BOB)
    assert list(here.call(here.fund, "worth_of", 1)) == [50, 100]
    (event,) = here.send(BOB, here.fund, "withdraw", 1).events
    assert (event.name, dict(event.values)) == (
        "Withdrawn", {"depositor": BOB.address, "shares": 1, "amounts": (50, 100)},
    )  # fmt: skip
    assert purse(here, BOB) == (before[0] + 50, before[1] + 100)
    assert held(here) == [102, 200]


def test_nobody_withdraws_more_than_its_own_shares(here):
    for who, shares in ((ALICE, 1001), (MALLORY, 1), (AGENT, 1), (DEPLOYER, 1), (BOB, MOST)):
        with refused("Fund: not enough shares"):
            here.send(who, here.fund, "withdraw", shares)
        with refused("Fund: not enough shares"):
            here.send(who, here.fund, "withdraw_without", shares, [here.usd.address])
    with refused("Fund: no shares"):
        here.send(ALICE, here.fund, "withdraw", 0)
    with refused("Fund: not enough shares"):
        here.call(here.fund, "worth_of", 2001)
    here.send(ALICE, here.fund, "withdraw", 1000)
    with refused("Fund: not enough shares"):
        here.send(ALICE, here.fund, "withdraw", 1)
    assert held(here) == [500 * USD, ETH // 2]


def test_the_last_to_leave_takes_all_and_a_fund_can_begin_again(here):
    before = purse(here, ALICE)
    for person in (BOB, ALICE):
        here.send(person, here.fund, "withdraw", 1000)
    assert held(here) == [0, 0]
    assert purse(here, ALICE) == (before[0] + 500 * USD, before[1] + ETH // 2)
    with refused("Fund: not enough shares"):
        here.call(here.fund, "worth_of", 0)
    deposit(here, CAROL, 5, 10, 10)
    assert list(here.call(here.fund, "worth_of", 5)) == [10, 10]


def test_who_leaves_without_an_asset_forfeits_it_to_those_who_stay(here):
    before = purse(here, ALICE)
    with refused("Fund: not an asset"):
        here.send(ALICE, here.fund, "withdraw_without", 1, [here.usd.address, here.pool.address])
    twice = [here.eth.address, here.eth.address]
    here.send(ALICE, here.fund, "withdraw_without", 1000, twice)
    assert purse(here, ALICE) == (before[0] + 500 * USD, before[1])
    assert list(here.call(here.fund, "worth_of", 1000)) == [500 * USD, ETH]


def test_what_the_last_forfeits_is_found_by_the_next_depositor(here):
    here.send(BOB, here.fund, "withdraw", 1000)
    here.send(ALICE, here.fund, "withdraw_without", 1000, [here.usd.address, here.eth.address])
    assert held(here) == [500 * USD, ETH // 2]
    deposit(here, CAROL, 1, 1, 0)
    assert list(here.call(here.fund, "worth_of", 1)) == [500 * USD + 1, ETH // 2]


# Whoever wants more than its part


def test_a_first_depositor_who_inflates_the_share_takes_nothing_from_the_next(here):
    here = empty(here)
    before = {who: purse(here, who) for who in (MALLORY, BOB)}
    deposit(here, MALLORY, 1, 1, 1)
    here.send(MALLORY, here.usd, "transfer", here.fund.address, 1000 * USD)
    here.send(MALLORY, here.eth, "transfer", here.fund.address, ETH)
    with refused("Fund: above the maximum"):
        deposit(here, BOB, 1000, 1500 * USD, 2 * ETH)
    deposit(here, BOB, 1, 1500 * USD, 2 * ETH)
    assert purse(here, BOB) == (before[BOB][0] - 1000 * USD - 1, before[BOB][1] - ETH - 1)
    here.send(BOB, here.fund, "withdraw", 1)
    here.send(MALLORY, here.fund, "withdraw", 1)
    assert {who: purse(here, who) for who in before} == before


def test_a_donation_belongs_to_all_who_hold_shares(here):
    here.send(MALLORY, here.usd, "transfer", here.fund.address, 100 * USD)
    assert list(here.call(here.fund, "worth_of", 1000)) == [550 * USD, ETH // 2]
    assert list(here.call(here.fund, "price_of", 1000)) == [550 * USD, ETH // 2]


def test_a_depositor_who_comes_and_goes_thirty_times_gains_nothing(here):
    here = empty(here)
    deposit(here, ALICE, 7, 1000, 999)
    before = purse(here, MALLORY)
    for _ in range(30):
        deposit(here, MALLORY, 3, MOST, MOST)
        here.send(MALLORY, here.fund, "withdraw", 2)
        here.send(MALLORY, here.fund, "withdraw", 1)
    after = purse(here, MALLORY)
    lost = before[0] - after[0], before[1] - after[1]
    assert min(lost) > 0
    assert held(here) == [1000 + lost[0], 999 + lost[1]]


@settings(max_examples=60)
@given(
    first=st.integers(1, 10**6), held_usd=st.integers(0, 10**9), held_eth=st.integers(1, 10**9),
    gift=st.integers(0, 10**6), second=st.integers(1, 10**6), back=st.data(),
)  # fmt: skip
def test_rounding_is_never_to_the_advantage_of_who_comes_or_goes(
    first, held_usd, held_eth, gift, second, back
):
    here = empty(world().fork())
    deposit(here, ALICE, first, held_usd, held_eth)
    here.send(CAROL, here.usd, "transfer", here.fund.address, gift)
    before, worth = purse(here, BOB), here.call(here.fund, "worth_of", first)
    exact = [amount * second for amount in held(here)]
    if any(part > amount * first for part, amount in zip(exact, before, strict=True)):
        with refused("TestToken: not enough"):
            deposit(here, BOB, second, MOST, MOST)
        return
    deposit(here, BOB, second, MOST, MOST)
    paid = before[0] - purse(here, BOB)[0], before[1] - purse(here, BOB)[1]
    for amount, part in zip(paid, exact, strict=True):
        assert part <= amount * first < part + first
    part = back.draw(st.integers(1, second))
    here.send(BOB, here.fund, "withdraw", part)
    if part < second:
        here.send(BOB, here.fund, "withdraw", second - part)
    after = purse(here, BOB)
    assert before[0] - 3 <= after[0] <= before[0]
    assert before[1] - 3 <= after[1] <= before[1]
    now = here.call(here.fund, "worth_of", first)
    assert list(now) == held(here)
    assert [one >= other for one, other in zip(now, worth, strict=True)] == [True, True]
