"""Who gets what of a payment, as a Merkle tree that ``Payments`` checks a claim against.

    leaf   keccak256(keccak256(abi.encode(answer, payee, amount)))
    node   keccak256(smaller child, larger child)
    odd    the last of a level that has no neighbour moves up as it is

Leaves are hashed twice, so that no inner node, 64 bytes hashed once, can pass for one. The leaves
are sorted, so that a set of parts has one root.

Trusts: nothing comes from outside.  Does not trust: whoever made a proof.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from teeproof.chain.account import address_bytes
from teeproof.core.digests import keccak256
from teeproof.core.errors import Usage

__all__ = ["MAX_LEAVES", "Tree", "leaf_of", "root_of"]

MAX_LEAVES = 1 << 20  # the contract takes proofs of 32 hashes; a machine's memory is the limit


def leaf_of(answer: bytes, payee: str, amount: int) -> bytes:
    """Return the leaf that promises a payee a part, 32 bytes.

    Args:
        answer: the receipt's id, 32 bytes.
        payee: an address.
        amount: in base units, below 2^256.
    """
    if len(answer) != 32 or not 0 <= amount < 1 << 256:
        raise Usage("this is no part of a payment", code="leaf_malformed", got=str(amount)[:90])
    words = answer + bytes(12) + address_bytes(payee) + amount.to_bytes(32, "big")
    return keccak256(keccak256(words))


def root_of(leaf: bytes, proof: Iterable[bytes]) -> bytes:
    """Return the root to which a proof leads from a leaf."""
    node = leaf
    for beside in proof:
        node = _parent(node, beside)
    return node


@dataclass(frozen=True)
class Tree:
    """A tree over leaves in any order; Usage if there are none, or one is there twice."""

    leaves: tuple[bytes, ...]

    def __post_init__(self) -> None:
        if not 0 < len(self.leaves) <= MAX_LEAVES or len(set(self.leaves)) < len(self.leaves):
            raise Usage(
                "a payment needs at least one part, and no part twice",
                code="leaves_malformed",
                expected=f"1 to {MAX_LEAVES} leaves that differ",
                got=str(len(self.leaves)),
            )

    @property
    def root(self) -> bytes:
        """The root, 32 bytes."""
        return self._levels[-1][0]

    def proof(self, leaf: bytes) -> tuple[bytes, ...]:
        """Return the hashes beside the way from a leaf to the root; Usage if it is not here."""
        if leaf not in self._places:
            raise Usage("there is no such part in this payment", code="leaf_unknown")
        place, found = self._places[leaf], []
        for level in self._levels[:-1]:
            beside = place ^ 1
            if beside < len(level):
                found.append(level[beside])
            place //= 2
        return tuple(found)

    @cached_property
    def _levels(self) -> list[Sequence[bytes]]:
        levels: list[Sequence[bytes]] = [sorted(self.leaves)]
        while len(levels[-1]) > 1:
            level = levels[-1]
            above = [_parent(a, b) for a, b in zip(level[::2], level[1::2], strict=False)]
            levels.append(above + list(level[len(above) * 2 :]))
        return levels

    @cached_property
    def _places(self) -> dict[bytes, int]:
        return {leaf: place for place, leaf in enumerate(self._levels[0])}


def _parent(a: bytes, b: bytes) -> bytes:
    return keccak256(min(a, b), max(a, b))
