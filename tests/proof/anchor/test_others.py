"""Ethereum's own Python libraries agree: rlp on encodings, py-trie on roots and proofs."""

from __future__ import annotations

import pytest
import rlp as theirs
from hypothesis import given, settings
from hypothesis import strategies as st
from trie import HexaryTrie
from trie.exceptions import BadTrieProof

from teeproof.core.errors import Malformed
from teeproof.proof.anchor import receipts_root, rlp, trie
from tests.proof.anchor.blocks import FILLER, event, items, key, receipt

ITEMS = st.recursive(
    st.binary(max_size=70), lambda inner: st.lists(inner, max_size=6), max_leaves=30
)
TRIES = st.dictionaries(st.binary(max_size=4), st.binary(min_size=1, max_size=40), min_size=1)

# Where the meaning of a first byte changes, and lengths that are short, long, and zero.
EDGES = [0, 1, 0x7F, 0x80, 0x81, 0xB7, 0xB8, 0xB9, 0xBF, 0xC0, 0xC1, 0xC2, 0xF7, 0xF8, 0xFF]
BYTES = st.binary(max_size=40) | st.lists(st.sampled_from(EDGES), max_size=12).map(bytes)


def as_lists(item):
    return item if isinstance(item, bytes) else [as_lists(part) for part in item]


@given(ITEMS)
def test_both_write_and_read_the_same_rlp(item):
    data = rlp.encode(item)
    assert theirs.encode(item) == data
    assert as_lists(theirs.decode(data)) == as_lists(item)


@given(BYTES)
@settings(max_examples=500)
def test_both_refuse_the_same_bytes(data):
    try:
        expected = as_lists(theirs.decode(data))
    except (theirs.DecodingError, IndexError):
        with pytest.raises(Malformed):
            rlp.decode(data, limit=100, what="item")
    else:
        assert rlp.decode(data, limit=100, what="item") == expected


def their_trie(found):
    other = HexaryTrie({})
    for name, value in found.items():
        other[name] = value
    return other


@given(TRIES)
def test_both_find_the_same_root(found):
    assert their_trie(found).root_hash == trie.root_of(found)


@given(TRIES, st.data())
def test_their_proofs_are_taken_by_us_and_ours_by_them(found, data):
    name = data.draw(st.sampled_from(sorted(found)))
    root, nodes = trie.prove(found, name)
    other = their_trie(found)
    their_nodes = [theirs.encode(node) for node in other.get_proof(name)]
    referred = [n for place, n in enumerate(their_nodes) if place == 0 or len(n) >= 32]
    assert tuple(referred) == nodes
    assert trie.value_at(root, name, referred) == found[name]
    assert HexaryTrie.get_from_proof(root, name, [theirs.decode(n) for n in nodes]) == found[name]


def test_a_block_of_receipts_has_the_same_root_and_proofs():
    receipts = [*FILLER[:150], receipt(event()), *FILLER[150:]]
    other = their_trie(items(receipts))
    assert other.root_hash == receipts_root(receipts)
    for place in (0, 1, 127, 128, 150, 200):
        _, nodes = trie.prove(items(receipts), key(place))
        assert [theirs.encode(node) for node in other.get_proof(key(place))] == list(nodes)
        proof = [theirs.decode(node) for node in nodes]
        assert HexaryTrie.get_from_proof(other.root_hash, key(place), proof) == receipts[place]
        with pytest.raises(BadTrieProof):
            HexaryTrie.get_from_proof(bytes(32), key(place), proof)
