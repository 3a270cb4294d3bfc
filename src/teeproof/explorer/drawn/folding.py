"""Fold what is alike in a graph: 212 contributions to one dataset are one box that says so.

Boxes are alike if they have the same word, stand equally far from the first, and were made of, and
went into, boxes that are alike. Nothing is lost by it but which of them is which: the page has a
list beside the drawing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

__all__ = ["ALIKE", "fold"]

ALIKE = 8  # so many alike are still drawn one by one
_ROUNDS = 4  # of comparing neighbours; fewer classes than they might be are still right


def fold(
    words: Sequence[str],
    columns: Sequence[int],
    edges: Sequence[tuple[int, int]],
    *,
    alone: Collection[int] = (),
) -> list[list[int]]:
    """Return the boxes to draw, each with the numbers of those that it stands for.

    Args:
        words: what each one is.
        columns: how far from the first each one stands.
        edges: the numbers of the left and the right end.
        alone: those that are drawn one by one, whatever they are like.
    """
    singly = [[number] for number in range(len(words))]
    if not _many(words):
        return singly
    classes = _numbered(
        [(word, column, number if number in alone else -1)
         for number, (word, column) in enumerate(zip(words, columns, strict=True))]
    )  # fmt: skip
    for _ in range(_ROUNDS):
        if not _many(classes):
            return singly
        before = max(classes)
        lefts: list[set[int]] = [set() for _ in words]
        rights: list[set[int]] = [set() for _ in words]
        for left, right in edges:
            rights[left].add(classes[right])
            lefts[right].add(classes[left])
        classes = _numbered(
            [(own, frozenset(lefts[n]), frozenset(rights[n])) for n, own in enumerate(classes)]
        )
        if max(classes) == before:
            break
    groups: list[list[int]] = [[] for _ in range(max(classes) + 1)]
    for number, own in enumerate(classes):
        groups[own].append(number)
    boxes = [[n] for group in groups if len(group) <= ALIKE for n in group]
    boxes += [group for group in groups if len(group) > ALIKE]
    return sorted(boxes)  # the first of each is the nearest


def _many(classes: Iterable[object]) -> bool:
    return max(Counter(classes).values(), default=0) > ALIKE


def _numbered(keys: Sequence[object]) -> list[int]:
    """Return a number for each key, the same for equal ones, counted up from 0."""
    numbers: dict[object, int] = {}
    return [numbers.setdefault(key, len(numbers)) for key in keys]
