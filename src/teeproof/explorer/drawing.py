"""Draw a graph of statements as SVG: what is newer left, what it was made of right.

Each box is a link. An edge that passes columns gets a place in each, so that it runs around their
boxes; one that passes many runs straight, else long histories would be all detours.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from html import escape
from itertools import pairwise
from typing import Literal, NamedTuple

from teeproof.core.text import cut
from teeproof.proof.graph import Graph

__all__ = ["MOST", "Direction", "draw"]

MOST = 400  # statements in one drawing, unless the caller says otherwise; more are counted
_WIDTH, _HEIGHT, _GAP, _ROW = 150, 38, 56, 54
_LETTERS = 19
_DETOUR = 12  # columns that an edge passes at most with a place in each

Direction = Literal["ancestors", "descendants"]
Slot = tuple[int, ...]
"""A place in a column: of a statement its number; of a passing edge, its ends and the column."""


class _Place(NamedTuple):
    x: int
    y: int


def draw(
    graph: Graph,
    *,
    root: bytes,
    href: Callable[[bytes], str],
    direction: Direction = "ancestors",
    most: int = MOST,
) -> str:
    """Return the SVG element of a statement and all that it was made of, or was made of it.

    Args:
        graph: holds the statement.
        root: its id, 32 bytes.
        href: from a statement's id to the address of its page.
        direction: which of the two; ancestors stand right of the statement, descendants left.
        most: statements that are drawn, nearest first; the rest is counted.
    """
    further = graph.ancestors(root) if direction == "ancestors" else graph.descendants(root)
    shown = [one for one in (root, *further) if graph.node(one).kind == "statement"]
    left_out = len(shown) - most
    numbers = {one: number for number, one in enumerate(shown[:most])}
    edges = _edges(graph, numbers)
    slots, chains = _slots(_columns(len(numbers), edges), edges)
    places = _order(slots, chains)
    parts = [_edge([places[slot] for slot in chain]) for chain in chains]
    titles: dict[str, str] = {}  # few words for many statements
    beginnings = Counter(one[:4] for one in numbers)
    for one, number in numbers.items():
        word = graph.node(one).word or "?"
        title = titles.get(word) or titles.setdefault(word, escape(cut(word, _LETTERS)))
        alone = beginnings[one[:4]] == 1
        digits = one.hex()[:8] if alone else graph.short(one)
        parts.append(_box(places[number,], title, digits, href(one), is_root=one == root))
    width = len(slots) * (_WIDTH + _GAP) - _GAP + 8
    height = max((len(column) for column in slots), default=1) * _ROW
    if left_out > 0:
        parts.append(f'<text x="4" y="{height + 14}">and {left_out} statements more</text>')
        height += 24
    words = "what it was made of" if direction == "ancestors" else "what was made of it"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="group" aria-label="{words}"'
        f' viewBox="0 0 {width} {height}" width="{width}" height="{height}">{"".join(parts)}</svg>'
    )


def _edges(graph: Graph, numbers: dict[bytes, int]) -> list[tuple[int, int]]:
    """Return the edges between statements; data that several claim to have made is passed over."""
    found: dict[tuple[int, int], None] = {}
    for one, number in numbers.items():
        rest = [edge.above for edge in graph.above(one) if edge.relation == "made-of"]
        while rest:
            above = rest.pop()
            if above in numbers and above != one:
                found[number, numbers[above]] = None
            elif above in graph and graph.node(above).kind == "data":
                rest += [edge.above for edge in graph.above(above) if edge.above in numbers]
    return list(found)


def _columns(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """Return each node's column: right of all that is made of it; cycles are cut."""
    following: list[list[int]] = [[] for _ in range(count)]
    waits = [0] * count
    for below, above in edges:
        following[below].append(above)
        waits[above] += 1
    columns, done = [0] * count, bytearray(count)
    ready = deque(number for number in range(count) if not waits[number])
    late = iter(range(count))  # nodes of cycles, nearest to the root first
    while True:
        if not ready:
            cycle = next((number for number in late if not done[number]), None)
            if cycle is None:
                return columns
            ready.append(cycle)
        below = ready.popleft()
        if done[below]:
            continue
        done[below] = 1
        for above in following[below]:
            waits[above] -= 1
            if not done[above]:
                columns[above] = max(columns[above], columns[below] + 1)
                if not waits[above]:
                    ready.append(above)


def _slots(
    columns: Sequence[int], edges: Iterable[tuple[int, int]]
) -> tuple[list[list[Slot]], list[list[Slot]]]:
    slots: list[list[Slot]] = [[] for _ in range(max(columns, default=0) + 1)]
    for number, column in enumerate(columns):
        slots[column].append((number,))
    chains: list[list[Slot]] = []
    for below, above in edges:
        chain: list[Slot] = [(below,)]
        passed = range(columns[below] + 1, columns[above])
        for column in passed if len(passed) <= _DETOUR else ():
            slots[column].append((below, above, column))
            chain.append((below, above, column))
        chains.append([*chain, (above,)])
    return slots, chains


def _order(slots: list[list[Slot]], chains: Sequence[Sequence[Slot]]) -> dict[Slot, _Place]:
    """Put each slot beside the middle of those that lead to it, column by column."""
    before: dict[Slot, list[Slot]] = defaultdict(list)
    for chain in chains:
        for left, right in pairwise(chain):
            before[right].append(left)
    rows: dict[Slot, int] = {}
    places: dict[Slot, _Place] = {}
    for number, column in enumerate(slots):
        if len(column) > 1:
            middle = {slot: _middle([rows.get(one, 0) for one in before[slot]]) for slot in column}
            column.sort(key=middle.__getitem__)
        x = 4 + number * (_WIDTH + _GAP)
        for row, slot in enumerate(column):
            rows[slot] = row
            places[slot] = _Place(x, 8 + row * _ROW)
    return places


def _middle(values: Sequence[int]) -> float:
    return sum(values) / len(values) if values else 0.0


def _edge(places: Sequence[_Place]) -> str:
    if len(places) == 2:  # nearly all of them, so without lists
        (x, y), (to_x, to_y) = places
        run, bend = to_x - x - _WIDTH, (to_x - x - _WIDTH) // 2
        fall = to_y - y
        start = f"M{x + _WIDTH} {y + _HEIGHT // 2}"
        return f'<path class="edge" d="{start}c{bend} 0 {run - bend} {fall} {run} {fall}"/>'
    parts = []
    for left, right in pairwise(places):
        x, y = left.x + _WIDTH, left.y + _HEIGHT // 2
        to_x, to_y = right.x, right.y + _HEIGHT // 2
        bend = (to_x - x) // 2
        parts.append(f"M{x} {y}C{x + bend} {y} {to_x - bend} {to_y} {to_x} {to_y}")
    passing = "".join(f"M{place.x} {place.y + _HEIGHT // 2}h{_WIDTH}" for place in places[1:-1])
    return f'<path class="edge" d="{"".join(parts)}{passing}"/>'


def _box(place: _Place, title: str, digits: str, href: str, *, is_root: bool) -> str:
    kind = "box root" if is_root else "box"
    x, y = place.x + 10, place.y
    return (
        f'<a href="{escape(href)}">'
        f'<rect class="{kind}" x="{place.x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}"'
        f' rx="6"/><text x="{x}" y="{y + 16}">{title}'
        f'</text> <text class="id" x="{x}" y="{y + 30}">{digits}</text></a>'
    )
