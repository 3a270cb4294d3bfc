"""The shape of a proof's graph: an order in which inputs come first, cycles, and paths from a root.

Nothing here recurses: a hostile proof can be as deep as it is long.

Trusts: nothing.  Does not trust: the proof.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Order", "order", "paths"]

Edges = Mapping[bytes, Sequence[bytes]]


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
    """Return the statements in order; ``edges`` leads from each to what it was made of."""
    waiting = dict.fromkeys(edges, 0)
    users: dict[bytes, list[bytes]] = {node: [] for node in edges}
    for node, inputs in edges.items():
        for below in inputs:
            if below in users:
                users[below].append(node)
                waiting[node] += 1
    ready = deque(node for node, count in waiting.items() if not count)
    ids = []
    while ready:
        node = ready.popleft()
        ids.append(node)
        for user in users[node]:
            waiting[user] -= 1
            if not waiting[user]:
                ready.append(user)
    left = tuple(node for node, count in waiting.items() if count)
    return Order((*ids, *left), _on_cycles(left, edges))


def paths(roots: Iterable[bytes], edges: Edges) -> dict[bytes, bytes | None]:
    """Return, for each statement that a root depends on, the one by which it is reached."""
    found: dict[bytes, bytes | None] = dict.fromkeys(roots)
    queue = deque(found)
    while queue:
        node = queue.popleft()
        for below in edges.get(node, ()):
            if below not in found:
                found[below] = node
                queue.append(below)
    return found


def _on_cycles(left: Sequence[bytes], edges: Edges) -> tuple[bytes, ...]:
    """Drop from what could not be ordered whatever only depends on a cycle."""
    remaining = set(left)
    inputs: dict[bytes, list[bytes]] = {node: [] for node in left}
    used = dict.fromkeys(left, 0)
    for node in left:
        for below in edges[node]:
            if below in remaining:
                inputs[node].append(below)
                used[below] += 1
    ready = deque(node for node in left if not used[node])
    while ready:
        node = ready.popleft()
        remaining.discard(node)
        for below in inputs[node]:
            used[below] -= 1
            if not used[below]:
                ready.append(below)
    return tuple(node for node in left if node in remaining)
