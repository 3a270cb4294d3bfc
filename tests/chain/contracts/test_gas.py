"""What each function costs: a ceiling a line, and every one far below a transaction's cap.

The cost of a call is the same each time it is measured, so a ceiling is the cost rounded up to the
next thousand: whoever makes a function dearer, or much cheaper, says so here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from teeproof.chain import artifacts, merkle, typed
from tests.chain.contracts.test_fund import empty as empty_fund
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
    OTHER_AGENT,
    USD,
    World,
    sign,
)

CAP = 1 << 24  # EIP-7825
ANSWER, ORIGIN, ROOT = b"\xa1" * 32, b"\x0a" * 32, b"\x0b" * 32


def token_domain(here: World) -> bytes:
    where = {"chain_id": here.evm.chain_id, "contract": here.usd.address}
    return typed.domain_separator("Test Dollar", **where)


def with_eight(here: World, *, deposited: bool) -> World:
    """A fund of eight assets, the most there may be."""
    tokens = [here.evm.deploy(DEPLOYER, "TestToken", "T", "T", 6, MOST) for _ in range(8)]
    for token in tokens:
        for person in (ALICE, BOB, CAROL, MALLORY):
            here.send(DEPLOYER, token, "mint", person.address, USD)
    made = empty_fund(here, *tokens)
    if deposited:
        made.send(ALICE, made.fund, "deposit", 10, [10] * 8)
    return made


def deployed(name: str, *arguments: Any) -> Callable[[World], int]:
    def act(here: World) -> int:
        here.evm.deploy(DEPLOYER, name, *arguments)
        return int(here.evm.deployed.gas_used)

    return act


def called(who: Any, contract: str, name: str, *arguments: Any) -> Callable[[World], int]:
    return lambda here: here.send(who, getattr(here, contract), name, *arguments).gas_used


def traded(here: World) -> int:
    return here.trade(here.order()).gas_used


def traded_again(here: World) -> int:
    here.trade(here.order(action=b"\xad" * 32))
    return here.trade(here.order()).gas_used


def rotated(here: World) -> int:
    order = typed.Rotate(next=OTHER_AGENT.address, identity=b"\x1e" * 32, nonce=0)
    signature = sign(AGENT, here.fund_domain(), order)
    return here.send(CAROL, here.fund, "rotate", order.next, order.identity, signature).gas_used


def eight_deployed(here: World) -> int:
    places = [f"0x{number:040x}" for number in range(0x100, 0x110)]
    here.new_fund([(place, MOST, MOST) for place in places[:8]], places[8:])
    return int(here.evm.deployed.gas_used)


def eight_deposited(here: World) -> int:
    here = with_eight(here, deposited=False)
    return here.send(ALICE, here.fund, "deposit", 10, [10] * 8).gas_used


def eight_withdrawn(here: World) -> int:
    here = with_eight(here, deposited=True)
    return here.send(ALICE, here.fund, "withdraw", 5).gas_used


def paid(here: World) -> int:
    return here.send(BOB, here.payments, "pay", ANSWER, here.usd.address, 100, ROOT).gas_used


def paid_by_signature(here: World) -> int:
    order = typed.ReceiveWithAuthorization(
        owner=BOB.address, to=here.payments.address, value=100, valid_after=0,
        valid_before=here.evm.now + 60, nonce=here.call(here.payments, "nonce_of", ANSWER, ROOT),
    )  # fmt: skip
    words = typed.split(sign(BOB, token_domain(here), order))
    return here.send(
        CAROL, here.payments, "pay_signed", BOB.address, ANSWER, here.usd.address, 100, ROOT, 0,
        order.valid_before, *words,
    ).gas_used  # fmt: skip


def claimed(depth: int) -> Callable[[World], int]:
    def act(here: World) -> int:
        leaf = merkle.leaf_of(ANSWER, CAROL.address, 100)
        proof = [bytes([number + 1]) * 32 for number in range(depth)]
        root = merkle.root_of(leaf, proof)
        here.send(BOB, here.payments, "pay", ANSWER, here.usd.address, 200, root)
        return here.send(
            MALLORY, here.payments, "claim", BOB.address, ANSWER, here.usd.address, CAROL.address,
            100, proof,
        ).gas_used  # fmt: skip

    return act


def swapped(here: World) -> int:
    return called(BOB, "pool", "swap", here.usd.address, USD, 1, here.evm.now)(here)


def added_first(here: World) -> int:
    pool = here.evm.deploy(DEPLOYER, "Pool", here.usd.address, here.eth.address)
    here = replace(here, pool=pool)
    here.allow(BOB, here.usd)
    here.allow(BOB, here.eth)
    return called(BOB, "pool", "add", 100, 100, 100, here.evm.now)(here)


def registered(here: World) -> int:
    return called(ALICE, "anchors", "register", ORIGIN, ALICE.address)(here)


def anchored(here: World) -> int:
    registered(here)
    return called(ALICE, "anchors", "anchor", ORIGIN, 5, ROOT)(here)


def anchored_again(here: World) -> int:
    anchored(here)
    return called(ALICE, "anchors", "anchor", ORIGIN, 5, ROOT)(here)


def anchored_by_signature(here: World) -> int:
    registered(here)
    where = {"chain_id": here.evm.chain_id, "contract": here.anchors.address}
    order = typed.Anchor(origin=ORIGIN, size=5, root=ROOT)
    signature = sign(ALICE, typed.domain_separator("teeproof Anchors", **where), order)
    return called(BOB, "anchors", "anchor_signed", *order.values, signature)(here)


def permitted(here: World) -> int:
    order = typed.Permit(
        owner=BOB.address, spender=AGENT.address, value=5, nonce=0, deadline=here.evm.now
    )
    words = typed.split(sign(BOB, token_domain(here), order))
    given = order.owner, order.spender, order.value, order.deadline
    return called(CAROL, "usd", "permit", *given, *words)(here)


def authorized(here: World) -> int:
    order = typed.TransferWithAuthorization(
        owner=BOB.address, to=AGENT.address, value=5, valid_after=0,
        valid_before=here.evm.now + 60, nonce=b"\x0e" * 32,
    )  # fmt: skip
    words = typed.split(sign(BOB, token_domain(here), order))
    return called(CAROL, "usd", "transferWithAuthorization", *order.values, *words)(here)


TABLE: dict[str, tuple[int, Callable[[World], int]]] = {
    "TestToken: deploy": (1_156_000, deployed("TestToken", "Test", "T", 6, MOST)),
    "TestToken: mint": (52_000, called(DEPLOYER, "usd", "mint", AGENT.address, 5)),
    "TestToken: transfer": (52_000, called(BOB, "usd", "transfer", AGENT.address, 5)),
    "TestToken: approve": (46_000, called(BOB, "usd", "approve", AGENT.address, 5)),
    "TestToken: permit": (79_000, permitted),
    "TestToken: transferWithAuthorization": (87_000, authorized),
    "Pool: deploy": (1_181_000, deployed("Pool", ALICE.address, BOB.address)),
    "Pool: add, first": (186_000, added_first),
    "Pool: add": (102_000, called(BOB, "pool", "add", 5, MOST, MOST, MOST)),
    "Pool: remove": (77_000, called(ALICE, "pool", "remove", 10**6, 0, 0, MOST)),
    "Pool: swap": (71_000, swapped),
    "Fund: deploy, 8 assets and venues": (3_477_000, eight_deployed),
    "Fund: deposit": (110_000, called(CAROL, "fund", "deposit", 5, [MOST, MOST])),
    "Fund: deposit, 8 assets": (384_000, eight_deposited),
    "Fund: withdraw": (84_000, called(BOB, "fund", "withdraw", 5)),
    "Fund: withdraw, 8 assets": (224_000, eight_withdrawn),
    "Fund: trade, first of a day": (179_000, traded),
    "Fund: trade": (145_000, traded_again),
    "Fund: rotate": (63_000, rotated),
    "Payments: deploy": (788_000, deployed("Payments")),
    "Payments: pay": (129_000, paid),
    "Payments: pay_signed": (161_000, paid_by_signature),
    "Payments: claim, 1 payee": (75_000, claimed(0)),
    "Payments: claim, 16 payees": (78_000, claimed(4)),
    "Payments: claim, 2^32 payees": (99_000, claimed(32)),
    "Anchors: deploy": (529_000, deployed("Anchors")),
    "Anchors: register": (46_000, registered),
    "Anchors: anchor": (72_000, anchored),
    "Anchors: anchor, again": (28_000, anchored_again),
    "Anchors: anchor_signed": (78_000, anchored_by_signature),
}


@pytest.mark.parametrize("what", TABLE)
def test_a_function_costs_what_the_table_says(here, what):
    ceiling, act = TABLE[what]
    used = act(here)
    assert ceiling - 1000 < used <= ceiling, f"{what}: {used}"


def test_one_signature_costs_a_few_thousand_gas(here):
    registered(here)
    other = b"\x0c" * 32
    called(ALICE, "anchors", "register", other, ALICE.address)(here)
    plain = called(ALICE, "anchors", "anchor", ORIGIN, 5, ROOT)(here)
    where = {"chain_id": here.evm.chain_id, "contract": here.anchors.address}
    order = typed.Anchor(origin=other, size=5, root=ROOT)
    signature = sign(ALICE, typed.domain_separator("teeproof Anchors", **where), order)
    signed = called(BOB, "anchors", "anchor_signed", *order.values, signature)(here)
    # ecrecover is 3,000 of it (EVM, address 1), and reading 65 bytes of signature some 1,000
    assert 3_000 < signed - plain < 9_000


def test_the_dearest_is_far_below_what_a_transaction_may_cost():
    assert max(ceiling for ceiling, _ in TABLE.values()) < CAP // 4


@pytest.mark.parametrize("name", artifacts.NAMES)
def test_a_contract_is_no_larger_than_a_chain_takes(here, name):
    arguments: dict[str, tuple[Any, ...]] = {
        "TestToken": ("A", "B", 6, 1), "Pool": (ALICE.address, BOB.address),
        "Fund": (AGENT.address, IDENTITY, [(here.usd.address, USD, ETH)], []),
    }  # fmt: skip
    contract = here.evm.deploy(DEPLOYER, name, *arguments.get(name, ()))
    code = here.evm.code_of(contract)
    assert 0 < len(code) <= 24_576  # EIP-170
    assert len(artifacts.load(name).bytecode) <= 49_152  # EIP-3860
