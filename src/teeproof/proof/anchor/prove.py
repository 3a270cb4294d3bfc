"""Make an anchor proof from what a node of the chain tells about a block.

    header_from_rpc   eth_getBlockByHash -> the header's RLP, checked against the block's hash
    receipt_from_rpc  eth_getBlockReceipts -> one receipt as it stands in the trie
    build             header, all receipts of the block, place of the event -> AnchorProof

Trusts: nothing; what does not add up to the block's hash is refused.  Does not trust: the node.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from teeproof.core.digests import keccak256
from teeproof.core.errors import Malformed, NotAuthentic, Usage
from teeproof.proof.anchor import rlp, trie
from teeproof.proof.anchor.document import AnchorProof
from teeproof.proof.anchor.header import NUMBERS, SIZES
from teeproof.proof.anchor.header import parse as parse_header
from teeproof.proof.anchor.receipt import parse as parse_receipt

__all__ = ["build", "header_from_rpc", "receipt_from_rpc", "receipts_root"]

# Names in Ethereum's JSON-RPC (execution-apis, Block), in the order of the header's fields.
_FIELDS = (
    *("parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot"),
    *("logsBloom", "difficulty", "number", "gasLimit", "gasUsed", "timestamp", "extraData"),
    *("mixHash", "nonce", "baseFeePerGas", "withdrawalsRoot", "blobGasUsed", "excessBlobGas"),
    *("parentBeaconBlockRoot", "requestsHash"),
)
_ALWAYS = max(*SIZES, *NUMBERS) + 1
_NUMBERS = {*(_FIELDS[place] for place in NUMBERS), "baseFeePerGas", "blobGasUsed", "excessBlobGas"}
# execution-apis, base types: bytes have two digits each, quantities as many as they need.
_DATA = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")


def build(
    *, chain_id: int, header: bytes, receipts: Sequence[bytes], transaction: int, log: int
) -> AnchorProof:
    """Return the proof that a block holds an event.

    Args:
        chain_id: the chain, as in EIP-155.
        header: the block header's RLP.
        receipts: every receipt of the block in order, as they stand in the trie.
        transaction: the transaction's place in the block, from 0.
        log: the event's place in that transaction's receipt, from 0.

    Raises:
        Usage: there is no such transaction or event.
        NotAuthentic: the receipts are not those of the header (``receipts_root_mismatch``).
        Malformed, TooLarge: the header, the receipt, or the proof that would come of them.
    """
    if not 0 <= transaction < len(receipts):
        raise Usage(f"the block has {len(receipts)} receipts, and none at {transaction}")
    logs = parse_receipt(receipts[transaction]).logs
    if not 0 <= log < len(logs):
        raise Usage(f"the receipt has {len(logs)} events, and none at {log}")
    root, nodes = trie.prove(_items(receipts), _key(transaction))
    if root != (expected := parse_header(header).receipts_root):
        raise NotAuthentic(
            "the receipts are not those of this block: give all of them, in order",
            code="receipts_root_mismatch",
            expected=expected.hex(),
            got=root.hex(),
        )
    proof = AnchorProof(
        chain_id=chain_id, header=header, transaction=transaction, nodes=nodes, log=log
    )
    proof.encode()  # refuses what no reader would take
    return proof


def receipts_root(receipts: Sequence[bytes]) -> bytes:
    """Return the root, 32 bytes, of the trie of a block's receipts."""
    return trie.root_of(_items(receipts))


def _items(receipts: Sequence[bytes]) -> dict[bytes, bytes]:
    return {_key(place): receipt for place, receipt in enumerate(receipts)}


def _key(place: int) -> bytes:
    return rlp.encode(rlp.from_uint(place))


def header_from_rpc(block: Mapping[str, Any]) -> bytes:
    """Return the header's RLP of a block in the form of Ethereum's JSON-RPC.

    Raises:
        Malformed: a field that is missing, or not hexadecimal (``rpc_malformed``).
        NotAuthentic: the fields do not give the block's hash (``header_hash_mismatch``): they were
            changed, or a later fork appended one that is not known here.
    """
    names = [name for at, name in enumerate(_FIELDS) if at < _ALWAYS or block.get(name) is not None]
    header = rlp.encode([(_number if name in _NUMBERS else _field)(block, name) for name in names])
    digest, expected = keccak256(header), _field(block, "hash")
    if digest != expected:
        raise NotAuthentic(
            "the block's fields do not give its hash: ask another node, or update teeproof if the"
            " chain has had a fork since",
            code="header_hash_mismatch",
            expected=expected.hex(),
            got=digest.hex(),
        )
    return header


def receipt_from_rpc(receipt: Mapping[str, Any]) -> bytes:
    """Return a receipt in the form of Ethereum's JSON-RPC as it stands in the trie.

    Raises:
        Malformed: a field that is missing, not hexadecimal (``rpc_malformed``), or of a type that
            is not known; see ``receipt.parse``.
    """
    kind = _number(receipt, "type") if receipt.get("type") is not None else b""
    body = rlp.encode(
        [
            _number(receipt, "status"),
            _number(receipt, "cumulativeGasUsed"),
            _field(receipt, "logsBloom"),
            [_log(log) for log in _list(receipt, "logs")],
        ]
    )
    parse_receipt(kind + body)
    return kind + body


def _log(log: Any) -> list[rlp.Item]:
    if not isinstance(log, Mapping):
        raise _malformed("logs", "a list of objects")
    topics = [_hex("topics", topic) for topic in _list(log, "topics")]
    return [_field(log, "address"), topics, _field(log, "data")]


def _list(found: Mapping[str, Any], name: str) -> list[Any]:
    value = found.get(name)
    if not isinstance(value, list):
        raise _malformed(name, "a list")
    return value


def _field(found: Mapping[str, Any], name: str) -> bytes:
    return _hex(name, found.get(name))


def _hex(name: str, value: Any) -> bytes:
    if not isinstance(value, str) or not _DATA.fullmatch(value):
        raise _malformed(name, "0x and two hexadecimal digits per byte")
    return bytes.fromhex(value[2:])


def _number(found: Mapping[str, Any], name: str) -> bytes:
    value = found.get(name)
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        raise _malformed(name, "0x and a hexadecimal number")
    return rlp.from_uint(int(value, 16))


def _malformed(name: str, expected: str) -> Malformed:
    return Malformed(
        f"the node's answer has no usable field {name}", code="rpc_malformed", expected=expected
    )
