"""Our Merkle trees beside pymerkle's: the same roots and proofs, for every size up to 1,000."""

from __future__ import annotations

import random
from functools import cache

import pytest
from pymerkle import InmemoryTree, InvalidProof, verify_consistency, verify_inclusion

from teeproof.core.errors import NotAuthentic
from teeproof.proof.log.formats import merkle
from teeproof.proof.log.formats.merkle import Tree, leaf_hash

SIZES = 1_000
ENTRIES = [b"entry %d" % n for n in range(SIZES)]


@cache
def theirs() -> InmemoryTree:
    return InmemoryTree.init_from_entries(ENTRIES, algorithm="sha256")


OURS = Tree(map(leaf_hash, ENTRIES))


def pairs(count: int) -> list[tuple[int, int]]:
    """For every size: its first and last leaf, and ``count`` more."""
    source = random.Random(6962)
    found = []
    for size in range(1, SIZES + 1):
        picked = {0, size - 1, *(source.randrange(size) for _ in range(count))}
        found += [(index, size) for index in sorted(picked)]
    return found


def test_every_root_is_the_same():
    for size in range(SIZES + 1):
        assert OURS.root(size) == theirs().get_root(size)


def test_inclusion_proofs_are_the_same_from_the_leaf_up():
    for index, size in pairs(2):
        proof = theirs().prove_inclusion(index + 1, size)
        leaf, *path = [bytes.fromhex(node) for node in proof.serialize()["path"]]
        assert leaf == leaf_hash(ENTRIES[index])
        assert path == OURS.inclusion_proof(index, size)


def test_their_verifier_takes_our_trees_and_ours_takes_their_proofs():
    for index, size in pairs(0):
        root, leaf = OURS.root(size), leaf_hash(ENTRIES[index])
        proof = theirs().prove_inclusion(index + 1, size)
        verify_inclusion(leaf, root, proof)
        path = [bytes.fromhex(node) for node in proof.serialize()["path"]][1:]
        merkle.verify_inclusion(leaf, index=index, size=size, proof=path, root=root)
        if path:
            with pytest.raises(NotAuthentic):
                merkle.verify_inclusion(leaf, index=index, size=size, proof=path[:-1], root=root)


def their_subroot(start: int, end: int) -> bytes:
    found = theirs()._get_root(start, end)
    assert isinstance(found, bytes)
    return found


def by_definition(m: int, start: int, end: int, whole: bool) -> list[bytes]:
    """RFC 6962, 2.1.2, SUBPROOF(m, D[start:end], whole), over their subtrees."""
    if m == end - start:
        return [] if whole else [their_subroot(start, end)]
    k = 1 << (end - start - 1).bit_length() - 1
    if m <= k:
        return [*by_definition(m, start, start + k, whole), their_subroot(start + k, end)]
    return [*by_definition(m - k, start + k, end, False), their_subroot(start, start + k)]


def test_consistency_proofs_are_those_of_the_definition_over_their_subtrees():
    for old, new in pairs(1):
        if old:
            assert OURS.consistency_proof(old, new) == by_definition(old, 0, new, True)


def test_their_consistency_proofs_hold_between_our_roots():
    # Theirs lists the peaks of the old tree, so it is another list of hashes than RFC 6962's.
    for old, new in pairs(0):
        if old:
            proof = theirs().prove_consistency(old, new)
            verify_consistency(OURS.root(old), OURS.root(new), proof)


def test_log_their_verifier_refuses_what_ours_refuses():
    proof = theirs().prove_consistency(7, 20)
    with pytest.raises(InvalidProof):
        verify_consistency(OURS.root(8), OURS.root(20), proof)
    with pytest.raises(NotAuthentic):
        merkle.verify_consistency(
            old_size=7,
            old_root=OURS.root(8),
            new_size=20,
            new_root=OURS.root(20),
            proof=OURS.consistency_proof(7, 20),
        )
