"""What a node's answers say: blocks, receipts, events; each form checked before it is used.

Trusts: nothing.  Does not trust: the node.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from teeproof.chain.abi import Contract, Event
from teeproof.core.errors import Malformed

__all__ = [
    "BlockHead",
    "Mined",
    "Receipt",
    "block_head",
    "events_in",
    "in_bytes",
    "in_list",
    "in_number",
    "mined",
    "receipt_of",
]

_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}", re.ASCII)  # of at most 256 bits, as the chain's own


@dataclass(frozen=True, slots=True)
class BlockHead:
    """What matters of a block: hashes are text, the time is seconds since 1970, fees are wei."""

    number: int
    hash: str
    parent: str
    timestamp: int
    base_fee: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a transaction: ``status`` 1 stands, 0 failed; ``created`` was deployed."""

    tx_hash: str
    block: int
    block_hash: str
    status: int
    gas_used: int
    created: str | None
    logs: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Mined:
    """A transaction that stands in a block, with the events of the contract that was called."""

    tx_hash: str
    block: int
    status: int
    gas_used: int
    events: tuple[Event, ...]
    receipt: Receipt

    def of(self, contract: Contract) -> tuple[Event, ...]:
        """Return the events that another contract left in the same transaction."""
        return events_in(self.receipt.logs, contract)


def mined(receipt: Receipt, contract: Contract | None) -> Mined:
    """Return a receipt with the events of a contract."""
    events = () if contract is None else events_in(receipt.logs, contract)
    return Mined(receipt.tx_hash, receipt.block, receipt.status, receipt.gas_used, events, receipt)


def events_in(logs: Sequence[Mapping[str, Any]], contract: Contract) -> tuple[Event, ...]:
    """Return those of a contract among logs of the JSON-RPC."""
    own = (log for log in logs if _text(_field(log, "address")).lower() == contract.address)
    return tuple(event for log in own if (event := contract.interface.event(log)) is not None)


def block_head(found: Any) -> BlockHead:
    """Return what matters of a block of the JSON-RPC."""
    return BlockHead(
        number=in_number(_field(found, "number"), "number"),
        hash=_text(_field(found, "hash")),
        parent=_text(_field(found, "parentHash")),
        timestamp=in_number(_field(found, "timestamp"), "timestamp"),
        base_fee=in_number(found.get("baseFeePerGas", "0x0"), "base fee"),
    )


def receipt_of(found: Any) -> Receipt:
    """Return a receipt of the JSON-RPC."""
    created = _field(found, "contractAddress")
    return Receipt(
        tx_hash=_text(_field(found, "transactionHash")),
        block=in_number(_field(found, "blockNumber"), "block number"),
        block_hash=_text(_field(found, "blockHash")),
        status=in_number(_field(found, "status"), "status"),
        gas_used=in_number(_field(found, "gasUsed"), "gas"),
        created=None if created is None else _text(created).lower(),
        logs=tuple(in_list(_field(found, "logs"))),
    )


def _field(found: Any, name: str) -> Any:
    if not isinstance(found, Mapping) or name not in found:
        raise Malformed(f"the node's answer lacks {name}", code="node_malformed", expected=name)
    return found[name]


def in_list(found: Any) -> list[Any]:
    """Return a list."""
    if not isinstance(found, list):
        raise Malformed("the node's answer is no list", code="node_malformed")
    return found


def _text(found: Any) -> str:
    if not isinstance(found, str):
        raise Malformed("the node's answer is no text", code="node_malformed")
    return found


def in_number(found: Any, what: str) -> int:
    """Return the number of a quantity, below 2^256."""
    text = _text(found)
    if not _QUANTITY.fullmatch(text):
        raise Malformed(
            f"the node's {what} is no number",
            code="node_malformed",
            expected="0x and at most 64 hex digits",
            got=ascii(text[:80])[1:-1],
        )
    return int(text, 16)


def in_bytes(found: Any, what: str) -> bytes:
    """Return the bytes of hexadecimal text."""
    try:
        return bytes.fromhex(_text(found).removeprefix("0x"))
    except ValueError:
        raise Malformed(f"the node's {what} is not hexadecimal", code="node_malformed") from None
