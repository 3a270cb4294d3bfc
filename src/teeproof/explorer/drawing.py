"""Draw a graph of statements as SVG: what is newer left, what it was made of right.

Each box is a link. Edges that pass a column get a place in it, so that they run around its boxes.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import NamedTuple

from teeproof.core.text import cut
from teeproof.proof.graph import Graph

__all__ = ["MOST", "draw"]

MOST = 400  # statements in one drawing; more are counted
_WIDTH, _HEIGHT, _GAP, _ROW = 150, 38, 56, 54
_LETTERS = 19

Slot = tuple[int, ...]
"""A place in a column: of a statement its number; of a passing edge, its ends and the column."""


class _Place(NamedTuple):
    x: int
    y: int


def draw(graph: Graph, *, root: bytes, href: Callable[[bytes], str]) -> str:
    """Return the SVG element of a statement and all that it was made of.

    Args:
        graph: holds the statement.
        root: its id, 32 bytes.
        href: from a statement's id to the address of its page.
    """
    reached = [root, *graph.ancestors(root)]
    shown = [one for one in reached if graph.node(one).kind == "statement"]
    left_out = len(shown) - MOST
    shown = shown[:MOST]
    numbers = {one: number for number, one in enumerate(shown)}
    edges = _edges(graph, shown, numbers)
    columns = _columns(len(shown), edges)
    slots, chains = _slots(columns, edges)
    places = _order(slots, chains)
    parts = [_edge([places[slot] for slot in chain]) for chain in chains]
    for one, number in numbers.items():
        title = graph.node(one).word or "?"
        parts.append(_box(places[number,], title, graph.short(one), href(one), is_root=one == root))
    width = len(slots) * (_WIDTH + _GAP) - _GAP + 8
    height = max((len(column) for column in slots), default=1) * _ROW
    if left_out > 0:
        parts.append(f'<text x="4" y="{height + 14}">and {left_out} statements more</text>')
        height += 24
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="what it was made of"'
        f' viewBox="0 0 {width} {height}" width="{width}" height="{height}">{"".join(parts)}</svg>'
    )


def _edges(
    graph: Graph, shown: Sequence[bytes], numbers: Mapping[bytes, int]
) -> list[tuple[int, int]]:
    found: dict[tuple[int, int], None] = {}
    for one in shown:
        rest = [edge.above for edge in graph.above(one) if edge.relation == "made-of"]
        while rest:
            above = rest.pop()
            if above in numbers and above != one:
                found[numbers[one], numbers[above]] = None
            elif above in graph and graph.node(above).kind == "data":
                rest += [edge.above for edge in graph.above(above) if edge.above in numbers]
    return list(found)


def _columns(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """Return each node's column: right of all that is made of it; cycles stop at the bound."""
    columns = [0] * count
    for _ in range(count):
        moved = False
        for below, above in edges:
            if columns[above] <= columns[below] < count:
                columns[above], moved = columns[below] + 1, True
        if not moved:
            break
    return columns


def _slots(
    columns: Sequence[int], edges: Sequence[tuple[int, int]]
) -> tuple[list[list[Slot]], list[list[Slot]]]:
    slots: list[list[Slot]] = [[] for _ in range(max(columns, default=0) + 1)]
    for number, column in enumerate(columns):
        slots[column].append((number,))
    chains: list[list[Slot]] = []
    for below, above in edges:
        chain: list[Slot] = [(below,)]
        for column in range(columns[below] + 1, columns[above]):
            slots[column].append((below, above, column))
            chain.append((below, above, column))
        chains.append([*chain, (above,)])
    return slots, chains


def _order(slots: list[list[Slot]], chains: Sequence[Sequence[Slot]]) -> dict[Slot, _Place]:
    """Put each slot beside the middle of those that lead to it, column by column."""
    before: dict[Slot, list[Slot]] = defaultdict(list)
    for chain in chains:
        for left, right in itertools.pairwise(chain):
            before[right].append(left)
    rows: dict[Slot, float] = {}
    for column in slots:
        middle = {slot: _middle([rows.get(one, 0.0) for one in before[slot]]) for slot in column}
        column.sort(key=lambda slot: middle[slot])
        for row, slot in enumerate(column):
            rows[slot] = row
    return {
        slot: _Place(4 + number * (_WIDTH + _GAP), 8 + row * _ROW)
        for number, column in enumerate(slots)
        for row, slot in enumerate(column)
    }


def _middle(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _edge(places: Sequence[_Place]) -> str:
    parts = []
    for left, right in itertools.pairwise(places):
        x, y = left.x + _WIDTH, left.y + _HEIGHT // 2
        to_x, to_y = right.x, right.y + _HEIGHT // 2
        bend = (to_x - x) // 2
        parts.append(f"M{x} {y}C{x + bend} {y} {to_x - bend} {to_y} {to_x} {to_y}")
    passing = "".join(f"M{place.x} {place.y + _HEIGHT // 2}h{_WIDTH}" for place in places[1:-1])
    return f'<path class="edge" d="{"".join(parts)}{passing}"/>'


def _box(place: _Place, title: str, digits: str, href: str, *, is_root: bool) -> str:
    kind = "box root" if is_root else "box"
    return (
        f'<a href="{escape(href)}"><title>{escape(title)} {escape(digits)}</title>'
        f'<rect class="{kind}" x="{place.x}" y="{place.y}" width="{_WIDTH}" height="{_HEIGHT}"'
        f' rx="6"/><text x="{place.x + 10}" y="{place.y + 16}">{escape(cut(title, _LETTERS))}'
        f'</text><text class="id" x="{place.x + 10}" y="{place.y + 30}">{escape(digits)}</text></a>'
    )
