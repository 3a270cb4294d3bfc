"""One proof for many leaves and checkpoints: exactly one list of nodes, and one tree below all."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from teeproof.core.errors import Malformed, Usage
from teeproof.proof.log.formats.merkle import EMPTY_ROOT, Tree, leaf_hash, multiproof, peaks, roots

SMALL = 100
LEAVES = [leaf_hash(b"%d" % n) for n in range(SMALL)]
TREE = Tree(LEAVES)


@st.composite
def questions(draw):
    """Sizes, and indexes each of which is in one of the trees."""
    sizes = draw(st.sets(st.integers(0, SMALL), min_size=1, max_size=4))
    largest = max(sizes)
    indexes = draw(st.sets(st.integers(0, largest - 1), max_size=8)) if largest else set()
    return sorted(indexes), sorted(sizes)


def proof_of(indexes, sizes, tree=TREE):
    return {node: tree.node(*node) for node in multiproof(indexes, sizes)}


def leaves_of(indexes):
    return {index: LEAVES[index] for index in indexes}


@settings(max_examples=300)
@given(questions())
def test_a_proof_gives_the_root_of_every_size(question):
    indexes, sizes = question
    found = roots(leaves_of(indexes), proof_of(indexes, sizes), sizes)
    assert found == {size: TREE.root(size) for size in sizes}


@given(questions())
def test_the_nodes_are_sorted_and_none_is_above_or_below_what_is_given(question):
    indexes, sizes = question
    nodes = multiproof(indexes, sizes)
    assert nodes == sorted(set(nodes))
    spans = [(at << level, (at + 1) << level) for level, at in nodes]
    spans += [(index, index + 1) for index in indexes]
    spans.sort()
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))
    # Together they cover the largest tree: nothing is left out.
    assert sum(end - start for start, end in spans) == max(sizes)


@given(questions(), st.randoms(use_true_random=False))
def test_prover_one_node_less_is_missed(question, source):
    indexes, sizes = question
    nodes = proof_of(indexes, sizes)
    if nodes:
        del nodes[source.choice(sorted(nodes))]
        with pytest.raises(Malformed) as caught:
            roots(leaves_of(indexes), nodes, sizes)
        assert caught.value.code == "nodes_missing"


@given(questions(), st.integers(0, 7), st.integers(0, SMALL))
def test_prover_any_node_more_is_refused(question, level, at):
    indexes, sizes = question
    nodes = proof_of(indexes, sizes)
    if (level, at) not in nodes:
        with pytest.raises(Malformed) as caught:
            roots(leaves_of(indexes), nodes | {(level, at): bytes(32)}, sizes)
        assert caught.value.code == "nodes_superfluous"


@given(questions(), st.randoms(use_true_random=False))
def test_prover_one_changed_hash_changes_the_largest_root(question, source):
    indexes, sizes = question
    nodes = proof_of(indexes, sizes)
    if nodes:
        nodes[source.choice(sorted(nodes))] = bytes(32)
        assert roots(leaves_of(indexes), nodes, sizes)[max(sizes)] != TREE.root(max(sizes))


def test_one_leaf_needs_about_as_many_nodes_as_its_own_proof():
    size = 1_000_000
    for index in (0, 5, 524_287, 999_999):
        # The ragged edge is one hash of an inclusion proof, and up to log2(size) peaks here.
        assert len(multiproof([index], [size])) <= size.bit_length() + len(peaks(size))
    assert len(multiproof([77], [1 << 20])) == 20


def test_leaves_beside_each_other_share_their_way():
    assert multiproof([4, 5, 6, 7], [8]) == [(2, 0)]
    assert multiproof(range(8), [8]) == []
    assert multiproof([0], [8]) == [(0, 1), (1, 1), (2, 1)]


def test_a_second_checkpoint_costs_a_few_nodes_and_no_leaf_twice():
    one = multiproof([3], [1000])
    two = multiproof([3], [1000, 1001])
    assert len(two) <= len(one) + 10
    assert multiproof([3, 3], [1000, 1000]) == one


def test_leaves_of_the_later_checkpoint_only_leave_the_earlier_its_peaks():
    nodes = multiproof([90], [64, 100])
    assert (6, 0) in nodes
    assert roots({90: LEAVES[90]}, proof_of([90], [64, 100]), [64, 100])[64] == TREE.root(64)


def test_without_leaves_a_proof_shows_consistency():
    nodes = proof_of([], [37, 80])
    found = roots({}, nodes, [37, 80])
    assert found == {37: TREE.root(37), 80: TREE.root(80)}
    assert len(nodes) < 12


def test_the_empty_tree_needs_nothing():
    assert multiproof([], [0]) == []
    assert roots({}, {}, [0]) == {0: EMPTY_ROOT}
    assert multiproof([], []) == []
    assert roots({}, {}, []) == {}


def test_log_two_checkpoints_of_a_fork_cannot_share_a_proof():
    fork = Tree([*LEAVES[:30], leaf_hash(b"another"), *LEAVES[31:]])
    for tree in (TREE, fork):
        for indexes in ([3], [3, 80], []):
            nodes = proof_of(indexes, [50, 90], tree)
            found = roots(leaves_of(indexes), nodes, [50, 90])
            assert (found[50] == TREE.root(50)) != (found[90] == fork.root(90))


def test_log_a_mixture_of_both_branches_fits_neither():
    fork = Tree([*LEAVES[:30], leaf_hash(b"another"), *LEAVES[31:]])
    for node in multiproof([3], [50, 90]):
        nodes = proof_of([3], [50, 90])
        if fork.node(*node) != nodes[node]:
            nodes[node] = fork.node(*node)
            found = roots(leaves_of([3]), nodes, [50, 90])
            assert (found[50], found[90]) != (TREE.root(50), fork.root(90))


@pytest.mark.parametrize(
    ("indexes", "sizes"),
    [([7], [7]), ([0], [0]), ([0], []), ([-1], [7]), ([0], [7, -1]), ([0], [1 << 63])],
)
def test_prover_indexes_and_sizes_that_cannot_be_are_refused(indexes, sizes):
    with pytest.raises(Usage):
        multiproof(indexes, sizes)
    with pytest.raises(Malformed) as caught:
        roots(dict.fromkeys(indexes, bytes(32)), {}, sizes)
    assert caught.value.code == "outside_tree"


def test_prover_hashes_of_another_length_are_refused():
    good = proof_of([3], [20])
    first = next(iter(good))
    for leaf, nodes in ((LEAVES[3][:31], good), (LEAVES[3], good | {first: bytes(33)})):
        with pytest.raises(Malformed) as caught:
            roots({3: leaf}, nodes, [20])
        assert caught.value.code == "length_malformed"


def test_prover_a_leaf_that_is_also_a_node_is_refused():
    nodes = proof_of([3], [20]) | {(0, 3): LEAVES[3]}
    with pytest.raises(Malformed) as caught:
        roots({3: LEAVES[3]}, nodes, [20])
    assert caught.value.code == "nodes_superfluous"


def test_many_leaves_of_a_large_tree():
    tree = Tree(n.to_bytes(32, "big") for n in range(20_000))
    indexes = sorted(random.Random(1).sample(range(20_000), 500))
    sizes = [20_000, 19_999, 16_384, 12_345]
    nodes = proof_of(indexes, sizes, tree)
    found = roots({index: index.to_bytes(32, "big") for index in indexes}, nodes, sizes)
    assert found == {size: tree.root(size) for size in sizes}


@given(st.integers(1, (1 << 63) - 1), st.integers(0, 1 << 63))
def test_a_proof_in_the_largest_trees_stays_short(size, index):
    index %= size
    nodes = multiproof([index], [size])
    assert len(nodes) <= 126
    same = [leaf_hash(b"same")]
    tree = Tree(same * 4)
    assert tree.size == 4
    assert all(at < size >> level for level, at in nodes)
