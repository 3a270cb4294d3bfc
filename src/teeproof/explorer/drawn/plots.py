"""Draw bars beside bars as SVG: what a paper measured, what the model says, what was measured here.

Whose a bar is and what it amounts to stand beside it as text, and each of the three has its own
form, so that nobody needs the colours or the lengths. A drawing is as wide as a telephone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

__all__ = ["Bar", "Group", "bars"]

_WIDTH, _LENGTH, _LEFT = 340, 190, 6
_BAR, _LABEL, _GAP, _AXIS = 14, 17, 9, 34
_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500)


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar.

    Attributes:
        kind: whose it is; ``own`` is what was measured here.
        value: in the drawing's unit; None where nothing is known.
        bounds: between which it lies, if anybody knows.
        remark: in brackets behind it.
    """

    kind: Literal["paper", "model", "own"]
    value: float | None
    bounds: tuple[float, float] | None = None
    remark: str = ""

    @property
    def words(self) -> str:
        """The bar as text."""
        whose = "here" if self.kind == "own" else self.kind
        if self.value is None:
            return f"{whose}: says nothing"
        remark = f" ({self.remark})" if self.remark else ""
        return f"{whose} {_number(self.value)} %{remark}"


@dataclass(frozen=True, slots=True)
class Group:
    """The bars of one quantity, and its name."""

    name: str
    bars: tuple[Bar, ...]


def bars(groups: Sequence[Group], *, title: str, axis: str, top: float | None = None) -> str:
    """Return a drawing of groups of bars, one below the other, over one axis from zero.

    Args:
        groups: what is drawn, in percent.
        title: what it is of, for who does not see the drawing; they are told the numbers too.
        axis: what the axis counts, with its unit.
        top: where the axis ends; without it, behind the longest bar.
    """
    most = max([1.0, *(_reach(bar) for group in groups for bar in group.bars)])
    end, step = _axis(top or most)
    parts: list[str] = []
    y = 2
    for group in groups:
        y += _LABEL
        parts.append(f'<text x="{_LEFT}" y="{y - 4}">{escape(group.name)}</text>')
        for bar in group.bars:
            parts.append(_drawn(bar, y=y, end=end))
            y += _BAR
        y += _GAP
    height = y + _AXIS
    ruler = _ruler(end, step, below=y, words=axis)
    told = "; ".join(f"{g.name}: {', '.join(b.words for b in g.bars)}" for g in groups)
    label = escape(f"{title}. {told}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{label}"'
        f' viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}">'
        f"{ruler}{''.join(parts)}</svg>"
    )


def _drawn(bar: Bar, *, y: int, end: float) -> str:
    if bar.value is None:
        return f'<text class="small" x="{_LEFT + 5}" y="{y + 10}">{escape(bar.words)}</text>'
    length = max(1.0, _x(bar.value, end) - _LEFT)
    right, whisker = _LEFT + length, ""
    if bar.bounds:
        low, high = (_x(one, end) for one in bar.bounds)
        right = max(right, high)
        middle = y + _BAR / 2
        whisker = (
            f'<path class="whisker" d="M{low:.1f} {middle}H{high:.1f}M{low:.1f} {y + 3}v8'
            f'M{high:.1f} {y + 3}v8"/>'
        )
    return (
        f'<rect class="bar {bar.kind}" x="{_LEFT}" y="{y + 1.5}" width="{length:.1f}"'
        f' height="{_BAR - 4}"/>{whisker}'
        f'<text class="small" x="{right + 5:.1f}" y="{y + 10}">{escape(bar.words)}</text>'
    )


def _ruler(end: float, step: float, *, below: int, words: str) -> str:
    marks = []
    for number in range(round(end / step) + 1):
        x = _x(number * step, end)
        marks.append(
            f'<line class="grid" x1="{x:.1f}" y1="2" x2="{x:.1f}" y2="{below}"/>'
            f'<text class="small tick" x="{x:.1f}" y="{below + 12}">{number * step:g}</text>'
        )
    name = f'<text class="small" x="{_LEFT}" y="{below + 28}">{escape(words)}</text>'
    return "".join(marks) + name


def _axis(most: float) -> tuple[float, float]:
    """Return where an axis ends, and the distance of its marks: at most five behind zero."""
    step = next((s for s in _STEPS if most <= 5 * s), _STEPS[-1] * (1 + most // (5 * _STEPS[-1])))
    return step * -(-most // step), step


def _reach(bar: Bar) -> float:
    return max(bar.value or 0.0, bar.bounds[1] if bar.bounds else 0.0)


def _x(value: float, end: float) -> float:
    return _LEFT + _LENGTH * min(max(0.0, value), end) / end


def _number(value: float) -> str:
    return f"{value:.2f}".replace("-", "\N{MINUS SIGN}")
