"""The shape of a proof's graph: an order in which inputs come first, cycles, and paths from a root.

Nothing here recurses: a hostile proof can be as deep as it is long. A link that names data and no
statement leads to a node for that data, and from there to whoever made it. So a thousand statements
that use what another thousand made are two thousand edges, not a million.

Trusts: nothing.  Does not trust: the proof.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from teeproof.proof.links import Link

__all__ = ["Edges", "Node", "Order", "edges_of", "order", "paths"]

Node = bytes | str
"""A statement's id, or the ``sha256:…`` of data that links name without the statement behind it."""

Edges = Mapping[Node, Sequence[Node]]
"""From each node to what it was made of, or to those that made it."""


def edges_of(
    links: Mapping[bytes, Sequence[Link]],
    outputs: Mapping[bytes, Collection[str]],
    producers: Callable[[str], Sequence[bytes]],
) -> Edges:
    """Return the graph of the statements in a proof.

    Args:
        links: inputs of each statement.
        outputs: of each, ``sha256:…`` of what it made.
        producers: the statements that made a ``sha256:…``, in the proof's order.
    """
    edges: dict[Node, Sequence[Node]] = {}
    again: dict[str, list[bytes]] = {}  # who makes what it was made of, and names no statement
    for one, its in links.items():
        below: dict[Node, None] = {}
        for link in its:
            if link.statement is not None:
                if link.statement in links:
                    below[link.statement] = None
            elif link.digest not in below and (made := producers(link.digest)):
                below[link.digest] = None
                edges[link.digest] = made
                if link.digest in outputs[one]:
                    again.setdefault(link.digest, []).append(one)
        edges[one] = tuple(below)
    alone: dict[bytes, list[str]] = {}
    for digest, ones in again.items():
        if len(ones) == 1:  # it was made of what others made, not of itself
            alone.setdefault(ones[0], []).append(digest)
    for one, digests in alone.items():  # one pass for all of them: a file may have thousands
        nodes = dict.fromkeys(edges[one])
        for digest in digests:
            del nodes[digest]
            nodes |= dict.fromkeys(other for other in producers(digest) if other != one)
        edges[one] = tuple(nodes)
    return edges


class Order:
    """Statements with inputs first.

    Attributes:
        ids: every statement; those on a cycle come last.
        cyclic: statements that are, through others, made of themselves.
    """

    def __init__(self, ids: tuple[bytes, ...], cyclic: tuple[bytes, ...]) -> None:
        self.ids = ids
        self.cyclic = cyclic


def order(edges: Edges) -> Order:
    """Return the statements in order."""
    waiting = dict.fromkeys(edges, 0)
    users: dict[Node, list[Node]] = {}
    for node, inputs in edges.items():
        waiting[node] = len(inputs)
        for below in inputs:
            users.setdefault(below, []).append(node)
    ready = deque(node for node, count in waiting.items() if not count)
    ids: list[Node] = []
    while ready:
        node = ready.popleft()
        ids.append(node)
        for user in users.get(node, ()):
            waiting[user] -= 1
            if not waiting[user]:
                ready.append(user)
    left = [node for node, count in waiting.items() if count]
    return Order(_statements((*ids, *left)), _statements(_on_cycles(left, edges)))


def paths(roots: Iterable[bytes], edges: Edges) -> dict[bytes, bytes | None]:
    """Return, for each statement that a root depends on, the one by which it is reached.

    The nearest to a root come first.
    """
    found: dict[bytes, bytes | None] = dict.fromkeys(roots)
    seen: set[str] = set()
    queue: deque[tuple[Node, bytes]] = deque((root, root) for root in found)
    while queue:
        node, user = queue.popleft()
        for below in edges.get(node, ()):
            if isinstance(below, str):
                if below not in seen:
                    seen.add(below)
                    queue.append((below, user))
            elif below not in found:
                found[below] = user
                queue.append((below, below))
    return found


def _statements(nodes: Iterable[Node]) -> tuple[bytes, ...]:
    return tuple(node for node in nodes if isinstance(node, bytes))


def _on_cycles(left: Sequence[Node], edges: Edges) -> list[Node]:
    """Drop from what could not be ordered whatever only depends on a cycle."""
    remaining = set(left)
    used = dict.fromkeys(left, 0)
    for node in left:
        for below in edges[node]:
            if below in remaining:
                used[below] += 1
    ready = deque(node for node in left if not used[node])
    while ready:
        node = ready.popleft()
        remaining.discard(node)
        for below in edges[node]:
            if below in used:
                used[below] -= 1
                if not used[below]:
                    ready.append(below)
    return [node for node in left if node in remaining]
