"""Fund: venues and tokens that take, lie, refuse and call back; depositors keep what is theirs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from teeproof.chain import typed
from teeproof.chain.abi import Contract
from tests.chain.contracts.world import (
    AGENT,
    ALICE,
    BOB,
    CAROL,
    ETH,
    IDENTITY,
    MALLORY,
    MOST,
    USD,
    World,
    functions_of,
    refused,
    sign,
)

SOLD = 50 * USD


@dataclass(frozen=True)
class Trap:
    """A fund of dollars, ether and a token of Mallory's, at a venue of hers."""

    here: World
    venue: Contract
    token: Contract

    def trade(self, **changes: Any) -> Any:
        usual = {"venue": self.venue.address, "amount": SOLD, "min_out": 1000}
        return self.here.trade(self.here.order(**(usual | changes)))

    def swap(self, *, takes: int = SOLD, buys: Contract | None = None, gives: int = 1000) -> None:
        """Say what the venue does at its next swap."""
        buys = buys or self.here.eth
        self.here.send(MALLORY, self.venue, "behave", takes, buys.address, gives)

    def behave(self, *, fee: int = 0, refuses: bool = False, breaks: bool = False) -> None:
        self.here.send(MALLORY, self.token, "behave", fee, refuses, breaks)

    @property
    def held(self) -> list[int]:
        return [self.here.balance(one, self.here.fund) for one in self.assets]

    @property
    def assets(self) -> tuple[Contract, Contract, Contract]:
        return self.here.usd, self.here.eth, self.token


def trap(here: World, *, token: str = "HostileToken") -> Trap:
    """Alice and Bob hold half each of 1,000 dollars, 1 ether, and 10**6 of the token."""
    venue, hostile = here.hostile("HostileVenue"), here.hostile(token)
    assets = [(one.address, MOST, MOST) for one in (here.usd, here.eth, hostile)]
    fund = here.new_fund(assets, [venue.address, here.pool.address])
    made = Trap(replace(here, fund=fund), venue, hostile)
    for person in (ALICE, BOB):
        for one in made.assets:
            here.send(person, one, "approve", fund.address, MOST)
        here.send(person, fund, "deposit", 1000, [500 * USD, ETH // 2, 500_000])
    for one in made.assets:
        amount = 10_000 * USD if one is here.usd else ETH
        here.send(CAROL, one, "transfer", venue.address, min(amount, here.balance(one, CAROL)))
    made.swap()
    return made


FULL = [1000 * USD, ETH, 10**6]


# Venues


def test_a_venue_that_keeps_its_word_is_paid_exactly(here):
    it = trap(here)
    (event,) = it.trade().events
    assert it.held == [950 * USD, ETH + 1000, 10**6]
    # It said that it gave the largest number there is; the fund counts for itself.
    assert event["received"] == 1000


def test_a_venue_that_takes_less_than_is_sold_is_refused(here):
    it = trap(here)
    it.swap(takes=SOLD - 1)
    with refused("Fund: another amount sold"):
        it.trade()
    assert it.held == FULL


def test_a_venue_that_takes_more_than_is_sold_is_refused(here):
    it = trap(here)
    it.swap(takes=SOLD + 1)
    with refused("TestToken: not allowed"):
        it.trade()
    assert it.held == FULL


def test_a_venue_that_gives_less_than_the_minimum_is_refused_by_one_unit(here):
    it = trap(here)
    it.swap(gives=999)
    with refused("Fund: below the minimum"):
        it.trade()
    it.swap(gives=0)
    with refused("Fund: below the minimum"):
        it.trade()
    assert it.held == FULL
    it.swap(gives=1000)
    it.trade()
    assert it.held == [950 * USD, ETH + 1000, 10**6]


def test_a_venue_that_gives_another_asset_is_refused(here):
    it = trap(here)
    it.swap(buys=it.token, gives=10**6)
    with refused("Fund: below the minimum"):
        it.trade()
    it.swap(buys=here.usd, gives=10)  # some of what was sold comes back
    with refused("Fund: another amount sold"):
        it.trade()
    assert it.held == FULL


def test_a_venue_cannot_come_for_more_afterwards(here):
    it = trap(here)
    it.trade()
    for token in (here.usd, here.eth):
        with refused("TestToken: not allowed"):
            here.send(MALLORY, it.venue, "take", token.address, it.here.fund.address, 1)
    assert here.call(here.usd, "allowance", it.here.fund.address, it.venue.address) == 0


def test_a_venue_that_was_paid_by_another_way_keeps_no_allowance(here):
    it = trap(here)
    here.arm(it.venue, it.token, "burn", it.here.fund.address, 1000)
    it.swap(takes=0)
    it.trade(sell=it.token.address, amount=1000)
    assert it.held == [1000 * USD, ETH + 1000, 10**6 - 1000]
    with refused(""):
        here.send(MALLORY, it.venue, "take", it.token.address, it.here.fund.address, 1)


@pytest.mark.parametrize(("asset", "amount"), [(0, SOLD + 1), (1, 1), (2, 1)])
def test_a_venue_cannot_take_anything_else_in_the_middle(here, asset, amount):
    it = trap(here)
    here.arm(it.venue, it.venue, "take", it.assets[asset].address, it.here.fund.address, amount)
    it.trade()
    assert here.came_back(it.venue)[:2] == (1, 0)
    assert it.held == [950 * USD, ETH + 1000, 10**6]


def test_a_venue_that_takes_what_is_sold_twice_is_refused(here):
    it = trap(here)
    here.arm(it.venue, it.venue, "take", here.usd.address, it.here.fund.address, SOLD)
    with refused("TestToken: not allowed"):
        it.trade()
    it.swap(takes=0)  # by another way, but once
    it.trade()
    assert it.held == [950 * USD, ETH + 1000, 10**6]


def test_a_venue_that_is_no_contract_trades_nothing(here):
    fund = here.new_fund([(t.address, MOST, MOST) for t in (here.usd, here.eth)], [CAROL.address])
    here.allow(ALICE, here.usd, fund)
    here.send(ALICE, fund, "deposit", 1, [SOLD, 0])
    with refused(""):
        here.trade(here.order(venue=CAROL.address), fund=fund)
    assert here.call(fund, "holdings") == (SOLD, 0)


# Callbacks


def sample(it: Trap, name: str) -> tuple[Any, ...]:
    """Arguments with which a function does something, or gives a reason."""
    here, action = it.here, b"\xbb" * 32
    order = here.order(action=action, venue=it.venue.address, amount=1)
    rotate = typed.Rotate(next=MALLORY.address, identity=IDENTITY, nonce=order.nonce)
    domain = here.fund_domain()
    return {
        "deposit": (1, [MOST, MOST, MOST]),
        "withdraw": (1,),
        "withdraw_without": (1, [here.usd.address]),
        "trade": (order.values, sign(AGENT, domain, order)),
        "rotate": (MALLORY.address, IDENTITY, sign(AGENT, domain, rotate)),
        "price_of": (1,),
        "worth_of": (1,),
        "left_today": (here.usd.address,),
        "digest_of": (order.values,),
        "is_venue": (it.venue.address,),
        "block_of": (action,),
        "sold_on": (here.usd.address, 1),
        "shares_of": (ALICE.address,),
    }.get(name, ())


FUNCTIONS = functions_of("Fund")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_venue_that_calls_back_finds_every_function_closed(here, name):
    it = trap(here)
    here.arm(it.token, it.here.fund, name, *sample(it, name))
    here.require_open(it.token)
    here.arm(it.venue, it.here.fund, name, *sample(it, name))
    it.trade()
    here.require_closed(it.venue)
    assert it.held == [950 * USD, ETH + 1000, 10**6]


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("during", ["deposit", "withdraw", "withdraw_without", "sale", "purchase"])
def test_a_token_that_calls_back_finds_every_function_closed(here, name, during):
    it = trap(here)
    here.arm(it.token, it.here.fund, name, *sample(it, name))
    if during == "deposit":
        it.here.send(BOB, it.here.fund, "deposit", 2, [USD, ETH, 1000])
        expected = [1001 * USD, ETH + ETH // 1000, 1_001_000]
    elif during == "withdraw":
        it.here.send(BOB, it.here.fund, "withdraw", 1000)
        expected = [500 * USD, ETH // 2, 500_000]
    elif during == "withdraw_without":
        it.here.send(BOB, it.here.fund, "withdraw_without", 1000, [here.eth.address])
        expected = [500 * USD, ETH, 500_000]
    elif during == "sale":
        it.swap(takes=1000)
        it.trade(sell=it.token.address, amount=1000)
        expected = [1000 * USD, ETH + 1000, 10**6 - 1000]
    else:
        it.swap(buys=it.token)
        it.trade(buy=it.token.address)
        expected = [950 * USD, ETH, 10**6 + 1000]
    here.require_closed(it.token)
    assert it.held == expected


# Tokens


def test_a_token_that_takes_a_fee_cannot_be_deposited(here):
    it = trap(here)
    it.behave(fee=10)
    with refused("Fund: short transfer"):
        here.send(BOB, it.here.fund, "deposit", 2000, [1000 * USD, ETH, 10**6])
    it.behave()
    here.send(BOB, it.here.fund, "deposit", 2000, [1000 * USD, ETH, 10**6])
    assert it.held == [2 * amount for amount in FULL]


def test_a_token_that_gives_more_than_was_deposited_is_refused(here):
    it = trap(here)
    here.arm(it.token, it.token, "mint", it.here.fund.address, 1)
    with refused("Fund: short transfer"):
        here.send(BOB, it.here.fund, "deposit", 2, [USD, ETH, 1000])


def test_a_token_that_takes_a_fee_counts_as_what_arrives(here):
    it = trap(here)
    it.behave(fee=100)
    it.swap(buys=it.token, gives=1000)
    with refused("Fund: below the minimum"):
        it.trade(buy=it.token.address, min_out=991)
    (event,) = it.trade(buy=it.token.address, min_out=990).events
    assert event["received"] == 990
    assert it.held == [950 * USD, ETH, 10**6 + 990]
    before = here.balance(it.token, it.venue)
    it.swap(takes=1000)
    it.trade(sell=it.token.address, amount=1000, action=b"\xad" * 32)
    assert it.held == [950 * USD, ETH + 1000, 10**6 - 10]
    assert here.balance(it.token, it.venue) == before + 990


def test_a_token_that_refuses_stops_nobody_who_leaves_without_it(here):
    it = trap(here)
    it.behave(refuses=True)
    with refused("Fund: transfer refused"):
        here.send(BOB, it.here.fund, "deposit", 2, [USD, ETH, 1000])
    with refused("Fund: transfer refused"):
        here.send(BOB, it.here.fund, "withdraw", 1000)
    with refused("Fund: approval refused"):
        it.trade(sell=it.token.address, amount=1)
    before = here.balance(here.usd, BOB)
    here.send(BOB, it.here.fund, "withdraw_without", 1000, [it.token.address])
    assert here.balance(here.usd, BOB) == before + 500 * USD
    assert it.held == [500 * USD, ETH // 2, 10**6]


def test_a_token_of_which_there_is_none_is_not_asked_to_move(here):
    token = here.hostile()
    fund = here.new_fund([(one.address, MOST, MOST) for one in (here.usd, token)], [])
    here.allow(BOB, here.usd, fund)
    here.send(MALLORY, token, "behave", 0, True, False)
    here.send(BOB, fund, "deposit", 10, [1000, 0])
    here.send(BOB, fund, "deposit", 10, [1000, 0])
    here.send(BOB, fund, "withdraw", 5)
    assert here.call(fund, "holdings") == (1500, 0)


def test_a_token_that_breaks_stops_nobody_who_leaves_without_it(here):
    it = trap(here)
    it.behave(breaks=True)
    for name, *arguments in (
        ("deposit", 2, [USD, ETH, 1000]), ("withdraw", 1000),
        ("withdraw_without", 1000, [here.usd.address]),
    ):  # fmt: skip
        with refused("HostileToken: broken"):
            here.send(BOB, it.here.fund, name, *arguments)
    for name, *arguments in (("holdings",), ("worth_of", 1), ("price_of", 1)):
        with refused("HostileToken: broken"):
            here.call(it.here.fund, name, *arguments)
    for action, sold, bought in ((1, it.token, here.eth), (2, here.usd, it.token)):
        with refused("HostileToken: broken"):
            it.trade(action=bytes([action]) * 32, sell=sold.address, buy=bought.address, amount=1)
    it.trade()  # the other two are traded as ever
    before = here.balance(here.usd, BOB), here.balance(here.eth, BOB)
    here.send(BOB, it.here.fund, "withdraw_without", 1000, [it.token.address])
    after = here.balance(here.usd, BOB), here.balance(here.eth, BOB)
    assert after == (before[0] + 475 * USD, before[1] + (ETH + 1000) // 2)
    it.behave()
    assert it.held == [475 * USD, (ETH + 1000) // 2, 10**6]
    here.send(ALICE, it.here.fund, "withdraw", 1000)
    assert it.held == [0, 0, 0]


def test_a_token_of_which_the_fund_seems_to_hold_too_much_locks_nobody_in(here):
    it = trap(here)
    here.send(MALLORY, it.token, "mint", it.here.fund.address, MOST - 10**6)
    with refused(""):  # the product of balance and shares overflows
        here.send(BOB, it.here.fund, "withdraw", 1000)
    here.send(BOB, it.here.fund, "withdraw_without", 1000, [it.token.address])
    assert it.held == [500 * USD, ETH // 2, MOST]


def test_a_token_whose_units_vanish_leaves_each_its_part_of_the_rest(here):
    it = trap(here)
    here.send(MALLORY, it.token, "burn", it.here.fund.address, 999_999)
    for person in (BOB, ALICE):
        before = here.balance(here.usd, person)
        here.send(person, it.here.fund, "withdraw", 1000)
        assert here.balance(here.usd, person) == before + 500 * USD
    assert it.held == [0, 0, 0]
    assert here.balance(it.token, ALICE) == 10**24 - 500_000 + 1


def test_tokens_that_answer_nothing_are_as_good_as_others(here):
    it = trap(here, token="QuietToken")
    it.swap(takes=1000)
    it.trade(sell=it.token.address, amount=1000)
    it.swap(buys=it.token)
    it.trade(buy=it.token.address, action=b"\xad" * 32)
    assert it.held == [950 * USD, ETH + 1000, 10**6]
    here.send(BOB, it.here.fund, "withdraw", 1000)
    assert here.balance(it.token, BOB) == 10**24
    assert it.held == [475 * USD, ETH // 2 + 500, 500_000]
