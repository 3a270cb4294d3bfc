"""Draw how a number went over the steps of a training, as SVG; a table beside it says the same.

The drawing has an axis on each side with its ends and its middle as text, a line, and a dot for
each point that was told; what is no number (a training that failed) is left out of the line.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

__all__ = ["curve"]

_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 14, 14, 40
_WIDTH, _HEIGHT = 420, 220
_DOTS = 70  # points that get a dot each


def curve(
    points: Sequence[tuple[int, float]],
    *,
    title: str,
    top: float | None = None,
    text: Callable[[float], str] = lambda value: f"{value:g}",
) -> str:
    """Return a curve over steps.

    Args:
        points: step and value, by step; values are not below 0.
        title: what it shows, for who does not see the drawing.
        top: the largest value of the axis; without it, the largest that there is.
        text: from a value to what stands at the axis.
    """
    told = [(step, value) for step, value in points if math.isfinite(value)]
    if not told:
        return ""
    last = max(1, *(step for step, _ in told))
    high = top if top is not None else _round_up(max(value for _, value in told))
    across, down = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def place(step: int, value: float) -> tuple[float, float]:
        return _LEFT + across * step / last, _TOP + down * (1 - min(value, high) / high)

    spots = [place(*point) for point in told]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    dots = "".join(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>' for x, y in spots)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="curve" role="img"'
        f' aria-label="{escape(title)}" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}"'
        f' height="{_HEIGHT}">{_axes(high, last, text)}'
        f'<polyline class="line" points="{line}"/>{dots if len(spots) <= _DOTS else ""}</svg>'
    )


def _axes(high: float, last: int, text: Callable[[float], str]) -> str:
    parts = []
    base, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    for share in (0.0, 0.5, 1.0):
        y = _TOP + (base - _TOP) * (1 - share)
        parts.append(f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>')
        words = escape(text(high * share))
        parts.append(f'<text class="label small" x="{_LEFT - 7}" y="{y + 4:.1f}">{words}</text>')
    for step, anchor in ((0, "start"), (last // 2, "middle"), (last, "end")):
        x = _LEFT + (right - _LEFT) * step / last
        parts.append(
            f'<text class="small" text-anchor="{anchor}" x="{x:.1f}" y="{base + 16}">{step}</text>'
        )
    middle = (_LEFT + right) / 2
    parts.append(
        f'<text class="small" text-anchor="middle" x="{middle}" y="{base + 32}">step</text>'
    )
    return "".join(parts)


def _round_up(value: float) -> float:
    """Return the next number of one or two digits: where an axis ends well."""
    if value <= 0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(value))
    return next(unit * step for step in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if unit * step >= value)
