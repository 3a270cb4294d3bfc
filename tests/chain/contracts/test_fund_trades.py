"""Fund: every limit of a trade at the limit and one unit over, and whose word it takes."""

from __future__ import annotations

from typing import Any

import pytest

from teeproof.chain import typed
from tests.chain.contracts.evm import NOBODY
from tests.chain.contracts.world import (
    AGENT,
    ALICE,
    BOB,
    ETH,
    IDENTITY,
    MALLORY,
    MOST,
    ORDER,
    OTHER_AGENT,
    PER_DAY,
    PER_TRADE,
    USD,
    World,
    high_twin,
    refused,
    sign,
)

DAY = 86_400


def held(here: World) -> list[int]:
    return list(here.call(here.fund, "holdings"))


def sell(here: World, amount: int, *, action: int, **changes: Any) -> Any:
    """Sell dollars for ether, or the other way round, for another reason each time."""
    return here.trade(here.order(amount=amount, action=action.to_bytes(32, "big"), **changes))


def ether_for_dollars(here: World) -> dict[str, str]:
    return {"sell": here.eth.address, "buy": here.usd.address}


def test_a_trade_moves_exactly_what_it_says_and_leaves_its_trace(here):
    quoted = here.call(here.pool, "quote", here.usd.address, 50 * USD)
    order = here.order(min_out=quoted)
    (event,) = here.trade(order).events
    assert (event.name, dict(event.values)) == (
        "Traded",
        {
            "action": order.action, "venue": here.pool.address, "sell": here.usd.address,
            "buy": here.eth.address, "amount": 50 * USD, "received": quoted, "nonce": 0,
        },
    )  # fmt: skip
    assert held(here) == [950 * USD, ETH + quoted]
    assert here.call(here.fund, "nonce") == 1
    assert here.call(here.fund, "block_of", order.action) == here.evm.block_number
    assert here.call(here.fund, "sold_on", here.usd.address, here.evm.now // DAY) == 50 * USD
    assert here.call(here.usd, "allowance", here.fund.address, here.pool.address) == 0


# The mandate's limits


@pytest.mark.parametrize("side", [0, 1])
def test_an_agent_sells_at_most_the_trades_limit(here, side):
    way = ether_for_dollars(here) if side else {}
    with refused("Fund: above the trade limit"):
        sell(here, PER_TRADE[side] + 1, action=1, **way)
    sell(here, PER_TRADE[side], action=1, **way)
    assert held(here)[side] == (1000 * USD, ETH)[side] - PER_TRADE[side]


@pytest.mark.parametrize("side", [0, 1])
def test_an_agent_sells_at_most_the_days_limit(here, side):
    way = ether_for_dollars(here) if side else {}
    token = (here.usd, here.eth)[side].address
    sell(here, PER_TRADE[side], action=1, **way)
    sell(here, PER_TRADE[side], action=2, **way)
    left = PER_DAY[side] - 2 * PER_TRADE[side]
    assert here.call(here.fund, "left_today", token) == left
    with refused("Fund: above the day limit"):
        sell(here, left + 1, action=3, **way)
    sell(here, left, action=3, **way)
    with refused("Fund: above the day limit"):
        sell(here, 1, action=4, **way)
    assert here.call(here.fund, "left_today", token) == 0
    assert (
        here.call(here.fund, "left_today", (here.eth, here.usd)[side].address)
        == (PER_DAY[1 - side])
    )


def test_a_day_ends_at_midnight_utc_and_not_a_second_before(here):
    for action, amount in enumerate((100 * USD, 100 * USD, 50 * USD)):
        sell(here, amount, action=1 + action)
    here.evm.sleep(DAY - here.evm.now % DAY - 1)
    with refused("Fund: above the day limit"):
        sell(here, 1_000, action=4)
    here.evm.sleep(1)
    assert here.evm.now % DAY == 0
    assert here.call(here.fund, "left_today", here.usd.address) == PER_DAY[0]
    for action, amount in enumerate((100 * USD, 100 * USD, 50 * USD)):
        sell(here, amount, action=4 + action)
    with refused("Fund: above the day limit"):
        sell(here, 1_000, action=7)
    assert held(here)[0] == 500 * USD


def test_what_was_not_sold_on_a_day_is_not_saved_for_the_next(here):
    here.evm.sleep(10 * DAY)
    assert here.call(here.fund, "left_today", here.usd.address) == PER_DAY[0]


def test_a_refused_trade_counts_for_nothing(here):
    with refused("Pool: below the minimum"):
        sell(here, PER_TRADE[0], action=1, min_out=MOST)
    assert here.call(here.fund, "left_today", here.usd.address) == PER_DAY[0]
    assert here.call(here.fund, "nonce") == 0
    assert held(here) == [1000 * USD, ETH]


def test_an_asset_with_a_limit_of_nothing_is_never_sold(here):
    assets = [(here.usd.address, 0, MOST), (here.eth.address, MOST, 0)]
    fund = here.new_fund(assets, [here.pool.address])
    here.allow(ALICE, here.usd, fund)
    here.allow(ALICE, here.eth, fund)
    here.send(ALICE, fund, "deposit", 1, [USD, ETH])
    with refused("Fund: above the trade limit"):
        here.trade(here.order(amount=1, nonce=0), fund=fund)
    with refused("Fund: above the day limit"):
        here.trade(here.order(amount=1, nonce=0, **ether_for_dollars(here)), fund=fund)


def test_an_agent_cannot_sell_more_than_there_is(here):
    fund = here.new_fund(
        [(t.address, MOST, MOST) for t in (here.usd, here.eth)], [here.pool.address]
    )
    here.allow(ALICE, here.usd, fund)
    here.send(ALICE, fund, "deposit", 1, [USD, 0])
    with refused("Fund: not enough to sell"):
        here.trade(here.order(amount=USD + 1, nonce=0), fund=fund)
    here.trade(here.order(amount=USD, nonce=0), fund=fund)
    assert here.call(fund, "holdings")[0] == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"action": bytes(32)}, "Fund: no action"),
        ({"amount": 0}, "Fund: nothing sold"),
        ({"min_out": 0}, "Fund: no minimum"),
        ({"nonce": 1}, "Fund: not the next nonce"),
        ({"venue": MALLORY.address}, "Fund: venue not allowed"),
        ({"venue": NOBODY}, "Fund: venue not allowed"),
        ({"sell": MALLORY.address}, "Fund: asset not allowed"),
        ({"buy": MALLORY.address}, "Fund: asset not allowed"),
        ({"buy": NOBODY}, "Fund: asset not allowed"),
        ({"amount": MOST}, "Fund: above the trade limit"),
    ],
)
def test_an_agent_cannot_step_outside_its_mandate(here, changes, reason):
    with refused(reason):
        here.trade(here.order(**changes))
    assert held(here) == [1000 * USD, ETH]


def test_an_agent_cannot_trade_an_asset_for_itself_or_with_an_asset(here):
    with refused("Fund: an asset for itself"):
        here.trade(here.order(buy=here.usd.address))
    for venue in (here.usd, here.eth, here.fund):
        with refused("Fund: venue not allowed"):
            here.trade(here.order(venue=venue.address))


def test_a_minimum_that_overflows_is_refused(here):
    # The pool refuses it first; a venue that would not is stopped by the sum itself.
    venue = here.hostile("HostileVenue")
    fund = here.new_fund([(t.address, MOST, MOST) for t in (here.usd, here.eth)], [venue.address])
    for token in (here.usd, here.eth):
        here.allow(ALICE, token, fund)
    here.send(ALICE, fund, "deposit", 1, [USD, ETH])
    here.send(MALLORY, venue, "behave", 1, here.eth.address, 0)
    with refused(""):
        here.trade(here.order(amount=1, nonce=0, min_out=MOST, venue=venue.address), fund=fund)


# Time, nonces, replays


def test_a_trade_holds_until_its_deadline_and_not_a_second_longer(here):
    order = here.order(deadline=here.evm.now + 10)
    late = here.fork()
    here.evm.sleep(10)
    here.trade(order)
    late.evm.sleep(11)
    with refused("Fund: too late"):
        late.trade(order)
    assert held(late) == [1000 * USD, ETH]


def test_a_host_that_replays_a_signed_trade_moves_nothing(here):
    order = here.order()
    here.trade(order)
    after = held(here)
    with refused("Fund: not the next nonce"):
        here.trade(order)
    assert held(here) == after


def test_an_agent_does_an_action_once(here):
    here.trade(here.order())
    for changes in ({}, {"amount": 1_000}, ether_for_dollars(here) | {"amount": 10**12}):
        with refused("Fund: action is done"):
            here.trade(here.order(**changes))
    sell(here, 1_000, action=1)


def test_a_carrier_cannot_skip_a_trade_or_turn_two_round(here):
    first, second = here.order(), here.order(nonce=1, action=b"\xad" * 32)
    with refused("Fund: not the next nonce"):
        here.trade(second)
    here.trade(first)
    here.trade(second)
    assert here.call(here.fund, "nonce") == 2


# Signatures


def test_a_trade_that_another_signed_moves_nothing(here):
    for signer in (OTHER_AGENT, ALICE, MALLORY):
        with refused("Fund: not the agent's signature"):
            here.trade(here.order(), signer=signer)


def test_a_carrier_can_change_nothing_of_a_signed_trade(here):
    order = here.order()
    signature = sign(AGENT, here.fund_domain(), order)
    for changes in (
        {"action": b"\xad" * 32}, {"amount": 50 * USD - 1}, {"amount": 50 * USD + 1},
        {"min_out": 2}, {"deadline": order.deadline + 1}, ether_for_dollars(here) | {"amount": 1},
    ):  # fmt: skip
        with refused("Fund: not the agent's signature"):
            here.trade(here.order(**changes), signature=signature)
    here.trade(order, signature=signature)


def test_a_signature_of_another_form_is_refused(here):
    order = here.order()
    good = sign(AGENT, here.fund_domain(), order)
    wrong = [b"", good[:64], good[:32], bytes(65), high_twin(good)]
    wrong += [good[:64] + bytes((v,)) for v in (0, 1, 26, 29, 255, 55 - good[64])]
    wrong += [good[:32] + s.to_bytes(32, "big") + good[64:] for s in (0, ORDER // 2 + 1, ORDER)]
    for signature in wrong:
        with refused("Fund: not the agent's signature"):
            here.trade(order, signature=signature)
    with refused(""):  # longer than the interface allows
        here.trade(order, signature=good + b"\0")
    here.trade(order, signature=good)


def test_a_trade_signed_for_another_fund_moves_nothing(here):
    assets = [tuple(one) for one in here.call(here.fund, "assets")]
    twin = here.new_fund(assets, [here.pool.address])
    with refused("Fund: not the agent's signature"):
        here.trade(here.order(), signature=sign(AGENT, here.fund_domain(twin), here.order()))


def test_a_trade_signed_for_another_chain_moves_nothing(here):
    order = here.order()
    signature = sign(AGENT, here.fund_domain(), order)
    elsewhere = here.fork(chain_id=1)
    with refused("Fund: not the agent's signature"):
        elsewhere.trade(order, signature=signature)
    elsewhere.trade(order)
    here.trade(order, signature=signature)


def test_a_signature_under_another_name_moves_nothing(here):
    where = {"chain_id": here.evm.chain_id, "contract": here.fund.address}
    for name in ("teeproof Anchors", "teeproof fund", ""):
        signature = sign(AGENT, typed.domain_separator(name, **where), here.order())
        with refused("Fund: not the agent's signature"):
            here.trade(here.order(), signature=signature)


# Rotation


def rotation(here: World, **changes: Any) -> typed.Rotate:
    usual = {
        "next": OTHER_AGENT.address, "identity": b"\x1e" * 32,
        "nonce": here.call(here.fund, "nonce"),
    }  # fmt: skip
    return typed.Rotate(**(usual | changes))


def rotate(here: World, order: typed.Rotate, *, signer: Any = AGENT, **given: bytes) -> Any:
    signature = given.get("signature", sign(signer, here.fund_domain(), order))
    return here.send(MALLORY, here.fund, "rotate", order.next, order.identity, signature)


def test_an_agent_hands_over_by_its_own_word_and_its_old_trades_are_void(here):
    old = here.order()
    (event,) = rotate(here, rotation(here)).events
    assert (event.name, dict(event.values)) == (
        "Rotated", {"agent": OTHER_AGENT.address, "identity": b"\x1e" * 32, "nonce": 0},
    )  # fmt: skip
    assert here.call(here.fund, "agent") == OTHER_AGENT.address
    assert here.call(here.fund, "identity") == b"\x1e" * 32
    with refused("Fund: not the next nonce"):
        here.trade(old)
    with refused("Fund: not the agent's signature"):
        here.trade(here.order())
    here.trade(here.order(), signer=OTHER_AGENT)
    assert here.call(here.fund, "nonce") == 2


def test_an_agent_that_stays_in_another_identity_voids_its_old_trades_too(here):
    old = here.order()
    rotate(here, rotation(here, next=AGENT.address))
    with refused("Fund: not the next nonce"):
        here.trade(old)
    here.trade(here.order())


def test_nobody_else_can_replace_the_agent(here):
    for signer in (OTHER_AGENT, ALICE, BOB, MALLORY):
        with refused("Fund: not the agent's signature"):
            rotate(here, rotation(here), signer=signer)
    assert (here.call(here.fund, "agent"), here.call(here.fund, "identity")) == (
        AGENT.address, IDENTITY,
    )  # fmt: skip


def test_a_carrier_can_change_nothing_of_a_rotation_and_carry_it_once(here):
    order = rotation(here, next=AGENT.address)
    signature = sign(AGENT, here.fund_domain(), order)
    for changes in ({"next": MALLORY.address}, {"next": NOBODY}, {"identity": b"\x1f" * 32}):
        with refused("Fund: not the agent's signature"):
            rotate(here, rotation(here, **changes), signature=signature)
    for wrong in (high_twin(signature), signature[:64], b""):
        with refused("Fund: not the agent's signature"):
            rotate(here, order, signature=wrong)
    rotate(here, order, signature=signature)
    with refused("Fund: not the agent's signature"):  # of nonce 0, and it is 1 now
        rotate(here, order, signature=signature)


def test_an_agent_cannot_hand_over_to_nobody(here):
    with refused("Fund: no agent"):
        rotate(here, rotation(here, next=NOBODY))


def test_a_rotation_for_another_fund_or_chain_or_nonce_changes_nothing(here):
    twin = here.new_fund([(here.usd.address, 1, 1)], [])
    elsewhere = typed.domain_separator("teeproof Fund", chain_id=1, contract=here.fund.address)
    order, later = rotation(here), rotation(here, nonce=1)
    for signature in (
        sign(AGENT, here.fund_domain(twin), order), sign(AGENT, elsewhere, order),
        sign(AGENT, here.fund_domain(), later),
    ):  # fmt: skip
        with refused("Fund: not the agent's signature"):
            rotate(here, order, signature=signature)


def test_a_trade_voids_a_rotation_that_was_signed_for_its_nonce(here):
    signature = sign(AGENT, here.fund_domain(), rotation(here))
    here.trade(here.order())
    with refused("Fund: not the agent's signature"):
        rotate(here, rotation(here), signature=signature)
