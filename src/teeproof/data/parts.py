"""A dataset's root from its parts: the half of a snapshot that a stranger can compute.

Source: RFC 6962, section 2.1.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from teeproof.data.statements import DatasetPart
from teeproof.proof.log.formats.merkle import Tree, leaf_hash

__all__ = ["dataset_root", "part_leaf"]

_COUNT: Final = 4  # bytes of the number of records


def part_leaf(part: DatasetPart) -> bytes:
    """Return the leaf hash that stands for a part in its dataset."""
    identity, root = bytes.fromhex(part.contribution), bytes.fromhex(part.root)
    return leaf_hash(identity + root + part.records.to_bytes(_COUNT, "big"))


def dataset_root(parts: Iterable[DatasetPart]) -> bytes:
    """Return the root of a dataset, 32 bytes; a stranger can, from its statement."""
    return Tree(map(part_leaf, parts)).root()
