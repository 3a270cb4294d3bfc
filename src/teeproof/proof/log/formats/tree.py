"""A Merkle tree in memory: every complete node of every level, in one byte array per level.

Trusts: the leaf hashes that it is given.  Does not trust: sizes and indexes that it is asked for.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator
from itertools import islice

from teeproof.core.errors import Malformed, Usage
from teeproof.proof.log.formats import rfc6962
from teeproof.proof.log.formats.rfc6962 import HASH_BYTES

__all__ = ["Tree"]

_BATCH = 1 << 14  # leaves hashed at a time: 512 KiB, so that a long iterable is never held whole

_PAIR = 2 * HASH_BYTES

_sha256 = hashlib.sha256
_unpack_pairs = struct.Struct(f"{_PAIR}s").iter_unpack


class Tree:
    """An append-only tree over leaf hashes; 64 bytes of memory for each leaf.

    Args:
        leaves: leaf hashes (``merkle.leaf_hash``), 32 bytes each.
    """

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self._levels: list[bytearray] = [bytearray()]
        self.extend(leaves)

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return len(self._levels[0]) // HASH_BYTES

    def append(self, leaf_hash: bytes) -> None:
        """Add one leaf.

        Raises:
            Malformed: it is not 32 bytes.
        """
        if len(leaf_hash) != HASH_BYTES:
            raise _not_a_hash()
        node = leaf_hash
        for row in self._levels:
            row.extend(node)
            if len(row) % _PAIR:
                return
            node = _sha256(b"\x01" + row[-_PAIR:]).digest()
        self._levels.append(bytearray(node))

    def extend(self, leaf_hashes: Iterable[bytes]) -> None:
        """Add leaves in their order, many at a time.

        Raises:
            Malformed: one is not 32 bytes; batches before it have been added.
        """
        for batch in _batches(leaf_hashes):
            self._extend(batch)

    def root(self, size: int | None = None) -> bytes:
        """Return the root of the tree of its first ``size`` leaves, or of all.

        Raises:
            Usage: it has fewer leaves.
        """
        return rfc6962.root(self._size(size), self._get)

    def node(self, level: int, index: int) -> bytes:
        """Return the root of a complete subtree.

        Raises:
            Usage: the subtree is not complete.
        """
        if not 0 <= level < 64 or not 0 <= index < self.size >> level:
            raise Usage(f"there is no complete node {index} at level {level}", code="outside_tree")
        return self._get(level, index)

    def inclusion_proof(self, index: int, size: int | None = None) -> list[bytes]:
        """Return the proof that leaf ``index`` is in the tree of ``size`` leaves.

        Raises:
            Usage: the tree has fewer leaves, or no such leaf.
        """
        return rfc6962.inclusion_proof(index, self._size(size), self._get)

    def consistency_proof(self, old: int, new: int | None = None) -> list[bytes]:
        """Return the proof that the tree of ``new`` leaves extends that of ``old``.

        Raises:
            Usage: the tree has fewer leaves, or ``old`` is larger than ``new``.
        """
        return rfc6962.consistency_proof(old, self._size(new), self._get)

    def _size(self, size: int | None) -> int:
        if size is None:
            return self.size
        if not 0 <= size <= self.size:
            raise Usage(
                f"there are {self.size} leaves, not {size}: ask for a smaller tree",
                code="outside_tree",
            )
        return size

    def _get(self, level: int, index: int) -> bytes:
        start = index * HASH_BYTES
        return bytes(self._levels[level][start : start + HASH_BYTES])

    def _extend(self, batch: list[bytes]) -> None:
        if any(len(leaf) != HASH_BYTES for leaf in batch):
            raise _not_a_hash()
        self._levels[0] += b"".join(batch)
        for level in range(64):
            below = self._levels[level]
            done = 2 * len(self._levels[level + 1]) if level + 1 < len(self._levels) else 0
            ready = len(below) // _PAIR * _PAIR
            if ready == done:
                return
            if level + 1 == len(self._levels):
                self._levels.append(bytearray())
            self._levels[level + 1] += _parents(below, done, ready)


def _parents(below: bytearray, start: int, end: int) -> bytes:
    """Return the parents of the nodes that lie in bytes [start, end) of a level."""
    children = bytes(memoryview(below)[start:end])
    return b"".join([_sha256(b"\x01" + pair).digest() for (pair,) in _unpack_pairs(children)])


def _batches(leaves: Iterable[bytes]) -> Iterator[list[bytes]]:
    if isinstance(leaves, list) and len(leaves) <= _BATCH:
        return iter([leaves] if leaves else [])
    source = iter(leaves)
    return iter(lambda: list(islice(source, _BATCH)), [])


def _not_a_hash() -> Malformed:
    return Malformed("a leaf hash is not 32 bytes", code="length_malformed")
