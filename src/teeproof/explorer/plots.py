"""Draw bars beside bars as SVG: what the paper measured, and what the model says of it.

Each number stands beside its bar as text, so that nobody needs the colours or the lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from teeproof.bench.compare import Compared

__all__ = ["bars"]

_LABEL, _LENGTH, _NUMBER = 210, 300, 90
_BAR, _GAP = 13, 12


def bars(rows: Sequence[Compared], *, title: str) -> str:
    """Return the overhead of each quantity in percent, by the paper and by the model.

    Args:
        rows: of one model on one GPU.
        title: what they are of, for who does not see the drawing.
    """
    top = max([1.0, *(max(row.overhead, row.predicted or 0.0) for row in rows)])
    parts: list[str] = []
    y = 4
    for row in rows:
        middle = y + _BAR + 4
        parts.append(
            f'<text class="label" x="{_LABEL - 8}" y="{middle}">{escape(row.quantity)}</text>'
        )
        for value, kind in ((row.overhead, "measured"), (row.predicted, "model")):
            parts.append(_bar(value, kind, y=y, top=top))
            y += _BAR
        y += _GAP
    width, height = _LABEL + _LENGTH + _NUMBER, y
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(title)}"'
        f' viewBox="0 0 {width} {height}" width="{width}" height="{height}">{"".join(parts)}</svg>'
    )


def _bar(value: float | None, kind: str, *, y: int, top: float) -> str:
    if value is None:
        text = f"{kind}: says nothing"
        return f'<text class="small" x="{_LABEL + 4}" y="{y + 10}">{text}</text>'
    length = max(1.0, _LENGTH * max(0.0, value) / top)
    return (
        f'<rect class="bar {kind}" x="{_LABEL}" y="{y + 1}" width="{length:.1f}"'
        f' height="{_BAR - 2}"/>'
        f'<text class="small" x="{_LABEL + length + 5:.1f}" y="{y + 10}">{value:+.2f} %</text>'
    )
