"""TestToken: ERC-20 with a cap, and what holders sign: ERC-2612 and EIP-3009."""

from __future__ import annotations

from typing import Any

import pytest

from teeproof.chain import typed
from teeproof.chain.account import Account
from tests.chain.contracts.evm import NOBODY
from tests.chain.contracts.world import (
    ALICE,
    BOB,
    CAROL,
    DEPLOYER,
    MALLORY,
    MOST,
    PURSE,
    USD,
    World,
    high_twin,
    refused,
    sign,
)

CAP = 10**9 * USD
HELD = PURSE[0]
STRANGER = Account(b"\x99" * 32)  # to whom nobody owes anything


def balances(here: World, *holders: Account) -> list[int]:
    return [here.balance(here.usd, holder) for holder in holders]


def transfers(events: Any) -> list[tuple[Any, ...]]:
    return [(event.name, *event.values.values()) for event in events]


# ERC-20


def test_a_token_says_what_it_is(here):
    said = [here.call(here.usd, name) for name in ("name", "symbol", "decimals", "cap", "minter")]
    assert said == ["Test Dollar", "tUSD", 6, CAP, DEPLOYER.address]
    assert here.call(here.eth, "decimals") == 18


@pytest.mark.parametrize("decimals", [0, 5, 7, 8, 17, 19, 255])
def test_a_token_of_other_decimals_is_refused(here, decimals):
    with refused("TestToken: 6 or 18 decimals"):
        here.evm.deploy(DEPLOYER, "TestToken", "A", "B", decimals, 1)


def test_a_minter_makes_units_up_to_the_cap_and_not_one_more(here):
    left = CAP - here.call(here.usd, "totalSupply")
    with refused("TestToken: above the cap"):
        here.send(DEPLOYER, here.usd, "mint", STRANGER.address, left + 1)
    done = here.send(DEPLOYER, here.usd, "mint", STRANGER.address, left)
    assert transfers(done.events) == [("Transfer", NOBODY, STRANGER.address, left)]
    assert here.call(here.usd, "totalSupply") == CAP
    with refused("TestToken: above the cap"):
        here.send(DEPLOYER, here.usd, "mint", STRANGER.address, 1)
    assert balances(here, STRANGER) == [left]


def test_nobody_else_mints_and_nothing_is_minted_to_nobody(here):
    for who in (ALICE, MALLORY):
        with refused("TestToken: not the minter"):
            here.send(who, here.usd, "mint", who.address, 1)
    with refused("TestToken: to nobody"):
        here.send(DEPLOYER, here.usd, "mint", NOBODY, 1)


def test_a_holder_moves_all_it_has_and_not_a_unit_more(here):
    with refused("TestToken: not enough"):
        here.send(CAROL, here.usd, "transfer", STRANGER.address, HELD + 1)
    with refused("TestToken: not enough"):
        here.send(STRANGER, here.usd, "transfer", CAROL.address, 1)
    done = here.send(CAROL, here.usd, "transfer", STRANGER.address, HELD)
    assert transfers(done.events) == [("Transfer", CAROL.address, STRANGER.address, HELD)]
    assert balances(here, CAROL, STRANGER) == [0, HELD]
    with refused("TestToken: to nobody"):
        here.send(STRANGER, here.usd, "transfer", NOBODY, 1)


def test_a_transfer_of_nothing_or_to_oneself_changes_nothing(here):
    before = balances(here, CAROL, BOB)
    for to, amount in ((BOB, 0), (CAROL, HELD), (CAROL, 0)):
        done = here.send(CAROL, here.usd, "transfer", to.address, amount)
        assert transfers(done.events) == [("Transfer", CAROL.address, to.address, amount)]
    assert balances(here, CAROL, BOB) == before
    with refused("TestToken: not enough"):
        here.send(CAROL, here.usd, "transfer", CAROL.address, HELD + 1)


def test_a_spender_moves_what_it_was_allowed_and_not_a_unit_more(here):
    here.send(CAROL, here.usd, "approve", BOB.address, 10)
    with refused("TestToken: not allowed"):
        here.send(BOB, here.usd, "transferFrom", CAROL.address, BOB.address, 11)
    done = here.send(BOB, here.usd, "transferFrom", CAROL.address, STRANGER.address, 4)
    assert transfers(done.events) == [
        ("Approval", CAROL.address, BOB.address, 6),
        ("Transfer", CAROL.address, STRANGER.address, 4),
    ]
    with refused("TestToken: not allowed"):
        here.send(BOB, here.usd, "transferFrom", CAROL.address, STRANGER.address, 7)
    here.send(BOB, here.usd, "transferFrom", CAROL.address, STRANGER.address, 6)
    assert here.call(here.usd, "allowance", CAROL.address, BOB.address) == 0
    assert balances(here, CAROL, STRANGER) == [HELD - 10, 10]


def test_an_allowance_is_of_one_spender_and_replaced_by_the_next(here):
    done = here.send(CAROL, here.usd, "approve", BOB.address, 10)
    assert transfers(done.events) == [("Approval", CAROL.address, BOB.address, 10)]
    with refused("TestToken: not allowed"):
        here.send(MALLORY, here.usd, "transferFrom", CAROL.address, MALLORY.address, 1)
    with refused("TestToken: not allowed"):
        here.send(BOB, here.usd, "transferFrom", ALICE.address, BOB.address, 1)
    here.send(CAROL, here.usd, "approve", BOB.address, 3)
    with refused("TestToken: not allowed"):
        here.send(BOB, here.usd, "transferFrom", CAROL.address, BOB.address, 4)
    with refused("TestToken: to nobody"):
        here.send(CAROL, here.usd, "approve", NOBODY, 1)


def test_an_allowance_without_limit_is_not_used_up_but_holds_only_what_is_there(here):
    here.send(CAROL, here.usd, "approve", BOB.address, MOST)
    with refused("TestToken: not enough"):
        here.send(BOB, here.usd, "transferFrom", CAROL.address, BOB.address, HELD + 1)
    here.send(BOB, here.usd, "transferFrom", CAROL.address, STRANGER.address, HELD)
    assert here.call(here.usd, "allowance", CAROL.address, BOB.address) == MOST
    assert balances(here, CAROL, STRANGER) == [0, HELD]
    with refused("TestToken: to nobody"):
        here.send(BOB, here.usd, "transferFrom", CAROL.address, NOBODY, 0)


# What holders sign


def domain(here: World, **changes: Any) -> bytes:
    usual: dict[str, Any] = {"chain_id": here.evm.chain_id, "contract": here.usd.address}
    given = usual | changes
    return typed.domain_separator(given.pop("name", "Test Dollar"), **given)


def carry(
    here: World, name: str, order: typed.Typed, *, signature: bytes, by: Account = MALLORY
) -> Any:
    return here.send(by, here.usd, name, *order.values, *typed.split(signature))


def forgeries(here: World, order: typed.Typed, signer: Account) -> list[bytes]:
    """Signatures of an order that are none: by another, elsewhere, or of another form."""
    good = sign(signer, domain(here), order)
    wrong = [sign(who, domain(here), order) for who in (MALLORY, DEPLOYER)]
    for changes in (
        {"chain_id": 1}, {"contract": here.eth.address}, {"name": "Test Ether"}, {"name": ""},
    ):  # fmt: skip
        wrong.append(sign(signer, domain(here, **changes), order))
    wrong += [good[:64] + bytes((v,)) for v in (0, 1, 29, 55 - good[64])]
    return [*wrong, high_twin(good), bytes(65), bytes(64) + b"\x1b", b"\xff" * 64 + b"\x1b"]


# ERC-2612


def permit(here: World, **changes: Any) -> typed.Permit:
    usual: dict[str, Any] = {
        "owner": CAROL.address, "spender": BOB.address, "value": 10,
        "nonce": here.call(here.usd, "nonces", CAROL.address), "deadline": here.evm.now,
    }  # fmt: skip
    return typed.Permit(**(usual | changes))


def carry_permit(here: World, order: typed.Permit, signature: bytes) -> Any:
    # The nonce is signed, but not sent: the token knows it.
    given = order.owner, order.spender, order.value, order.deadline
    return here.send(MALLORY, here.usd, "permit", *given, *typed.split(signature))


def allowed(here: World) -> int:
    return int(here.call(here.usd, "allowance", CAROL.address, BOB.address))


def test_a_permit_allows_what_was_signed_until_its_deadline(here):
    order = permit(here)
    signature = sign(CAROL, domain(here), order)
    late = here.fork()
    late.evm.sleep(1)
    with refused("TestToken: too late"):
        carry_permit(late, order, signature)
    done = carry_permit(here, order, signature)
    assert transfers(done.events) == [("Approval", CAROL.address, BOB.address, 10)]
    assert (allowed(here), here.call(here.usd, "nonces", CAROL.address)) == (10, 1)


def test_a_carrier_that_replays_a_permit_allows_nothing(here):
    order = permit(here)
    signature = sign(CAROL, domain(here), order)
    carry_permit(here, order, signature)
    here.send(CAROL, here.usd, "approve", BOB.address, 0)
    with refused("TestToken: signature"):
        carry_permit(here, order, signature)
    assert allowed(here) == 0


def test_a_carrier_can_change_nothing_of_a_permit(here):
    order = permit(here)
    signature = sign(CAROL, domain(here), order)
    for changes in (
        {"owner": ALICE.address}, {"owner": NOBODY}, {"spender": MALLORY.address}, {"value": 11},
        {"deadline": order.deadline + 1},
    ):  # fmt: skip
        with refused("TestToken: signature"):
            carry_permit(here, permit(here, **changes), signature)
    ahead = sign(CAROL, domain(here), permit(here, nonce=1))
    for wrong in (ahead, *forgeries(here, order, CAROL)):
        with refused("TestToken: signature"):
            carry_permit(here, order, wrong)
    assert (allowed(here), here.call(here.usd, "nonces", CAROL.address)) == (0, 0)


def test_a_permit_for_nobody_is_refused(here):
    order = permit(here, spender=NOBODY)
    with refused("TestToken: to nobody"):
        carry_permit(here, order, sign(CAROL, domain(here), order))


def test_nobodys_units_are_allowed_by_no_signature(here):
    order = permit(here, owner=NOBODY)
    for signature in (bytes(64) + b"\x1b", bytes(65), b"\xff" * 65):
        with refused("TestToken: signature"):
            carry_permit(here, order, signature)


# EIP-3009

KINDS = {
    "transferWithAuthorization": typed.TransferWithAuthorization,
    "receiveWithAuthorization": typed.ReceiveWithAuthorization,
}
both = pytest.mark.parametrize("name", KINDS)


def authorization(here: World, name: str, **changes: Any) -> Any:
    usual: dict[str, Any] = {
        "owner": CAROL.address, "to": STRANGER.address, "value": 10, "valid_after": 0,
        "valid_before": here.evm.now + 60, "nonce": b"\x0e" * 32,
    }  # fmt: skip
    return KINDS[name](**(usual | changes))


@both
def test_what_a_holder_signed_moves_once(here, name):
    order = authorization(here, name)
    signature = sign(CAROL, domain(here), order)
    done = carry(here, name, order, signature=signature, by=STRANGER)
    assert transfers(done.events) == [
        ("AuthorizationUsed", CAROL.address, order.nonce),
        ("Transfer", CAROL.address, STRANGER.address, 10),
    ]
    assert here.call(here.usd, "authorizationState", CAROL.address, order.nonce)
    with refused("TestToken: used before"):
        carry(here, name, order, signature=signature, by=STRANGER)
    other = authorization(here, name, value=1)
    with refused("TestToken: used before"):
        carry(here, name, other, signature=sign(CAROL, domain(here), other), by=STRANGER)
    assert balances(here, CAROL, STRANGER) == [HELD - 10, 10]


@both
def test_a_carrier_can_change_nothing_of_an_authorization(here, name):
    order = authorization(here, name)
    signature = sign(CAROL, domain(here), order)
    for changes in (
        {"owner": ALICE.address}, {"owner": NOBODY}, {"value": 11}, {"valid_after": 1},
        {"valid_before": order.valid_before + 1}, {"nonce": b"\x0f" * 32},
    ):  # fmt: skip
        with refused("TestToken: signature"):
            changed = authorization(here, name, **changes)
            carry(here, name, changed, signature=signature, by=STRANGER)
    mine = authorization(here, name, to=MALLORY.address)
    with refused("TestToken: signature"):
        carry(here, name, mine, signature=signature)
    for wrong in forgeries(here, order, CAROL):
        with refused("TestToken: signature"):
            carry(here, name, order, signature=wrong, by=STRANGER)
    assert not here.call(here.usd, "authorizationState", CAROL.address, order.nonce)
    carry(here, name, order, signature=signature, by=STRANGER)


@both
def test_an_authorization_holds_between_its_moments_and_not_at_them(here, name):
    now = here.evm.now
    for times, reason in (
        ({"valid_after": now}, "TestToken: too early"),
        ({"valid_after": MOST}, "TestToken: too early"),
        ({"valid_before": now}, "TestToken: too late"),
        ({"valid_before": 0}, "TestToken: too late"),
    ):
        order = authorization(here, name, **times)
        with refused(reason):
            signature = sign(CAROL, domain(here), order)
            carry(here, name, order, signature=signature, by=STRANGER)
    order = authorization(here, name, valid_after=now - 1, valid_before=now + 1)
    carry(here, name, order, signature=sign(CAROL, domain(here), order), by=STRANGER)
    assert balances(here, STRANGER) == [10]


@both
def test_a_holder_that_signs_for_more_than_it_has_moves_nothing_and_keeps_its_nonce(here, name):
    order = authorization(here, name, value=HELD + 1)
    with refused("TestToken: not enough"):
        carry(here, name, order, signature=sign(CAROL, domain(here), order), by=STRANGER)
    assert not here.call(here.usd, "authorizationState", CAROL.address, order.nonce)


def test_a_front_runner_cannot_carry_what_is_for_another_to_receive(here):
    name, other = "receiveWithAuthorization", "transferWithAuthorization"
    order = authorization(here, name)
    signature = sign(CAROL, domain(here), order)
    with refused("TestToken: not the payee"):
        carry(here, name, order, signature=signature)
    with refused("TestToken: signature"):  # it was signed as another kind
        carry(here, other, authorization(here, other), signature=signature)
    carry(here, name, order, signature=signature, by=STRANGER)
    assert balances(here, STRANGER) == [10]


def test_a_payee_cannot_turn_a_transfer_into_something_to_receive(here):
    name, other = "transferWithAuthorization", "receiveWithAuthorization"
    signature = sign(CAROL, domain(here), authorization(here, name))
    with refused("TestToken: signature"):
        carry(here, other, authorization(here, other), signature=signature, by=STRANGER)


def test_an_authorization_to_nobody_is_refused(here):
    name = "transferWithAuthorization"
    order = authorization(here, name, to=NOBODY)
    with refused("TestToken: to nobody"):
        carry(here, name, order, signature=sign(CAROL, domain(here), order))


@both
def test_a_cancelled_authorization_moves_nothing(here, name):
    order = authorization(here, name)
    cancel = typed.CancelAuthorization(authorizer=CAROL.address, nonce=order.nonce)
    signature = sign(CAROL, domain(here), cancel)
    done = carry(here, "cancelAuthorization", cancel, signature=signature)
    assert transfers(done.events) == [("AuthorizationCanceled", CAROL.address, order.nonce)]
    with refused("TestToken: used before"):
        carry(here, name, order, signature=sign(CAROL, domain(here), order), by=STRANGER)
    with refused("TestToken: used before"):
        carry(here, "cancelAuthorization", cancel, signature=signature)
    assert balances(here, CAROL, STRANGER) == [HELD, 0]


def test_nobody_else_cancels_and_what_was_used_is_not_cancelled(here):
    name = "transferWithAuthorization"
    order = authorization(here, name)
    cancel = typed.CancelAuthorization(authorizer=CAROL.address, nonce=order.nonce)
    for wrong in forgeries(here, cancel, CAROL):
        with refused("TestToken: signature"):
            carry(here, "cancelAuthorization", cancel, signature=wrong)
    for changes in ({"authorizer": ALICE.address}, {"nonce": b"\x0f" * 32}):
        usual = {"authorizer": CAROL.address, "nonce": order.nonce}
        with refused("TestToken: signature"):
            carry(
                here, "cancelAuthorization", typed.CancelAuthorization(**(usual | changes)),
                signature=sign(CAROL, domain(here), cancel),
            )  # fmt: skip
    carry(here, name, order, signature=sign(CAROL, domain(here), order))
    with refused("TestToken: used before"):
        carry(here, "cancelAuthorization", cancel, signature=sign(CAROL, domain(here), cancel))


def test_two_holders_may_use_one_nonce(here):
    for who in (CAROL, BOB):
        order = authorization(here, "transferWithAuthorization", owner=who.address)
        signature = sign(who, domain(here), order)
        carry(here, "transferWithAuthorization", order, signature=signature)
    assert balances(here, STRANGER) == [20]


def test_after_a_fork_of_the_chain_no_signature_holds_on_both_sides(here):
    order = authorization(here, "transferWithAuthorization")
    signature = sign(CAROL, domain(here), order)
    elsewhere = here.fork(chain_id=1)
    assert elsewhere.call(here.usd, "DOMAIN_SEPARATOR") == domain(here, chain_id=1)
    with refused("TestToken: signature"):
        carry(elsewhere, "transferWithAuthorization", order, signature=signature)
    carry(here, "transferWithAuthorization", order, signature=signature)
    assert balances(here, STRANGER) == [10]
    assert balances(elsewhere, STRANGER) == [0]
