"""Merkle trees as RFC 6962 has them, in one place: hashes, proofs, a tree, proofs of many leaves.

Trusts: nothing.  Does not trust: who made a proof, nor the sizes and indexes in it.
"""

from __future__ import annotations

from teeproof.proof.log.formats.multiproof import multiproof, roots
from teeproof.proof.log.formats.rfc6962 import (
    EMPTY_ROOT,
    HASH_BYTES,
    Get,
    Node,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    peaks,
    root,
    verify_consistency,
    verify_inclusion,
)
from teeproof.proof.log.formats.tree import Tree

__all__ = [
    "EMPTY_ROOT",
    "HASH_BYTES",
    "Get",
    "Node",
    "Tree",
    "consistency_proof",
    "inclusion_proof",
    "leaf_hash",
    "multiproof",
    "node_hash",
    "peaks",
    "root",
    "roots",
    "verify_consistency",
    "verify_inclusion",
]
