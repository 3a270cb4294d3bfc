"""A log's checkpoint on a real chain: anchored, proven, undone, forged."""

from __future__ import annotations

import os

import pytest

from teeproof.chain.account import Account, address_bytes
from teeproof.chain.anchors import anchor, origin_of, prove, trusted_blocks
from teeproof.chain.client import Contract
from teeproof.chain.outbox import Outbox
from teeproof.core.errors import Error, NotAllowed, NotAuthentic, Unavailable
from teeproof.proof.anchor import AnchorProof, TrustedBlock, verify
from teeproof.proof.log.formats.checkpoint import Checkpoint, sign_checkpoint
from teeproof.proof.log.formats.note import NoteSigner
from teeproof.proof.verify import Trust
from teeproof.proof.verify.anchors import anchored_by
from tests.chain.nodes import NOBODY


@pytest.fixture(scope="module")
def contract(node) -> Contract:
    from teeproof.chain.client import Chain

    with Chain.connect(node.url) as chain:
        return chain.deploy(node.funded, "Anchors")


@pytest.fixture
def checkpoint() -> Checkpoint:
    return Checkpoint(f"log.example/{os.urandom(4).hex()}", 5, b"\5" * 32)


def test_a_checkpoint_is_anchored_and_anyone_who_trusts_the_block_can_check_it(
    client, account, contract, checkpoint
):
    anchored = anchor(client, checkpoint, contract=contract, by=account)
    document = anchored.proof.encode()
    assert anchored.time == client.block(anchored.number).timestamp
    assert client.block(anchored.number).hash == "0x" + anchored.block.hex()
    found = verify(
        AnchorProof.parse(document),
        origin=checkpoint.origin,
        checkpoint=checkpoint,
        trusted_blocks=trusted_blocks(anchored),
    )
    assert (found.number, found.block, found.time) == (
        anchored.number,
        anchored.block,
        anchored.time,
    )


def test_host_that_runs_the_chain_proves_no_time_with_it(client, account, contract, checkpoint):
    anchored = anchor(client, checkpoint, contract=contract, by=account)

    signed = sign_checkpoint(checkpoint, NoteSigner(checkpoint.origin, bytes(32)))
    trust = Trust(blocks=trusted_blocks(anchored))
    check, found = anchored_by([anchored.proof.encode()], signed, trust)
    assert check.state == "not_checked"
    assert "embedded chain" in check.detail
    assert found is None
    public = Trust(blocks=trusted_blocks(anchored, public=True))
    check, found = anchored_by([anchored.proof.encode()], signed, public)
    assert check.state == "passed"
    assert found.proven_time == anchored.time


def test_the_same_checkpoint_is_anchored_once(client, account, contract, checkpoint):
    first = anchor(client, checkpoint, contract=contract, by=account)
    before = client.block().number
    assert anchor(client, checkpoint, contract=contract, by=account) == first
    assert client.block().number == before


def test_checkpoints_follow_each_other_and_each_has_its_proof(
    client, account, contract, checkpoint
):
    first = anchor(client, checkpoint, contract=contract, by=account)
    larger = Checkpoint(checkpoint.origin, 6, b"\6" * 32)
    second = anchor(client, larger, contract=contract, by=account)
    assert second.number > first.number
    assert prove(client, checkpoint, contract=contract) == first
    smaller = Checkpoint(checkpoint.origin, 4, b"\4" * 32)
    with pytest.raises(NotAllowed) as caught:
        anchor(client, smaller, contract=contract, by=account)
    assert caught.value.got == "Anchors: size must rise"


def test_operator_of_a_forked_log_cannot_anchor_both_branches_at_one_size(
    client, account, contract, checkpoint
):
    anchor(client, checkpoint, contract=contract, by=account)
    fork = Checkpoint(checkpoint.origin, 5, b"\6" * 32)
    with pytest.raises(NotAllowed) as caught:
        anchor(client, fork, contract=contract, by=account)
    assert caught.value.code == "reverted"


def test_trader_cannot_anchor_for_a_log_that_is_anothers(
    client, node, account, contract, checkpoint
):
    anchor(client, checkpoint, contract=contract, by=account)
    other = Account.new()
    client.transfer(node.funded, other, 10**18)
    larger = Checkpoint(checkpoint.origin, 6, b"\6" * 32)
    with pytest.raises(NotAllowed) as caught:
        anchor(client, larger, contract=contract, by=other)
    assert caught.value.code == "origin_taken"
    with pytest.raises(NotAllowed) as caught:
        client.send(other, contract, "anchor", origin_of(checkpoint.origin), 6, b"\6" * 32)
    assert caught.value.got == "Anchors: not the key"


def test_trader_who_deploys_a_contract_of_the_same_code_anchors_nothing_in_ours(
    client, account, contract, checkpoint
):
    theirs = client.deploy(account, "Anchors")
    anchored = anchor(client, checkpoint, contract=theirs, by=account)
    ours = {anchored.block: TrustedBlock(client.chain_id, True, frozenset({address_bytes(NOBODY)}))}
    with pytest.raises(NotAuthentic) as caught:
        verify(
            anchored.proof,
            origin=checkpoint.origin,
            checkpoint=checkpoint,
            trusted_blocks=ours,
        )
    assert caught.value.code == "event_other_contract"
    with pytest.raises(Unavailable):
        prove(client, checkpoint, contract=contract)


def test_a_reorganisation_undoes_an_anchor_and_it_is_made_again(
    client, account, contract, checkpoint, tmp_path
):
    with Outbox.open(tmp_path / "out", chain=client, account=account) as outbox:
        first = anchor(client, checkpoint, contract=contract, by=outbox)
        assert not first.final
        client.endpoint.ask("teeproof_reorg", "0x2")  # its registration, too
        with pytest.raises(Unavailable) as caught:
            prove(client, checkpoint, contract=contract)
        assert caught.value.code == "anchor_missing"
        second = anchor(client, checkpoint, contract=contract, by=outbox)
        assert second.block != first.block
        assert second.tx_hash == first.tx_hash  # the same bytes, in another block
        client.endpoint.ask("teeproof_mine", "0x8")
        assert prove(client, checkpoint, contract=contract).final


def test_an_event_among_many_transactions_of_a_block_is_proven(
    client, account, contract, checkpoint
):
    origin = origin_of(checkpoint.origin)
    client.send(account, contract, "register", origin, account)
    nonce = client.nonce(account)
    calls = [("anchor", (origin, size, bytes([size]) * 32)) for size in range(1, 30)]
    batch = []
    for at, (name, given) in enumerate(calls):
        data = contract.interface.call(name, given)
        fields = client.fields(nonce + at, contract.address, data, gas=150_000)
        batch.append(("eth_sendRawTransaction", ("0x" + account.sign(fields).raw.hex(),)))
    client.endpoint.results(batch)
    for size in (1, 5, 17, 29):
        found = prove(
            client, Checkpoint(checkpoint.origin, size, bytes([size]) * 32), contract=contract
        )
        assert found.proof.transaction == size - 1
    assert client.block(found.number).number == found.number


@pytest.mark.parametrize("change", ["header", "receipt", "log", "missing"])
def test_node_that_lies_about_the_block_is_refused(
    client, account, contract, checkpoint, monkeypatch, change
):
    anchor(client, checkpoint, contract=contract, by=account)
    real = client.endpoint.results

    def lying(asked: list) -> list:
        block, receipts = real(asked)
        if change == "header":
            block["timestamp"] = hex(int(block["timestamp"], 16) - 1)
        elif change == "receipt":
            receipts[0]["cumulativeGasUsed"] = "0x1"
        elif change == "log":
            receipts[0]["logs"][0]["data"] = "0x" + "00" * 64
        else:
            receipts[0]["logs"] = []
        return [block, receipts]

    monkeypatch.setattr(client.endpoint, "results", lying)
    with pytest.raises(Error) as caught:
        prove(client, checkpoint, contract=contract)
    assert caught.value.code in (
        "header_hash_mismatch",
        "receipts_root_mismatch",
        "node_malformed",
    )
