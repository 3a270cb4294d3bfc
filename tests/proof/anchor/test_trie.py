"""The trie: known roots, a proof per key, and no second proof of anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core.digests import keccak256
from teeproof.core.errors import Error, Malformed, NotAuthentic, TooLarge
from teeproof.proof.anchor import rlp
from teeproof.proof.anchor.trie import EMPTY_ROOT, MAX_NODE_BYTES, prove, root_of, value_at


def the_code(refused: type[Error], *arguments, **options) -> str:
    with pytest.raises(refused) as caught:
        value_at(*arguments, **options)
    return caught.value.code


def top(item: rlp.Item) -> tuple[bytes, list[bytes]]:
    """A node made by hand, as the only one of a trie."""
    raw = rlp.encode(item)
    return keccak256(raw), [raw]


DOGS = {b"do": b"verb", b"horse": b"stallion", b"doge": b"coin", b"dog": b"puppy"}

# ethereum/tests, TrieTests/trietest.json: what is left after its insertions and deletions.
KNOWN = [
    pytest.param({}, EMPTY_ROOT.hex(), id="empty"),
    pytest.param(
        DOGS, "5991bb8c6514148a29db676a14ac506cd2cd5775ace63c30a4fe457715e9ac84", id="emptyValues"
    ),
    pytest.param(
        {
            b"key1aa": b"0123456789012345678901234567890123456789xxx",
            b"key1": b"0123456789012345678901234567890123456789Very_Long",
            b"key2bb": b"aval3",
            b"key2": b"short",
            b"key3cc": b"aval3",
            b"key3": b"1234567890123456789012345678901",
        },
        "cb65032e2f76c48b82b5c24b3db8f670ce73982869d38cd39a624f23d62a9e89",
        id="insert-middle-leaf",
    ),
    pytest.param(
        {
            bytes.fromhex(name): bytes.fromhex(value)
            for name, value in {
                f"{0x45:064x}": "22b224a1420a802ab51d326e29fa98e34c4f24ea",
                f"{0x46:064x}": "67706c2076330000000000000000000000000000000000000000000000000000",
                "000000000000000000000000697c7b8c961b56f675d570498424ac8de1a918f6": (
                    "6f6f6f6820736f2067726561742c207265616c6c6c793f000000000000000000"
                ),
                "0000000000000000000000007ef9e639e2733cb34e4dfc576d4b23f72db776b2": (
                    "4655474156000000000000000000000000000000000000000000000000000000"
                ),
                "000000000000000000000000ec4f34c97e43fbb2816cfd95e388353c7181dab1": (
                    "4e616d6552656700000000000000000000000000000000000000000000000000"
                ),
                "4655474156000000000000000000000000000000000000000000000000000000": (
                    "7ef9e639e2733cb34e4dfc576d4b23f72db776b2"
                ),
                "4e616d6552656700000000000000000000000000000000000000000000000000": (
                    "ec4f34c97e43fbb2816cfd95e388353c7181dab1"
                ),
                "6f6f6f6820736f2067726561742c207265616c6c6c793f000000000000000000": (
                    "697c7b8c961b56f675d570498424ac8de1a918f6"
                ),
            }.items()
        },
        "9f6221ebb8efe7cff60a716ecb886e67dd042014be444669f0159d8e68b42100",
        id="jeff",
    ),
]


@pytest.mark.parametrize(("items", "expected"), KNOWN)
def test_known_roots_hold_and_each_key_has_its_proof(items, expected):
    assert root_of(items).hex() == expected
    for key, value in items.items():
        root, nodes = prove(items, key)
        assert root.hex() == expected
        assert value_at(root, key, nodes) == value


def test_the_empty_root_is_the_digest_of_nothing():
    assert keccak256(b"\x80") == EMPTY_ROOT
    assert the_code(Malformed, EMPTY_ROOT, b"dog", [b"\x80"]) == "trie_malformed"


@given(st.dictionaries(st.binary(max_size=4), st.binary(min_size=1, max_size=40), min_size=1))
def test_each_key_of_any_trie_has_a_proof_and_no_other_value(items):
    for key, value in items.items():
        root, nodes = prove(items, key)
        assert value_at(root, key, nodes) == value
    other = max(items) + b"\0"
    with pytest.raises(Error):
        value_at(root, other, nodes)


@given(st.dictionaries(st.binary(max_size=3), st.binary(min_size=1, max_size=40), min_size=1))
def test_the_order_of_insertion_leaves_no_trace(items):
    assert root_of(dict(reversed(items.items()))) == root_of(items)


def test_a_key_that_is_not_there_has_no_proof():
    for items in ({}, DOGS):
        with pytest.raises(NotAuthentic) as caught:
            prove(items, b"cat")
        assert caught.value.code == "trie_key_absent"


def test_inlined_nodes_are_followed():
    items = {b"\x01\x10": b"a", b"\x01\x11": b"b"}
    root, nodes = prove(items, b"\x01\x10")
    assert len(nodes) == 1
    assert value_at(root, b"\x01\x10", nodes) == b"a"


def test_a_branch_may_hold_a_value_only_where_keys_begin_each_other():
    items = {b"\x12": b"branch", b"\x12\x34": b"leaf" * 10, b"\x12\x56": b"leaf"}
    for key in (b"\x12", b"\x12\x34"):
        root, nodes = prove(items, key)
        assert value_at(root, key, nodes) == items[key]
        assert the_code(Malformed, root, key, nodes, prefix_free=True) == "trie_branch_value"


LEAF = [b"\x20ab", b"value"]
MALFORMED = [
    pytest.param(b"value", id="a byte string"),
    pytest.param(b"\x20a", id="a byte string of two"),
    pytest.param(b"0123456789abcdefg", id="a byte string of 17"),
    pytest.param([], id="no parts"),
    pytest.param([b"\x20ab"], id="one part"),
    pytest.param([b"\x20ab", b"value", b""], id="three parts"),
    pytest.param([b""] * 16, id="a branch without a value"),
    pytest.param([b"", b"value"], id="no path"),
    pytest.param([[b"\x20"], b"value"], id="a path that is a list"),
    pytest.param([b"\x40ab", b"value"], id="an unknown kind of path"),
    pytest.param([b"\x21", [b"value"]], id="a value that is a list"),
    pytest.param([b"\x2fab", b"value"], id="a path whose filling is not zero"),
    pytest.param([b"\x00", bytes(32)], id="an extension of nothing"),
    pytest.param([b"\x16", b""], id="an extension to nothing"),
    pytest.param([b"\x16", bytes(31)], id="a reference of 31 bytes"),
    pytest.param([b"\x16", bytes(33)], id="a reference of 33 bytes"),
    pytest.param([b"\x16", LEAF], id="an extension to a leaf"),
    pytest.param([b"\x16", [b"\x11", bytes(16)]], id="an extension to an extension"),
    pytest.param([b"\x16", [b"\x20ab", bytes(40)]], id="an inlined node that is too long"),
    pytest.param([*[b""] * 6, LEAF, *[b""] * 10], id="a branch of one"),
    pytest.param([*[b""] * 6, LEAF, b"x", *[b""] * 9], id="a branch with a short reference"),
    pytest.param([*[b""] * 6, LEAF, LEAF, *[b""] * 8, [b"x"]], id="a branch whose value is a list"),
]


@pytest.mark.parametrize("item", MALFORMED)
def test_a_node_that_no_builder_makes_is_refused_even_under_its_own_root(item):
    root, nodes = top(item)
    assert the_code(Malformed, root, b"ab", nodes) == "trie_malformed"


@pytest.mark.parametrize(("size", "taken"), [(28, True), (29, False)])
def test_a_node_is_inlined_up_to_31_bytes(size, taken):
    leaf = [b"\x31", bytes(size)]
    assert (len(rlp.encode(leaf)) < 32) is taken
    root, nodes = top([*[b""] * 6, leaf, keccak256(b"other"), *[b""] * 9])
    if taken:
        assert value_at(root, b"\x61", nodes) == bytes(size)
    else:
        assert the_code(Malformed, root, b"\x61", nodes) == "trie_malformed"


def test_a_short_node_behind_a_hash_is_refused():
    short = rlp.encode([b"\x31", b"v"])
    long = [b"\x31", bytes(40)]
    raw = rlp.encode(long)
    good, bad = (
        [[*[b""] * 6, below, keccak256(raw), *[b""] * 9]]
        for below in (keccak256(raw), keccak256(short))
    )
    root, nodes = top(good[0])
    assert value_at(root, b"\x61", [*nodes, raw]) == bytes(40)
    root, nodes = top(bad[0])
    assert the_code(Malformed, root, b"\x61", [*nodes, short]) == "trie_malformed"


def test_nodes_that_are_swapped_missing_or_too_many_are_refused():
    items = {bytes((n, m)): bytes((n, m)) * 20 for n in range(8) for m in range(8)}
    root, nodes = prove(items, b"\5\5")
    assert len(nodes) >= 3
    assert value_at(root, b"\5\5", nodes) == b"\5\5" * 20
    assert the_code(NotAuthentic, root, b"\5\5", nodes[:-1]) == "trie_nodes_missing"
    assert the_code(NotAuthentic, root, b"\5\5", []) == "trie_nodes_missing"
    assert the_code(NotAuthentic, root, b"\5\5", [*nodes, nodes[-1]]) == "trie_nodes_superfluous"
    assert the_code(NotAuthentic, root, b"\5\5", nodes[1:]) == "trie_node_mismatch"
    assert the_code(NotAuthentic, root, b"\5\5", nodes[::-1]) == "trie_node_mismatch"
    assert the_code(NotAuthentic, root, b"\5\6", nodes) == "trie_node_mismatch"
    assert the_code(NotAuthentic, bytes(32), b"\5\5", nodes) == "trie_node_mismatch"


def test_no_bit_of_a_node_can_change():
    root, nodes = prove(DOGS, b"dog")
    for place, node in enumerate(nodes):
        for at in range(len(node)):
            other = node[:at] + bytes((node[at] ^ 1,)) + node[at + 1 :]
            changed = [*nodes[:place], other, *nodes[place + 1 :]]
            assert the_code(NotAuthentic, root, b"dog", changed) == "trie_node_mismatch"


def test_a_node_beyond_64_kib_is_refused_before_it_is_hashed():
    largest = bytes(MAX_NODE_BYTES - 9)
    root, nodes = top([b"\x20k", largest])
    assert len(nodes[0]) == MAX_NODE_BYTES
    assert value_at(root, b"k", nodes) == largest
    assert the_code(TooLarge, bytes(32), b"k", [nodes[0] + b"\0"]) == "too_large"


def test_a_trie_as_deep_as_its_keys_is_followed_to_the_end():
    items = {bytes(31 - n) + b"\1" + bytes(n): bytes((n,)) * 40 for n in range(32)}
    items[bytes(32)] = b"bottom" * 8
    root, nodes = prove(items, bytes(32))
    assert len(nodes) > 32
    assert value_at(root, bytes(32), nodes) == b"bottom" * 8
    assert the_code(NotAuthentic, root, bytes(33), nodes) == "trie_key_absent"
