"""What a node that lies can cause, what the fund itself refuses, what a reorganisation undoes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from teeproof.agents.kernel import Kernel
from teeproof.agents.records import Facts
from teeproof.agents.statements import RECHECK, Recheck
from teeproof.agents.story import Turn
from teeproof.chain import typed
from teeproof.chain.account import Account
from teeproof.chain.client import Chain
from teeproof.chain.pool import Pool
from teeproof.core.errors import Error, NotAllowed, NotAuthentic, Unavailable
from teeproof.proof.source import read_record
from tests.agents.people import DOLLAR, TEXT, UNIT
from tests.agents.proxies import Change, lying_node, selector, word
from tests.agents.world import (
    FINALITY,
    Contracts,
    World,
    agent_identity,
    agent_of,
    ask,
    mandate_of,
    reorganise,
    with_fund,
)
from tests.proof.world import failures

ORDER = '{"sell":"ETH","part":0.5,"below":2000}'
FULL = (8 * UNIT, 8_000 * DOLLAR)
RESERVE, QUOTE = selector("reserve_of(address)"), selector("quote(address,uint256)")


@contextmanager
def agent_behind(world: World, change: Change) -> Iterator[Kernel]:
    """An agent whose only node is one that lies."""
    with lying_node(world.process.url, change) as url, Chain.connect(url) as chain:
        try:
            yield world.kernel(chain=chain)
        finally:
            world.close()


def calls(world: World, **answers: int) -> Change:
    """A node that answers calls of fund, pool and token so, and all else truthfully."""
    here = world.market
    names = {
        "ether": (here.pool.address, RESERVE + here.ether.address[2:].rjust(64, "0")),
        "dollar": (here.pool.address, RESERVE + here.dollar.address[2:].rjust(64, "0")),
        "pays": (here.pool.address, QUOTE),
        "balance": (here.ether.address, selector("balanceOf(address)")),
        "spent": (here.fund.address, selector("sold_on(address,uint256)")),
        "nonce": (here.fund.address, selector("nonce()")),
    }

    def change(method: str, params: list[Any], result: Any) -> Any:
        if method == "eth_call":
            for name, value in answers.items():
                to, data = names[name]
                if params[0]["to"] == to and params[0]["data"].startswith(data):
                    return word(value)
        return result

    return change


def at_price(world: World, dollars: int) -> Change:
    """A node that says that ETH costs so much."""
    amount = 4 * UNIT
    return calls(
        world, ether=10_000 * UNIT, dollar=dollars * 10_000 * DOLLAR,
        pays=amount * dollars * DOLLAR // UNIT * 99 // 100,
    )  # fmt: skip


def test_host_lies_about_the_price_to_sell_dear(world: World) -> None:
    """The condition is made to hold, and the least that is accepted with it: nobody pays that."""
    with agent_behind(world, at_price(world, 2600)) as kernel:
        turn = world.tell(kernel, TEXT, '{"sell":"ETH","part":0.5,"above":2500}')
    assert turn.outcome == "failed"
    assert turn.ending is not None
    assert turn.ending.detail == "the fund refused it: Pool: below the minimum"
    assert world.holdings() == FULL


def test_host_lies_about_the_price_to_sell_cheap(world: World) -> None:
    """A stop at 1,000 is triggered at 1,900: the trade is too early, at the pool's real price."""
    with agent_behind(world, at_price(world, 600)) as kernel:
        turn = world.tell(kernel, TEXT, '{"sell":"ETH","part":0.5,"below":1000}')
    assert turn.outcome == "traded"
    assert turn.effect is not None
    assert int(turn.effect.got) > 4 * 1800 * DOLLAR
    assert world.holdings()[0] == 4 * UNIT


def test_host_lies_about_the_price_below_what_the_mandate_believes(world: World) -> None:
    with agent_behind(world, at_price(world, 499)) as kernel:
        turn = world.tell(kernel, TEXT, '{"sell":"ETH","part":0.5,"below":1000}')
    assert turn.outcome == "refused"
    assert turn.ending is not None
    assert turn.ending.rules == ("band",)
    assert world.holdings() == FULL


def test_host_lies_about_the_price_and_trades_against_the_fund(world: World) -> None:
    """The worst that a host with money can do: as much as one trade, at the mandate's lowest."""
    here = in_a_small_pool(world)
    # It sells until the price is what it will tell of, has the agent sell there, and buys all back.
    here.pool.swap(here.owner, here.ether, 95 * UNIT, min_out=1)
    price = (
        here.pool.reserves()[here.dollar.address] * UNIT // here.pool.reserves()[here.ether.address]
    )
    assert 500 * DOLLAR < price < 510 * DOLLAR
    with agent_behind(world, at_price(world, 520)) as kernel:
        turn = world.tell(kernel, TEXT, '{"sell":"ETH","part":0.125,"below":1000}')
    assert turn.outcome == "failed"  # 2 % below what was told is the least; here it is 3 %
    with agent_behind(world, at_price(world, 504)) as kernel:
        turn = world.tell(kernel, TEXT, '{"sell":"ETH","part":0.125,"below":1000}')
    assert turn.outcome == "traded"
    assert turn.effect is not None
    lowest = 500 * DOLLAR * (10_000 - world.mandate.slippage_bps) // 10_000
    assert lowest < int(turn.effect.got) < 510 * DOLLAR
    assert world.holdings() == (7 * UNIT, 8_000 * DOLLAR + int(turn.effect.got))


def in_a_small_pool(world: World) -> Contracts:
    """Give the agent a fund and a mandate for a pool of 100 ETH, whose price is easily moved."""
    here = world.market
    pool = Pool.deploy(here.chain, here.owner, here.ether, here.dollar)
    pool.add(here.owner, {here.ether: 100 * UNIT, here.dollar: 190_000 * DOLLAR})
    world.market = with_fund(replace(here, pool=pool), agent_of())
    world.mandate = mandate_of(world.market, world.model)
    return world.market


def test_host_lies_about_an_amount(world: World) -> None:
    lies: dict[str, dict[str, int]] = {
        "limit-trade": {"balance": 11 * UNIT, "pays": 10**13},
        "limit-day": {"spent": 10 * UNIT},
        "slippage": {"pays": 0},
        "venue": {"ether": 0},
        "amount": {"balance": 0},
    }
    lie: dict[str, int] = {}

    def change(method: str, params: list[Any], result: Any) -> Any:
        return calls(world, **lie)(method, params, result)

    with agent_behind(world, change) as kernel:
        for rule, answers in lies.items():
            lie.clear()
            lie |= answers
            turn = world.tell(kernel, TEXT, ORDER)
            assert turn.outcome == "refused"
            assert turn.ending is not None
            assert rule in turn.ending.rules
    assert world.holdings() == FULL


def test_host_hides_what_was_sold_today(world: World) -> None:
    """The fund counts for itself."""
    with agent_behind(world, calls(world, spent=0, balance=8 * UNIT)) as kernel:
        outcomes = [
            world.tell(kernel, TEXT, '{"sell":"ETH","part":0.625}').outcome for _ in range(3)
        ]
        last = kernel.story.turns[-1]
    assert outcomes[0] == "traded"
    assert "failed" in outcomes
    assert last.ending is not None
    assert "not enough to sell" in last.ending.detail or "above the day limit" in last.ending.detail
    assert world.holdings()[0] >= 0


def test_host_lies_about_the_nonce(world: World) -> None:
    with agent_behind(world, calls(world, nonce=1)) as kernel:
        with pytest.raises(NotAuthentic) as refused:
            world.tell(kernel, TEXT, ORDER)
        assert refused.value.code == "journal_behind"
    assert world.holdings() == FULL


def test_host_tells_of_a_trade_that_never_was(world: World) -> None:
    """The agent waits; whoever asks another node sees that nothing was; then it is done, once."""
    invented: dict[str, Any] = {}

    def change(method: str, params: list[Any], result: Any) -> Any:
        if method == "eth_sendRawTransaction":
            raise AssertionError("nothing is sent")
        if method == "eth_call" and params[0]["data"].startswith(selector("block_of(bytes32)")):
            invented["action"] = params[0]["data"][10:]
            return word(5)
        if method == "eth_getLogs" and "action" in invented:
            return []
        return result

    with agent_behind(world, change) as kernel, pytest.raises(Unavailable) as refused:
        world.tell(kernel, TEXT, ORDER)
    assert refused.value.code == "chain_moving"
    assert world.holdings() == FULL
    assert world.market.fund.find(bytes.fromhex(invented["action"])) is None
    kernel = world.kernel()  # with an honest node, what was begun is finished, once
    kernel.resume()
    assert kernel.story.turns[0].outcome == "traded"
    assert world.holdings()[0] == 4 * UNIT


def test_host_answers_with_garbage(world: World) -> None:
    garbage: list[Any] = ["0x", "0xzz", None, 7, word(1) + "00", "0x" + "ff" * 32]

    def change(method: str, params: list[Any], result: Any) -> Any:
        return garbage[0] if method == "eth_call" else result

    with agent_behind(world, change) as kernel:
        while garbage:
            with pytest.raises(Error):
                world.tell(kernel, TEXT, ORDER)
            garbage.pop(0)
    assert world.holdings() == FULL


def order_of(world: World, **changes: Any) -> typed.Trade:
    here = world.market
    values: dict[str, Any] = {
        "action": b"\x07" * 32, "venue": here.pool.address, "sell": here.ether.address,
        "buy": here.dollar.address, "amount": 4 * UNIT, "min_out": 1, "nonce": 0,
        "deadline": here.chain.block().timestamp + 600,
    }  # fmt: skip
    return typed.Trade(**(values | changes))


def test_agent_exceeds_each_limit_on_the_chain(world: World) -> None:
    """The kernel is bypassed: somebody has the agent sign what its rules would never let pass."""
    here, keyring = world.market, agent_identity(world.source).keyring
    stranger = "0x" + "ba" * 20
    refused = {
        "Fund: above the trade limit": {"amount": 5 * UNIT + 1},
        "Fund: venue not allowed": {"venue": stranger},
        "Fund: asset not allowed": {"buy": stranger},
        "Fund: an asset for itself": {"buy": here.ether.address},
        "Fund: not the next nonce": {"nonce": 1},
        "Fund: too late": {"deadline": here.chain.block().timestamp - 1},
        "Fund: nothing sold": {"amount": 0},
        "Fund: no minimum": {"min_out": 0},
        "Fund: no action": {"action": bytes(32)},
        "Pool: below the minimum": {"min_out": 4 * 1900 * DOLLAR},
    }
    for reason, changes in refused.items():
        order = order_of(world, **changes)
        signature = keyring.sign_typed(here.fund.domain, order.struct_hash)
        with pytest.raises(NotAllowed) as error:
            here.fund.trade(here.owner, order, signature)
        assert error.value.got == reason
        assert world.holdings() == FULL
    for nonce, amount in enumerate((3 * UNIT, 5 * UNIT)):  # exactly a trade's limit, all there is
        order = order_of(world, nonce=nonce, amount=amount, action=bytes([nonce + 1]) * 32)
        signature = keyring.sign_typed(here.fund.domain, order.struct_hash)
        here.fund.trade(here.owner, order, signature)
    here.ether.transfer(here.owner, to=here.fund.address, amount=5 * UNIT)
    for amount, reason in ((2 * UNIT + 1, "Fund: above the day limit"), (2 * UNIT, None)):
        order = order_of(world, nonce=2, amount=amount, action=b"\x09" * 32)
        signature = keyring.sign_typed(here.fund.domain, order.struct_hash)
        if reason is None:
            here.fund.trade(here.owner, order, signature)
            continue
        with pytest.raises(NotAllowed) as error:
            here.fund.trade(here.owner, order, signature)
        assert error.value.got == reason


def test_anybody_carries_a_trade_and_nobody_changes_it(world: World) -> None:
    here, keyring = world.market, agent_identity(world.source).keyring
    order = order_of(world)
    signature = keyring.sign_typed(here.fund.domain, order.struct_hash)
    for changed in (order_of(world, amount=5 * UNIT), order_of(world, min_out=2)):
        with pytest.raises(NotAllowed) as error:
            here.fund.trade(here.owner, changed, signature)
        assert error.value.got == "Fund: not the agent's signature"
    here.fund.trade(here.owner, order, signature)
    assert world.holdings()[0] == 4 * UNIT


def rechecks(world: World) -> list[Recheck]:
    """All that was said of trades again."""
    held = [read_record(world.source.statement(one) or b"") for one in world.source._statements]
    found = [one.statement.predicate for one in held if one.statement and one.type == RECHECK]
    assert all(isinstance(one, Recheck) for one in found)
    return found


def test_chain_is_reorganised_after_a_trade(world: World) -> None:
    """The trade is gone; the same one is submitted again, and stands once."""
    kernel = world.kernel()
    turn = world.tell(kernel, TEXT, ORDER)
    before = turn.effect
    assert before is not None
    reorganise(world)
    assert world.holdings() == FULL
    kernel.resume()
    assert turn.outcome == "traded"
    assert turn.effect is not None
    assert turn.effect.signature == before.signature
    assert turn.effect.block_hash != before.block_hash
    assert (world.holdings()[0], world.market.fund.nonce()) == (4 * UNIT, 1)
    kernel.resume()
    (said,) = rechecks(world)
    assert (said.outcome, said.effect) == ("traded", turn.effect)
    world.close()
    again = world.kernel()
    again.resume()
    assert again.story.turns[0].effect == turn.effect
    assert world.tell(again, TEXT, ORDER).outcome == "traded"
    assert len(rechecks(world)) == 1


def test_chain_is_reorganised_and_has_the_trade_in_another_block(world: World) -> None:
    kernel = world.kernel()
    turn = world.tell(kernel, TEXT, ORDER)
    before = turn.effect
    reorganise(world, again=True)
    kernel.resume()
    assert turn.effect != before
    assert turn.outcome == "traded"
    assert (world.holdings()[0], world.market.fund.nonce()) == (4 * UNIT, 1)


def test_chain_is_reorganised_and_the_trades_time_is_over(world: World) -> None:
    """It is said to have failed, and is never done; a later instruction uses its nonce."""
    short = msgspec.structs.replace(world.mandate, valid_seconds=60)
    kernel = world.kernel(mandate=short)
    turn = world.tell(kernel, TEXT, ORDER)
    assert turn.outcome == "traded"
    reorganise(world)
    world.market.chain.endpoint.ask("teeproof_mine", hex(62))  # each a second later, at least
    kernel.resume()
    assert turn.outcome == "failed"
    assert world.holdings() == FULL
    (said,) = rechecks(world)
    assert (said.outcome, said.effect.tx) == ("failed", None)
    other = world.tell(kernel, TEXT, ORDER)
    assert other.outcome == "traded"
    assert (world.holdings()[0], world.market.fund.nonce()) == (4 * UNIT, 1)
    kernel.resume()
    assert turn.outcome == "failed"
    assert failures(world.verdict(other)) == {}


def test_node_goes_away_in_the_middle_of_a_turn(world: World) -> None:
    """The turn is finished once it is back, with the same intent."""
    gone: list[bool] = []

    def change(method: str, params: list[Any], result: Any) -> Any:
        if method == "eth_sendRawTransaction" or gone:
            gone.append(True)
            raise RuntimeError("gone")
        return result

    instruction = ask(TEXT)
    world.model.answers[TEXT] = ORDER
    with lying_node(world.process.url, change) as url, Chain.connect(url) as chain:
        kernel = world.kernel(chain=chain)
        with pytest.raises(Error):
            kernel.instruct(instruction)
        intent = kernel.story.turns[0].intent
        world.close()
    kernel = world.kernel()
    turn: Turn = kernel.instruct(instruction)
    assert turn.outcome == "traded"
    assert turn.intent == intent
    assert (world.holdings()[0], world.market.fund.nonce()) == (4 * UNIT, 1)


def test_host_uses_the_relayers_account_itself(world: World) -> None:
    """The trade waits until that is for good, and is then submitted anew."""
    spent: list[str] = []

    def before(method: str) -> None:
        if method == "eth_sendRawTransaction" and not spent:
            spent.append(method)
            world.market.chain.transfer(world.relayer, world.market.owner, 1)

    def change(method: str, params: list[Any], result: Any) -> Any:
        return result

    instruction = ask(TEXT)
    world.model.answers[TEXT] = ORDER
    url = world.process.url
    with lying_node(url, change, before=before) as here, Chain.connect(here) as chain:
        kernel = world.kernel(chain=chain)
        with pytest.raises(Unavailable) as refused:
            kernel.instruct(instruction)
        assert refused.value.code == "nonce_taken"
        assert world.holdings() == FULL
        world.market.chain.endpoint.ask("teeproof_mine", hex(FINALITY))
        with pytest.raises(Unavailable):
            kernel.instruct(instruction)
        assert kernel.instruct(instruction).outcome == "traded"
        world.close()
    assert (world.holdings()[0], world.market.fund.nonce()) == (4 * UNIT, 1)


def test_a_relayer_without_gas_holds_up_a_trade_until_it_has_some(world: World) -> None:
    poor, instruction = Account.new(), ask(TEXT)
    world.model.answers[TEXT] = ORDER
    kernel = world.kernel(relayer=poor)
    with pytest.raises(Unavailable) as refused:
        kernel.instruct(instruction)
    assert refused.value.code == "funds_short"
    assert world.holdings() == FULL
    world.market.chain.transfer(world.market.owner, poor, 10**18)
    assert kernel.instruct(instruction).outcome == "traded"
    assert (world.holdings()[0], world.market.fund.nonce()) == (4 * UNIT, 1)


def test_facts_are_of_one_block(world: World) -> None:
    kernel = world.kernel()
    turn = world.tell(kernel, TEXT, ORDER)
    assert turn.intent is not None
    facts: Facts | None = turn.intent.facts
    assert facts is not None
    block = world.market.chain.block(facts.block)
    assert (block.hash, block.timestamp) == (facts.block_hash, facts.time)
