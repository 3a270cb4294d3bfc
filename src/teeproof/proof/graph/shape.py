"""A graph as JSON: one stable shape for every program that reads it.

    {"verified": false, "roots": […], "nodes": […], "edges": […], "cycles": […]}

Trusts: nothing; JSON of a graph is no verdict.  Does not trust: names; they are text like any.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from teeproof.core.digests import named
from teeproof.proof.graph.graph import Graph

__all__ = ["shape"]


def shape(graph: Graph, nodes: Collection[bytes], *, roots: Iterable[bytes] = ()) -> dict[str, Any]:
    """Return these nodes, the edges between them, and the cycles among them.

    An identity has ``labels``: what its evidence claims.
    """
    chosen = dict.fromkeys(nodes)
    described = []
    for node in map(graph.node, chosen):
        labels = graph.labels(node.id) if node.kind == "identity" else None
        described.append(node.to_json() | ({} if labels is None else {"labels": labels.to_json()}))
    edges = (edge for node in chosen for edge in graph.above(node) if edge.above in chosen)
    cycles = (cycle for cycle in graph.cycles() if cycle[0] in chosen)
    return {
        "verified": False,
        "roots": [named(root) for root in roots],
        "nodes": described,
        "edges": [edge.to_json() for edge in edges],
        "cycles": [[named(node) for node in cycle] for cycle in cycles],
    }
