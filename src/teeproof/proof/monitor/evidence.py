"""Find where two trees of one log differ, and make a fork.proof of it.

Trusts: the nodes that the callers' functions return, for finding; the proof is verified before use.
Does not trust: nothing is believed here; a wrong node makes a proof that does not verify.
"""

from __future__ import annotations

from collections.abc import Callable

from teeproof.core.errors import Error, NotAuthentic
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.log.formats.merkle import Get, inclusion_proof, multiproof, peaks
from teeproof.proof.monitor.fork import Difference, Fork, ForkProof, Keys

__all__ = ["accuse", "first_difference", "manner", "prove_fork"]

_WINDOW = 16  # how many leaves after the first difference are looked at to name what was done


def prove_fork(
    a: SignedCheckpoint, b: SignedCheckpoint, *, get_a: Get | None, get_b: Get | None
) -> ForkProof:
    """Return the proof that two signed checkpoints contradict each other.

    With equal sizes no node is needed; otherwise the larger tree's are. Where both trees are given
    the proof also names the first entry in which they differ, if that can be found.

    Args:
        a: one checkpoint.
        b: the other.
        get_a: nodes of the tree of ``a``; None if they are not known.
        get_b: nodes of the tree of ``b``.

    Raises:
        Error: whatever ``get_a`` or ``get_b`` of the larger tree raises.
    """
    sizes = (a.checkpoint.size, b.checkpoint.size)
    nodes: list[bytes] = []
    larger = get_a if sizes[0] > sizes[1] else get_b
    if sizes[0] != sizes[1] and larger is not None:
        nodes = [larger(*node) for node in multiproof((), sizes)]
    difference = None
    if get_a is not None and get_b is not None:
        try:
            difference = _difference(sizes, get_a, get_b)
        except Error:  # the proof holds without it
            difference = None
    return ForkProof.of(a, b, nodes=nodes, difference=difference)


def accuse(
    a: SignedCheckpoint, b: SignedCheckpoint, *, get_a: Get | None, get_b: Get | None, keys: Keys
) -> tuple[ForkProof, Fork]:
    """Return a proof as ``prove_fork``, and what it proves to whoever knows the keys.

    There is no accusation that others could not check.

    Raises:
        NotAuthentic: it proves nothing.
        Error: as ``prove_fork``.
    """
    proof = prove_fork(a, b, get_a=get_a, get_b=get_b)
    try:
        return proof, proof.verify(keys)
    except NotAuthentic:
        less = ForkProof(proof.first, proof.second, proof.nodes)
        return less, less.verify(keys)


def first_difference(size: int, get_a: Get, get_b: Get) -> int | None:
    """Return the first index below ``size`` at which two trees hold different leaves."""
    differing = (node for node in peaks(size) if get_a(*node) != get_b(*node))
    level, index = next(differing, (0, -1))
    while level:
        level, index = level - 1, 2 * index
        if get_a(level, index) == get_b(level, index):
            index += 1
    return index if index >= 0 else None


def manner(sizes: tuple[int, int], index: int | None, get_a: Get | None, get_b: Get | None) -> str:
    """Return a code for what was done to the tree ``a`` to make ``b``, by leaves near ``index``.

    ``log_rewrote``, ``log_dropped``, ``log_inserted`` and ``log_reordered`` describe the likely
    manner; ``log_forked`` is the rest, and what cannot be seen. All of them are the same offence.
    """
    if index is None or get_a is None or get_b is None:
        return "log_forked"
    try:
        a, b = (
            [get(0, at) for at in range(index, min(size, index + _WINDOW))]
            for size, get in zip(sizes, (get_a, get_b), strict=True)
        )
    except Error:
        return "log_forked"
    end = min(len(a), len(b))
    return next((code for code, test in _MANNERS if test(a, b, end)), "log_forked")


def _rewrote(a: list[bytes], b: list[bytes], end: int) -> bool:
    same = [x == y for x, y in zip(a, b, strict=False)]
    return end > 1 and all(same[1:])


def _dropped(a: list[bytes], b: list[bytes], end: int) -> bool:
    return any(a[skip : skip + 1] and a[skip:end] == b[: end - skip] for skip in range(1, end))


def _inserted(a: list[bytes], b: list[bytes], end: int) -> bool:
    return _dropped(b, a, end)


def _reordered(a: list[bytes], b: list[bytes], end: int) -> bool:
    return end > 1 and sorted(a[:end]) == sorted(b[:end])


_MANNERS: tuple[tuple[str, Callable[[list[bytes], list[bytes], int], bool]], ...] = (
    ("log_reordered", _reordered),
    ("log_rewrote", _rewrote),
    ("log_dropped", _dropped),
    ("log_inserted", _inserted),
)


def _difference(sizes: tuple[int, int], get_a: Get, get_b: Get) -> Difference | None:
    index = first_difference(min(sizes), get_a, get_b)
    if index is None:
        return None
    return Difference(
        index,
        (get_a(0, index), get_b(0, index)),
        (
            tuple(inclusion_proof(index, sizes[0], get_a)),
            tuple(inclusion_proof(index, sizes[1], get_b)),
        ),
    )
