"""Write a log's checkpoint to a chain, and prove that it stands there.

    contract = chain.deploy(account, "Anchors")
    anchored = anchor(chain, checkpoint, contract=contract, by=account)
    anchored.proof.encode()                       goes into a proof file
    trusted_blocks(chain, anchored, …)            what a relying party says who trusts that block

A block of a local chain proves no time, since whoever runs the chain sets its clock: it is trusted
with ``public=False``, and every verdict says so.

Trusts: nothing; the proof is made from the block's own bytes and verified here before it is given.
Does not trust: the node.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from teeproof.chain.abi import Contract, Event
from teeproof.chain.account import Account, address_bytes
from teeproof.chain.answers import in_list
from teeproof.chain.client import Chain
from teeproof.core.digests import keccak256
from teeproof.core.errors import Malformed, NotAllowed, Unavailable
from teeproof.proof.anchor import (
    AnchorProof,
    TrustedBlock,
    build,
    header_from_rpc,
    receipt_from_rpc,
    verify,
)
from teeproof.proof.anchor.header import parse as parse_header

if TYPE_CHECKING:
    from teeproof.chain.outbox import Outbox
    from teeproof.proof.log.formats.checkpoint import Checkpoint

__all__ = ["AnchoredCheckpoint", "anchor", "origin_of", "prove", "trusted_blocks"]

_NOBODY = "0x" + "0" * 40


@dataclass(frozen=True, slots=True)
class AnchoredCheckpoint:
    """A checkpoint that a block holds.

    Attributes:
        proof: from the block's header to the event.
        block: the block's hash, 32 bytes.
        number: its height.
        time: what its header says, in seconds since 1970; see the module on what that is worth.
        contract: the address that left the event.
        tx_hash: the transaction.
        final: the node says that nothing will undo it.
    """

    proof: AnchorProof
    block: bytes
    number: int
    time: int
    contract: str
    tx_hash: str
    final: bool


def origin_of(log: str) -> bytes:
    """Return what names a log on the chain: Keccak-256 of its origin line, 32 bytes."""
    return keccak256(log.encode())


def anchor(
    chain: Chain, checkpoint: Checkpoint, *, contract: Contract, by: Account | Outbox
) -> AnchoredCheckpoint:
    """Anchor a checkpoint, unless it is anchored already, and prove it.

    An origin that nobody has is registered for ``by`` first.

    Raises:
        NotAllowed: the origin is another's (``origin_taken``), or the contract says no: a larger
            checkpoint is anchored (``reverted``).
        Others as ``Chain.send``, ``Outbox.send`` and ``prove``.
    """
    origin = origin_of(checkpoint.origin)
    owner = chain.call(contract, "key_of", origin)
    if owner == _NOBODY:
        _send(chain, by, contract, "register", origin, by.address)
    elif owner != by.address:
        raise NotAllowed(
            "the log's origin belongs to another key: anchor with that one",
            code="origin_taken",
            expected=by.address,
            got=owner,
        )
    if not chain.call(contract, "anchored_at", origin, checkpoint.size, checkpoint.root):
        _send(chain, by, contract, "anchor", origin, checkpoint.size, checkpoint.root)
    return prove(chain, checkpoint, contract=contract)


def _send(chain: Chain, by: Account | Outbox, contract: Contract, name: str, *given: Any) -> None:
    if isinstance(by, Account):
        chain.send(by, contract, name, *given)
        return
    parts = (one.hex() if isinstance(one, bytes) else str(one) for one in given)
    by.send("/".join((name, contract.address, *parts)), contract, name, *given)


def prove(chain: Chain, checkpoint: Checkpoint, *, contract: Contract) -> AnchoredCheckpoint:
    """Return the proof that a block of the chain holds a checkpoint.

    Raises:
        Unavailable: no event of the contract says so (``anchor_missing``): it was never anchored,
            or a reorganisation undid it.
        NotAuthentic, Malformed: what the node says of the block does not add up.
    """
    event = _event(chain, checkpoint, contract)
    asked = [("eth_getBlockByHash", (event.block_hash, False)),
             ("eth_getBlockReceipts", (event.block_hash,))]  # fmt: skip
    block, receipts = chain.endpoint.results(asked)
    header = header_from_rpc(_mapping(block))
    found = [_mapping(receipt) for receipt in in_list(receipts)]
    places = [
        (place, at)
        for place, receipt in enumerate(found)
        for at, log in enumerate(in_list(receipt.get("logs")))
        if _mapping(log).get("logIndex") == hex(event.log_index)
    ]
    if len(places) != 1:
        raise Malformed("the node's receipts lack the event", code="node_malformed")
    proof = build(
        chain_id=chain.chain_id,
        header=header,
        receipts=[receipt_from_rpc(receipt) for receipt in found],
        transaction=places[0][0],
        log=places[0][1],
    )
    read = parse_header(header)
    anchored = AnchoredCheckpoint(
        proof=proof,
        block=read.hash,
        number=read.number,
        time=read.time,
        contract=contract.address,
        tx_hash=event.tx_hash,
        final=read.number <= chain.block("finalized").number,
    )
    # Whoever gets it can verify it: better to learn here than there that it does not hold.
    verify(
        proof,
        origin=checkpoint.origin,
        checkpoint=checkpoint,
        trusted_blocks=trusted_blocks(anchored),
    )
    return anchored


def trusted_blocks(
    anchored: AnchoredCheckpoint, *, public: bool = False
) -> Mapping[bytes, TrustedBlock]:
    """Return what a relying party passes to a verifier who trusts this block and contract.

    Args:
        anchored: the checkpoint's place.
        public: whether nobody among the parties decides alone which blocks the chain has.
    """
    contracts = frozenset({address_bytes(anchored.contract)})
    return {anchored.block: TrustedBlock(anchored.proof.chain_id, public, contracts)}


def _event(chain: Chain, checkpoint: Checkpoint, contract: Contract) -> Event:
    for event in chain.events(contract, "Anchored", origin=origin_of(checkpoint.origin)):
        if (event["size"], event["root"]) == (checkpoint.size, checkpoint.root):
            return event
    raise Unavailable(
        "no block of the chain holds this checkpoint: anchor it, also where it once was anchored",
        code="anchor_missing",
        got=f"{checkpoint.origin} at {checkpoint.size}"[:200],
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Malformed("the node's answer is no object", code="node_malformed")
    return value
