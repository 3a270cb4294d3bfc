"""Set the lines of a drawing in columns: the tree left, ids and authors right.

Trusts: nothing.  Does not trust: the lengths of texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from teeproof.core.text import columns, cut
from teeproof.proof.graph.tree import NOTES, Row

__all__ = ["Span", "footnotes", "lines", "text"]

_GAP = 2
_COMFORTABLE = 76  # where there is any width, columns of the left part at most
_LEAST = 16  # columns that are left to the tree, whatever stands at its right


class Span(NamedTuple):
    """A piece of a line, and the styles that suit it (``dim``, ``bold``, ``yellow``, …)."""

    text: str
    styles: tuple[str, ...] = ()


_TITLES = {"statement": ("bold",), "data": (), "identity": ("cyan",)}


def lines(rows: Sequence[Row], *, width: int) -> list[list[Span]]:
    """Return each row as the pieces of a line that takes at most ``width`` columns."""
    ids = max((len(row.id) for row in rows), default=0)
    rights = [_right(row, ids) for row in rows]
    wanted = max((_taken(_left(row)) for row in rows), default=0)
    right = max((_taken(spans) for spans in rights), default=0)
    at = min(wanted, _COMFORTABLE, max(_LEAST, width - right - _GAP))
    return [_line(row, spans, at=at, width=width) for row, spans in zip(rows, rights, strict=True)]


def text(rows: Sequence[Row], *, width: int) -> str:
    """Return the drawing as plain text, each line ended."""
    drawn = ("".join(span.text for span in spans) for spans in lines(rows, width=width))
    return "".join(line.rstrip() + "\n" for line in drawn)


def footnotes(rows: Iterable[Row]) -> list[tuple[str, str]]:
    """Return each mark that the rows have, and what it means."""
    used = {mark for row in rows for mark in row.marks}
    return [(mark, meaning) for mark, meaning in NOTES.items() if mark in used]


def _left(row: Row) -> list[Span]:
    spans = [Span(row.branch, ("dim",))]
    if row.role:
        spans.append(Span(f"{row.role} ", ("dim",)))
    spans.append(Span(row.title, _TITLES.get(row.kind, ())))
    for mark in row.marks:
        spans.append(Span(f" ({mark})", ("red",) if mark.isupper() else ("dim",)))
    return spans


def _right(row: Row, ids: int) -> list[Span]:
    if not row.id:
        return []
    spans = [Span(row.id.ljust(ids), ("dim",))]
    if row.by:
        spans.append(Span("  by ", ("dim",)))
        spans.append(Span(row.by[0], ("cyan",)))
        spans += [Span(f" + {person}", ("cyan",)) for person in row.by[1:2]]
        if len(row.by) > 2:
            spans.append(Span(f" +{len(row.by) - 2}", ("cyan",)))
    elif row.note:
        spans.append(Span(f"  {row.note}", ("dim",)))
    if row.time:
        spans.append(Span(f"  {row.time}", ("dim",)))
    return spans


def _line(row: Row, right: list[Span], *, at: int, width: int) -> list[Span]:
    if not right:
        return _fitted(_left(row), width)
    left = _fitted(_left(row), at)
    filler = Span(" " * (at - _taken(left) + _GAP))
    return [*left, filler, *_chopped(right, width - at - _GAP)]


def _fitted(spans: list[Span], room: int) -> list[Span]:
    """Return pieces that fit; the title gives way before its marks do."""
    over = _taken(spans) - room
    if over <= 0:
        return spans
    fitted = []
    for span in spans:
        taken = columns(span.text)
        if span.styles in _TITLES.values() and over > 0:
            shorter = cut(span.text, max(4, taken - over))
            over -= taken - columns(shorter)
            fitted.append(span._replace(text=shorter))
        else:
            fitted.append(span)
    return fitted if over <= 0 else _chopped(fitted, room)


def _chopped(spans: list[Span], room: int) -> list[Span]:
    kept = []
    for span in spans:
        taken = columns(span.text)
        if taken > room:
            kept.append(span._replace(text=cut(span.text, room)))
            break
        kept.append(span)
        room -= taken
    return kept


def _taken(spans: Iterable[Span]) -> int:
    return sum(columns(span.text) for span in spans)
