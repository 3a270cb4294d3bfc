"""A checkpoint in a block: what an honest proof establishes, and for whom."""

from __future__ import annotations

import pytest

from teeproof.core.digests import keccak256
from teeproof.core.errors import NotAuthentic
from teeproof.proof.anchor import EVENT, Anchored, AnchorProof
from tests.proof.anchor.blocks import (
    CHAIN,
    CONTRACT,
    FILLER,
    NUMBER,
    TIME,
    TOPIC,
    TRANSFER,
    but,
    event,
    judged,
    proof_of,
    receipt,
    trusted,
    with_event,
)


def test_an_anchored_checkpoint_has_the_time_of_its_block():
    proof = with_event()
    assert judged(AnchorProof.parse(proof.encode())) == Anchored(
        time=TIME,
        number=NUMBER,
        block=keccak256(proof.header),
        chain_id=CHAIN,
        contract=CONTRACT,
        public=True,
        why=f"block {NUMBER} of chain {CHAIN}, whose hash you trust, holds the event",
    )
    assert judged(proof).proven_time == TIME


@pytest.mark.parametrize("place", [0, 1, 127, 128, 199])
def test_the_transaction_may_stand_anywhere_in_the_block(place):
    assert judged(with_event(place=place)).public


@pytest.mark.parametrize("kind", [0, 1, 2, 3, 4])
def test_the_transaction_may_be_of_any_type(kind):
    assert judged(with_event(kind=kind)).public


def test_a_block_of_one_transaction_is_enough():
    proof = proof_of([receipt(event())], 0)
    assert len(proof.nodes) == 1
    assert judged(proof).public


def test_the_event_may_follow_others():
    receipts = [*FILLER[:5], receipt(TRANSFER, event(size=299), event())]
    assert judged(proof_of(receipts, 5, log=2)).public


def test_the_topic_is_the_digest_of_the_signature():
    assert keccak256(EVENT.encode()) == TOPIC


def test_a_block_that_nobody_vouched_for_proves_nothing():
    proof = with_event()
    with pytest.raises(NotAuthentic) as caught:
        judged(proof, blocks={})
    assert caught.value.code == "block_untrusted"
    assert caught.value.got == keccak256(proof.header).hex()
    assert "look its hash up" in caught.value.detail


def test_a_block_is_trusted_for_its_own_hash_only():
    proof, other = with_event(), with_event(place=3)
    assert judged(proof, blocks=trusted(proof) | trusted(other)).public
    with pytest.raises(NotAuthentic) as caught:
        judged(proof, blocks=trusted(other))
    assert caught.value.code == "block_untrusted"


def test_a_bounded_chain_id_is_compared_and_not_believed():
    proof = with_event()
    assert judged(proof, blocks=trusted(proof)).chain_id == CHAIN
    assert judged(but(proof, chain_id=1), blocks=trusted(proof, chain_id=1)).chain_id == 1
