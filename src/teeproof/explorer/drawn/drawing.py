"""Draw a graph of statements as SVG: what is newer left, what it was made of right.

Each box is a link, and what is alike is one box that says of how many. ``placing`` says where each
one stands, ``folding`` what is alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from html import escape
from typing import Literal, NamedTuple

from teeproof.core.text import cut
from teeproof.explorer.drawn.folding import fold
from teeproof.explorer.drawn.placing import BOX, Placed, columns_of, place
from teeproof.proof.graph import Graph, Node

__all__ = ["MOST", "Direction", "draw"]

MOST = 400  # boxes in one drawing, unless the caller says otherwise; more are counted
_READ = 5_000  # statements that are looked at for what is alike, unless more may be drawn
_LOOKED = 100_000  # inputs that are looked at; a graph may have any number
_LINES = 8  # lines for each box at most, and 1,000 more
_WIDTH, _HEIGHT, _GAP = 170, 40, 56
_STEP = _WIDTH + _GAP
_MIDDLE = 8 + _HEIGHT // 2
_ARC = 60  # by which an edge rises that runs past more boxes than it is led around
_LETTERS, _NAME = 21, 13

Direction = Literal["ancestors", "descendants"]


class _Look(NamedTuple):
    """What the boxes of one drawing have in common."""

    href: Callable[[bytes], str]
    more: Callable[[str], str] | None
    found: Collection[bytes]
    root: bytes


def draw(
    graph: Graph,
    *,
    root: bytes,
    href: Callable[[bytes], str],
    direction: Direction = "ancestors",
    most: int = MOST,
    more: Callable[[str], str] | None = None,
    found: Collection[bytes] = (),
) -> str:
    """Return the SVG element of a statement and all that it was made of, or was made of it.

    Args:
        graph: holds the statement.
        root: its id, 32 bytes.
        href: from a statement's id to the address of its page.
        direction: which of the two; ancestors stand right of the statement, descendants left.
        most: boxes that are drawn, nearest first; the rest is counted.
        more: from a word to the address of a list of all statements with it; None if there is none.
        found: ids of statements that are marked, and drawn by themselves whatever they are like.
    """
    further = graph.ancestors(root) if direction == "ancestors" else graph.descendants(root)
    statements = [one for one in (root, *further) if graph.node(one).kind == "statement"]
    nodes = [graph.node(one) for one in statements[: max(most, _READ)]]
    numbers = {node.id: number for number, node in enumerate(nodes)}
    edges, whole = _edges(graph, numbers)
    alone = [0, *(numbers[one] for one in found if one in numbers)]
    columns = columns_of(len(nodes), edges)
    boxes = fold([node.word for node in nodes], columns, edges, alone=alone)
    left_out = len(statements) - len(nodes) + sum(map(len, boxes[most:]))
    boxes = boxes[:most]
    lines = _between(boxes, edges, len(nodes))
    drawn = lines[: _LINES * len(boxes) + 1_000]
    placed = place([columns[box[0]] for box in boxes], drawn)
    look = _Look(href, more, found, root)
    parts = [_edge(placed, chain) for chain in placed.chains]
    parts += _boxes(graph, [[nodes[number] for number in box] for box in boxes], placed, look)
    width = placed.width * _STEP - _GAP + 8
    height = max(placed.ys) + BOX
    for remark in _remarks(left_out, len(lines) - len(drawn), whole=whole):
        parts.append(f'<text x="4" y="{height + 14}">{remark}</text>')
        height += 24
    label = "what it was made of" if direction == "ancestors" else "what was made of it"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="group" aria-label="{label}"'
        f' viewBox="0 0 {width} {height}" width="{width}" height="{height}">{"".join(parts)}</svg>'
    )


def _remarks(statements: int, lines: int, *, whole: bool) -> list[str]:
    """Return what is to be said of what is not drawn."""
    said = []
    if statements:
        said.append(f"and {statements} {'statement' if statements == 1 else 'statements'} more")
    if not whole:
        said.append(f"and lines of more than {_LOOKED} inputs")
    elif lines:
        said.append(f"and {lines} {'line' if lines == 1 else 'lines'} more")
    return said


def _edges(graph: Graph, numbers: dict[bytes, int]) -> tuple[list[tuple[int, int]], bool]:
    """Return the edges between statements, and whether these are all.

    Data that several claim to have made is passed over.
    """
    found: dict[tuple[int, int], None] = {}
    left = _LOOKED
    for one, number in numbers.items():
        rest = [edge.above for edge in graph.above(one) if edge.relation == "made-of"]
        left -= len(rest)
        if left < 0:
            return list(found), False
        while rest:
            above = rest.pop()
            if above in numbers:
                if above != one:
                    found[number, numbers[above]] = None
            elif above in graph and graph.node(above).kind == "data":
                makers = [edge.above for edge in graph.above(above) if edge.above in numbers]
                left -= len(makers)
                if left < 0:
                    return list(found), False
                rest += makers
    return list(found), True


def _between(
    boxes: Sequence[Sequence[int]], edges: Sequence[tuple[int, int]], count: int
) -> Sequence[tuple[int, int]]:
    """Return the edges between boxes, each once."""
    if len(boxes) == count:
        return edges
    of = {number: box for box, some in enumerate(boxes) for number in some}
    pairs = ((of.get(left), of.get(right)) for left, right in edges)
    return list(dict.fromkeys(
        (left, right) for left, right in pairs
        if left is not None and right is not None and left != right
    ))  # fmt: skip


def _edge(placed: Placed, chain: Sequence[int]) -> str:
    """Return one line: curves between columns, straight past the boxes of those in between."""
    columns, ys, _, _ = placed
    last = chain[0]
    y = ys[last]
    x = 4 + columns[last] * _STEP + _WIDTH
    way = f"M{x} {y + _MIDDLE}"
    for slot in chain[1:]:
        if last is not chain[0]:
            way += f"h{_WIDTH}"
        run = (columns[slot] - columns[last] - 1) * _STEP + _GAP
        fall, bend = ys[slot] - y, run // 2
        if run > _STEP:  # straight through the boxes of a row it could not be seen
            way += f"c{_GAP} {-_ARC} {run - _GAP} {fall - _ARC} {run} {fall}"
        else:
            way += f"c{bend} 0 {run - bend} {fall} {run} {fall}" if fall else f"h{run}"
        last, y = slot, ys[slot]
    return f'<path class="edge" d="{way}"/>'


def _boxes(graph: Graph, boxes: Sequence[Sequence[Node]], placed: Placed, look: _Look) -> list[str]:
    titles: dict[str, str] = {}  # few words for many statements
    beginnings = Counter(box[0].id[:4] for box in boxes)
    parts = []
    for number, box in enumerate(boxes):
        x, y = 4 + placed.columns[number] * _STEP, placed.ys[number] + 8
        node = box[0]
        if len(box) > 1:
            parts.append(_folded(node.word, len(box), look.more, x, y))
            continue
        word = node.word or "?"
        title = titles.get(word) or titles.setdefault(word, escape(cut(word, _LETTERS)))
        digits = node.id.hex()[:8] if beginnings[node.id[:4]] == 1 else graph.short(node.id)
        kind = " root" if node.id == look.root else " found" if node.id in look.found else ""
        parts.append(
            f'<a href="{escape(look.href(node.id))}">'
            f'<rect class="box{kind}" x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6"/>'
            f'<text x="{x + 10}" y="{y + 17}">{title}</text> '
            f'<text class="id" x="{x + 10}" y="{y + 32}">{digits}</text>{_name(node, x, y)}</a>'
        )
    return parts


def _name(node: Node, x: int, y: int) -> str:
    """Return what the author calls the first thing that the statement made."""
    name = node.outputs[0].name if node.outputs else None
    if not name:
        return ""
    return f' <text class="name" x="{x + 72}" y="{y + 32}">{escape(cut(name, _NAME))}</text>'


def _folded(word: str, count: int, more: Callable[[str], str] | None, x: int, y: int) -> str:
    """Return a box that stands for many, drawn as a pile."""
    pile = "".join(
        f'<rect class="box" x="{x + by}" y="{y + by}" width="{_WIDTH - 6}" height="{_HEIGHT - 6}"'
        f' rx="6"/>' for by in (6, 3, 0)
    )  # fmt: skip
    below = "alike: see the list" if more else "alike"
    inner = (
        f'{pile}<text x="{x + 10}" y="{y + 15}">{count:,} × {escape(cut(word or "?", 14))}</text> '
        f'<text class="name" x="{x + 10}" y="{y + 28}">{below}</text>'
    )
    return f'<a href="{escape(more(word))}">{inner}</a>' if more else f"<g>{inner}</g>"
