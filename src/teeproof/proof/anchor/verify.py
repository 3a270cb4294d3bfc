"""Was this checkpoint of a log written to a public chain, and when at the latest?

    block        its hash is one that the relying party trusts
    chain        and of the chain that the proof names
    receipt      stands in the block's trie, at the place of the transaction
    transaction  succeeded
    event        is there, was left by a trusted contract, and is Anchored
    checkpoint   of this log, of this size, with this root

Whether a hash belongs to a chain is not decided here: the caller learned it from a node, a light
client or a finalised checkpoint of its own, and says so by passing it in.

Trusts: the block hashes and contracts that the relying party passes in.
Does not trust: the prover, any node, the log's operator.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from teeproof.core.digests import keccak256
from teeproof.core.errors import NotAuthentic
from teeproof.proof.anchor import header as headers
from teeproof.proof.anchor import receipt as receipts
from teeproof.proof.anchor import rlp, trie
from teeproof.proof.anchor.document import AnchorProof
from teeproof.proof.anchor.header import Header
from teeproof.proof.anchor.receipt import Log, Receipt

if TYPE_CHECKING:
    from teeproof.proof.log.formats.checkpoint import Checkpoint

__all__ = ["EVENT", "Anchored", "TrustedBlock", "verify"]

EVENT = "Anchored(bytes32,uint64,bytes32)"  # origin (indexed), size, root


class TrustedBlock(msgspec.Struct, frozen=True):
    """What a relying party says of a block whose hash it trusts.

    Attributes:
        chain_id: the chain that the block is of, as in EIP-155.
        public: whether nobody among the proof's parties decides alone which blocks the chain has.
        contracts: addresses (20 bytes) of the Anchors contracts that it trusts there.
    """

    chain_id: int
    public: bool
    contracts: frozenset[bytes]


class Anchored(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint that stands in a block.

    Attributes:
        time: seconds since 1970 in the block's header; proves nothing unless ``public``.
        number: the block's number.
        block: 32 bytes, the block's hash.
        chain_id: the chain.
        contract: 20 bytes, the address that left the event.
        public: whether the chain is public, so that the time is evidence.
        why: what the time rests on, or why it is none, in one sentence.
    """

    time: int
    number: int
    block: bytes
    chain_id: int
    contract: bytes
    public: bool
    why: str

    @property
    def proven_time(self) -> int | None:
        """The moment at which the checkpoint existed at the latest; None where none is proven."""
        return self.time if self.public else None


def verify(
    proof: AnchorProof,
    *,
    origin: str,
    checkpoint: Checkpoint,
    trusted_blocks: Mapping[bytes, TrustedBlock],
) -> Anchored:
    """Return when and where the checkpoint was anchored.

    Args:
        proof: the document of a stranger.
        origin: the log that the relying party asks about.
        checkpoint: the checkpoint whose anchor this is to be.
        trusted_blocks: by block hash, 32 bytes.

    Raises:
        TooLarge: a header, node or receipt beyond its bound.
        Malformed: a header, node or receipt of another form; see their modules.
        NotAuthentic: ``anchor_other_log``, ``block_untrusted``, ``block_other_chain``; those of
            ``trie.value_at``; ``transaction_failed``, ``event_absent``, ``event_other_contract``,
            ``event_other``, ``event_malformed``, ``event_other_origin``, ``event_other_size``,
            ``event_other_root``.
    """
    _require("anchor_other_log", "the checkpoint is of another log", origin, checkpoint.origin)
    header, block = _trusted(proof, trusted_blocks)
    log = _log(_receipt(proof, header), proof.log)
    _require_contract(log, block)
    found_origin, size, root = _event(log)
    expected = keccak256(origin.encode())
    _require(
        "event_other_origin", "the event is of another log", expected.hex(), found_origin.hex()
    )
    _require("event_other_size", "the event is of another size", str(checkpoint.size), str(size))
    _require("event_other_root", "the event has another root", checkpoint.root.hex(), root.hex())
    return Anchored(
        time=header.time,
        number=header.number,
        block=header.hash,
        chain_id=block.chain_id,
        contract=log.address,
        public=block.public,
        why=_why(header, block),
    )


def _trusted(
    proof: AnchorProof, trusted_blocks: Mapping[bytes, TrustedBlock]
) -> tuple[Header, TrustedBlock]:
    # Nothing of the header is read before its hash is known: it is a stranger's until then.
    digest = keccak256(proof.header)
    block = trusted_blocks.get(digest)
    if block is None:
        raise NotAuthentic(
            "the block is none that you trust: look its hash up on the chain, and name it",
            code="block_untrusted",
            expected=f"one of {len(trusted_blocks)} block hashes",
            got=digest.hex(),
        )
    _require(
        "block_other_chain",
        "the block is of another chain than the proof says",
        str(block.chain_id),
        str(proof.chain_id),
    )
    return headers.parse(proof.header), block


def _receipt(proof: AnchorProof, header: Header) -> Receipt:
    key = rlp.encode(rlp.from_uint(proof.transaction))
    raw = trie.value_at(header.receipts_root, key, proof.nodes, prefix_free=True)
    receipt = receipts.parse(raw)
    if not receipt.succeeded:
        raise NotAuthentic(
            "the transaction failed, so it anchored nothing",
            code="transaction_failed",
            expected="status 1",
            got="status 0",
        )
    return receipt


def _log(receipt: Receipt, place: int) -> Log:
    if place >= len(receipt.logs):
        raise NotAuthentic(
            "the transaction left no event at this place",
            code="event_absent",
            expected=f"a place below {len(receipt.logs)}",
            got=str(place),
        )
    return receipt.logs[place]


def _require_contract(log: Log, block: TrustedBlock) -> None:
    if log.address not in block.contracts:
        raise NotAuthentic(
            "the event is of a contract that you do not trust with anchors",
            code="event_other_contract",
            expected=", ".join(sorted(address.hex() for address in block.contracts)) or "none",
            got=log.address.hex(),
        )


def _event(log: Log) -> tuple[bytes, int, bytes]:
    """Return the origin's hash, the size and the root that the event holds."""
    topic = keccak256(EVENT.encode())
    _require(
        "event_other", f"the event is not {EVENT}", topic.hex(), b"".join(log.topics[:1]).hex()
    )
    # ABI: each value takes 32 bytes, a number stands at the end of them.
    if len(log.topics) != 2 or len(log.data) != 64 or any(log.data[:24]):
        raise NotAuthentic(
            "the event is not encoded as its signature says",
            code="event_malformed",
            expected="2 topics; a number below 2^64 and 32 bytes as data",
            got=f"{len(log.topics)} topics, {len(log.data)} bytes of data",
        )
    return log.topics[1], int.from_bytes(log.data[:32], "big"), log.data[32:]


def _why(header: Header, block: TrustedBlock) -> str:
    if not block.public:
        return (
            f"block {header.number} is of an embedded chain, {block.chain_id}, whose operator sets"
            " its clock: it proves no time"
        )
    return f"block {header.number} of chain {block.chain_id}, whose hash you trust, holds the event"


def _require(code: str, detail: str, expected: str, got: str) -> None:
    if expected != got:
        raise NotAuthentic(detail, code=code, expected=expected, got=got)
