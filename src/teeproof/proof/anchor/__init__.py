"""Anchors: a log's checkpoint in an event of an EVM chain, checked offline against a block hash.

    rlp, trie           Ethereum's encoding, and its Merkle-Patricia trie
    header, receipt     what we read of a block and of a transaction
    document            AnchorProof: from a block's header to one event
    verify              AnchorProof + checkpoint + trusted block hashes -> Anchored
    prove               what a node says of a block -> AnchorProof

The event is ``Anchored(bytes32 indexed origin, uint64 size, bytes32 root)`` of the contract
Anchors; origin is Keccak-256 of the log's origin line in UTF-8.

Trusts: the block hashes and contracts that the relying party passes in.
Does not trust: the prover, any node, the log's operator.
"""

from teeproof.proof.anchor.document import AnchorProof
from teeproof.proof.anchor.prove import build, header_from_rpc, receipt_from_rpc, receipts_root
from teeproof.proof.anchor.verify import EVENT, Anchored, TrustedBlock, verify

__all__ = [
    "EVENT",
    "AnchorProof",
    "Anchored",
    "TrustedBlock",
    "build",
    "header_from_rpc",
    "receipt_from_rpc",
    "receipts_root",
    "verify",
]
