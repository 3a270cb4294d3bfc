"""Draw a graph as a tree of lines: what something was made of, or what was made of it.

A node that several lead to is drawn once, and where it comes again the line says so. A tree that
grows too far to the right goes on below, from the left; so the lines stay within the width, however
deep the graph is. Names are quoted, cut and made harmless.

Trusts: nothing; a drawing is no verdict.  Does not trust: names, depth, width or cycles of a graph.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from teeproof.core.clock import format_time
from teeproof.core.text import cut
from teeproof.proof.graph.graph import Graph
from teeproof.proof.graph.model import Edge, Node
from teeproof.proof.receipt import RECEIPT_TYPE

__all__ = ["MAX_ROWS", "NOTES", "Direction", "Row", "rows"]

MAX_ROWS = 5000
_NAME = 48  # columns of a name
_WORD = 24  # and of a role or a step's word
_PLAIN = re.compile(r"[\w./:+-]+( [\w./:+-]+)*", re.ASCII)
_DEEPEST = 14  # levels that a tree grows to the right

Direction = Literal["up", "down"]

NOTES = {
    "above": "drawn above, with all that is under it",
    "below": "drawn below, from the left",
    "by digest": "the user names the data, not the statement: anyone can list the same digest",
    "DENIED": "the statement that is named does not list this data as its output",
    "ONE-SIDED": "only one of the two identities says so",
    "MISSING": "spoken of, and not here",
    "UNREADABLE": "what the source holds under this id is something else",
    "CYCLE": "it is made of itself, which honest statements never are",
    "deeper": "not drawn at this depth: see --depth",
}
"""What each mark means; a drawing says it of the marks that it has."""


class Row(NamedTuple):
    """One line of a drawing, as yet without columns.

    Attributes:
        branch: the lines of the tree that lead here.
        role: what it was used as, harmless text.
        title: what it is.
        marks: words of ``NOTES``.
        id: the abbreviated id.
        by: abbreviated ids of author and cosigners.
        note: what there is to say instead of an author.
        time: T, if it is known.
        kind: of the node.
    """

    branch: str
    role: str = ""
    title: str = ""
    marks: tuple[str, ...] = ()
    id: str = ""
    by: tuple[str, ...] = ()
    note: str = ""
    time: str = ""
    kind: str = "statement"


class _Turn(NamedTuple):
    """A node that is to be drawn."""

    node: bytes
    edge: Edge | None
    trunk: str
    last: bool
    depth: int


def rows(
    graph: Graph,
    tops: Iterable[bytes],
    *,
    direction: Direction = "up",
    depth: int | None = None,
    limit: int = MAX_ROWS,
    room: int = 100,
) -> Iterator[Row]:
    """Yield the lines of a drawing.

    Args:
        graph: what is drawn.
        tops: where the trees begin.
        direction: ``up``, to what each was made of, or ``down``, to what was made of it.
        depth: levels below each top; None draws all.
        limit: lines; the last one then says how many nodes were left out.
        room: columns of the drawing; a tree takes half of them before it goes on below.
    """
    yield from _Drawing(graph, direction, depth, max(2, min(_DEEPEST, room // 6))).rows(tops, limit)


class _Drawing:
    def __init__(self, graph: Graph, direction: Direction, depth: int | None, deepest: int) -> None:
        self.graph, self.direction, self.depth, self.deepest = graph, direction, depth, deepest
        self.circular = {node for cycle in graph.cycles() for node in cycle}
        self.drawn: set[bytes] = set()
        self.branching: set[bytes] = set()  # of the drawn, those that something stands under
        self.queued: set[bytes] = set()

    def rows(self, tops: Iterable[bytes], limit: int) -> Iterator[Row]:
        """Draw each top that was not drawn by the one before, then what goes on below."""
        queue = [_Turn(top, None, "", last=True, depth=0) for top in dict.fromkeys(tops)]
        count = 0
        for block in queue:  # grows while it is walked
            if block.node in self.drawn:
                continue
            stack = [block]
            while stack:
                if count >= limit:
                    yield Row("", title=f"… {limit} lines are drawn, and there is more: name an ID")
                    return
                turn = stack.pop()
                count += 1
                yield self._draw(turn, stack, queue)

    def _draw(self, turn: _Turn, stack: list[_Turn], queue: list[_Turn]) -> Row:
        marks = self._marks(turn)
        if turn.edge is not None and not turn.edge.holds:
            return self._row(turn, tuple(marks))
        if turn.node in self.drawn:
            marks += ["above"] if turn.node in self.branching else []
            return self._row(turn, tuple(marks))
        if turn.edge is not None and turn.node in self.queued:
            return self._row(turn, (*marks, "below"))
        edges = self._edges(turn.node)
        if not edges:
            self.drawn.add(turn.node)
        elif self.depth is not None and turn.depth >= self.depth:
            marks.append("deeper")
        elif len(turn.trunk) >= 3 * self.deepest:
            marks.append("below")
            self.queued.add(turn.node)
            queue.append(_Turn(turn.node, None, "", last=True, depth=turn.depth))
        else:
            self.drawn.add(turn.node)
            self.branching.add(turn.node)
            stack += self._following(turn, edges)
        return self._row(turn, tuple(marks))

    def _following(self, turn: _Turn, edges: list[Edge]) -> list[_Turn]:
        """Return the turns of what comes under a node; the first is the last of the list."""
        trunk = turn.trunk
        if turn.edge is not None:
            trunk += "   " if turn.last else "│  "
        up = self.direction == "up"
        return [
            _Turn(edge.above if up else edge.below, edge, trunk, at == 0, turn.depth + 1)
            for at, edge in enumerate(reversed(edges))
        ]

    def _edges(self, node: bytes) -> list[Edge]:
        """Return the edges under a node: authors stand at its right, not under it."""
        if self.direction == "down":
            return list(self.graph.below(node))
        found = self.graph.above(node)
        return [edge for edge in found if edge.relation in ("made-of", "made-by", "follows")]

    def _marks(self, turn: _Turn) -> list[str]:
        marks = []
        how = None if turn.edge is None else turn.edge.how
        state = self.graph.node(turn.node).state
        if how == "digest":
            marks.append("by digest")
        elif how == "denied":
            marks.append("DENIED")
        elif how == "one-sided":
            marks.append("ONE-SIDED")
        if state != "here":
            marks.append(state.upper())
        if turn.node in self.circular:
            marks.append("CYCLE")
        return marks

    def _row(self, turn: _Turn, marks: tuple[str, ...]) -> Row:
        node = self.graph.node(turn.node)
        branch = "" if turn.edge is None else turn.trunk + ("└─ " if turn.last else "├─ ")
        people = () if node.author is None else (node.author, *node.cosigners)
        return Row(
            branch,
            role=self._role(turn.edge),
            title=self._title(node, turn.edge),
            marks=marks,
            id=self.graph.short(node.id),
            by=tuple(self.graph.short(person) for person in people),
            note=self._note(node),
            time="" if node.time is None else format_time(node.time),
            kind=node.kind,
        )

    def _role(self, edge: Edge | None) -> str:
        if edge is None:
            return ""
        if edge.relation == "made-of":
            role = _bare(edge.role or "")
            return role if self.direction == "up" else f"as {role}:"
        words = {
            "made-by": "made by" if self.direction == "up" else "one of its makers:",
            "said-by": "says",
            "cosigned-by": "cosigns",
        }
        follows = "follows" if self.direction == "up" else "followed by"
        return words.get(edge.relation, follows)

    def _title(self, node: Node, edge: Edge | None) -> str:
        if node.kind == "identity":
            return f"identity ({_bare(node.word)})" if node.word else "identity"
        if node.kind == "data":
            return _quoted((edge and edge.name) or node.name) or "data"
        word = _bare(node.word) or "statement"
        if self.direction == "up" and edge is not None and edge.relation != "follows":
            name = edge.name or _name_of(node, edge.digest)
            name = None if name == edge.role else name
            return " ".join(filter(None, (_quoted(name), "←", word)))
        output = _quoted(_chief(node))
        more = f" +{len(node.outputs) - 1}" if len(node.outputs) > 1 else ""
        return f"{word} → {output}{more}" if output else word

    def _note(self, node: Node) -> str:
        if node.kind == "data":
            above = self.graph.linked.up[self.graph.linked.index[node.id]]
            if above and above[0].relation == "said-by":
                return f"of {len(above)} identities"
            return f"by any of {len(above)}" if above else "no maker here"
        if node.kind == "statement" and node.state == "here" and node.author is None:
            return "by keys unknown here" if node.keyset else "by nobody it names"
        return ""


def _chief(node: Node) -> str | None:
    """Return the name of the output that stands for all: of an answer, what was answered."""
    if not node.outputs:
        return None
    return node.outputs[-1 if node.type == RECEIPT_TYPE else 0].name


def _name_of(node: Node, digest: bytes | None) -> str | None:
    return next((output.name for output in node.outputs if output.digest == digest), None)


def _quoted(name: str | None) -> str:
    """Return a name as a drawing shows it; the marks around it are ours alone."""
    return f"“{_inside(cut(name, _NAME))}”" if name else ""


def _bare(word: str) -> str:
    """Return a word as it is if it is a plain one; what could pass for ours is quoted."""
    if _PLAIN.fullmatch(word) and len(word) <= _WORD:
        return word
    return f"“{_inside(cut(word, _WORD))}”" if word else ""


def _inside(text: str) -> str:
    return text.replace("“", "'").replace("”", "'")
