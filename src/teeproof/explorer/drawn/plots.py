"""Draw bars beside bars as SVG: what the paper measured, and what the model says of it.

Each number stands beside its bar as text, so that nobody needs the colours or the lengths; and each
quantity has its own name, for a loss of throughput and more time are two things.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from teeproof.bench.compare import Compared

__all__ = ["bars"]

_LABEL, _LENGTH, _NUMBER = 245, 300, 110
_WORDS = {
    "tokens per second, all": "tokens per second at batch 1: loss",
    "tokens per second, short": "of short texts, up to 100 tokens",
    "tokens per second, medium": "of medium texts, up to 500",
    "tokens per second, long": "of long texts, up to 1,500",
    "requests per second": "requests per second at full batch: loss",
    "first token": "time to the first token: longer by",
    "answer": "time of a whole answer: longer by",
}
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
        words = escape(_WORDS[row.quantity])
        parts.append(f'<text class="label" x="{_LABEL - 8}" y="{middle}">{words}</text>')
        parts.append(_bar(row.overhead, "measured", y=y, top=top))
        remark = " (fitted)" if row.fitted else ""
        parts.append(_bar(row.predicted, "model", y=y + _BAR, top=top, remark=remark))
        y += 2 * _BAR
        y += _GAP
    width, height = _LABEL + _LENGTH + _NUMBER, y
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(title)}"'
        f' viewBox="0 0 {width} {height}" width="{width}" height="{height}">{"".join(parts)}</svg>'
    )


def _bar(value: float | None, kind: str, *, y: int, top: float, remark: str = "") -> str:
    if value is None:
        text = f"{kind}: says nothing"
        return f'<text class="small" x="{_LABEL + 4}" y="{y + 10}">{text}</text>'
    length = max(1.0, _LENGTH * max(0.0, value) / top)
    return (
        f'<rect class="bar {kind}" x="{_LABEL}" y="{y + 1}" width="{length:.1f}"'
        f' height="{_BAR - 2}"/>'
        f'<text class="small" x="{_LABEL + length + 5:.1f}" y="{y + 10}">'
        f"{value:+.2f} %{remark}</text>"
    )
