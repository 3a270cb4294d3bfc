"""What already used a contribution: everything in the graph that rests on it.

A withdrawal stops what comes next. What was trained before cannot be untrained by it, and is
therefore named: datasets, models, answers, actions, as far as the graph in hand knows of them.
"""

from __future__ import annotations

from collections.abc import Mapping

from teeproof.core.digests import named
from teeproof.data.statements import WITHDRAWN
from teeproof.proof.graph import Graph

__all__ = ["TRAINING", "models_of", "used_by"]

TRAINING = "urn:teeproof:training:v1"


def used_by(graph: Graph, statement: bytes) -> Mapping[str, tuple[str, ...]]:
    """Return what rests on a contribution: ids (``sha256:…``) by type of statement, nearest first.

    Args:
        graph: of everything that may rest on it, such as ``Graph.of`` all models and answers.
        statement: id of the pool's statement on the contribution.

    Raises:
        Usage: the contribution is not in this graph, so it can tell nothing.
    """
    found: dict[str, list[str]] = {}
    for one in graph.descendants(statement):
        node = graph.node(one)
        if node.kind == "statement" and node.type != WITHDRAWN:
            found.setdefault(node.type or "", []).append(named(one))
    return {kind: tuple(names) for kind, names in found.items()}


def models_of(graph: Graph, statement: bytes) -> tuple[str, ...]:
    """Return the training statements whose models saw a contribution; arguments as above."""
    return used_by(graph, statement).get(TRAINING, ())
