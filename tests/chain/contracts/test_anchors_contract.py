"""Anchors: an origin is its key's alone, sizes rise, and a checkpoint keeps its first time."""

from __future__ import annotations

from typing import Any

import pytest

from teeproof.chain import typed
from teeproof.chain.account import Account
from tests.chain.contracts.evm import NOBODY
from tests.chain.contracts.world import (
    AGENT,
    ALICE,
    BOB,
    DEPLOYER,
    MALLORY,
    ORDER,
    World,
    high_twin,
    refused,
    sign,
)

ORIGIN, OTHER = b"\x0a" * 32, b"\x0b" * 32
ROOT, NEXT_ROOT = b"\x01" * 32, b"\x02" * 32
LARGEST = 2**64 - 1


@pytest.fixture
def taken(here):
    """Alice's key anchors for an origin."""
    here.send(BOB, here.anchors, "register", ORIGIN, ALICE.address)
    return here


def anchor(here: World, by: Account, size: int, root: bytes = ROOT, origin: bytes = ORIGIN) -> Any:
    """Anchor, and return the time that the contract answers with, and the events."""
    arguments = origin, size, root
    told = here.evm.call(here.anchors, "anchor", *arguments, sender=by.address)
    return told, here.send(by, here.anchors, "anchor", *arguments).events


def checkpoint(**changes: Any) -> typed.Anchor:
    usual: dict[str, Any] = {"origin": ORIGIN, "size": 5, "root": ROOT}
    return typed.Anchor(**(usual | changes))


def domain(here: World, **changes: Any) -> bytes:
    usual: dict[str, Any] = {"chain_id": here.evm.chain_id, "contract": here.anchors.address}
    given = usual | changes
    return typed.domain_separator(given.pop("name", "teeproof Anchors"), **given)


def carry(here: World, order: typed.Anchor, signature: bytes) -> Any:
    return here.send(MALLORY, here.anchors, "anchor_signed", *order.values, signature).events


def state(here: World, size: int = 5, root: bytes = ROOT, origin: bytes = ORIGIN) -> Any:
    """The origin's latest size, and when a checkpoint was anchored."""
    return (
        here.call(here.anchors, "size_of", origin),
        here.call(here.anchors, "anchored_at", origin, size, root),
    )


# Who anchors


def test_who_registers_an_origin_first_has_it(here):
    (event,) = here.send(BOB, here.anchors, "register", ORIGIN, ALICE.address).events
    assert (event.name, dict(event.values)) == (
        "Registered", {"origin": ORIGIN, "key": ALICE.address},
    )  # fmt: skip
    for who in (MALLORY, BOB, ALICE):
        with refused("Anchors: origin is taken"):
            here.send(who, here.anchors, "register", ORIGIN, who.address)
    assert here.call(here.anchors, "key_of", ORIGIN) == ALICE.address
    here.send(MALLORY, here.anchors, "register", OTHER, MALLORY.address)


def test_an_origin_is_given_to_somebody(here):
    with refused("Anchors: to nobody"):
        here.send(ALICE, here.anchors, "register", ORIGIN, NOBODY)
    here.send(ALICE, here.anchors, "register", ORIGIN, ALICE.address)
    with refused("Anchors: to nobody"):
        here.send(ALICE, here.anchors, "hand_over", ORIGIN, NOBODY)
    assert here.call(here.anchors, "key_of", ORIGIN) == ALICE.address


def test_a_stranger_anchors_nothing(taken):
    for who in (MALLORY, BOB, DEPLOYER):  # nor does who registered it for another
        with refused("Anchors: not the key"):
            taken.send(who, taken.anchors, "anchor", ORIGIN, 5, ROOT)
    with refused("Anchors: not the key"):
        taken.send(ALICE, taken.anchors, "anchor", OTHER, 5, ROOT)  # nobody's
    assert state(taken) == (0, 0)


def test_only_the_key_hands_over_and_the_old_one_anchors_no_more(taken):
    old = checkpoint(size=6)
    for who in (MALLORY, BOB):
        with refused("Anchors: not the key"):
            taken.send(who, taken.anchors, "hand_over", ORIGIN, who.address)
    anchor(taken, ALICE, 5)
    (event,) = taken.send(ALICE, taken.anchors, "hand_over", ORIGIN, AGENT.address).events
    assert (event.name, dict(event.values)) == (
        "Registered", {"origin": ORIGIN, "key": AGENT.address},
    )  # fmt: skip
    with refused("Anchors: not the key"):
        taken.send(ALICE, taken.anchors, "anchor", ORIGIN, 6, ROOT)
    with refused("Anchors: not the key"):
        carry(taken, old, sign(ALICE, domain(taken), old))
    with refused("Anchors: not the key"):
        taken.send(ALICE, taken.anchors, "hand_over", ORIGIN, ALICE.address)
    with refused("Anchors: size must rise"):  # the log goes on where it was
        anchor(taken, AGENT, 5, NEXT_ROOT)
    anchor(taken, AGENT, 6)
    assert state(taken, 6) == (6, taken.evm.now)


# What is anchored


def test_a_checkpoint_gets_the_time_of_its_block(taken):
    told, (event,) = anchor(taken, ALICE, 5)
    assert told == taken.evm.now
    assert (event.name, dict(event.values)) == (
        "Anchored", {"origin": ORIGIN, "size": 5, "root": ROOT},
    )  # fmt: skip
    assert state(taken) == (5, taken.evm.now)


def test_a_checkpoint_that_comes_again_keeps_its_first_time_and_leaves_no_event(taken):
    first, _ = anchor(taken, ALICE, 5)
    taken.evm.sleep(100)
    anchor(taken, ALICE, 9, NEXT_ROOT)
    taken.evm.sleep(100)
    signature = sign(ALICE, domain(taken), checkpoint())
    assert anchor(taken, ALICE, 5) == (first, ())
    assert carry(taken, checkpoint(), signature) == ()
    assert state(taken) == (9, first)
    assert state(taken, 9, NEXT_ROOT) == (9, first + 100)


def test_sizes_rise_by_one_at_least(taken):
    with refused("Anchors: size must rise"):
        anchor(taken, ALICE, 0)
    anchor(taken, ALICE, 5)
    for size in (0, 4, 5):
        with refused("Anchors: size must rise"):
            anchor(taken, ALICE, size, NEXT_ROOT)
    anchor(taken, ALICE, 6, NEXT_ROOT)
    anchor(taken, ALICE, LARGEST)
    with refused("Anchors: size must rise"):
        anchor(taken, ALICE, LARGEST, NEXT_ROOT)


def test_a_log_that_split_its_view_cannot_anchor_both_sides(taken):
    anchor(taken, ALICE, 5, ROOT)
    with refused("Anchors: size must rise"):
        anchor(taken, ALICE, 5, NEXT_ROOT)
    with refused("Anchors: size must rise"):
        order = checkpoint(root=NEXT_ROOT)
        carry(taken, order, sign(ALICE, domain(taken), order))
    assert state(taken, 5, NEXT_ROOT) == (5, 0)


def test_origins_do_not_touch_each_other(taken):
    taken.send(MALLORY, taken.anchors, "register", OTHER, MALLORY.address)
    anchor(taken, MALLORY, LARGEST, ROOT, OTHER)
    assert state(taken) == (0, 0)
    anchor(taken, ALICE, 1)
    assert state(taken, 1) == (1, taken.evm.now)


# What a key signs


def test_a_stranger_carries_a_signed_checkpoint(taken):
    (event,) = carry(taken, checkpoint(), sign(ALICE, domain(taken), checkpoint()))
    assert (event.name, event["size"]) == ("Anchored", 5)
    assert state(taken) == (5, taken.evm.now)


def test_a_carrier_can_change_nothing_of_a_checkpoint(taken):
    signature = sign(ALICE, domain(taken), checkpoint())
    taken.send(BOB, taken.anchors, "register", OTHER, ALICE.address)
    for changes in ({"origin": OTHER}, {"size": 6}, {"root": NEXT_ROOT}):
        with refused("Anchors: not the key"):
            carry(taken, checkpoint(**changes), signature)
    assert state(taken) == (0, 0)


def test_a_signature_that_is_not_the_keys_anchors_nothing(taken):
    good = sign(ALICE, domain(taken), checkpoint())
    wrong = [sign(who, domain(taken), checkpoint()) for who in (MALLORY, BOB)]
    for changes in (
        {"chain_id": 1}, {"contract": taken.fund.address}, {"name": "teeproof Fund"},
    ):  # fmt: skip
        wrong.append(sign(ALICE, domain(taken, **changes), checkpoint()))
    wrong += [good[:64] + bytes((v,)) for v in (0, 1, 29, 55 - good[64])]
    wrong += [high_twin(good), good[:64], b"", bytes(65), good[:32] + ORDER.to_bytes(32, "big")]
    for signature in wrong:
        with refused("Anchors: not the key"):
            carry(taken, checkpoint(), signature)
    with refused(""):  # longer than the interface allows
        carry(taken, checkpoint(), good + b"\0")
    carry(taken, checkpoint(), good)


def test_an_origin_of_nobody_is_anchored_by_no_signature(here):
    for signature in (bytes(65), bytes(64) + b"\x1b", b"", sign(ALICE, domain(here), checkpoint())):
        with refused("Anchors: not the key"):
            carry(here, checkpoint(), signature)
    assert state(here) == (0, 0)


def test_on_another_chain_the_same_signature_anchors_nothing(taken):
    elsewhere = taken.fork(chain_id=1)
    signature = sign(ALICE, domain(taken), checkpoint())
    with refused("Anchors: not the key"):
        carry(elsewhere, checkpoint(), signature)
    carry(taken, checkpoint(), signature)
    assert (state(taken)[0], state(elsewhere)[0]) == (5, 0)
