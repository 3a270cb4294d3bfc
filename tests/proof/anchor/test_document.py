"""The document has one encoding, and a bound for each part."""

from __future__ import annotations

import pytest

from teeproof.core.errors import Malformed, TooLarge
from teeproof.proof.anchor import AnchorProof, rlp
from teeproof.proof.anchor.document import (
    FORMAT,
    MAX_LOG,
    MAX_NODES,
    MAX_PROOF_BYTES,
    MAX_TRANSACTION,
)
from tests.proof.anchor.blocks import CHAIN, but, with_event

PROOF = with_event()
PARTS = rlp.decode(PROOF.encode(), limit=MAX_PROOF_BYTES, what="proof")


def with_part(place: int, value: rlp.Item) -> bytes:
    return rlp.encode([*PARTS[:place], value, *PARTS[place + 1 :]])


def test_a_proof_reads_back():
    data = PROOF.encode()
    assert AnchorProof.parse(data) == PROOF
    assert AnchorProof.parse(data).encode() == data
    assert len(data) < 4096


def test_a_proof_can_be_shown():
    assert PROOF.to_json() == {
        "chain_id": CHAIN,
        "header": PROOF.header.hex(),
        "transaction": 129,
        "nodes": [node.hex() for node in PROOF.nodes],
        "log": 0,
    }


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(rlp.encode(FORMAT), id="the name alone"),
        pytest.param(rlp.encode(PARTS[:5]), id="five parts"),
        pytest.param(rlp.encode([*PARTS, b""]), id="seven parts"),
        pytest.param(with_part(0, b"teeproof.anchor.v2"), id="another version"),
        pytest.param(with_part(1, b""), id="chain 0"),
        pytest.param(with_part(2, []), id="a header that is a list"),
        pytest.param(with_part(4, []), id="no nodes"),
        pytest.param(with_part(4, [b"n"] * (MAX_NODES + 1)), id="too many nodes"),
    ],
)
def test_a_document_of_another_form_is_refused(data):
    with pytest.raises(Malformed) as caught:
        AnchorProof.parse(data)
    assert caught.value.code == "anchor_malformed"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(PROOF.encode() + b"\0", id="a byte behind"),
        pytest.param(PROOF.encode()[:-1], id="cut short"),
        pytest.param(with_part(1, b"\1" * 9), id="a chain beyond 2^64"),
        pytest.param(with_part(3, b"\0\1"), id="a place with a leading zero"),
        pytest.param(with_part(3, b"\1" * 4), id="a place beyond 2^24"),
        pytest.param(with_part(4, b"nodes"), id="nodes that are text"),
        pytest.param(with_part(4, [[b"node"]]), id="a node that is a list"),
        pytest.param(with_part(5, b"\1" * 3), id="a log beyond 2^16"),
    ],
)
def test_a_document_that_is_not_canonical_is_refused(data):
    with pytest.raises(Malformed) as caught:
        AnchorProof.parse(data)
    assert caught.value.code == "rlp_malformed"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(bytes(MAX_PROOF_BYTES + 1), id="the document"),
        pytest.param(with_part(2, bytes(1 << 14)), id="the header"),
        pytest.param(with_part(4, [bytes((1 << 16) + 1)]), id="a node"),
    ],
)
def test_what_is_too_large_is_refused(data):
    with pytest.raises(TooLarge):
        AnchorProof.parse(data)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"chain_id": 0}, id="chain 0"),
        pytest.param({"chain_id": 1 << 64}, id="a chain beyond 2^64"),
        pytest.param({"transaction": -1}, id="a place below 0"),
        pytest.param({"transaction": MAX_TRANSACTION + 1}, id="a place beyond 2^24"),
        pytest.param({"log": MAX_LOG + 1}, id="a log beyond 2^16"),
        pytest.param({"nodes": ()}, id="no nodes"),
    ],
)
def test_the_bounds_hold_for_objects_too(changes):
    with pytest.raises(Malformed):
        but(PROOF, **changes)


def test_a_proof_that_nobody_would_read_is_not_written():
    large = but(PROOF, nodes=(bytes(1 << 16),) * 4)
    with pytest.raises(TooLarge):
        large.encode()
    assert but(PROOF, nodes=(bytes(1 << 16),) * 3).encode()
