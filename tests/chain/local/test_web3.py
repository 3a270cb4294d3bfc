"""web3.py, as it comes from the index, against the chain's process."""

from __future__ import annotations

import warnings

import pytest

from teeproof.chain.artifacts import load
from tests.chain.nodes import NOBODY, REFUSER, program

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what other libraries deprecate in each other
    from eth_account import Account as Theirs
    from web3 import HTTPProvider, Web3
    from web3.exceptions import ContractLogicError, TransactionNotFound, Web3RPCError


@pytest.fixture
def web3(node) -> Web3:
    return Web3(HTTPProvider(node.url))


@pytest.fixture
def payer(account):
    return Theirs.from_key(account._key.secret)


def sent(web3: Web3, payer, transaction) -> dict:
    signed = payer.sign_transaction(transaction)
    digest = web3.eth.send_raw_transaction(signed.raw_transaction)
    return web3.eth.wait_for_transaction_receipt(digest, timeout=120, poll_latency=0.01)


def call(web3: Web3, payer, **fields) -> dict:
    nonce = web3.eth.get_transaction_count(payer.address)
    return {"from": payer.address, "nonce": nonce, "chainId": web3.eth.chain_id, **fields}


def test_it_connects_and_reads_blocks(web3, node):
    assert web3.is_connected()
    assert web3.eth.chain_id == node.chain_id == int(web3.net.version)
    assert web3.client_version.startswith("teeproof/")
    latest = web3.eth.get_block("latest", full_transactions=True)
    assert latest.number == web3.eth.block_number
    assert web3.eth.get_block(latest.hash).hash == latest.hash
    assert web3.eth.get_block("finalized").number <= latest.number
    assert web3.eth.syncing is False


def test_it_fills_fees_and_gas_by_itself_and_moves_funds(web3, payer):
    filled = web3.eth.account.sign_transaction(
        {
            **call(web3, payer, to=Web3.to_checksum_address(NOBODY), value=7),
            "gas": web3.eth.estimate_gas({"from": payer.address, "to": payer.address, "value": 7}),
            "maxFeePerGas": 2 * web3.eth.gas_price,
            "maxPriorityFeePerGas": web3.eth.max_priority_fee,
        },
        payer.key,
    )
    before = web3.eth.get_balance(Web3.to_checksum_address(NOBODY))
    digest = web3.eth.send_raw_transaction(filled.raw_transaction)
    receipt = web3.eth.wait_for_transaction_receipt(digest)
    assert receipt.status == 1
    assert web3.eth.get_balance(Web3.to_checksum_address(NOBODY)) == before + 7
    assert web3.eth.get_transaction(digest)["from"] == payer.address
    assert web3.eth.get_block_receipts(receipt.blockNumber) == [receipt]
    history = web3.eth.fee_history(3, "latest", [25, 75])
    assert len(history["reward"]) == len(history["gasUsedRatio"])


def test_it_deploys_calls_and_follows_a_contract(web3, payer):
    token = load("TestToken")
    factory = web3.eth.contract(abi=list(token.abi), bytecode=token.bytecode)
    built = factory.constructor("Test", "TST", 6, 10**9).build_transaction(call(web3, payer))
    receipt = sent(web3, payer, built)
    contract = web3.eth.contract(address=receipt.contractAddress, abi=list(token.abi))
    assert contract.functions.symbol().call() == "TST"
    minted = contract.functions.mint(payer.address, 5).build_transaction(call(web3, payer))
    receipt = sent(web3, payer, minted)
    (event,) = contract.events.Transfer().process_receipt(receipt)
    assert event.args.value == 5
    assert list(contract.events.Transfer().get_logs(from_block=0)) == [event]
    assert web3.eth.get_code(contract.address)


def test_it_learns_why_a_contract_refuses(web3, payer):
    receipt = sent(
        web3,
        payer,
        call(web3, payer, data=program(REFUSER), gas=500_000, gasPrice=2 * web3.eth.gas_price),
    )
    for ask in (web3.eth.call, web3.eth.estimate_gas):
        with pytest.raises(ContractLogicError, match="no"):
            ask({"to": receipt.contractAddress, "from": payer.address})


def test_it_learns_why_the_chain_refuses(web3, payer):
    price = 2 * web3.eth.gas_price
    plain = {"to": Web3.to_checksum_address(NOBODY), "value": 1, "gas": 21_000, "gasPrice": price}
    good = call(web3, payer, **plain)
    sent(web3, payer, good)
    for change, said in (
        ({}, "nonce too low"),
        ({"nonce": 9}, "nonce too high"),
        ({"nonce": 1, "gas": 20_000}, "intrinsic gas too low"),
        ({"nonce": 1, "value": 10**30}, "insufficient funds"),
        ({"nonce": 1, "chainId": 1}, "another chain"),
    ):
        signed = payer.sign_transaction({**good, **change})
        with pytest.raises(Web3RPCError, match=said):
            web3.eth.send_raw_transaction(signed.raw_transaction)
    with pytest.raises(TransactionNotFound):
        web3.eth.get_transaction_receipt("0x" + "11" * 32)


def test_it_asks_several_things_at_once(web3):
    with web3.batch_requests() as batch:
        batch.add(web3.eth.get_block("earliest"))
        batch.add(web3.eth.get_block("latest"))
        first, last = batch.execute()
    assert first.number == 0 <= last.number


def test_it_reads_storage_and_state_of_the_past(web3, payer):
    assert web3.eth.get_storage_at(payer.address, 0) == bytes(32)
    assert web3.eth.get_balance(payer.address, 0) == 0
    assert web3.eth.get_balance(payer.address) > 0
