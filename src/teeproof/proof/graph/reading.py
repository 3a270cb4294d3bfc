"""Two readings of a graph: what something was made of, and what a bad key has touched.

Trusts: nothing.  Does not trust: whoever wrote the statements.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from teeproof.proof.graph import walk
from teeproof.proof.graph.link import Linked
from teeproof.proof.graph.model import Contribution, Output, Touched

__all__ = ["around", "lineage", "touched"]

Labelled = Mapping[str, Sequence[tuple[str, bytes]]]


def lineage(linked: Linked, number: int) -> tuple[Contribution, ...]:
    """Return all that a node was made of, and itself, each after what it was made of."""
    inputs = _Inputs(linked)
    exact = set(walk.reach([number], _Inputs(linked, exact=True)))
    return tuple(
        found
        for each in walk.postorder([number], inputs)
        for found in _contribution(linked, each, exact=each in exact)
    )


def touched(linked: Linked, key: str, labelled: Labelled) -> Touched:
    """Return what lies downstream of a key that ``Graph.touched`` has found to be one.

    Whoever uses an output is downstream of it, and so is whoever uses a statement that lists it:
    that may be how the output is meant.
    """
    digest = bytes.fromhex(key)
    meanings: list[str] = []
    seeds: list[int] = []
    first: list[int] = []
    if digest in linked.index:
        number = linked.index[digest]
        meanings.append(linked.nodes[number].kind)
        seeds.append(number)
        first += linked.children[number]
    makers, users = linked.makers.get(digest, []), linked.users.get(digest, [])
    if makers:
        meanings.append("output")
    elif users and digest not in linked.index:
        meanings.append("data")
    seeds += makers
    first += users
    for maker in makers:
        itself = linked.nodes[maker].id
        first += [linked.index[e.below] for e in linked.down[maker] if e.digest == itself]
    for meaning, identity in labelled.get(key, ()):
        meanings.append(meaning)
        seeds.append(linked.index[identity])
        first += linked.children[linked.index[identity]]
    return Touched(
        key=key,
        meanings=tuple(dict.fromkeys(meanings)),
        seeds=tuple(linked.nodes[number].id for number in dict.fromkeys(seeds)),
        first=tuple(linked.nodes[number].id for number in dict.fromkeys(first)),
        nodes=tuple(map(linked.ids.__getitem__, walk.reach(first, linked.children))),
    )


def around(
    linked: Linked, starts: Sequence[int], *, up: bool, depth: int | None = None
) -> list[int]:
    """Return the starts and what is above or below them, nearest first, at most ``depth`` edges
    away; upwards also what an edge that does not hold leads to, and nothing behind that.
    """
    adjacent = linked.parents if up else linked.children
    found = walk.reach(starts, adjacent) if depth is None else walk.near(starts, adjacent, depth)
    edges = linked.up if up else linked.down
    beside = [
        linked.index[edge.above if up else edge.below]
        for number in (found if depth != 0 else ())
        for edge in edges[number]
        if not edge.holds
    ]
    return list(dict.fromkeys([*found, *beside]))


class _Inputs(Sequence[Sequence[int]]):
    """The numbers of what each node was made of; of ``exact``, only along names of statements."""

    def __init__(self, linked: Linked, *, exact: bool = False) -> None:
        self._linked, self._exact = linked, exact

    def __len__(self) -> int:
        return len(self._linked.nodes)

    def __getitem__(self, number: int) -> list[int]:  # type: ignore[override]
        linked = self._linked
        return [
            linked.index[edge.above]
            for edge in linked.up[number]
            if edge.holds
            and edge.relation in ("made-of", "made-by")
            and not (self._exact and edge.how in ("digest", "several"))
        ]


def _contribution(linked: Linked, number: int, *, exact: bool) -> Iterator[Contribution]:
    node = linked.nodes[number]
    if node.kind == "statement":
        yield Contribution(
            statement=node.id,
            identity=node.author,
            outputs=node.outputs,
            exact=exact,
            missing=node.state != "here",
        )
    elif node.kind == "data" and not linked.up[number]:
        output = Output(node.id, node.name)
        yield Contribution(statement=None, identity=None, outputs=(output,), exact=exact)
