"""Proofs are made from what a node says, and only from what adds up."""

from __future__ import annotations

import pytest

from teeproof.core.errors import Malformed, NotAuthentic, TooLarge, Usage
from teeproof.proof.anchor import (
    AnchorProof,
    build,
    header_from_rpc,
    receipt_from_rpc,
    receipts_root,
)
from tests.proof.anchor import real
from tests.proof.anchor.blocks import (
    CHAIN,
    CONTRACT,
    FILLER,
    TRANSFER,
    event,
    header,
    judged,
    receipt,
)

RECEIPTS = [*FILLER[:30], receipt(TRANSFER, event()), *FILLER[30:60]]
HEADER = header(receipts_root(RECEIPTS))


def made(**changes) -> AnchorProof:
    asked = {"chain_id": CHAIN, "header": HEADER, "receipts": RECEIPTS, "transaction": 30, "log": 1}
    return build(**(asked | changes))


def test_a_proof_that_was_built_is_taken():
    assert judged(made()).contract == CONTRACT


def test_the_first_event_of_the_first_transaction_can_be_shown():
    receipts = [receipt(event())]
    head = header(receipts_root(receipts))
    assert judged(made(receipts=receipts, header=head, transaction=0, log=0)).public


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"transaction": 61}, id="a transaction beyond the block"),
        pytest.param({"transaction": -1}, id="a transaction before the block"),
        pytest.param({"log": 2}, id="an event beyond the receipt"),
        pytest.param({"log": -1}, id="an event before the receipt"),
        pytest.param({"transaction": 3, "log": 0}, id="a receipt without events"),
        pytest.param({"receipts": []}, id="an empty block"),
    ],
)
def test_what_is_not_there_cannot_be_shown(changes):
    with pytest.raises(Usage):
        made(**changes)


def test_receipts_of_another_block_are_refused():
    for receipts in (RECEIPTS[:-1], [*RECEIPTS, FILLER[0]], [FILLER[9], *RECEIPTS[1:]]):
        with pytest.raises(NotAuthentic) as caught:
            made(receipts=receipts)
        assert caught.value.code == "receipts_root_mismatch"


@pytest.mark.parametrize("size", [64_000, 65_000, 65_200, 70_000])
def test_a_proof_that_nobody_would_read_is_not_built(size):
    large = [*RECEIPTS[:30], receipt(TRANSFER, event(), [CONTRACT, [], bytes(size)])]
    asked = {"receipts": large, "header": header(receipts_root(large))}
    if size < 65_100:
        assert judged(made(**asked)).public
    else:
        with pytest.raises(TooLarge):
            made(**asked)


def test_the_root_of_a_real_block_comes_of_its_receipt():
    raw = receipt_from_rpc(real.HOODI_RECEIPT)
    assert receipts_root([raw]).hex() == real.HOODI["receiptsRoot"][2:]
    assert receipts_root([]).hex() == real.GENESIS["receiptsRoot"][2:]


def test_a_receipt_of_a_node_is_the_one_in_the_trie():
    address, topics, data = event()
    log = {
        "address": "0x" + address.hex(),
        "topics": ["0x" + topic.hex() for topic in topics],
        "data": "0x" + data.hex(),
        "logIndex": "0x5",
        "removed": False,
    }
    answer = {**real.HOODI_RECEIPT, "type": "0x2", "logs": [log]}
    assert receipt_from_rpc(answer) == receipt(event())
    assert receipt_from_rpc({**answer, "type": "0x0"}) == receipt(event(), kind=0)
    untyped = {name: value for name, value in answer.items() if name != "type"}
    assert receipt_from_rpc(untyped) == receipt(event(), kind=0)
    assert receipt_from_rpc({**answer, "status": "0x0"}) == receipt(event(), status=b"")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"status": None}, id="no status"),
        pytest.param({"status": 1}, id="a number for text"),
        pytest.param({"status": "1"}, id="no 0x"),
        pytest.param({"status": "001"}, id="another prefix"),
        pytest.param({"status": "0x1\n"}, id="a line end"),
        pytest.param({"logsBloom": "0x00 00"}, id="a space"),
        pytest.param({"cumulativeGasUsed": "0x"}, id="no digits"),
        pytest.param({"cumulativeGasUsed": "0xg1"}, id="other digits"),
        pytest.param({"logsBloom": "0x0"}, id="half a byte"),
        pytest.param({"logs": None}, id="no logs"),
        pytest.param({"logs": ["log"]}, id="a log that is text"),
        pytest.param({"logs": [{"topics": "0x"}]}, id="topics that are text"),
        pytest.param({"logs": [{"topics": [], "data": "0x"}]}, id="a log without address"),
        pytest.param({"logs": [{"topics": [7], "address": "0x", "data": "0x"}]}, id="a topic 7"),
    ],
)
def test_a_strange_answer_of_a_node_is_refused(changes):
    with pytest.raises(Malformed) as caught:
        receipt_from_rpc({**real.HOODI_RECEIPT, **changes})
    assert caught.value.code == "rpc_malformed"


def test_a_receipt_that_no_trie_holds_is_refused():
    with pytest.raises(Malformed) as caught:
        receipt_from_rpc({**real.HOODI_RECEIPT, "type": "0x7e"})
    assert caught.value.code == "receipt_type"
    with pytest.raises(Malformed) as caught:
        receipt_from_rpc({**real.HOODI_RECEIPT, "logsBloom": "0x00"})
    assert caught.value.code == "receipt_malformed"


@pytest.mark.parametrize("name", ["stateRoot", "timestamp", "requestsHash", "hash"])
def test_a_node_that_changes_a_field_is_caught(name):
    value = real.PRAGUE[name]
    other = value[:-1] + ("0" if value[-1] != "0" else "1")
    with pytest.raises(NotAuthentic) as caught:
        header_from_rpc({**real.PRAGUE, name: other})
    assert caught.value.code == "header_hash_mismatch"


def test_a_fork_that_appends_an_unknown_field_is_named_as_a_reason():
    without = {name: value for name, value in real.PRAGUE.items() if name != "requestsHash"}
    with pytest.raises(NotAuthentic, match="update teeproof") as caught:
        header_from_rpc(without)
    assert caught.value.code == "header_hash_mismatch"


@pytest.mark.parametrize("name", ["parentHash", "number", "nonce", "hash"])
def test_a_block_without_a_field_is_refused(name):
    with pytest.raises(Malformed) as caught:
        header_from_rpc({key: value for key, value in real.PRAGUE.items() if key != name})
    assert caught.value.code == "rpc_malformed"
