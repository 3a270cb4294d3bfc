"""Pool: the product never falls, and neither rounding nor a hostile token is anybody's gain."""

from __future__ import annotations

from dataclasses import replace
from math import isqrt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from teeproof.chain.abi import Contract
from teeproof.chain.account import Account
from tests.chain.contracts.evm import NOBODY
from tests.chain.contracts.world import (
    ALICE,
    BOB,
    CAROL,
    DEPLOYER,
    MALLORY,
    MOST,
    POOLED,
    PURSE,
    USD,
    World,
    functions_of,
    refused,
    world,
)

LARGEST = 2**112  # of a reserve, and of all shares


def empty(here: World, *tokens: Contract) -> World:
    """The same world with a new pool, which everyone allows all."""
    first, second = tokens or (here.usd, here.eth)
    pool = here.evm.deploy(DEPLOYER, "Pool", first.address, second.address)
    for token in (first, second):
        for person in (ALICE, BOB, CAROL, MALLORY):
            here.send(person, token, "approve", pool.address, MOST)
    return replace(here, pool=pool)


def reserves(here: World) -> tuple[int, int]:
    tokens = (here.call(here.pool, name) for name in ("token0", "token1"))
    first, second = (here.call(here.pool, "reserve_of", token) for token in tokens)
    return first, second


def purse(here: World, who: Account | Contract) -> tuple[int, int]:
    return here.balance(here.usd, who), here.balance(here.eth, who)


def add(here: World, by: Account, shares: int, *most: int, deadline: int | None = None) -> Any:
    deadline = here.evm.now if deadline is None else deadline
    return here.send(by, here.pool, "add", shares, *most, deadline)


def remove(here: World, by: Account, shares: int, *least: int, deadline: int | None = None) -> Any:
    deadline = here.evm.now if deadline is None else deadline
    return here.send(by, here.pool, "remove", shares, *(least or (0, 0)), deadline)


def swap(here: World, by: Account, sell: Contract, amount: int, **options: int) -> Any:
    deadline = options.get("deadline", here.evm.now)
    return here.send(by, here.pool, "swap", sell.address, amount, options.get("least", 0), deadline)


def total(here: World) -> int:
    return int(here.call(here.pool, "total_shares"))


def test_a_pool_of_one_token_or_of_none_is_refused(here):
    for first, second, reason in (
        (here.usd.address, here.usd.address, "Pool: one token twice"),
        (NOBODY, here.usd.address, "Pool: no token"),
        (here.usd.address, NOBODY, "Pool: no token"),
    ):
        with refused(reason):
            here.evm.deploy(DEPLOYER, "Pool", first, second)


# Providing


def test_the_first_provider_gives_all_it_names_for_their_mean(here):
    here, before = empty(here), purse(here, BOB)
    mean = isqrt(1001 * 3999)
    for shares in (mean - 1, mean + 1, 1):
        with refused("Pool: not the mean"):
            add(here, BOB, shares, 1001, 3999)
    (event,) = add(here, BOB, mean, 1001, 3999).events
    assert (event.name, dict(event.values)) == (
        "Added", {"provider": BOB.address, "shares": mean, "amount0": 1001, "amount1": 3999},
    )  # fmt: skip
    assert reserves(here) == (1001, 3999)
    assert purse(here, BOB) == (before[0] - 1001, before[1] - 3999)
    assert here.call(here.pool, "shares_of", BOB.address) == total(here) == mean


def test_a_provider_pays_its_exact_part_rounded_up_and_not_a_unit_more(here):
    here = empty(here)
    add(here, ALICE, 3, 3, 3)
    swap(here, CAROL, here.usd, 3)
    assert reserves(here) == (6, 2)
    for most in ((1, 1), (2, 0)):
        with refused("Pool: above the maximum"):
            add(here, BOB, 1, *most)
    add(here, BOB, 1, 2, 1)
    assert reserves(here) == (8, 3)


def test_a_provider_takes_its_exact_part_rounded_down(here):
    here = empty(here)
    add(here, ALICE, 3, 3, 3)
    swap(here, CAROL, here.usd, 4)
    assert reserves(here) == (7, 2)
    for least in ((3, 0), (0, 1)):
        with refused("Pool: below the minimum"):
            remove(here, ALICE, 1, *least)
    before = purse(here, ALICE)
    (event,) = remove(here, ALICE, 1, 2, 0).events
    assert (event.name, dict(event.values)) == (
        "Removed", {"provider": ALICE.address, "shares": 1, "amount0": 2, "amount1": 0},
    )  # fmt: skip
    assert purse(here, ALICE) == (before[0] + 2, before[1])
    assert reserves(here) == (5, 2)


def test_nobody_takes_more_than_its_own_shares(here):
    mine = here.call(here.pool, "shares_of", ALICE.address)
    assert mine == total(here)
    for who, shares in ((MALLORY, 1), (ALICE, mine + 1), (ALICE, MOST)):
        with refused("Pool: not enough shares"):
            remove(here, who, shares)
    remove(here, ALICE, mine)
    assert (reserves(here), total(here)) == ((0, 0), 0)
    with refused("Pool: not enough shares"):
        remove(here, ALICE, 1)
    assert purse(here, here.pool) == (0, 0)


def test_a_pool_that_was_emptied_begins_again(here):
    remove(here, ALICE, total(here))
    with refused("Pool: not the mean"):
        add(here, BOB, 1, 4, 9)
    add(here, BOB, 6, 4, 9)
    assert reserves(here) == (4, 9)


def test_nothing_is_provided_or_taken_for_nothing(here):
    with refused("Pool: no shares"):
        add(here, BOB, 0, MOST, MOST)
    with refused("Pool: no shares"):
        remove(here, ALICE, 0)
    here = empty(here)
    with refused("Pool: no shares"):
        add(here, BOB, 0, 0, 0)
    for most in ((0, 5), (5, 0)):
        with refused("Pool: not the mean"):
            add(here, BOB, 1, *most)


def test_reserves_and_shares_have_a_largest_number(here):
    token, other = here.hostile(), here.hostile()
    here = empty(here, token, other)
    for one in (token, other):
        here.send(MALLORY, one, "mint", ALICE.address, LARGEST + 1)
        here.send(MALLORY, one, "mint", BOB.address, LARGEST + 1)
    for most in ((LARGEST + 1, 1), (1, LARGEST + 1)):
        with refused("Pool: too large"):
            add(here, ALICE, 1, *most)
    with refused("Pool: too many shares"):
        add(here, ALICE, LARGEST + 1, 1, 1)
    add(here, ALICE, LARGEST - 1, LARGEST - 1, LARGEST - 1)
    with refused("Pool: too many shares"):
        add(here, BOB, 2, MOST, MOST)
    with refused("Pool: too large"):
        here.call(here.pool, "quote", token.address, LARGEST + 1)
    assert here.call(here.pool, "quote", token.address, LARGEST) == (
        (LARGEST - 1) * LARGEST * 997 // ((LARGEST - 1) * 1000 + LARGEST * 997)
    )
    with refused("Pool: too large"):
        swap(here, BOB, token, 3)
    add(here, BOB, 1, 1, 1)
    assert reserves(here) == (LARGEST, LARGEST)
    with refused("Pool: too large"):
        swap(here, BOB, token, 2)
    remove(here, ALICE, LARGEST - 1)
    assert reserves(here) == (1, 1)


# Swapping


def test_a_swap_gives_what_was_quoted_and_takes_exactly_what_is_sold(here):
    quoted = here.call(here.pool, "quote", here.usd.address, 100 * USD)
    kept = 100 * USD * 997
    assert quoted == POOLED[1] * kept // (POOLED[0] * 1000 + kept)
    before = purse(here, BOB)
    with refused("Pool: below the minimum"):
        swap(here, BOB, here.usd, 100 * USD, least=quoted + 1)
    (event,) = swap(here, BOB, here.usd, 100 * USD, least=quoted).events
    assert (event.name, dict(event.values)) == (
        "Swapped",
        {
            "trader": BOB.address, "sell": here.usd.address, "amount": 100 * USD,
            "received": quoted,
        },
    )  # fmt: skip
    assert purse(here, BOB) == (before[0] - 100 * USD, before[1] + quoted)
    assert reserves(here) == (POOLED[0] + 100 * USD, POOLED[1] - quoted) == purse(here, here.pool)


def test_a_swap_of_nothing_or_of_another_token_is_refused(here):
    with refused("Pool: too small"):
        swap(here, BOB, here.usd, 0)
    with refused("Pool: too small"):
        swap(here, BOB, here.eth, 1)  # a wei is worth less than a millionth of a dollar
    for name, *rest in (("swap", 1, 0, here.evm.now), ("quote", 1)):
        with refused("Pool: another token"):
            here.send(BOB, here.pool, name, MALLORY.address, *rest)
    with refused("Pool: too large"):
        swap(here, BOB, here.usd, LARGEST + 1)
    with refused("TestToken: not enough"):
        swap(here, BOB, here.usd, PURSE[0])
    with refused("TestToken: not allowed"):
        swap(here, DEPLOYER, here.usd, 1_000_000)


def test_an_empty_pool_sells_nothing(here):
    here = empty(here)
    with refused("Pool: too small"):
        swap(here, BOB, here.usd, 10)
    with refused("Pool: empty"):
        swap(here, BOB, here.usd, 0)


def test_every_order_holds_until_its_deadline_and_not_a_second_longer(here):
    then = here.evm.now + 10
    here.evm.sleep(10)
    at_last, late = here.fork(), here.fork()
    late.evm.sleep(1)
    for there in (at_last, late):
        for act, arguments in (
            (add, (BOB, 1, MOST, MOST)), (remove, (ALICE, 1)), (swap, (BOB, here.usd, USD)),
        ):  # fmt: skip
            if there is at_last:
                act(there, *arguments, deadline=then)
            else:
                with refused("Pool: too late"):
                    act(there, *arguments, deadline=then)
    assert reserves(late) == POOLED


@settings(max_examples=60)
@given(
    first=st.integers(1, 10**9), second=st.integers(1, 10**9), side=st.booleans(),
    amount=st.integers(0, 10**9),
)  # fmt: skip
def test_the_product_never_falls_and_a_round_trip_gains_nothing(first, second, side, amount):
    here = empty(world().fork())
    add(here, ALICE, isqrt(first * second), first, second)
    sell, buy = (here.usd, here.eth) if side else (here.eth, here.usd)
    before, product = purse(here, BOB), first * second
    out = here.call(here.pool, "quote", sell.address, amount)
    if out == 0:
        with refused("Pool: too small"):
            swap(here, BOB, sell, amount)
        return
    swap(here, BOB, sell, amount)
    grown = reserves(here)[0] * reserves(here)[1]
    assert grown >= product
    assert min(reserves(here)) > 0
    if here.call(here.pool, "quote", buy.address, out):
        swap(here, BOB, buy, out)
        after = purse(here, BOB)
        assert reserves(here)[0] * reserves(here)[1] >= grown
        assert (after[0] <= before[0], after[1] <= before[1]) == (True, True)
        assert purse(here, here.pool) == reserves(here)


@settings(max_examples=60)
@given(
    first=st.integers(1, 10**9), second=st.integers(1, 10**9), sold=st.integers(1, 10**9),
    shares=st.integers(1, 10**9), back=st.data(),
)  # fmt: skip
def test_who_provides_and_takes_back_gains_nothing_by_rounding(first, second, sold, shares, back):
    here = empty(world().fork())
    add(here, ALICE, isqrt(first * second), first, second)
    if here.call(here.pool, "quote", here.usd.address, sold):
        swap(here, CAROL, here.usd, sold)
    before, held, all_shares = purse(here, BOB), reserves(here), total(here)
    try_most = [-(-amount * shares // all_shares) for amount in held]
    if try_most[0] > before[0] or try_most[1] > before[1]:
        with refused("TestToken: not enough"):
            add(here, BOB, shares, *try_most)
        return
    add(here, BOB, shares, *try_most)
    part = back.draw(st.integers(1, shares))
    remove(here, BOB, part)
    if part < shares:
        remove(here, BOB, shares - part)
    after = purse(here, BOB)
    assert before[0] - 3 <= after[0] <= before[0]
    assert before[1] - 3 <= after[1] <= before[1]
    assert total(here) == all_shares
    now = reserves(here)
    assert (now[0] >= held[0], now[1] >= held[1]) == (True, True)


# Whoever wants more than its part


def test_a_donor_moves_no_price_and_nobody_takes_the_gift(here):
    quoted = here.call(here.pool, "quote", here.usd.address, USD)
    here.send(MALLORY, here.usd, "transfer", here.pool.address, 1000 * USD)
    assert reserves(here) == POOLED
    assert here.call(here.pool, "quote", here.usd.address, USD) == quoted
    remove(here, ALICE, total(here))
    assert purse(here, here.pool) == (1000 * USD, 0)


def test_a_first_provider_who_inflates_the_share_takes_nothing_from_the_next(here):
    here = empty(here)
    before = {who: purse(here, who) for who in (MALLORY, BOB)}
    add(here, MALLORY, 1, 1, 1)
    for token in (here.usd, here.eth):
        here.send(MALLORY, token, "transfer", here.pool.address, 10**6)
    with refused("Pool: too small"):  # nor by a swap that gives nothing for much
        swap(here, MALLORY, here.usd, 10**9)
    add(here, BOB, 1000, 1000, 1000)
    remove(here, BOB, 1000)
    remove(here, MALLORY, 1)
    assert purse(here, BOB) == before[BOB]
    assert purse(here, MALLORY) == (before[MALLORY][0] - 10**6, before[MALLORY][1] - 10**6)


def test_a_first_provider_at_a_price_of_its_own_takes_nothing_from_who_names_its_maxima(here):
    here = empty(here)
    add(here, MALLORY, 10, 1, 100)  # Bob meant 10 for 10
    with refused("Pool: above the maximum"):
        add(here, BOB, 10, 10, 10)


def test_a_trader_who_sandwiches_another_is_stopped_by_its_minimum(here):
    quoted = here.call(here.pool, "quote", here.usd.address, 100 * USD)
    swap(here, MALLORY, here.usd, 5000 * USD)
    with refused("Pool: below the minimum"):
        swap(here, BOB, here.usd, 100 * USD, least=quoted)


# Tokens


@pytest.fixture
def trapped(here):
    """A pool of dollars and a token of Mallory's; Alice provides 1,000 units of each."""
    made = replace(empty(here, here.usd, token := here.hostile()), eth=token)
    add(made, ALICE, 1000, 1000, 1000)
    return made


def behave(here: World, *, fee: int = 0, refuses: bool = False, breaks: bool = False) -> None:
    here.send(MALLORY, here.eth, "behave", fee, refuses, breaks)


def test_a_token_that_takes_a_fee_is_neither_provided_nor_sold(trapped):
    behave(trapped, fee=100)
    for act, arguments in ((add, (BOB, 100, 100, 100)), (swap, (BOB, trapped.eth, 100))):
        with refused("Pool: short transfer"):
            act(trapped, *arguments)
    before = purse(trapped, BOB)
    swap(trapped, BOB, trapped.usd, 200)
    assert purse(trapped, BOB) == (before[0] - 200, before[1] + 166 - 1)  # the fee is the buyer's
    assert reserves(trapped) == (1200, 834) == purse(trapped, trapped.pool)


def test_a_token_that_gives_more_than_was_sold_is_refused(trapped):
    trapped.arm(trapped.eth, trapped.eth, "mint", trapped.pool.address, 1)
    for act, arguments in ((add, (BOB, 100, 100, 100)), (swap, (BOB, trapped.eth, 100))):
        with refused("Pool: short transfer"):
            act(trapped, *arguments)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [({"refuses": True}, "Pool: transfer refused"), ({"breaks": True}, "HostileToken: broken")],
)
def test_a_token_that_does_not_move_moves_nothing_else(trapped, behaviour, reason):
    behave(trapped, **behaviour)
    before = trapped.balance(trapped.usd, BOB), trapped.balance(trapped.usd, ALICE)
    for act, arguments in (
        (add, (BOB, 100, 100, 100)), (remove, (ALICE, 100)), (swap, (BOB, trapped.usd, 100)),
        (swap, (BOB, trapped.eth, 100)),
    ):  # fmt: skip
        with refused(reason):
            act(trapped, *arguments)
    assert (trapped.balance(trapped.usd, BOB), trapped.balance(trapped.usd, ALICE)) == before
    assert reserves(trapped) == (1000, 1000)
    behave(trapped)
    remove(trapped, ALICE, 1000)
    assert reserves(trapped) == (0, 0)


def test_a_token_that_answers_nothing_is_as_good_as_another(here):
    quiet = here.hostile("QuietToken")
    here = replace(empty(here, here.usd, quiet), eth=quiet)
    add(here, ALICE, 1000, 1000, 1000)
    swap(here, BOB, here.usd, 200)
    swap(here, BOB, here.eth, 100)
    remove(here, ALICE, 1000)
    assert (reserves(here), purse(here, here.pool)) == ((0, 0), (0, 0))


def sample(here: World, name: str) -> tuple[Any, ...]:
    """Arguments with which a function does something, or gives a reason."""
    return {
        "add": (1, MOST, MOST, MOST),
        "remove": (1, 0, 0, MOST),
        "swap": (here.usd.address, 1, 0, MOST),
        "quote": (here.usd.address, 1),
        "reserve_of": (here.usd.address,),
        "shares_of": (ALICE.address,),
    }.get(name, ())


@pytest.mark.parametrize("name", functions_of("Pool"))
@pytest.mark.parametrize("during", ["add", "remove", "buy", "sell"])
def test_a_token_that_calls_back_finds_every_function_closed(trapped, name, during):
    trapped.arm(trapped.eth, trapped.pool, name, *sample(trapped, name))
    trapped.require_open(trapped.eth)
    if during == "add":
        add(trapped, BOB, 100, 100, 100)
        expected = 1100, 1100
    elif during == "remove":
        remove(trapped, ALICE, 100)
        expected = 900, 900
    elif during == "buy":
        swap(trapped, BOB, trapped.usd, 200)
        expected = 1200, 834
    else:
        swap(trapped, BOB, trapped.eth, 200)
        expected = 834, 1200
    if name in ("token0", "token1"):  # they never change, and a getter of code has no lock
        assert trapped.came_back(trapped.eth)[1] == 1
    else:
        trapped.require_closed(trapped.eth)
    assert reserves(trapped) == expected == purse(trapped, trapped.pool)
