"""JSON-RPC: its forms, its errors, its bounds, and what each method answers."""

from __future__ import annotations

import json

import pytest

from teeproof.chain.local.rpc import MAX_BATCH, MAX_BODY, Rpc
from teeproof.core.digests import keccak256
from tests.chain.nodes import COUNTER, LOOP, NOBODY, REFUSER, START, program


@pytest.fixture
def rpc(chain) -> Rpc:
    return Rpc(chain)


def request(method: str, *params, number=1) -> dict:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}


def answer(rpc: Rpc, value) -> dict | list:
    return json.loads(rpc.answer(json.dumps(value).encode()))


def ask(rpc: Rpc, method: str, *params):
    found = answer(rpc, request(method, *params))
    assert "error" not in found, found
    return found["result"]


def fault(rpc: Rpc, method: str, *params) -> tuple[int, str]:
    error = answer(rpc, request(method, *params))["error"]
    return error["code"], error["message"]


def hexed(raw: bytes) -> str:
    return "0x" + raw.hex()


def test_an_answer_has_the_id_of_its_request(rpc):
    assert answer(rpc, request("eth_chainId", number="a")) == {
        "jsonrpc": "2.0",
        "id": "a",
        "result": "0x54454550",
    }


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b"\xff", -32700),
        (b'{"id":1,"id":2}', -32700),
        (b"[" * 100 + b"]" * 100, -32700),
        (b"[]", -32600),
        (b"1", -32600),
        (b"{}", -32600),
        (b'{"jsonrpc":"1.0","id":1,"method":"eth_chainId"}', -32600),
        (b'{"jsonrpc":"2.0","id":{},"method":"eth_chainId"}', -32600),
        (b'{"jsonrpc":"2.0","id":true,"method":"eth_chainId"}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":5}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":{}}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_sign"}', -32601),
        (b'{"jsonrpc":"2.0","id":1,"method":"__class__"}', -32601),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[1]}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":[]}', -32602),
    ],
)
def test_client_that_sends_no_request_gets_the_error_that_json_rpc_has_for_it(rpc, body, code):
    assert json.loads(rpc.answer(body))["error"]["code"] == code


def test_client_with_too_large_a_body_or_batch_is_refused(rpc):
    assert json.loads(rpc.answer(b" " * (MAX_BODY + 1)))["error"]["code"] == -32700
    many = [request("eth_chainId", number=n) for n in range(MAX_BATCH + 1)]
    assert answer(rpc, many)["error"]["code"] == -32600
    assert len(answer(rpc, many[:-1])) == MAX_BATCH


def test_a_request_without_an_id_is_done_and_not_answered(rpc, chain, sender):
    silent = request("eth_sendRawTransaction", hexed(sender.sign()))
    del silent["id"]
    assert rpc.answer(json.dumps(silent).encode()) == b""
    assert chain.head().number == 1
    both = [silent, request("eth_blockNumber", number=2)]
    assert answer(rpc, both) == [{"jsonrpc": "2.0", "id": 2, "result": "0x1"}]


def test_transactions_of_one_batch_share_a_block_and_each_is_answered_in_its_place(
    rpc, chain, sender
):
    raw = [sender.sign(nonce=n) for n in range(3)]
    batch = [
        request("eth_sendRawTransaction", hexed(raw[0]), number=0),
        request("eth_sendRawTransaction", "0xzz", number=1),
        request("eth_sendRawTransaction", hexed(raw[1]), number=2),
        request("eth_sendRawTransaction", hexed(raw[1]), number=3),
        request("eth_blockNumber", number=4),
        "nothing",
        request("eth_sendRawTransaction", hexed(raw[2]), number=5),
    ]
    answers = answer(rpc, batch)
    assert [one["id"] for one in answers] == [0, 1, 2, 3, 4, None, 5]
    assert answers[0]["result"] == hexed(keccak256(raw[0]))
    assert answers[1]["error"]["code"] == -32602
    assert "nonce too low" in answers[3]["error"]["message"]
    assert answers[4]["result"] == "0x1"
    assert chain.head().number == 2
    assert [len(chain.transactions(chain.at(n).hash)) for n in (1, 2)] == [2, 1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"nonce": 5}, "nonce too high"),
        ({"gas": 20_000}, "intrinsic gas too low"),
        ({"max_fee": 1, "max_tip": 0}, "max fee per gas less than block base fee"),
        ({"value": 10**25}, "insufficient funds"),
    ],
)
def test_refusals_are_worded_as_clients_know_them(rpc, sender, change, said):
    code, message = fault(rpc, "eth_sendRawTransaction", hexed(sender.sign(**change)))
    assert code == -32000
    assert said in message


def test_a_revert_comes_with_its_reason_and_its_data(rpc, sender):
    refuser = sender.deploy(REFUSER)
    for method in ("eth_call", "eth_estimateGas"):
        error = answer(rpc, request(method, {"to": refuser}))["error"]
        assert (error["code"], error["message"]) == (3, "execution reverted: no")
        assert error["data"].startswith("0x08c379a0")
    loop = sender.deploy(LOOP)
    code, message = fault(rpc, "eth_call", {"to": loop, "gas": "0x186a0"})
    assert code == -32000
    assert "OutOfGas" in message


def test_blocks_are_found_by_height_hash_and_tag(rpc, chain, sender):
    digest = hexed(sender.send(value=5))
    by_number = ask(rpc, "eth_getBlockByNumber", "0x1", False)
    assert by_number["transactions"] == [digest]
    assert by_number == ask(rpc, "eth_getBlockByHash", by_number["hash"])
    whole = ask(rpc, "eth_getBlockByNumber", "latest", True)
    assert whole["transactions"] == [ask(rpc, "eth_getTransactionByHash", digest)]
    assert ask(rpc, "eth_getBlockByNumber", "earliest")["timestamp"] == hex(START)
    for tag in ("safe", "finalized"):
        assert ask(rpc, "eth_getBlockByNumber", tag)["number"] == "0x0"
    assert ask(rpc, "eth_getBlockByNumber", "0x9") is None
    assert ask(rpc, "eth_getBlockByHash", "0x" + "00" * 32) is None


def test_receipts_of_a_block_are_those_of_its_transactions(rpc, chain, sender):
    counter = sender.deploy(COUNTER)
    chain.send_all([sender.sign(counter, nonce=n) for n in (1, 2)])
    receipts = ask(rpc, "eth_getBlockReceipts", "latest")
    assert receipts == ask(rpc, "eth_getBlockReceipts", receipts[0]["blockHash"])
    for receipt in receipts:
        assert receipt == ask(rpc, "eth_getTransactionReceipt", receipt["transactionHash"])
    assert [log["logIndex"] for receipt in receipts for log in receipt["logs"]] == ["0x0", "0x1"]
    assert ask(rpc, "eth_getBlockReceipts", "0x9") is None
    assert ask(rpc, "eth_getTransactionReceipt", "0x" + "11" * 32) is None
    assert ask(rpc, "eth_getTransactionByHash", "0x" + "11" * 32) is None


def test_the_state_behind_any_block_can_be_asked(rpc, sender):
    counter = sender.deploy(COUNTER)
    sender.send(counter)
    sender.send(counter, value=0)
    at = [ask(rpc, "eth_getStorageAt", counter, "0x0", hex(n)) for n in (1, 2, 3)]
    assert [int(one, 16) for one in at] == [0, 1, 2]
    assert ask(rpc, "eth_getStorageAt", counter, "0x" + "00" * 32) == at[2]
    assert ask(rpc, "eth_getCode", counter) == hexed(COUNTER)
    assert ask(rpc, "eth_getCode", counter, "0x0") == "0x"
    assert ask(rpc, "eth_getTransactionCount", sender.account.address, "pending") == "0x3"
    assert ask(rpc, "eth_getTransactionCount", sender.account.address, "0x1") == "0x1"
    assert ask(rpc, "eth_getBalance", NOBODY) == "0x0"
    block = ask(rpc, "eth_getBlockByNumber", "0x2")
    by_hash = {"blockHash": block["hash"], "requireCanonical": True}
    assert ask(rpc, "eth_getStorageAt", counter, "0x0", by_hash) == at[1]
    assert "header not found" in fault(rpc, "eth_getBalance", NOBODY, "0x99")[1]


def test_events_are_found_by_contract_topic_and_range(rpc, chain, sender):
    first, second = sender.deploy(COUNTER), sender.deploy(COUNTER)
    for counter in (first, second, first):
        sender.send(counter)
    everything = {"fromBlock": "earliest", "toBlock": "latest"}
    topic = "0x" + "00" * 31 + "07"
    found = ask(rpc, "eth_getLogs", everything)
    assert [log["blockNumber"] for log in found] == ["0x3", "0x4", "0x5"]
    assert ask(rpc, "eth_getLogs", everything | {"address": first}) == [found[0], found[2]]
    assert ask(rpc, "eth_getLogs", everything | {"address": [first, second]}) == found
    assert ask(rpc, "eth_getLogs", everything | {"topics": [topic]}) == found
    assert ask(rpc, "eth_getLogs", everything | {"topics": [[topic, "0x" + "11" * 32]]}) == found
    assert ask(rpc, "eth_getLogs", everything | {"topics": [None]}) == found
    assert ask(rpc, "eth_getLogs", everything | {"topics": ["0x" + "11" * 32]}) == []
    assert ask(rpc, "eth_getLogs", everything | {"topics": [topic, None]}) == []
    assert ask(rpc, "eth_getLogs", {"fromBlock": "0x4", "toBlock": "0x99"}) == found[1:]
    assert ask(rpc, "eth_getLogs", {"blockHash": found[1]["blockHash"]}) == [found[1]]
    chain.reorganise(1)
    assert ask(rpc, "eth_getLogs", everything) == found[:2]


def test_fees_are_told_for_blocks_and_for_the_next(rpc, sender):
    sender.send(max_tip=5)
    sender.send(max_tip=7)
    history = ask(rpc, "eth_feeHistory", "0x2", "latest", [0, 50, 100])
    assert history["oldestBlock"] == "0x1"
    assert len(history["baseFeePerGas"]) == 3
    assert history["reward"] == [["0x5"] * 3, ["0x7"] * 3]
    assert 0 < history["gasUsedRatio"][0] < 0.01
    tip = int(ask(rpc, "eth_maxPriorityFeePerGas"), 16)
    assert int(ask(rpc, "eth_gasPrice"), 16) == int(history["baseFeePerGas"][2], 16) + tip
    assert "reward" not in ask(rpc, "eth_feeHistory", "0x1", "earliest")


def test_who_answers_is_told(rpc):
    assert ask(rpc, "net_version") == str(0x54454550)
    assert ask(rpc, "web3_clientVersion").startswith("teeproof/")
    assert ask(rpc, "eth_syncing") is False
    assert ask(rpc, "eth_accounts") == []


def test_blocks_are_made_and_replaced_on_request(rpc, chain):
    assert ask(rpc, "teeproof_mine", "0x3") == hexed(chain.head().hash)
    assert chain.head().number == 3
    assert ask(rpc, "teeproof_reorg", "0x2") == hexed(chain.head().hash)
    assert chain.head().number == 4
    assert fault(rpc, "teeproof_reorg", "0x9")[0] == -32000


ADDRESS = "0x" + "11" * 20


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("eth_getBalance", [ADDRESS[:-1]]),
        ("eth_getBalance", [ADDRESS + "11"]),
        ("eth_getBalance", [5]),
        ("eth_getBalance", [ADDRESS, "newest"]),
        ("eth_getBalance", [ADDRESS, 5]),
        ("eth_getBalance", [ADDRESS, "0x01"]),
        ("eth_getBalance", [ADDRESS, "0x" + "f" * 64]),
        ("eth_getBalance", [ADDRESS, {"blockHash": "0x"}]),
        ("eth_getBalance", [ADDRESS, {"blockHash": "0x" + "00" * 32, "blockNumber": "0x1"}]),
        ("eth_getBalance", [ADDRESS, []]),
        ("eth_getBlockByNumber", ["latest", "yes"]),
        ("eth_getBlockByHash", ["0x1"]),
        ("eth_getStorageAt", [ADDRESS, "0x" + "00" * 31]),
        ("eth_getTransactionReceipt", [None]),
        ("eth_call", [None]),
        ("eth_call", [{"to": "0x"}]),
        ("eth_call", [{"to": ADDRESS, "data": "0x0"}]),
        ("eth_call", [{"to": ADDRESS, "data": "0x00", "input": "0x01"}]),
        ("eth_call", [{"to": ADDRESS, "unknown": 1}]),
        ("eth_call", [{"to": ADDRESS, "gas": 5}]),
        ("eth_call", [{"to": ADDRESS, "value": "-0x1"}]),
        ("eth_call", [{"to": ADDRESS}, "latest", {ADDRESS: {}}]),
        ("eth_getLogs", [[]]),
        ("eth_getLogs", [{"fromBlock": "0x0", "blockHash": "0x" + "00" * 32}]),
        ("eth_getLogs", [{"topics": ["0x1"]}]),
        ("eth_getLogs", [{"topics": [None] * 5}]),
        ("eth_getLogs", [{"address": [ADDRESS] * 300}]),
        ("eth_feeHistory", ["0x1", "latest", [200]]),
        ("eth_feeHistory", ["0x1", "latest", "x"]),
        ("eth_sendRawTransaction", ["nothing"]),
        ("teeproof_mine", ["0xffff"]),
    ],
    ids=str,
)
def test_client_that_says_something_else_than_the_method_takes_is_told_what(rpc, method, params):
    code, message = fault(rpc, method, *params)
    assert code == -32602
    assert message


def test_a_deployment_can_be_tried_as_a_call(rpc):
    assert ask(rpc, "eth_call", {"data": hexed(program(COUNTER))}) == hexed(COUNTER)
