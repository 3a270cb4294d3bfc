"""Whatever people, an agent and a clock do in whatever order: not a unit is lost or made.

A model in Python says of each order what comes of it, to the unit, or for which reason the contract
refuses it. After each step every balance and every share is compared with the model's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from math import isqrt
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from teeproof.chain import merkle
from teeproof.chain.account import Account
from teeproof.core.digests import sha256
from tests.chain.contracts.world import (
    ALICE,
    BOB,
    CAROL,
    DEPLOYER,
    ETH,
    MOST,
    PEOPLE,
    PER_DAY,
    PER_TRADE,
    USD,
    refused,
    world,
)

DAY = 86_400
LARGEST = 2**112
PAYEE = Account(b"\x51" * 32)
CAP = 10**9 * USD, 10**9 * ETH

people = st.sampled_from(PEOPLE)
sides = st.integers(0, 1)
amounts = st.one_of(
    st.integers(0, 100), st.integers(0, 10**9), st.integers(0, 10**13), st.integers(0, 10**20)
)
shares = st.one_of(st.integers(0, 3), st.integers(0, 2500), st.integers(0, 10**15))
permille = st.one_of(st.integers(0, 1010), st.sampled_from([1, 500, 1000, 1001]))
slacks = st.sampled_from([-1, 0, 0, 1])
parts = st.lists(st.integers(0, 1000), min_size=1, max_size=4)


class Books:
    """What everyone should have: the model."""

    def __init__(self) -> None:
        self.held: list[dict[str, int]] = [defaultdict(int), defaultdict(int)]
        self.fund: dict[str, int] = defaultdict(int)
        self.pool: dict[str, int] = defaultdict(int)
        self.reserves = [0, 0]
        self.sold: dict[tuple[int, int], int] = defaultdict(int)
        self.left: dict[tuple[str, int, int], int] = {}

    def move(self, side: int, giver: str, taker: str, amount: int) -> None:
        self.held[side][giver] -= amount
        self.held[side][taker] += amount

    def out(self, side: int, amount: int) -> int:
        """What the pool gives for an amount of a side."""
        given = amount * 997
        below = self.reserves[side] * 1000 + given
        return self.reserves[1 - side] * given // below if below else -1

    def swap_refused(self, side: int, amount: int, least: int) -> str | None:
        if amount > LARGEST:
            return "Pool: too large"
        out = self.out(side, amount)
        if out < 0:
            return "Pool: empty"
        if out == 0:
            return "Pool: too small"
        return "Pool: below the minimum" if out < least else None

    def swap(self, side: int, amount: int) -> int:
        out = self.out(side, amount)
        self.reserves[side] += amount
        self.reserves[1 - side] -= out
        return out


class Conservation(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.here = here = world().fork()
        self.tokens = here.usd, here.eth
        self.books = Books()
        self.everyone = [one.address for one in (*PEOPLE, DEPLOYER, PAYEE)]
        self.everyone += [one.address for one in (here.fund, here.pool, here.payments)]
        for side, token in enumerate(self.tokens):
            for holder in self.everyone:
                self.books.held[side][holder] = here.call(token, "balanceOf", holder)
        self.books.fund |= {ALICE.address: 1000, BOB.address: 1000}
        self.books.pool |= {ALICE.address: here.call(here.pool, "total_shares")}
        self.books.reserves = [self.books.held[side][here.pool.address] for side in (0, 1)]
        self.trees: dict[tuple[str, int, int], tuple[merkle.Tree, list[int], set[int]]] = {}
        self.trades = 0
        self.has_traded = False
        self.fund_before = self.fund_now()
        self.pool_before = self.pool_now()

    # What is compared

    def fund_now(self) -> tuple[list[int], int]:
        held = [self.books.held[side][self.here.fund.address] for side in (0, 1)]
        return held, sum(self.books.fund.values())

    def pool_now(self) -> tuple[int, int]:
        first, second = self.books.reserves
        return first * second, sum(self.books.pool.values())

    @invariant()
    def every_unit_is_where_the_model_says_and_none_is_made_or_lost(self) -> None:
        for side, token in enumerate(self.tokens):
            found = {who: self.here.call(token, "balanceOf", who) for who in self.everyone}
            assert found == {who: self.books.held[side][who] for who in self.everyone}
            assert self.here.call(token, "totalSupply") == sum(found.values())

    @invariant()
    def shares_and_reserves_are_what_the_model_says(self) -> None:
        here, books = self.here, self.books
        assert here.call(here.fund, "total_shares") == sum(books.fund.values())
        assert here.call(here.pool, "total_shares") == sum(books.pool.values())
        for side, token in enumerate(self.tokens):
            assert here.call(here.pool, "reserve_of", token.address) == books.reserves[side]
            assert books.reserves[side] <= books.held[side][here.pool.address]
            left = sum(left for (*_, of), left in books.left.items() if of == side)
            assert left <= books.held[side][here.payments.address]

    @invariant()
    def a_share_never_loses_but_by_the_agents_trades(self) -> None:
        (before, total), (now, new_total) = self.fund_before, self.fund_now()
        if total and new_total and not self.has_traded:
            for was, held in zip(before, now, strict=True):
                assert held * total >= was * new_total
        self.fund_before, self.has_traded = (now, new_total), False

    @invariant()
    def the_product_that_a_share_of_the_pool_holds_never_falls(self) -> None:
        (before, total), (now, new_total) = self.pool_before, self.pool_now()
        if total and new_total:
            assert now * total**2 >= before * new_total**2
        self.pool_before = now, new_total

    # What happens

    def does(self, reason: str | None, act: Callable[[], Any]) -> bool:
        """Run an order; it must do what the model says, or be refused for that reason."""
        if reason is None:
            act()
            return True
        with refused(reason):
            act()
        return False

    def send(self, who: Account, contract: Any, name: str, *arguments: Any) -> Callable[[], Any]:
        return lambda: self.here.send(who, contract, name, *arguments)

    def lacks(self, who: Account, *needed: int) -> str | None:
        short = [self.books.held[side][who.address] < one for side, one in enumerate(needed)]
        return "TestToken: not enough" if any(short) else None

    @rule(side=sides, who=people, amount=amounts, place=st.integers(0, 8))
    def transfer(self, side: int, who: Account, amount: int, place: int) -> None:
        to, needed = self.everyone[place], [0, 0]
        needed[side] = amount
        act = self.send(who, self.tokens[side], "transfer", to, amount)
        if self.does(self.lacks(who, *needed), act):
            self.books.move(side, who.address, to, amount)

    @rule(side=sides, place=st.integers(0, 8), amount=amounts)
    def mint(self, side: int, place: int, amount: int) -> None:
        to = self.everyone[place]
        over = sum(self.books.held[side].values()) + amount > CAP[side]
        act = self.send(DEPLOYER, self.tokens[side], "mint", to, amount)
        if self.does("TestToken: above the cap" if over else None, act):
            self.books.held[side][to] += amount

    @rule(seconds=st.one_of(st.integers(1, 60), st.integers(1, 2 * DAY)))
    def sleep(self, seconds: int) -> None:
        self.here.evm.sleep(seconds)

    @rule(who=people, wanted=shares, first=st.tuples(amounts, amounts))
    def deposit(self, who: Account, wanted: int, first: tuple[int, int]) -> None:
        held, total = self.fund_now()
        most, price = (first, list(first))
        if total:
            most, price = (MOST, MOST), [-(-amount * wanted // total) for amount in held]
        reason = "Fund: no shares" if wanted == 0 else None
        reason = reason or (None if any(price) else "Fund: nothing given")
        reason = reason or self.lacks(who, *price)
        fund = self.here.fund
        if self.does(reason, self.send(who, fund, "deposit", wanted, list(most))):
            for side in (0, 1):
                self.books.move(side, who.address, fund.address, price[side])
            self.books.fund[who.address] += wanted

    @rule(who=people, part=permille, without=st.sampled_from([(), (), (0,), (1,), (0, 1)]))
    def withdraw(self, who: Account, part: int, without: tuple[int, ...]) -> None:
        (held, total), own = self.fund_now(), self.books.fund[who.address]
        back = own + 1 if part > 1000 else own * part // 1000
        reason = "Fund: no shares" if back == 0 else None
        if back > own:
            reason = "Fund: not enough shares"
        fund, left = self.here.fund, [self.tokens[side].address for side in without]
        act = self.send(who, fund, "withdraw", back)
        if without:
            act = self.send(who, fund, "withdraw_without", back, left)
        if self.does(reason, act):
            for side in {0, 1} - set(without):
                self.books.move(side, fund.address, who.address, held[side] * back // total)
            self.books.fund[who.address] -= back

    @rule(side=sides, part=permille, slack=slacks, late=st.sampled_from([0, 0, 0, 1]))
    def trade(self, side: int, part: int, slack: int, late: int) -> None:
        here, books = self.here, self.books
        amount, day = PER_TRADE[side] * part // 1000, here.evm.now // DAY
        least = max(books.out(side, amount) + slack, 1)
        self.trades += 1
        order = here.order(
            action=sha256(self.trades.to_bytes(8, "big")), sell=self.tokens[side].address,
            buy=self.tokens[1 - side].address, amount=amount, min_out=least,
            deadline=here.evm.now - late,
        )  # fmt: skip
        reason = next(
            (
                reason
                for no, reason in (
                    (late, "Fund: too late"),
                    (amount == 0, "Fund: nothing sold"),
                    (amount > PER_TRADE[side], "Fund: above the trade limit"),
                    (amount > PER_DAY[side] - books.sold[side, day], "Fund: above the day limit"),
                    (amount > self.fund_now()[0][side], "Fund: not enough to sell"),
                )
                if no
            ),
            None,
        ) or books.swap_refused(side, amount, least)
        if self.does(reason, lambda: here.trade(order)):
            out = books.swap(side, amount)
            books.move(side, here.fund.address, here.pool.address, amount)
            books.move(1 - side, here.pool.address, here.fund.address, out)
            books.sold[side, day] += amount
            self.has_traded = True

    @rule(side=sides, who=people, part=permille, small=amounts, slack=slacks)
    def swap(self, side: int, who: Account, part: int, small: int, slack: int) -> None:
        books, pool = self.books, self.here.pool
        amount = books.held[side][who.address] * part // 1000 + small % 10
        least, needed = max(books.out(side, amount) + slack, 0), [0, 0]
        needed[side] = amount
        reason = books.swap_refused(side, amount, least) or self.lacks(who, *needed)
        token = self.tokens[side].address
        if self.does(reason, self.send(who, pool, "swap", token, amount, least, MOST)):
            out = books.swap(side, amount)
            books.move(side, who.address, pool.address, amount)
            books.move(1 - side, pool.address, who.address, out)

    @rule(who=people, wanted=shares, first=st.tuples(amounts, amounts))
    def add(self, who: Account, wanted: int, first: tuple[int, int]) -> None:
        books, pool = self.books, self.here.pool
        total = sum(books.pool.values())
        most, price = (MOST, MOST), list(first)
        if total:
            price = [-(-amount * wanted // total) for amount in books.reserves]
        else:
            most, wanted = first, isqrt(first[0] * first[1])
        reason = "Pool: no shares" if wanted == 0 else self.lacks(who, *price)
        if self.does(reason, self.send(who, pool, "add", wanted, *most, MOST)):
            for side in (0, 1):
                books.move(side, who.address, pool.address, price[side])
                books.reserves[side] += price[side]
            books.pool[who.address] += wanted

    @rule(who=people, part=permille)
    def remove(self, who: Account, part: int) -> None:
        books, pool, total = self.books, self.here.pool, sum(self.books.pool.values())
        own = books.pool[who.address]
        back = own + 1 if part > 1000 else own * part // 1000
        reason = "Pool: no shares" if back == 0 else None
        if back > own:
            reason = "Pool: not enough shares"
        if self.does(reason, self.send(who, pool, "remove", back, 0, 0, MOST)):
            for side in (0, 1):
                got = books.reserves[side] * back // total
                books.move(side, pool.address, who.address, got)
                books.reserves[side] -= got
            books.pool[who.address] -= back

    @rule(who=people, side=sides, answer=st.integers(0, 1), given=parts, slack=st.integers(-50, 50))
    def pay(self, who: Account, side: int, answer: int, given: list[int], slack: int) -> None:
        """Pay a little more or less than the root promises."""
        key, amount = (who.address, answer, side), max(sum(given) + slack, 0)
        tree, needed = merkle.Tree(tuple(leaves(answer, given))), [0, 0]
        needed[side] = amount
        reason = "Payments: nothing paid" if amount == 0 else None
        reason = reason or ("Payments: paid before" if key in self.books.left else None)
        reason = reason or self.lacks(who, *needed)
        payments, token = self.here.payments, self.tokens[side].address
        act = self.send(who, payments, "pay", answer_of(answer), token, amount, tree.root)
        if self.does(reason, act):
            self.books.move(side, who.address, payments.address, amount)
            self.books.left[key] = amount
            self.trees[key] = tree, given, set()

    @rule(pick=st.integers(0, 15), place=st.integers(0, 3))
    def claim(self, pick: int, place: int) -> None:
        keys = [*sorted(self.trees), (ALICE.address, 2, 0)]  # nobody pays for answer 2
        payer, answer, side = key = keys[pick % len(keys)]
        none = merkle.Tree(tuple(leaves(answer, [1]))), [1], set[int]()
        tree, given, done = self.trees.get(key, none)
        place %= len(given)
        leaf, payee = leaves(answer, given)[place], payees(given)[place]
        reason = None if key in self.trees else "Payments: not paid"
        if reason is None and place in done:
            reason = "Payments: claimed before"
        elif reason is None and given[place] > self.books.left[key]:
            reason = "Payments: nothing left"
        payments, token = self.here.payments, self.tokens[side].address
        act = self.send(
            CAROL, payments, "claim", payer, answer_of(answer), token, payee, given[place],
            list(tree.proof(leaf)),
        )  # fmt: skip
        if self.does(reason, act):
            done.add(place)
            self.books.left[key] -= given[place]
            self.books.move(side, payments.address, payee, given[place])


def answer_of(number: int) -> bytes:
    return sha256(b"answer", bytes([number]))


def payees(given: list[int]) -> list[str]:
    return [one.address for one in (PAYEE, ALICE, BOB, CAROL)][: len(given)]


def leaves(answer: int, given: list[int]) -> list[bytes]:
    pairs = zip(payees(given), given, strict=True)
    return [merkle.leaf_of(answer_of(answer), payee, amount) for payee, amount in pairs]


class TestConservation(Conservation.TestCase):  # type: ignore[misc,valid-type]
    settings = settings(max_examples=20, stateful_step_count=40, deadline=None)
