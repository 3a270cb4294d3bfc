"""Draw a graph for Graphviz: DOT text, in which names of strangers are only ever text.

Source: the DOT language and the attribute type escString, graphviz.org/doc/info.

Trusts: nothing; a drawing is no verdict.  Does not trust: names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from teeproof.core.digests import named
from teeproof.core.text import cut
from teeproof.proof.graph.graph import Graph
from teeproof.proof.graph.model import Edge, Node

__all__ = ["dot"]

_NAME = 48
_SHAPES = {"statement": "box", "identity": "ellipse", "data": "note"}
_STYLES = {
    "made-of": "solid", "made-by": "dashed", "said-by": "dotted", "cosigned-by": "dotted",
    "follows": "dashed",
}  # fmt: skip
_BAD = "firebrick"


def dot(graph: Graph, nodes: Collection[bytes]) -> Iterator[str]:
    """Yield the lines of a drawing of these nodes and of the edges between them.

    Arrows lead from what is below to what is above: from the user to what it was made of.
    """
    chosen = dict.fromkeys(nodes)
    yield "digraph teeproof {"
    yield "  rankdir=BT;"
    yield '  label="Claims, not verified";'
    yield '  node [fontname="sans-serif", fontsize=10];'
    yield '  edge [fontname="sans-serif", fontsize=9];'
    for node in chosen:
        yield _node(graph, graph.node(node))
    for node in chosen:
        for edge in graph.above(node):
            if edge.above in chosen:
                yield _edge(edge)
    yield "}"


def _node(graph: Graph, node: Node) -> str:
    lines = [node.word or node.kind, *_names(node), graph.short(node.id)]
    color = ""
    if node.state != "here":
        lines.append(node.state.upper())
        color = f", color={_BAD}"
    label = r"\n".join(map(_text, lines))
    return f'  "{named(node.id)}" [shape={_SHAPES[node.kind]}, label="{label}"{color}];'


def _names(node: Node) -> list[str]:
    if node.name:
        return [node.name]
    found = [output.name for output in node.outputs[:3] if output.name]
    more = len(node.outputs) - 3
    return [*found, f"and {more} more"] if more > 0 else found


def _edge(edge: Edge) -> str:
    words = [edge.role or edge.relation]
    if edge.how != "named":
        words.append(f"({edge.how})")
    style = f"style={_STYLES[edge.relation]}"
    color = "" if edge.holds and edge.how != "missing" else f", color={_BAD}"
    label = _text(" ".join(words))
    return f'  "{named(edge.below)}" -> "{named(edge.above)}" [label="{label}", {style}{color}];'


def _text(text: str) -> str:
    """Return text for a quoted label: no escape, entity or line of its own survives in it."""
    return (
        cut(text, _NAME)
        .replace("\\", "\\\\")
        .replace('"', '\\"')
        .replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
    )
