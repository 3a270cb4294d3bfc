"""The document that shows an anchor: a block's header, and the way from there to one event.

It is RLP, like everything in it, and so has one encoding:

    ["teeproof.anchor.v1", chain id, header, transaction, [trie node, …], log]

Trusts: nothing; it only reads and writes.  Does not trust: the document.
"""

from __future__ import annotations

from typing import Any

import msgspec

from teeproof.core.errors import Malformed, TooLarge
from teeproof.proof.anchor import rlp
from teeproof.proof.anchor.header import MAX_HEADER_BYTES
from teeproof.proof.anchor.trie import MAX_NODE_BYTES

__all__ = ["FORMAT", "MAX_LOG", "MAX_NODES", "MAX_PROOF_BYTES", "MAX_TRANSACTION", "AnchorProof"]

FORMAT = b"teeproof.anchor.v1"
MAX_PROOF_BYTES = 1 << 18
MAX_TRANSACTION = (1 << 24) - 1  # mainnet: below 5,000 in a block
MAX_LOG = (1 << 16) - 1
MAX_CHAIN_ID = (1 << 64) - 1
MAX_NODES = 9  # the key of the last transaction has 8 nibbles, each of which may take a branch
_WHAT = "anchor proof"


class AnchorProof(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a block, and what shows that the block holds it.

    Attributes:
        chain_id: the chain, as in EIP-155.
        header: the block header's RLP.
        transaction: the transaction's place in the block, from 0.
        nodes: RLP of the nodes from the receipts root to the transaction's receipt.
        log: the event's place in the receipt, from 0 (RPC calls count within the block).

    Raises:
        TooLarge: more than the sizes above.
        Malformed: a number out of range, or no nodes (``anchor_malformed``).
    """

    chain_id: int
    header: bytes
    transaction: int
    nodes: tuple[bytes, ...]
    log: int

    def __post_init__(self) -> None:
        """Hold every bound, however the object came about."""
        _require_range("chain id", self.chain_id, 1, MAX_CHAIN_ID)
        _require_range("transaction", self.transaction, 0, MAX_TRANSACTION)
        _require_range("log", self.log, 0, MAX_LOG)
        _require_range("number of trie nodes", len(self.nodes), 1, MAX_NODES)
        _require_size("block header", self.header, MAX_HEADER_BYTES)
        for node in self.nodes:
            _require_size("trie node", node, MAX_NODE_BYTES)

    @classmethod
    def parse(cls, data: bytes) -> AnchorProof:
        """Return the proof in ``data``.

        Raises:
            TooLarge: more than ``MAX_PROOF_BYTES``, or a part beyond its own bound.
            Malformed: not canonical RLP (``rlp_malformed``), or of another form
                (``anchor_malformed``).
        """
        item = rlp.decode(data, limit=MAX_PROOF_BYTES, what=_WHAT)
        if isinstance(item, bytes) or len(item) != 6 or item[0] != FORMAT:
            raise _malformed(f"a list of 6 parts that begins with {FORMAT.decode()}", "another")
        _, chain_id, header, transaction, nodes, log = item
        if not isinstance(header, bytes):
            raise _malformed("a block header that is a byte string", "a list")
        return cls(
            chain_id=rlp.uint(chain_id, size=8, what="chain id"),
            header=header,
            transaction=rlp.uint(transaction, size=3, what="transaction's place"),
            nodes=tuple(rlp.strings(nodes, what="list of trie nodes")),
            log=rlp.uint(log, size=2, what="log's place"),
        )

    def encode(self) -> bytes:
        """Return the document.

        Raises:
            TooLarge: more than ``MAX_PROOF_BYTES``.
        """
        number = rlp.from_uint
        parts = (FORMAT, number(self.chain_id), self.header, number(self.transaction))
        data = rlp.encode((*parts, self.nodes, number(self.log)))
        _require_size(_WHAT, data, MAX_PROOF_BYTES)
        return data

    def to_json(self) -> dict[str, Any]:
        """Return the proof for people and programs."""
        return {
            "chain_id": self.chain_id,
            "header": self.header.hex(),
            "transaction": self.transaction,
            "nodes": [node.hex() for node in self.nodes],
            "log": self.log,
        }


def _require_range(what: str, number: int, least: int, most: int) -> None:
    if not least <= number <= most:
        raise _malformed(f"a {what} from {least} to {most}", str(number))


def _require_size(what: str, data: bytes, limit: int) -> None:
    if len(data) > limit:
        raise TooLarge(
            f"the {what} is too large", expected=f"at most {limit} bytes", got=f"{len(data)} bytes"
        )


def _malformed(expected: str, got: str) -> Malformed:
    return Malformed(
        "this is not an anchor proof", code="anchor_malformed", expected=expected, got=got
    )
