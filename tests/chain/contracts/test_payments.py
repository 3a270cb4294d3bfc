"""Payments: a fee is divided to the last unit, and every way to take another's part is refused."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from teeproof.chain import merkle, typed
from teeproof.chain.abi import Contract
from teeproof.chain.account import Account, address_bytes
from teeproof.core.digests import keccak256
from tests.chain.contracts.evm import NOBODY
from tests.chain.contracts.world import (
    ALICE,
    BOB,
    CAROL,
    DEPLOYER,
    MALLORY,
    MOST,
    PURSE,
    World,
    functions_of,
    high_twin,
    refused,
    sign,
)

ANSWER, OTHER = b"\xa1" * 32, b"\xa2" * 32
PAYEES = [Account(bytes((number,)) * 32).address for number in range(0x31, 0x39)]
PARTS = dict(zip(PAYEES[:5], (120_000, 90_000, 60_000, 30_000, 1), strict=True))
FEE = sum(PARTS.values())


def tree_of(parts: dict[str, int], answer: bytes = ANSWER) -> merkle.Tree:
    return merkle.Tree(tuple(merkle.leaf_of(answer, *part) for part in parts.items()))


TREE = tree_of(PARTS)


def proof_of(payee: str, tree: merkle.Tree = TREE, parts: dict[str, int] = PARTS) -> list[bytes]:
    return list(tree.proof(merkle.leaf_of(ANSWER, payee, parts[payee])))


def pay(here: World, *, by: Account = ALICE, **changes: Any) -> Any:
    """Alice pays for the answer, unless told otherwise."""
    usual = {"answer": ANSWER, "token": here.usd.address, "amount": FEE, "root": TREE.root}
    return here.send(by, here.payments, "pay", *(usual | changes).values())


def claim(here: World, payee: str, /, **changes: Any) -> Any:
    """A stranger carries the claim of a payee."""
    usual: dict[str, Any] = {
        "payer": ALICE.address, "answer": ANSWER, "token": here.usd.address, "payee": payee,
        "amount": PARTS.get(payee), "proof": None,
    }  # fmt: skip
    given = usual | changes
    if given["proof"] is None:
        given["proof"] = proof_of(payee)
    return here.send(CAROL, here.payments, "claim", *given.values())


def payment(here: World, token: Contract | None = None, payer: Account = ALICE) -> Any:
    """Amount, root, and what is left."""
    token = token or here.usd
    return here.call(here.payments, "payment_of", payer.address, ANSWER, token.address)


def usd_of(here: World, *holders: str) -> list[int]:
    return [here.call(here.usd, "balanceOf", holder) for holder in holders]


# Paid and claimed


@pytest.mark.parametrize("number", range(1, 9))
def test_a_fee_is_divided_to_the_last_unit_among_any_number(here, number):
    parts = {payee: 7**place for place, payee in enumerate(PAYEES[:number])}
    tree, fee = tree_of(parts), sum(parts.values())
    pay(here, amount=fee, root=tree.root)
    for payee, amount in reversed(parts.items()):
        claim(here, payee, amount=amount, proof=proof_of(payee, tree, parts))
    assert usd_of(here, *parts) == list(parts.values())
    assert usd_of(here, here.payments.address, ALICE.address) == [0, PURSE[0] - fee - 500 * 10**6]
    assert payment(here) == (fee, tree.root, 0)


@pytest.mark.parametrize("order", list(permutations(PAYEES[:3])))
def test_the_order_of_claims_is_nobodys_advantage(here, order):
    pay(here)
    for payee in order:
        claim(here, payee)
    assert usd_of(here, *PAYEES[:4]) == [120_000, 90_000, 60_000, 0]
    assert payment(here) == (FEE, TREE.root, 30_001)


def test_a_payment_and_a_claim_say_what_they_did(here):
    (paid,) = pay(here).events
    assert (paid.name, dict(paid.values)) == (
        "Paid",
        {
            "answer": ANSWER, "payer": ALICE.address, "token": here.usd.address, "amount": FEE,
            "root": TREE.root,
        },
    )  # fmt: skip
    part = {"answer": ANSWER, "payee": PAYEES[0], "payer": ALICE.address}
    args = ALICE.address, ANSWER, here.usd.address, PAYEES[0], PARTS[PAYEES[0]]
    assert not here.call(here.payments, "is_claimed", *args)
    (claimed,) = claim(here, PAYEES[0]).events
    said = part | {"token": here.usd.address, "amount": 120_000}
    assert (claimed.name, dict(claimed.values)) == ("Claimed", said)
    assert here.call(here.payments, "is_claimed", *args)


def test_what_a_root_promises_to_nobody_stays(here):
    pay(here, amount=FEE + 5)
    for payee in PARTS:
        claim(here, payee)
    assert payment(here) == (FEE + 5, TREE.root, 5)
    assert usd_of(here, here.payments.address) == [5]


def test_a_part_of_nothing_is_claimed_and_moves_nothing(here):
    parts = {PAYEES[0]: 0, PAYEES[1]: FEE}
    tree = tree_of(parts)
    pay(here, root=tree.root)
    claim(here, PAYEES[0], amount=0, proof=proof_of(PAYEES[0], tree, parts))
    assert usd_of(here, PAYEES[0], here.payments.address) == [0, FEE]


def test_contract_and_package_make_the_same_leaves_and_nonces(here):
    leaf = here.call(here.payments, "leaf_of", ANSWER, PAYEES[0], MOST)
    assert leaf == merkle.leaf_of(ANSWER, PAYEES[0], MOST)
    assert here.call(here.payments, "nonce_of", ANSWER, TREE.root) == keccak256(ANSWER, TREE.root)


# Whoever pays wrongly


def test_a_payment_of_nothing_is_refused(here):
    with refused("Payments: nothing paid"):
        pay(here, amount=0)


def test_a_payer_pays_for_an_answer_once(here):
    pay(here)
    with refused("Payments: paid before"):
        pay(here, amount=1)
    claim(here, PAYEES[0])
    with refused("Payments: paid before"):
        pay(here)
    pay(here, answer=OTHER)
    assert usd_of(here, here.payments.address) == [2 * FEE - PARTS[PAYEES[0]]]


def test_a_payer_cannot_pay_what_it_did_not_allow_or_has_not(here):
    with refused("TestToken: not allowed"):
        pay(here, by=DEPLOYER)
    with refused("TestToken: not enough"):
        pay(here, amount=PURSE[0] + 1, by=CAROL)
    pay(here, amount=PURSE[0], by=CAROL)
    assert usd_of(here, CAROL.address, here.payments.address) == [0, PURSE[0]]


def test_a_token_that_is_no_contract_is_refused(here):
    with refused(""):
        pay(here, token=CAROL.address)


# Whoever claims what is not its own


def test_a_payee_that_claims_twice_gets_nothing_more(here):
    pay(here)
    claim(here, PAYEES[0])
    with refused("Payments: claimed before"):
        claim(here, PAYEES[0])
    assert usd_of(here, PAYEES[0], here.payments.address) == [120_000, FEE - 120_000]


def test_a_thief_with_a_forged_proof_gets_nothing(here):
    pay(here)
    proof = proof_of(PAYEES[0])
    forged = [proof[:-1], proof[1:], [*proof, bytes(32)], [], proof[::-1], [b"\xff" * 32] * 32]
    forged += [[*proof[:n], keccak256(proof[n]), *proof[n + 1 :]] for n in range(len(proof))]
    assert len(proof) == 3
    for wrong in forged:
        with refused("Payments: not in the root"):
            claim(here, PAYEES[0], proof=wrong)
    with refused(""):  # more hashes than the contract reads
        claim(here, PAYEES[0], proof=[bytes(32)] * 33)
    claim(here, PAYEES[0], proof=proof)


def test_a_thief_who_changes_a_part_gets_nothing(here):
    pay(here)
    pay(here, answer=OTHER)
    for change in (
        {"amount": 120_001}, {"amount": 119_999}, {"amount": MOST}, {"answer": OTHER},
    ):  # fmt: skip
        with refused("Payments: not in the root"):
            claim(here, PAYEES[0], **change)
    for payee in (MALLORY.address, PAYEES[1]):
        with refused("Payments: not in the root"):
            claim(here, payee, amount=PARTS[PAYEES[0]], proof=proof_of(PAYEES[0]))
    for change in (
        {"answer": b"\xa3" * 32}, {"payer": MALLORY.address}, {"token": here.eth.address},
    ):  # fmt: skip
        with refused("Payments: not paid"):
            claim(here, PAYEES[0], **change)
    assert usd_of(here, here.payments.address) == [2 * FEE]


def test_a_stranger_who_carries_a_claim_gets_nothing_of_it(here):
    pay(here)
    before = usd_of(here, CAROL.address)
    claim(here, PAYEES[0])
    assert usd_of(here, PAYEES[0], CAROL.address) == [120_000, *before]


def test_a_payer_who_hashes_a_leaf_once_promises_nothing(here):
    word = address_bytes(MALLORY.address).rjust(32, b"\0")
    once = keccak256(ANSWER + word + (100).to_bytes(32, "big"))
    pay(here, root=once)
    with refused("Payments: not in the root"):
        claim(here, MALLORY.address, amount=100, proof=[])


def test_a_payer_whose_larger_child_stands_first_promises_nothing(here):
    low, high = sorted(merkle.leaf_of(ANSWER, payee, PARTS[payee]) for payee in PAYEES[:2])
    by_leaf = {merkle.leaf_of(ANSWER, payee, PARTS[payee]): payee for payee in PAYEES[:2]}
    pay(here, root=keccak256(high, low))
    with refused("Payments: not in the root"):
        claim(here, by_leaf[low], proof=[high])
    pay(here, root=keccak256(low, high), by=BOB)
    claim(here, by_leaf[low], proof=[high], payer=BOB.address)


def test_a_thief_who_starts_above_the_leaves_or_below_gets_nothing(here):
    parts = dict(list(PARTS.items())[:4])
    tree = tree_of(parts)
    pay(here, root=tree.root)
    for payee in parts:
        proof = proof_of(payee, tree, parts)
        with refused("Payments: not in the root"):
            claim(here, payee, proof=proof[1:])
        with refused("Payments: not in the root"):
            claim(here, payee, proof=[proof[0], *proof])
        claim(here, payee, proof=proof)
    assert usd_of(here, here.payments.address) == [1]


def test_a_payer_who_promises_more_than_it_paid_takes_nothing_from_others(here):
    pay(here, by=BOB, answer=ANSWER)
    parts = {PAYEES[0]: 60, PAYEES[1]: 60, MALLORY.address: 40, PAYEES[2]: 1}
    tree = tree_of(parts)
    pay(here, by=MALLORY, amount=100, root=tree.root)

    def take(payee: str) -> None:
        proof = proof_of(payee, tree, parts)
        claim(here, payee, payer=MALLORY.address, amount=parts[payee], proof=proof)

    take(PAYEES[0])
    with refused("Payments: nothing left"):
        take(PAYEES[1])
    take(MALLORY.address)
    with refused("Payments: nothing left"):
        take(PAYEES[2])
    assert usd_of(here, here.payments.address) == [FEE]
    for payee in PARTS:
        claim(here, payee, payer=BOB.address)
    assert usd_of(here, here.payments.address) == [0]


# Whoever wants to stand in a payer's place


def test_a_squatter_who_pays_a_trifle_first_takes_nobodys_place(here):
    pay(here, by=MALLORY, amount=1, root=b"\x66" * 32)
    pay(here)
    assert payment(here) == (FEE, TREE.root, FEE)


def test_a_squatter_whose_own_token_asks_for_no_signature_takes_nobodys_place(here):
    worthless = here.hostile()
    here.send(
        MALLORY, here.payments, "pay_signed", ALICE.address, ANSWER, worthless.address, 1,
        b"\x66" * 32, 0, MOST, 27, bytes(32), bytes(32),
    )  # fmt: skip
    assert payment(here, worthless) == (1, b"\x66" * 32, 1)
    pay(here)
    assert payment(here) == (FEE, TREE.root, FEE)
    for payee in PARTS:
        claim(here, payee)
    assert usd_of(here, *PARTS) == list(PARTS.values())


# Paid by signature


def authorization(here: World, **changes: Any) -> typed.ReceiveWithAuthorization:
    usual: dict[str, Any] = {
        "owner": ALICE.address, "to": here.payments.address, "value": FEE, "valid_after": 0,
        "valid_before": here.evm.now + 60, "nonce": keccak256(ANSWER, TREE.root),
    }  # fmt: skip
    return typed.ReceiveWithAuthorization(**(usual | changes))


def usd_domain(here: World, **changes: Any) -> bytes:
    usual: dict[str, Any] = {"chain_id": here.evm.chain_id, "contract": here.usd.address}
    return typed.domain_separator("Test Dollar", **(usual | changes))


def carry(
    here: World, order: typed.ReceiveWithAuthorization, signature: bytes, **changes: Any
) -> Any:
    usual: dict[str, Any] = {
        "payer": order.owner, "answer": ANSWER, "token": here.usd.address, "amount": order.value,
        "root": TREE.root, "after": order.valid_after, "before": order.valid_before,
    }  # fmt: skip
    given = (usual | changes).values()
    return here.send(MALLORY, here.payments, "pay_signed", *given, *typed.split(signature))


def test_a_stranger_carries_what_a_payer_signed(here):
    order, before = authorization(here), usd_of(here, ALICE.address, MALLORY.address)
    carry(here, order, sign(ALICE, usd_domain(here), order))
    assert payment(here) == (FEE, TREE.root, FEE)
    assert usd_of(here, ALICE.address, MALLORY.address) == [before[0] - FEE, before[1]]
    claim(here, PAYEES[0])
    with refused("Payments: paid before"):
        carry(here, order, sign(ALICE, usd_domain(here), order))


def test_a_carrier_can_change_nothing_of_what_was_signed(here):
    order = authorization(here)
    signature = sign(ALICE, usd_domain(here), order)
    for change in (
        {"payer": BOB.address}, {"answer": OTHER}, {"amount": FEE - 1}, {"root": b"\x66" * 32},
        {"after": 1}, {"before": order.valid_before + 1}, {"token": here.eth.address},
    ):  # fmt: skip
        with refused("TestToken: signature"):
            carry(here, order, signature, **change)
    with refused("Payments: nothing paid"):
        carry(here, order, signature, amount=0)
    with refused("TestToken: signature"):
        carry(here, order, high_twin(signature))
    carry(here, order, signature)


def test_a_carrier_cannot_take_the_money_past_the_contract(here):
    order = authorization(here)
    signature = sign(ALICE, usd_domain(here), order)
    for name, reason in (
        ("receiveWithAuthorization", "TestToken: not the payee"),
        ("transferWithAuthorization", "TestToken: signature"),
    ):
        with refused(reason):
            here.send(MALLORY, here.usd, name, *order.values, *typed.split(signature))
    carry(here, order, signature)
    assert payment(here) == (FEE, TREE.root, FEE)


def test_a_signature_holds_from_its_moment_to_its_moment(here):
    now = here.evm.now
    for times, reason in (
        ({"valid_before": now}, "TestToken: too late"),
        ({"valid_after": now}, "TestToken: too early"),
        ({"valid_before": now + 1, "valid_after": now - 1}, None),
    ):  # fmt: skip
        order = authorization(here, **times)
        signature = sign(ALICE, usd_domain(here), order)
        if reason is None:
            carry(here, order, signature)
        else:
            with refused(reason):
                carry(here, order, signature)


def test_a_payer_who_cancelled_pays_nothing(here):
    order = authorization(here)
    cancel = typed.CancelAuthorization(authorizer=ALICE.address, nonce=order.nonce)
    words = typed.split(sign(ALICE, usd_domain(here), cancel))
    here.send(BOB, here.usd, "cancelAuthorization", *cancel.values, *words)
    with refused("TestToken: used before"):
        carry(here, order, sign(ALICE, usd_domain(here), order))
    pay(here)


def test_a_signature_for_another_contract_or_chain_pays_nothing(here):
    other = here.evm.deploy(DEPLOYER, "Payments")
    order = authorization(here)
    for domain, signed in (
        (usd_domain(here), authorization(here, to=other.address)),
        (usd_domain(here, chain_id=1), order),
        (usd_domain(here, contract=here.eth.address), order),
        (typed.domain_separator("Test Dollars", chain_id=31_337, contract=here.usd.address), order),
    ):
        with refused("TestToken: signature"):
            carry(here, order, sign(ALICE, domain, signed))


# Tokens that mean harm


def test_a_token_that_takes_a_fee_is_refused(here):
    token = here.hostile()
    here.send(MALLORY, token, "behave", 1, False, False)
    with refused("Payments: short transfer"):
        pay(here, token=token.address)
    order = authorization(here)
    with refused("Payments: short transfer"):
        carry(here, order, sign(ALICE, usd_domain(here), order), token=token.address)
    here.send(MALLORY, token, "behave", 0, False, False)
    pay(here, token=token.address)


def test_a_token_that_gives_more_than_was_paid_is_refused(here):
    token = here.hostile()
    here.arm(token, token, "mint", here.payments.address, 1)
    with refused("Payments: short transfer"):
        pay(here, token=token.address)


def test_a_token_that_takes_a_fee_later_harms_only_those_paid_in_it(here):
    token = here.hostile()
    pay(here, token=token.address)
    pay(here)
    here.send(MALLORY, token, "behave", 10_000, False, False)
    claim(here, PAYEES[0], token=token.address)
    claim(here, PAYEES[0])
    assert here.call(token, "balanceOf", PAYEES[0]) == 0
    assert payment(here, token)[2] == payment(here)[2] == FEE - 120_000
    assert usd_of(here, PAYEES[0]) == [120_000]


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [((0, True, False), "Payments: transfer refused"), ((0, False, True), "HostileToken: broken")],
)
def test_a_token_that_refuses_for_a_while_costs_nobody_its_part(here, behaviour, reason):
    token = here.hostile()
    pay(here, token=token.address)
    here.send(MALLORY, token, "behave", *behaviour)
    with refused(reason):
        pay(here, token=token.address, answer=OTHER)
    with refused(reason):
        claim(here, PAYEES[0], token=token.address)
    pay(here)
    claim(here, PAYEES[0])
    here.send(MALLORY, token, "behave", 0, False, False)
    claim(here, PAYEES[0], token=token.address)
    assert here.call(token, "balanceOf", PAYEES[0]) == 120_000


def test_a_token_whose_units_vanish_leaves_the_last_without(here):
    token = here.hostile()
    pay(here, token=token.address)
    here.send(MALLORY, token, "burn", here.payments.address, FEE - 120_000)
    claim(here, PAYEES[0], token=token.address)
    with refused(""):
        claim(here, PAYEES[1], token=token.address)
    assert payment(here, token)[2] == FEE - 120_000


def test_a_token_that_answers_nothing_is_as_good_as_another(here):
    token = here.hostile("QuietToken")
    pay(here, token=token.address)
    claim(here, PAYEES[0], token=token.address)
    assert here.call(token, "balanceOf", PAYEES[0]) == 120_000
    order = authorization(here, nonce=keccak256(OTHER, TREE.root))
    with refused(""):  # it knows no EIP-3009
        signature = sign(ALICE, usd_domain(here), order)
        carry(here, order, signature, token=token.address, answer=OTHER)


def sample(here: World, name: str, token: str) -> tuple[Any, ...]:
    """Arguments with which a function does something, or gives a reason."""
    return {
        "pay": (OTHER, token, 0, TREE.root),
        "pay_signed": (
            MALLORY.address, OTHER, token, 0, TREE.root, 0, MOST, 27, bytes(32), bytes(32),
        ),
        "claim": (ALICE.address, OTHER, token, PAYEES[1], PARTS[PAYEES[1]], proof_of(PAYEES[1])),
        "is_claimed": (ALICE.address, ANSWER, token, PAYEES[1], PARTS[PAYEES[1]]),
        "payment_of": (ALICE.address, ANSWER, token),
    }[name]  # fmt: skip


@pytest.mark.parametrize("name", functions_of("Payments"))
@pytest.mark.parametrize("during", ["pay", "pay_signed", "claim"])
def test_a_token_that_calls_back_finds_every_function_closed(here, name, during):
    token = here.hostile()
    if during == "claim":
        pay(here, token=token.address)
    here.arm(token, here.payments, name, *sample(here, name, token.address))
    here.require_open(token)
    if during == "pay":
        pay(here, token=token.address)
    elif during == "pay_signed":
        order = authorization(here)
        carry(here, order, sign(ALICE, usd_domain(here), order), token=token.address)
    else:
        claim(here, PAYEES[0], token=token.address)
    here.require_closed(token)
    assert here.balance(token, here.payments) == payment(here, token)[2]


def test_a_part_that_is_promised_to_the_zero_address_stays(here):
    parts = {NOBODY: 1, PAYEES[0]: 1}
    tree = tree_of(parts)
    pay(here, amount=2, root=tree.root)
    with refused("TestToken: to nobody"):
        claim(here, NOBODY, amount=1, proof=proof_of(NOBODY, tree, parts))
    claim(here, PAYEES[0], amount=1, proof=proof_of(PAYEES[0], tree, parts))
    assert usd_of(here, NOBODY, here.payments.address) == [0, 1]
