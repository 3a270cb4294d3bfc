"""One proof for several leaves under several checkpoints of a log, each node stored once.

Given are leaf hashes at ``indexes``, and the wish for the root of every tree of ``sizes``. The
roots are made of their trees' peaks (complete subtrees), so the *wanted* nodes are the peaks of all
sizes. A node is

    known       a given leaf,
    opened      some known or wanted node lies below it: it is hashed from its two children,
    given       any other node that is wanted, or whose sibling is known, opened or given below an
                opened parent.

The proof is the given nodes, sorted, and no other list is accepted. Opening every node above a
wanted one costs up to log2(size) hashes for each further checkpoint; it buys that all the roots are
prefixes of one and the same tree, so two checkpoints of a log that forked cannot share a proof.

Trusts: nothing.  Does not trust: who made the proof.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from teeproof.core.errors import Malformed, Usage
from teeproof.proof.log.formats.rfc6962 import EMPTY_ROOT, HASH_BYTES, Node, node_hash, peaks
from teeproof.proof.log.formats.text import MAX_NUMBER

__all__ = ["multiproof", "roots"]

_sha256 = hashlib.sha256


def multiproof(indexes: Iterable[int], sizes: Iterable[int]) -> list[Node]:
    """Return the nodes that a verifier of these leaves and sizes needs, by level and index.

    The work is linear in the nodes on the leaves' paths; nothing of the tree is read.

    Raises:
        Usage: an index lies in none of the trees, or a number is negative or 2^63 and more.
    """
    leaves, trees = set(indexes), set(sizes)
    largest = max(trees, default=0)
    if not _plausible(leaves, trees, largest):
        raise Usage("each leaf must lie in one of the trees", code="outside_tree")
    wanted = _wanted(trees)
    found: list[Node] = []
    have = leaves
    for level in range(largest.bit_length()):
        given = wanted.get(level, set()) - have
        have |= given
        # The last node of a level is a peak of the largest tree where its size has that bit.
        if largest >> level & 1:
            have.discard((largest >> level) - 1)
        given |= {index ^ 1 for index in have} - have
        found += [(level, index) for index in sorted(given)]
        have = {index >> 1 for index in have}
    return found


def roots(
    leaves: Mapping[int, bytes], nodes: Mapping[Node, bytes], sizes: Iterable[int]
) -> dict[int, bytes]:
    """Return the root of each tree, from leaf hashes by index and the nodes of their multiproof.

    What is returned proves nothing until it is compared with roots that somebody signed.

    Raises:
        Malformed: code ``nodes_missing`` or ``nodes_superfluous`` where the nodes are not exactly
            those of ``multiproof``; ``length_malformed`` for a hash that is not 32 bytes;
            ``outside_tree`` for an index that lies in none of the trees.
    """
    trees = set(sizes)
    largest = max(trees, default=0)
    if not _plausible(leaves.keys(), trees, largest):
        raise Malformed("a leaf of the proof lies in none of its trees", code="outside_tree")
    if not set(map(len, leaves.values())) | set(map(len, nodes.values())) <= {HASH_BYTES}:
        raise Malformed("a hash of the proof is not 32 bytes", code="length_malformed")
    peak_values, used = _climb(leaves, nodes, _wanted(trees), largest)
    if used != len(nodes):
        raise Malformed(
            "the proof holds nodes that it does not need: make it again",
            code="nodes_superfluous",
            expected=f"{used} nodes",
            got=f"{len(nodes)} nodes",
        )
    return {size: _root(size, peak_values) for size in sorted(trees)}


def _climb(
    leaves: Mapping[int, bytes],
    nodes: Mapping[Node, bytes],
    wanted: Mapping[int, set[int]],
    largest: int,
) -> tuple[dict[Node, bytes], int]:
    """Return the values of the wanted nodes, and how many nodes of the proof that took."""
    values: dict[Node, bytes] = {}
    have, used = dict(leaves), 0
    for level in range(largest.bit_length()):
        for index in wanted.get(level, ()):
            if index not in have:
                have[index] = _given(nodes, level, index)
                used += 1
            values[level, index] = have[index]
        if largest >> level & 1:  # as above
            have.pop((largest >> level) - 1, None)
        above: dict[int, bytes] = {}
        for index, value in have.items():
            sibling = have.get(index ^ 1)
            if sibling is None:
                sibling = _given(nodes, level, index ^ 1)
                used += 1
            elif index & 1:
                continue  # the left one of a pair makes the parent
            pair = sibling + value if index & 1 else value + sibling
            above[index >> 1] = _sha256(b"\x01" + pair).digest()
        have = above
    return values, used


def _given(nodes: Mapping[Node, bytes], level: int, index: int) -> bytes:
    try:
        return nodes[level, index]
    except KeyError:
        raise Malformed(
            "the proof lacks a node: make it again",
            code="nodes_missing",
            expected=f"node {index} of level {level}",
        ) from None


def _root(size: int, values: Mapping[Node, bytes]) -> bytes:
    if not size:
        return EMPTY_ROOT
    *rest, found = (values[node] for node in peaks(size))
    for value in reversed(rest):
        found = node_hash(value, found)
    return found


def _wanted(sizes: Iterable[int]) -> dict[int, set[int]]:
    """Return the indexes of all peaks by level."""
    wanted: dict[int, set[int]] = {}
    for size in sizes:
        for level, index in peaks(size):
            wanted.setdefault(level, set()).add(index)
    return wanted


def _plausible(indexes: Iterable[int], sizes: Iterable[int], largest: int) -> bool:
    least = min((*sizes, min(indexes, default=0)), default=0)
    return least >= 0 and largest <= MAX_NUMBER and max(indexes, default=-1) < largest
