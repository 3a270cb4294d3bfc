"""Blocks, transactions, receipts and events as Ethereum's JSON-RPC shows them.

Everything is read from the bytes that are kept: the header's, the transaction's and the receipt's
RLP. No EVM is needed to look something up.

Source: Ethereum's execution-apis; EIP-2930, EIP-1559 and EIP-7702 for the fields of transactions.

Trusts: the store.  Does not trust: nobody else is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from teeproof.chain.local.store import Block, Event, Transaction
from teeproof.proof.anchor import rlp

__all__ = ["block_json", "event_json", "header_fields", "hexed", "receipt_json", "transaction_json"]

_HEADER = (
    *("parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot"),
    *("logsBloom", "difficulty", "number", "gasLimit", "gasUsed", "timestamp", "extraData"),
    *("mixHash", "nonce", "baseFeePerGas", "withdrawalsRoot", "blobGasUsed", "excessBlobGas"),
    *("parentBeaconBlockRoot", "requestsHash"),
)
_NUMBERS = frozenset(
    {"difficulty", "number", "gasLimit", "gasUsed", "timestamp", "baseFeePerGas", "chainId"}
    | {"blobGasUsed", "excessBlobGas", "nonce", "gasPrice", "maxPriorityFeePerGas"}
    | {"maxFeePerGas", "gas", "value", "v", "r", "s", "yParity"}
)
_TAIL = ("to", "value", "input")
_FIELDS = {
    0: ("nonce", "gasPrice", "gas", *_TAIL, "v", "r", "s"),
    1: ("chainId", "nonce", "gasPrice", "gas", *_TAIL, "accessList", "yParity", "r", "s"),
    2: (
        *("chainId", "nonce", "maxPriorityFeePerGas", "maxFeePerGas", "gas", *_TAIL),
        *("accessList", "yParity", "r", "s"),
    ),
    4: (
        *("chainId", "nonce", "maxPriorityFeePerGas", "maxFeePerGas", "gas", *_TAIL),
        *("accessList", "authorizationList", "yParity", "r", "s"),
    ),
}
_LIMIT = 1 << 24
_EMPTY_BLOCK = 3  # bytes of the lists of transactions, uncles and withdrawals


def hexed(value: int | bytes) -> str:
    """Return a quantity of a number, or the data of bytes."""
    return f"{value:#x}" if isinstance(value, int) else "0x" + value.hex()


def header_fields(block: Block) -> dict[str, Any]:
    """Return the header's fields under their names."""
    values = rlp.strings(rlp.decode(block.header, limit=_LIMIT, what="header"), what="header")
    found: dict[str, Any] = {}
    for name, value in zip(_HEADER, values, strict=True):
        number = name in _NUMBERS and name != "nonce"
        found[name] = hexed(int.from_bytes(value, "big") if number else value)
    return found


def block_json(block: Block, transactions: Sequence[Transaction], *, full: bool) -> dict[str, Any]:
    """Return a block with its transactions, or with their hashes."""
    listed = [transaction_json(tx, block) if full else hexed(tx.hash) for tx in transactions]
    size = len(block.header) + sum(len(tx.raw) for tx in transactions) + _EMPTY_BLOCK
    return {
        **header_fields(block),
        "hash": hexed(block.hash),
        "size": hexed(size),
        "totalDifficulty": "0x0",
        "transactions": listed,
        "uncles": [],
        "withdrawals": [],
    }


def transaction_json(transaction: Transaction, block: Block) -> dict[str, Any]:
    """Return a transaction of a block."""
    kind, fields = _decoded(transaction.raw)
    found: dict[str, Any] = {}
    for name, value in zip(_FIELDS[kind], fields, strict=True):
        if name == "accessList":
            found[name] = [_access(entry) for entry in value]
        elif name == "authorizationList":
            found[name] = [_authorization(entry) for entry in value]
        elif isinstance(value, bytes):
            found[name] = hexed(int.from_bytes(value, "big") if name in _NUMBERS else value)
    if "v" not in found:
        found["v"] = found["yParity"]
    else:
        found["chainId"] = hexed((int(found["v"], 16) - 35) // 2)  # EIP-155
    found["to"] = None if found["to"] == "0x" else found["to"]
    return {
        **found,
        "type": hexed(kind),
        "hash": hexed(transaction.hash),
        "from": hexed(transaction.sender),
        "gasPrice": hexed(transaction.gas_price),
        **_place(transaction, block),
    }


def receipt_json(transaction: Transaction, block: Block) -> dict[str, Any]:
    """Return the receipt of a transaction of a block."""
    kind, fields = _decoded(transaction.raw)
    body = transaction.receipt[1:] if kind else transaction.receipt
    status, used, bloom, logs = rlp.decode(body, limit=_LIMIT, what="receipt")
    assert isinstance(status, bytes)
    assert isinstance(used, bytes)
    assert isinstance(bloom, bytes)
    assert isinstance(logs, list)
    to = fields[_FIELDS[kind].index("to")]
    return {
        "transactionHash": hexed(transaction.hash),
        **_place(transaction, block),
        "from": hexed(transaction.sender),
        "to": hexed(to) if to else None,
        "type": hexed(kind),
        "status": hexed(int.from_bytes(status, "big")),
        "cumulativeGasUsed": hexed(int.from_bytes(used, "big")),
        "gasUsed": hexed(transaction.gas_used),
        "effectiveGasPrice": hexed(transaction.gas_price),
        "contractAddress": None if transaction.created is None else hexed(transaction.created),
        "logsBloom": hexed(bloom),
        "logs": [
            event_json(_event(log, transaction, block, place), canonical=block.canonical)
            for place, log in enumerate(logs)
        ],
    }


def event_json(event: Event, *, canonical: bool = True) -> dict[str, Any]:
    """Return an event; ``removed`` says that its block is no part of the chain."""
    return {
        "address": hexed(event.address),
        "topics": [hexed(topic) for topic in event.topics],
        "data": hexed(event.data),
        "blockHash": hexed(event.block),
        "blockNumber": hexed(event.number),
        "transactionHash": hexed(event.transaction),
        "transactionIndex": hexed(event.transaction_place),
        "logIndex": hexed(event.place),
        "removed": not canonical,
    }


def _place(transaction: Transaction, block: Block) -> dict[str, Any]:
    return {
        "blockHash": hexed(block.hash),
        "blockNumber": hexed(block.number),
        "transactionIndex": hexed(transaction.place),
    }


def _decoded(raw: bytes) -> tuple[int, Any]:
    kind = 0 if raw[0] >= 0xC0 else raw[0]
    return kind, rlp.decode(raw[1:] if kind else raw, limit=_LIMIT, what="transaction")


def _event(log: Any, transaction: Transaction, block: Block, place: int) -> Event:
    address, topics, data = log
    at = (block.hash, transaction.first_log + place, block.number)
    return Event(*at, transaction.hash, transaction.place, address, tuple(topics), data)


def _access(entry: Any) -> dict[str, Any]:
    address, keys = entry
    return {"address": hexed(address), "storageKeys": [hexed(key.rjust(32, b"\0")) for key in keys]}


def _authorization(entry: Any) -> dict[str, Any]:
    names = ("chainId", "address", "nonce", "yParity", "r", "s")
    return {
        name: hexed(value if name == "address" else int.from_bytes(value, "big"))
        for name, value in zip(names, entry, strict=True)
    }
