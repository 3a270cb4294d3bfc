"""Blocks of a small chain, made for the tests: receipts, headers, and proofs of their events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from teeproof.core.digests import keccak256, sha256
from teeproof.proof.anchor import Anchored, AnchorProof, TrustedBlock, rlp, trie, verify
from teeproof.proof.anchor.rlp import Item
from teeproof.proof.log.formats.checkpoint import Checkpoint

ORIGIN = "log.example/teeproof"
CHECKPOINT = Checkpoint(ORIGIN, 300, sha256(b"root"))
CHAIN = 11_155_111
CONTRACT = bytes.fromhex("a0c4" * 10)
NUMBER, TIME = 7_000_000, 1_790_000_000
TOPIC = keccak256(b"Anchored(bytes32,uint64,bytes32)")
TRANSFER = [CONTRACT, [bytes(32)], b""]


def event(
    *,
    address: bytes = CONTRACT,
    origin: str = ORIGIN,
    size: int = CHECKPOINT.size,
    root: bytes = CHECKPOINT.root,
    topics: list[bytes] | None = None,
    data: bytes | None = None,
) -> list[Item]:
    """The log that the contract leaves, or one like it."""
    return [
        address,
        [TOPIC, keccak256(origin.encode())] if topics is None else topics,
        size.to_bytes(32, "big") + root if data is None else data,
    ]


def receipt(*logs: Item, status: bytes = b"\1", kind: int = 2, gas: bytes = b"\x52\x08") -> bytes:
    """A receipt as it stands in the trie."""
    return (bytes((kind,)) if kind else b"") + rlp.encode([status, gas, bytes(256), list(logs)])


def fields(receipts_root: bytes, *, number: int = NUMBER, time: int = TIME) -> list[Item]:
    """The fields of a header since Prague."""
    one = sha256(b"one")
    return [
        *(one, one, bytes(20), one, one, receipts_root, bytes(256), b""),
        *map(rlp.from_uint, (number, 36_000_000, 21_000, time)),
        *(b"extra", one, bytes(8), b"\7", one, b"", b"", one, one),
    ]


def header(receipts_root: bytes, *, number: int = NUMBER, time: int = TIME) -> bytes:
    return rlp.encode(fields(receipts_root, number=number, time=time))


def key(place: int) -> bytes:
    return rlp.encode(rlp.from_uint(place))


def items(receipts: Sequence[bytes]) -> dict[bytes, bytes]:
    return {key(place): each for place, each in enumerate(receipts)}


FILLER = [receipt(kind=place % 5, gas=rlp.from_uint(21_000 * (place + 1))) for place in range(200)]


def proof_of(
    receipts: Sequence[bytes] | Mapping[bytes, bytes], place: int, **changes: Any
) -> AnchorProof:
    """The proof of the first event of a receipt, or one like it; nothing is checked."""
    found = receipts if isinstance(receipts, Mapping) else items(receipts)
    root, nodes = trie.prove(found, key(place))
    parts = {"chain_id": CHAIN, "transaction": place, "nodes": nodes, "log": 0}
    return AnchorProof(**{"header": header(root), **parts, **changes})


def with_event(log: Item | None = None, *, place: int = 129, **shape: Any) -> AnchorProof:
    """A block of 200 transactions, one of which left this event."""
    receipts = [*FILLER]
    receipts[place] = receipt(event() if log is None else log, **shape)
    return proof_of(receipts, place)


def but(proof: AnchorProof, **changes: Any) -> AnchorProof:
    """The same proof with other parts."""
    parts = {name: getattr(proof, name) for name in AnchorProof.__struct_fields__}
    return AnchorProof(**(parts | changes))


def trusted(proof: AnchorProof, **changes: Any) -> dict[bytes, TrustedBlock]:
    """The proof's own block, trusted."""
    block = {"chain_id": CHAIN, "public": True, "contracts": frozenset({CONTRACT})}
    return {keccak256(proof.header): TrustedBlock(**(block | changes))}


def judged(
    proof: AnchorProof,
    *,
    origin: str = ORIGIN,
    checkpoint: Checkpoint = CHECKPOINT,
    blocks: Mapping[bytes, TrustedBlock] | None = None,
) -> Anchored:
    """The verdict on a proof whose block is trusted unless said otherwise."""
    blocks = trusted(proof) if blocks is None else blocks
    return verify(proof, origin=origin, checkpoint=checkpoint, trusted_blocks=blocks)
