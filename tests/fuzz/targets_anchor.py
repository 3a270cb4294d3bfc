"""Fuzz targets for anchors: RLP, trie proofs, headers, receipts, and the document around them."""

from __future__ import annotations

from contextlib import suppress

from teeproof.core.digests import keccak256
from teeproof.core.errors import Error, Malformed, NotAuthentic
from teeproof.proof.anchor import AnchorProof, header_from_rpc, receipt_from_rpc, rlp, trie
from teeproof.proof.anchor import header as headers
from teeproof.proof.anchor import receipt as receipts
from tests.proof.anchor import blocks, real

ITEMS = {bytes((n, m)): bytes((n, m)) * (n + 1) for n in range(20) for m in range(5)}
KEY = b"\5\3"


def fuzz_rlp(data: bytes) -> None:
    """What is accepted is its own re-encoding."""
    with suppress(Malformed):
        assert rlp.encode(rlp.decode(data, limit=1 << 20, what="item")) == data


def fuzz_trie_proof(data: bytes) -> None:
    """Under the honest root stands the honest value; under a root of their own, some value."""
    with suppress(Malformed):
        nodes = rlp.strings(rlp.decode(data, limit=1 << 20, what="nodes"), what="nodes")
        root, _ = trie.prove(ITEMS, KEY)
        with suppress(Malformed, NotAuthentic):
            assert trie.value_at(root, KEY, nodes) == ITEMS[KEY]
        if nodes:
            with suppress(Malformed, NotAuthentic):
                assert trie.value_at(keccak256(nodes[0]), KEY, nodes)


def fuzz_trie_node(data: bytes) -> None:
    """A node that is trusted as a root and still strange is walked or refused."""
    for key in (b"", b"\x80", KEY):
        with suppress(Malformed, NotAuthentic):
            assert trie.value_at(keccak256(data), key, [data])


def fuzz_block_header(data: bytes) -> None:
    """What is accepted has a hash and numbers within their bounds."""
    with suppress(Malformed):
        header = headers.parse(data)
        assert header.hash == keccak256(data)
        assert 0 <= header.time <= headers.MAX_TIME
        assert 0 <= header.number < 1 << 64


def fuzz_transaction_receipt(data: bytes) -> None:
    """What is accepted has addresses and topics of their sizes."""
    with suppress(Malformed):
        found = receipts.parse(data)
        assert found.kind in range(5)
        for log in found.logs:
            assert len(log.address) == 20
            assert all(len(topic) == 32 for topic in log.topics[:5])


def fuzz_anchor_proof(data: bytes) -> None:
    """A document reads back; and under a trusted block it gives the honest verdict or an error."""
    with suppress(Malformed):
        proof = AnchorProof.parse(data)
        assert proof.encode() == data
        with suppress(Error):
            blocks.judged(proof, blocks=blocks.trusted(blocks.with_event()))
            assert data == blocks.with_event().encode()
        with suppress(Malformed, NotAuthentic):
            assert 0 <= blocks.judged(proof).time <= headers.MAX_TIME


SEEDS = {
    "fuzz_rlp": lambda: [blocks.with_event().encode(), bytes.fromhex("c7c0c1c0c3c0c1c0")],
    "fuzz_trie_proof": lambda: [rlp.encode(trie.prove(ITEMS, KEY)[1])],
    "fuzz_trie_node": lambda: [*trie.prove(ITEMS, KEY)[1], *blocks.with_event().nodes],
    "fuzz_block_header": lambda: [header_from_rpc(b) for b in (real.GENESIS, real.PRAGUE)],
    "fuzz_transaction_receipt": lambda: [
        blocks.receipt(blocks.event(), blocks.TRANSFER),
        blocks.receipt(kind=0),
        receipt_from_rpc(real.HOODI_RECEIPT),
    ],
    "fuzz_anchor_proof": lambda: [
        blocks.with_event().encode(),
        blocks.proof_of([blocks.receipt(blocks.event(), kind=0)], 0).encode(),
    ],
}
