"""RFC 6962 Merkle trees with SHA-256: hashes, proofs and their checks, and a tree in memory.

A *node* is named (level, index): the root of the complete subtree over the leaves
[index << level, (index + 1) << level). Everything that a proof holds is made of such nodes, so
functions that make proofs ask for them through ``get(level, index)`` and never for a ragged edge.

Trusts: nothing.  Does not trust: who made the proof, nor the sizes and indexes in it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence

from teeproof.core.errors import NotAuthentic, Usage
from teeproof.proof.log.formats.text import MAX_NUMBER

__all__ = [
    "EMPTY_ROOT",
    "HASH_BYTES",
    "Get",
    "Node",
    "consistency_proof",
    "inclusion_proof",
    "leaf_hash",
    "node_hash",
    "peaks",
    "root",
    "verify_consistency",
    "verify_inclusion",
]

Node = tuple[int, int]
Get = Callable[[int, int], bytes]

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()  # RFC 6962, 2.1: the hash of an empty list

_sha256 = hashlib.sha256


def leaf_hash(entry: bytes) -> bytes:
    """Return SHA-256(0x00, entry): what stands for an entry in the tree (RFC 6962, 2.1)."""
    return _sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01, left, right): the parent of two nodes (RFC 6962, 2.1)."""
    return _sha256(b"\x01" + left + right).digest()


def peaks(size: int) -> list[Node]:
    """Return the complete subtrees that make up the tree of this size, left to right."""
    levels = range(size.bit_length() - 1, -1, -1)
    return [(level, (size >> level) - 1) for level in levels if size >> level & 1]


def root(size: int, get: Get) -> bytes:
    """Return the root of the tree of this size."""
    return _fold([get(*node) for node in peaks(size)]) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, get: Get) -> list[bytes]:
    """Return the hashes that lead from leaf ``index`` to the root of ``size``, lowest first.

    Raises:
        Usage: the tree of this size has no such leaf.
    """
    if not 0 <= index < size:
        raise _outside(f"leaf {index}", size)
    return _path(0, index, size, get)


def consistency_proof(old: int, new: int, get: Get) -> list[bytes]:
    """Return the hashes which show that the tree of ``new`` leaves extends that of ``old``.

    The proof is empty where the sizes are equal, and where the old tree is empty: every tree
    extends the empty one.

    Raises:
        Usage: ``old`` is larger than ``new``.
    """
    if not 0 <= old <= new:
        raise _outside(f"the tree of {old} leaves", new)
    if old in (0, new):
        return []
    level = _trailing_ones(old - 1)
    index = (old - 1) >> level
    # RFC 9162, 2.1.4.2: a complete old tree is known by its root, and needs no first hash.
    first = [get(level, index)] if index else []
    return first + _path(level, index, new, get)


def verify_inclusion(
    leaf: bytes, *, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that ``leaf`` (a leaf hash) is at ``index`` in the tree of ``size`` leaves.

    Raises:
        NotAuthentic: code ``inclusion_mismatch``; the detail says what does not fit.
    """
    if not _fit(index, size):
        raise _no_inclusion("an index or a size is negative, or 2^63 and more")
    if index >= size:
        raise _no_inclusion(f"a tree of {size} leaves has no leaf {index}")
    # Below `inner`, the path has siblings on both sides; above, on the left only.
    inner = (index ^ (size - 1)).bit_length()
    if len(proof) != inner + (index >> inner).bit_count():
        raise _no_inclusion(f"{len(proof)} hashes do not lead from leaf {index} to size {size}")
    if len(leaf) != HASH_BYTES or not _are_hashes(proof):
        raise _no_inclusion("a hash in it is not 32 bytes")
    found, way, sha256 = leaf, index, _sha256
    for sibling in proof[:inner]:
        pair = b"\x01" + sibling + found if way & 1 else b"\x01" + found + sibling
        found = sha256(pair).digest()
        way >>= 1
    for sibling in proof[inner:]:
        found = sha256(b"\x01" + sibling + found).digest()
    if not hmac.compare_digest(found, root):
        raise _no_inclusion("it leads to another root", root, found)


def verify_consistency(
    *, old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the new tree extends the old one (RFC 9162, 2.1.4.2).

    Raises:
        NotAuthentic: code ``consistency_mismatch``; the detail says what does not fit.
    """
    if not _fit(old_size, new_size):
        raise _no_consistency("a size is negative, or 2^63 and more")
    if old_size > new_size:
        raise _no_consistency(f"{new_size} leaves do not extend {old_size}")
    if old_size in (0, new_size):
        _same_tree(old_size, old_root, new_size, new_root, proof)
        return
    level = _trailing_ones(old_size - 1)
    way, last = (old_size - 1) >> level, (new_size - 1) >> level
    inner = (way ^ last).bit_length()
    if len(proof) != inner + (way >> inner).bit_count() + (way > 0):
        raise _no_consistency(f"{len(proof)} hashes do not lead from {old_size} to {new_size}")
    if len(old_root) != HASH_BYTES or not _are_hashes(proof):
        raise _no_consistency("a hash in it is not 32 bytes")
    old = new = proof[0] if way else old_root
    rest = proof[1:] if way else proof
    for step, sibling in enumerate(rest):
        if step >= inner or way & 1:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
        else:
            new = node_hash(new, sibling)
        way >>= 1
    if old != old_root:
        raise _no_consistency("it leads to another old root", old_root, old)
    if new != new_root:
        raise _no_consistency("it leads to another new root", new_root, new)


def _same_tree(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    if proof:
        raise _no_consistency(f"nothing leads from {old_size} to {new_size}: it must be empty")
    if old_size == 0 and old_root != EMPTY_ROOT:
        raise _no_consistency("the old tree is empty, its root is not", EMPTY_ROOT, old_root)
    if old_size == new_size and old_root != new_root:
        raise _no_consistency("one size has two roots", old_root, new_root)


def _path(level: int, index: int, size: int, get: Get) -> list[bytes]:
    """Return the siblings on the way from a complete node to the root of ``size``."""
    found = []
    last = (size - 1) >> level
    while last:
        if index & 1:
            found.append(get(level, index - 1))
        elif index + 1 < last or (index + 1 == last and (last + 1) << level <= size):
            found.append(get(level, index + 1))
        elif index + 1 == last:  # a ragged sibling: the last one that can be on the right
            found.append(_edge(last << level, size, get))
        level, index, last = level + 1, index >> 1, last >> 1
    return found


def _edge(start: int, size: int, get: Get) -> bytes:
    """Return the hash over the leaves [start, size), where start begins a peak of size."""
    return _fold([get(level, index) for level, index in peaks(size) if index << level >= start])


def _fold(hashes: list[bytes]) -> bytes:
    found = hashes.pop()
    while hashes:
        found = node_hash(hashes.pop(), found)
    return found


def _trailing_ones(number: int) -> int:
    return (~number & (number + 1)).bit_length() - 1


def _fit(*numbers: int) -> bool:
    return all(0 <= number <= MAX_NUMBER for number in numbers)


def _are_hashes(proof: Sequence[bytes]) -> bool:
    return not proof or set(map(len, proof)) == {HASH_BYTES}


def _outside(what: str, size: int) -> Usage:
    return Usage(f"{what} is not in the tree of {size} leaves", code="outside_tree")


def _no_inclusion(why: str, root: bytes | None = None, found: bytes | None = None) -> NotAuthentic:
    return _mismatch("inclusion", why, root, found)


def _no_consistency(
    why: str, root: bytes | None = None, found: bytes | None = None
) -> NotAuthentic:
    return _mismatch("consistency", why, root, found)


def _mismatch(kind: str, why: str, root: bytes | None, found: bytes | None) -> NotAuthentic:
    return NotAuthentic(
        f"the {kind} proof does not hold: {why}",
        code=f"{kind}_mismatch",
        expected=root.hex() if root is not None else None,
        got=found.hex() if found is not None else None,
    )
