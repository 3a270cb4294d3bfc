"""Merkle trees: published answers, every small tree, and proofs that are not what they say."""

from __future__ import annotations

import hashlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from teeproof.core.errors import Malformed, NotAuthentic, Usage
from teeproof.proof.log.formats import merkle
from teeproof.proof.log.formats.merkle import (
    EMPTY_ROOT,
    Tree,
    leaf_hash,
    node_hash,
    peaks,
    verify_consistency,
    verify_inclusion,
)
from tests.proof.log.formats.samples import flipped

# The entries, roots and proofs of the tests of Google's Certificate Transparency log.
CT_ENTRIES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
CT_LEAF_1 = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
CT_PAIR_23 = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
CT_LAST_4 = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
CT_LEAF_4 = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
CT_PAIR_67 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"

SMALL = 100
LEAVES = [leaf_hash(b"%d" % n) for n in range(SMALL)]
TREE = Tree(LEAVES)


def by_definition(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(by_definition(leaves[:k]), by_definition(leaves[k:]))


def included(index: int, size: int, proof: list[bytes], *, leaf: bytes | None = None) -> None:
    leaf = leaf or (LEAVES[index] if 0 <= index < SMALL else LEAVES[0])
    root = TREE.root(size) if 0 <= size <= SMALL else bytes(32)
    verify_inclusion(leaf, index=index, size=size, proof=proof, root=root)


def extends(old: int, new: int, proof: list[bytes], **roots: bytes) -> None:
    old_root = roots.get("old_root") or TREE.root(old)
    new_root = roots.get("new_root") or TREE.root(new)
    verify_consistency(
        old_size=old, old_root=old_root, new_size=new, new_root=new_root, proof=proof
    )


def test_the_roots_of_the_certificate_transparency_tests_are_ours():
    tree = Tree(map(leaf_hash, CT_ENTRIES))
    assert [tree.root(size).hex() for size in range(9)] == CT_ROOTS


def test_the_proofs_of_the_certificate_transparency_tests_are_ours():
    tree = Tree(map(leaf_hash, CT_ENTRIES))
    as_hex = lambda proof: [node.hex() for node in proof]  # noqa: E731
    assert as_hex(tree.inclusion_proof(0)) == [CT_LEAF_1, CT_PAIR_23, CT_LAST_4]
    assert as_hex(tree.inclusion_proof(5)) == [CT_LEAF_4, CT_PAIR_67, CT_ROOTS[4]]
    assert as_hex(tree.consistency_proof(1)) == [CT_LEAF_1, CT_PAIR_23, CT_LAST_4]
    assert tree.consistency_proof(8) == []


def test_a_root_is_what_the_definition_says():
    for size in range(SMALL + 1):
        assert TREE.root(size) == by_definition(LEAVES[:size])


def test_a_tree_is_the_same_however_its_leaves_arrive():
    one, some = Tree(), Tree()
    for leaf in LEAVES:
        one.append(leaf)
    source = iter(LEAVES)
    for count in (0, 1, 2, 3, 5, 8, 13, 68):
        some.extend(next(source) for _ in range(count))
    for start in range(100):
        mixed = Tree(LEAVES[:start])
        mixed.append(LEAVES[start])
        mixed.extend(LEAVES[start + 1 :])
        assert mixed.root() == TREE.root()
        assert mixed.root(start + 1) == TREE.root(start + 1)
    assert one.size == some.size == SMALL
    for size in range(SMALL + 1):
        assert one.root(size) == some.root(size) == TREE.root(size)


def test_a_long_iterable_is_taken_in_batches():
    leaves = [n.to_bytes(32, "big") for n in range(40_000)]
    assert Tree(iter(leaves)).root() == Tree(leaves).root()


def test_a_leaf_of_another_length_is_refused_and_nothing_is_added():
    tree = Tree(LEAVES[:3])
    with pytest.raises(Malformed) as caught:
        tree.extend([LEAVES[3], LEAVES[4][:31], LEAVES[5] + b"0"])
    assert caught.value.code == "length_malformed"
    with pytest.raises(Malformed):
        tree.append(LEAVES[3] + b"0")
    assert tree.root() == TREE.root(3)


def test_peaks_cover_each_leaf_once():
    for size in range(300):
        spans = [(index << level, (index + 1) << level) for level, index in peaks(size)]
        covered = [leaf for start, end in spans for leaf in range(start, end)]
        assert covered == list(range(size))


def test_every_leaf_of_every_small_tree_has_a_proof_that_holds():
    for size in range(1, SMALL + 1):
        for index in range(size):
            included(index, size, TREE.inclusion_proof(index, size))


def test_every_small_tree_extends_every_smaller_one():
    for new in range(SMALL + 1):
        for old in range(new + 1):
            extends(old, new, TREE.consistency_proof(old, new))


@given(st.data())
def test_a_proof_for_one_leaf_and_size_serves_no_other(data):
    size = data.draw(st.integers(1, SMALL))
    index = data.draw(st.integers(0, size - 1))
    proof = TREE.inclusion_proof(index, size)
    other = data.draw(st.integers(0, SMALL - 1).filter(lambda n: n != index))
    with pytest.raises(NotAuthentic):
        included(other, size, proof)
    with pytest.raises(NotAuthentic):
        included(other, size, proof, leaf=LEAVES[index])


@given(st.data())
def test_log_one_flipped_bit_of_a_proof_is_caught(data):
    old = data.draw(st.integers(1, SMALL - 1))
    new = data.draw(st.integers(old + 1, SMALL))
    proof = TREE.consistency_proof(old, new)
    at = data.draw(st.integers(0, len(proof) - 1))
    bad = [*proof[:at], flipped(proof[at], data.draw(st.integers(0, 31))), *proof[at + 1 :]]
    with pytest.raises(NotAuthentic) as caught:
        extends(old, new, bad)
    assert caught.value.code == "consistency_mismatch"


@pytest.mark.parametrize(("index", "size"), [(0, 1), (0, 2), (3, 7), (6, 7), (64, 100), (99, 100)])
def test_prover_hashes_too_many_or_too_few_are_refused(index, size):
    proof = TREE.inclusion_proof(index, size)
    bad = [[*proof, bytes(32)], [bytes(32), *proof]]
    bad += [proof[:-1], proof[1:]] if proof else []
    bad += [list(reversed(proof))] if len(proof) > 1 else []
    for other in bad:
        with pytest.raises(NotAuthentic) as caught:
            included(index, size, other)
        assert caught.value.code == "inclusion_mismatch"


@pytest.mark.parametrize(("old", "new"), [(1, 2), (3, 7), (4, 8), (6, 8), (64, 100), (99, 100)])
def test_log_consistency_proofs_of_another_length_are_refused(old, new):
    proof = TREE.consistency_proof(old, new)
    for other in ([*proof, bytes(32)], [bytes(32), *proof], proof[:-1], proof[1:], []):
        with pytest.raises(NotAuthentic) as caught:
            extends(old, new, other)
        assert caught.value.code == "consistency_mismatch"


@pytest.mark.parametrize(
    ("index", "size"), [(0, 0), (7, 7), (8, 7), (-1, 7), (0, -1), (1 << 70, 7), (7, -(1 << 70))]
)
def test_prover_an_index_outside_the_tree_is_refused(index, size):
    with pytest.raises(NotAuthentic, match=r"has no leaf|is negative"):
        included(index, size, [])
    with pytest.raises(Usage):
        TREE.inclusion_proof(index, size)


def test_prover_a_gigantic_size_is_refused_at_once():
    with pytest.raises(NotAuthentic):
        verify_inclusion(LEAVES[0], index=0, size=1 << 100_000, proof=[bytes(32)] * 63, root=b"")


def test_prover_hashes_of_another_length_are_refused():
    # 33 and 31 bytes: the preimage of the parent is the same, the leaf is not.
    left, right = LEAVES[0] + LEAVES[1][:1], LEAVES[1][1:]
    assert node_hash(left, right) == TREE.root(2)
    good = LEAVES[0]
    for leaf, sibling in ((left, right), (right, left), (left, good), (good, right)):
        with pytest.raises(NotAuthentic, match="not 32 bytes"):
            included(0, 2, [sibling], leaf=leaf)


def test_log_consistency_hashes_of_another_length_are_refused():
    proof = TREE.consistency_proof(3, 7)
    for bad, roots in (
        ([proof[0] + b"0", *proof[1:]], {}),
        (proof, {"old_root": TREE.root(3)[:31]}),
    ):
        with pytest.raises(NotAuthentic, match="not 32 bytes"):
            extends(3, 7, bad, **roots)


def test_prover_an_inner_node_does_not_pass_for_an_entry():
    # The second preimage of RFC 6962, 2.1: without the prefixes, a node's children were an entry.
    children = LEAVES[0] + LEAVES[1]
    assert leaf_hash(children) != node_hash(LEAVES[0], LEAVES[1])
    with pytest.raises(NotAuthentic):
        verify_inclusion(
            leaf_hash(children), index=0, size=2, proof=TREE.inclusion_proof(0, 4)[1:],
            root=TREE.root(4),
        )  # fmt: skip


def test_prover_an_inner_node_as_a_leaf_needs_a_size_that_the_checkpoint_does_not_state():
    node, proof = TREE.node(1, 0), TREE.inclusion_proof(0, 4)[1:]
    # A verifier that trusts the prover's size is deceived: sizes come from signed checkpoints.
    verify_inclusion(node, index=0, size=2, proof=proof, root=TREE.root(4))
    with pytest.raises(NotAuthentic):
        verify_inclusion(node, index=0, size=4, proof=proof, root=TREE.root(4))


def test_every_tree_extends_the_empty_one_and_the_proof_is_empty():
    assert TREE.consistency_proof(0, 7) == []
    extends(0, 7, [])
    extends(0, 0, [])


def test_log_something_before_the_empty_tree_is_refused():
    with pytest.raises(NotAuthentic, match="it must be empty"):
        extends(0, 7, [bytes(32)])
    with pytest.raises(NotAuthentic, match="the old tree is empty"):
        extends(0, 7, [], old_root=bytes(32))
    with pytest.raises(NotAuthentic):
        extends(0, 0, [], new_root=bytes(32))


def test_log_two_roots_of_one_size_are_caught():
    fork = Tree([*LEAVES[:6], leaf_hash(b"another")])
    with pytest.raises(NotAuthentic, match="one size has two roots") as caught:
        extends(7, 7, [], new_root=fork.root())
    assert (caught.value.expected, caught.value.got) == (TREE.root(7).hex(), fork.root().hex())


def test_log_a_fork_has_no_consistency_proof():
    fork = Tree([*LEAVES[:5], leaf_hash(b"another"), *LEAVES[6:20]])
    for proof in (fork.consistency_proof(7), TREE.consistency_proof(7, 20)):
        with pytest.raises(NotAuthentic):
            extends(7, 20, proof, new_root=fork.root())


def test_log_a_tree_that_shrinks_is_refused():
    with pytest.raises(NotAuthentic, match="do not extend"):
        extends(8, 7, TREE.consistency_proof(7, 8))
    with pytest.raises(Usage):
        TREE.consistency_proof(8, 7)


def test_a_tree_has_no_nodes_that_are_not_complete():
    assert Tree(LEAVES[:7]).node(1, 2) == node_hash(LEAVES[4], LEAVES[5])
    for level, index in ((1, 3), (3, 0), (0, 7), (-1, 0), (0, -1), (64, 0)):
        with pytest.raises(Usage) as caught:
            Tree(LEAVES[:7]).node(level, index)
        assert caught.value.code == "outside_tree"


def test_a_tree_has_no_past_that_is_longer_than_itself():
    for ask in (TREE.root, lambda size: TREE.inclusion_proof(0, size)):
        with pytest.raises(Usage):
            ask(SMALL + 1)
    assert Tree().root() == EMPTY_ROOT


@settings(max_examples=30)
@given(st.integers(1, 1 << 62), st.integers(0, 1 << 62), st.integers(0, 1 << 62))
def test_proofs_hold_in_trees_far_beyond_memory(size, index, old):
    """All leaves are alike, so a node is known by its level."""
    index, old = index % size, old % size
    levels = [leaf_hash(b"same")]
    for _ in range(63):
        levels.append(node_hash(levels[-1], levels[-1]))

    def get(level: int, at: int) -> bytes:
        assert 0 <= at < size >> level
        return levels[level]

    root = merkle.root(size, get)
    proof = merkle.inclusion_proof(index, size, get)
    assert len(proof) <= 63
    verify_inclusion(levels[0], index=index, size=size, proof=proof, root=root)
    steps = merkle.consistency_proof(old, size, get)
    verify_consistency(
        old_size=old, old_root=merkle.root(old, get), new_size=size, new_root=root, proof=steps
    )


def test_the_interface_of_a_tree_is_that_of_the_functions():
    source = random.Random(1)
    for _ in range(50):
        size = source.randint(1, SMALL)
        index, old = source.randrange(size), source.randrange(size)
        assert merkle.root(size, TREE.node) == TREE.root(size)
        assert merkle.inclusion_proof(index, size, TREE.node) == TREE.inclusion_proof(index, size)
        assert merkle.consistency_proof(old, size, TREE.node) == TREE.consistency_proof(old, size)
