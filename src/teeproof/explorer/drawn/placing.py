"""Give the boxes of a graph their places: columns from left to right, few crossings, short edges.

An edge that passes columns runs around their boxes. Edges to the same box share their way there,
as wires do in a cable: a thing that hundreds were made with has one line, and not hundreds.

The way is Sugiyama's: longest paths give the columns, and sweeps that put each box beside the
middle of its neighbours give the order and the heights.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from math import inf
from typing import NamedTuple

__all__ = ["BOX", "WIRE", "Placed", "columns_of", "place"]

BOX, WIRE = 54, 14  # the height that a box and a passing edge take in a column, in pixels
_DETOUR = 12  # columns that an edge passes at most around their boxes; longer ones run straight
_SWEEPS = (True, False, True)  # to the right, beside what leads here; to the left; and again


class Placed(NamedTuple):
    """Where everything is.

    Attributes:
        columns: of each slot; the first slots are the boxes, by number.
        ys: of each slot's middle, in pixels from 0.
        chains: of each edge the slots from its box to the first that an earlier edge has drawn.
        width: columns in all.
    """

    columns: list[int]
    ys: list[int]
    chains: list[list[int]]
    width: int


def place(columns: Sequence[int], edges: Sequence[tuple[int, int]]) -> Placed:
    """Return the places of boxes.

    Args:
        columns: of each box, by number.
        edges: the numbers of the left and the right box; those of a cycle may lead back.
    """
    count, columns = len(columns), list(columns)
    chains = _chains(columns, edges)
    lefts: list[list[int]] = [[] for _ in columns]
    rights: list[list[int]] = [[] for _ in columns]
    for chain in chains:
        left = chain[0]
        for right in chain[1:]:
            rights[left].append(right)
            lefts[right].append(left)
            left = right
    by_column: list[list[int]] = [[] for _ in range(max(columns, default=0) + 1)]
    for slot, column in enumerate(columns):
        by_column[column].append(slot)
    ys = [0.0] * len(columns)
    heights = [BOX / 2] * count + [WIRE / 2] * (len(columns) - count)
    for onward in _SWEEPS:
        order = by_column if onward else by_column[::-1]
        _sweep(order, lefts if onward else rights, heights, ys)
    least = min(ys, default=0.0)
    return Placed(columns, [round(y - least) for y in ys], chains, len(by_column))


def columns_of(count: int, edges: Iterable[tuple[int, int]]) -> list[int]:
    """Return each box's column: right of all that leads to it; cycles are cut."""
    following: list[list[int]] = [[] for _ in range(count)]
    waits = [0] * count
    for left, right in edges:
        following[left].append(right)
        waits[right] += 1
    columns, done = [0] * count, bytearray(count)
    ready = deque(number for number in range(count) if not waits[number])
    late = iter(range(count))  # boxes of cycles, nearest to the first first
    while True:
        if not ready:
            cycle = next((number for number in late if not done[number]), None)
            if cycle is None:
                return columns
            ready.append(cycle)
        left = ready.popleft()
        if done[left]:
            continue
        done[left] = 1
        after = columns[left] + 1
        for right in following[left]:
            waits[right] -= 1
            if not done[right]:
                columns[right] = max(columns[right], after)
                if not waits[right]:
                    ready.append(right)


def _chains(columns: list[int], edges: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Return each edge's slots; ``columns`` grows by those that edges pass."""
    ways: dict[tuple[int, int], int] = {}  # of a box and a column left of it, the slot there
    chains = []
    for left, right in edges:
        chain, goal = [left], columns[right]
        if 1 < goal - columns[left] <= _DETOUR + 1:
            for column in range(columns[left] + 1, goal):
                slot = ways.get((right, column))
                if slot is not None:
                    chain.append(slot)
                    break
                ways[right, column] = len(columns)
                chain.append(len(columns))
                columns.append(column)
            else:
                chain.append(right)
        else:
            chain.append(right)
        chains.append(chain)
    return chains


def _sweep(
    order: Iterable[list[int]], near: list[list[int]], heights: list[float], ys: list[float]
) -> None:
    """Put each slot beside the middle of its neighbours on one side, column by column.

    As near to it, that is, as the heights of the others allow. One loop without calls: it is long.
    """
    for column in order:
        wanted: dict[int, float] = {}
        for slot in column:
            others = near[slot]
            if len(others) == 1:
                wanted[slot] = ys[others[0]]
            elif others:
                wanted[slot] = sum([ys[other] for other in others]) / len(others)
            else:
                wanted[slot] = ys[slot]
        if len(column) == 1:
            ys[slot] = wanted[slot]
            continue
        column.sort(key=wanted.__getitem__)
        least, most = -inf, inf
        for slot in column:  # downwards, each below the last
            half, y = heights[slot], wanted[slot]
            ys[slot] = least = y if y > least + half else least + half
            least += half
        for slot in reversed(column):  # and upwards; the mean of both keeps the distances too
            half, y = heights[slot], wanted[slot]
            most = y if y < most - half else most - half
            ys[slot] = (ys[slot] + most) / 2
            most -= half
