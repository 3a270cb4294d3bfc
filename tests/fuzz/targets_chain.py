"""Fuzz targets for the chain: what its port is asked, raw transactions, what a node answers."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path

from teeproof.chain.abi import Interface
from teeproof.chain.account import Account, Fields
from teeproof.chain.answers import block_head, receipt_of
from teeproof.chain.artifacts import NAMES, load, recognise
from teeproof.chain.local.admission import decode
from teeproof.chain.local.chain import LocalChain
from teeproof.chain.local.rpc import Rpc
from teeproof.chain.local.views import block_json, receipt_json, transaction_json
from teeproof.chain.revert import reason_of
from teeproof.chain.seen import event_of
from teeproof.core.digests import keccak256
from teeproof.core.errors import Error, Malformed, TooLarge

NOBODY = "0x" + "11" * 20
SECRET = b"\1" * 32
FEE = 2 * 10**9
TOKEN = Interface(load("TestToken").abi)


@cache
def chain(_use: str = "requests") -> LocalChain:
    """A chain whose funded account is known, so that seeds are transactions that it takes."""
    folder = Path(tempfile.mkdtemp())
    Account(SECRET).save(folder / "funded.key")
    found = LocalChain.open(folder, finality=64, now=lambda: 1_780_000_000)
    atexit.register(lambda: (found.close(), shutil.rmtree(folder)))
    return found


def signed(nonce: int = 0, **other: object) -> bytes:
    """A transaction of the funded account."""
    fields = Fields(0x54454550, nonce, NOBODY, b"\1\2", 1, 60_000, FEE, 1)
    return Account(SECRET).sign(fields._replace(**other)).raw


def fuzz_raw_transaction(data: bytes) -> None:
    """What is taken has one encoding, a sender and bounds, and is shown as it was sent."""
    place = chain("transactions")
    with suppress(Error):
        transaction = decode(data, chain_id=0x54454550)
        assert transaction.encode() == data
        assert len(transaction.sender) == 20
        digest = place.send(data)
        assert digest == keccak256(data)
        kept = place.transaction(digest)
        block = place.head()
        assert kept.raw == data
        json.dumps(transaction_json(kept, block))
        json.dumps(receipt_json(kept, block))
        json.dumps(block_json(block, [kept], full=True))
        place.reorganise(1)  # so that the next one finds the nonce unused


def fuzz_chain_request(data: bytes) -> None:
    """Whatever is asked is answered in JSON-RPC, and the chain lives on."""
    answer = Rpc(chain()).answer(data)
    if answer:
        said = json.loads(answer)
        for one in said if isinstance(said, list) else [said]:
            assert one["jsonrpc"] == "2.0"
            assert ("result" in one) != ("error" in one)
            assert one.get("error", {}).get("code") != -32603
    assert chain().head().number < 1 << 20


def fuzz_chain_revert(data: bytes) -> None:
    """A reason is short printable ASCII."""
    reason = reason_of(data)
    assert reason.isascii()
    assert len(reason) <= 200
    assert reason.isprintable()


def fuzz_chain_event(data: bytes) -> None:
    """An event of a node is decoded, refused, or of another interface."""
    with suppress(ValueError, RecursionError):
        log = json.loads(data)
        if isinstance(log, dict):
            with suppress(Malformed):
                TOKEN.event(log)


def fuzz_chain_answer(data: bytes) -> None:
    """A block or receipt of a node is read or refused."""
    with suppress(ValueError, RecursionError):
        found = json.loads(data)
        for read in (receipt_of, block_head):
            with suppress(Malformed):
                read(found)


def fuzz_chain_seen(data: bytes) -> None:
    """Events that a node makes up are of our contracts' form and in a block, or are refused."""
    with suppress(ValueError, RecursionError, Malformed):
        logs = json.loads(data)
        for log in logs if isinstance(logs, list) else [logs]:
            for event in event_of(TOKEN, log):
                assert 0 <= event.block < 1 << 63
                assert len(event.tx_hash) == len(event.block_hash) == 66


def fuzz_chain_result(data: bytes) -> None:
    """What a call returns is decoded or refused."""
    for name, count in (("name", 0), ("balanceOf", 1), ("allowance", 2)):
        with suppress(Malformed):
            TOKEN.result(name, [None] * count, data)


def fuzz_chain_code(data: bytes) -> None:
    """Code of a chain is ours or not; bytecode ends as the compiler ends it, or is refused."""
    assert recognise(data) in (None, *NAMES)
    with suppress(Malformed, TooLarge):
        runtime = replace(load("Pool"), bytecode=data).runtime
        assert runtime.is_in(runtime.code + bytes(runtime.immutables))


def _request(method: str, *params: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()


def _requests() -> list[bytes]:
    call = {"from": NOBODY, "to": NOBODY, "data": "0x01", "value": "0x0", "gas": "0xffff"}
    raw = "0x" + signed().hex()
    everything = {"fromBlock": "0x0", "toBlock": "latest", "topics": [None, ["0x" + "00" * 32]]}
    one = [
        _request("eth_call", call, "latest"),
        _request("eth_estimateGas", call),
        _request("eth_getLogs", everything | {"address": [NOBODY]}),
        _request("eth_getBlockByNumber", "0x0", True),
        _request("eth_getBlockByHash", "0x" + chain().at(0).hash.hex(), False),
        _request("eth_getStorageAt", NOBODY, "0x0", {"blockNumber": "0x0"}),
        _request("eth_feeHistory", "0x2", "latest", [10, 50.5]),
        _request("eth_sendRawTransaction", raw),
        _request("teeproof_reorg", "0x1", True),
        _request("teeproof_mine", "0x2"),
    ]
    return [*one, b"[" + b",".join(one) + b"]"]


_EVENT = {
    "address": NOBODY, "data": "0x" + "00" * 31 + "05", "blockNumber": "0x7", "logIndex": "0x0",
    "blockHash": "0x" + "cd" * 32, "transactionHash": "0x" + "ef" * 32,
    "topics": ["0x" + TOKEN.topic("Transfer").hex(), *("0x" + "00" * 12 + "11" * 20,) * 2],
}  # fmt: skip

SEEDS = {
    "fuzz_raw_transaction": lambda: [
        signed(),
        signed(to=None, data=b"\x60\0\x60\0\xf3", value=0),
        signed(gas=1 << 24, data=bytes(50) + b"\1" * 50),
    ],
    "fuzz_chain_request": _requests,
    "fuzz_chain_seen": lambda: [json.dumps([_EVENT]).encode(), json.dumps(_EVENT).encode()],
    "fuzz_chain_code": lambda: [
        *(load(name).bytecode for name in NAMES),
        *(load(name).runtime.code for name in NAMES),
    ],
    "fuzz_chain_revert": lambda: [
        bytes.fromhex("08c379a0") + (32).to_bytes(32, "big") + (2).to_bytes(32, "big") + b"no",
        bytes.fromhex("4e487b71") + (17).to_bytes(32, "big"),
    ],
    "fuzz_chain_event": lambda: [
        json.dumps(
            {
                "address": NOBODY,
                "topics": ["0x" + TOKEN.topic("Transfer").hex(), *["0x" + "00" * 32] * 2],
                "data": "0x" + "00" * 32,
                "blockNumber": "0x1",
                "blockHash": "0x11",
                "transactionHash": "0x22",
                "logIndex": "0x0",
            }
        ).encode()
    ],
    "fuzz_chain_answer": lambda: [
        json.dumps(
            {
                "transactionHash": "0x11",
                "blockNumber": "0x1",
                "blockHash": "0x22",
                "status": "0x1",
                "gasUsed": "0x1",
                "contractAddress": None,
                "logs": [],
            }
        ).encode(),
        json.dumps(
            {"number": "0x1", "hash": "0x11", "parentHash": "0x22", "timestamp": "0x1"}
        ).encode(),
    ],
    "fuzz_chain_result": lambda: [
        (32).to_bytes(32, "big") + (2).to_bytes(32, "big") + b"no".ljust(32, b"\0")
    ],
}
