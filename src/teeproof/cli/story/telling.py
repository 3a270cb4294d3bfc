"""How the demo tells its story: one line for each thing that happened, with the id to check it by.

    1 Network  two nodes admitted, tee=sim                                     3f2a9c1b 77d0e4aa
               a third claims 1 H100 -> REFUSED: it brings no GPU report       90aa12ce

What is told is kept too, and is what ``--json`` prints.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from teeproof.cli.screen import Screen

__all__ = ["LABELS", "Line", "Teller", "short_id", "story_lines"]

LABELS = {
    "real": "0 Real", "network": "1 Network", "data": "2 Data", "train": "3 Train",
    "answer": "4 Answer", "agent": "5 Agent", "paid": "6 Paid", "proof": "PROOF",
    "broken": "BREAK IT", "withdraw": "WITHDRAW",
}  # fmt: skip
"""What stands beside the first line of each part."""

_COLUMN = 11
_DIGITS = 8
_REFUSED = ("REFUSED", "RED")


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened.

    Attributes:
        step: which part of the story, such as ``network``.
        text: in words.
        ids: statements (``sha256:…``) by which it can be checked.
        real: whether no part of it is simulated.
        seconds: since the story began.
        facts: the same for programs.
    """

    step: str
    text: str
    ids: tuple[str, ...]
    real: bool
    seconds: float
    facts: dict[str, Any]


class Teller:
    """Writes lines as things happen.

    Args:
        screen: where people read; nothing is written with ``quiet``.
        clock: seconds since the story began.
        quiet: whether to keep only.

    Attributes:
        lines: what was told.
        heard: told how a part goes: in words, and how far it is, 0 to 1, where that is known.
    """

    def __init__(self, screen: Screen, *, clock: Callable[[], float], quiet: bool = False) -> None:
        self.screen, self.quiet, self.lines = screen, quiet, list[Line]()
        self.heard: Callable[[str, float | None], object] = lambda _text, _share: None
        self._clock = clock
        self._step, self._label, self._fresh = "", "", False

    def step(self, step: str, label: str) -> None:
        """Begin a part of the story; its label stands beside its first line."""
        self._step, self._label, self._fresh = step, label, True

    def line(self, text: str, *, ids: Sequence[str] = (), real: bool = False, **facts: Any) -> None:
        """Tell one thing."""
        self.lines.append(
            Line(
                step=self._step, text=text, ids=tuple(ids), real=real,
                seconds=round(self._clock(), 3), facts=facts,
            )
        )  # fmt: skip
        if self.quiet:
            return
        label = self._label if self._fresh else ""
        self._fresh = False
        end = "  ".join(filter(None, [" ".join(map(short_id, ids)), "REAL" if real else ""]))
        self._write(label, text, end)

    def words(self, text: str = "", *styles: str) -> None:
        """Write words around the story, which are not kept."""
        if not self.quiet:
            if text:
                self.screen.text(text, *styles)
            else:
                self.screen.write()
            self._flush()

    def copied(self, text: str) -> None:
        """Write what people copy, below such words: on one line, however long."""
        if not self.quiet:
            self.screen.copied("", f"  {text}", indent=0)
            self._flush()

    def now(self, text: str) -> None:
        """Say what is being done, to who listens; nothing is written or kept."""
        self.heard(text, None)

    @contextmanager
    def bar(self, label: str, total: int) -> Iterator[Callable[[int, str], None]]:
        """Show a progress bar on a terminal while something long is done; who listens hears it."""
        with self._bar(label, total) as show:

            def both(done: int, text: str) -> None:
                self.heard(text, done / total)
                show(done, text)

            yield both

    @contextmanager
    def _bar(self, label: str, total: int) -> Iterator[Callable[[int, str], None]]:
        if self.quiet or not sys.stderr.isatty():
            yield lambda _done, _text: None
            return
        from rich.console import Console  # noqa: PLC0415  only where a bar is shown
        from rich.progress import Progress  # noqa: PLC0415

        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(f"{label:<{_COLUMN}}", total=total)
            yield lambda done, text: bar.update(
                task, completed=done, description=f"{label:<{_COLUMN}}{text}"
            )

    def _write(self, label: str, text: str, end: str) -> None:
        screen = self.screen
        styles = ("red",) if any(word in text for word in _REFUSED) else ()
        room = screen.width - _COLUMN - len(text) - 2
        if end and len(end) <= room:
            gap = " " * (min(room, 84 - len(text)) - len(end) if room < 10_000 else 2)
            shown = f"{screen.paint(text, *styles)}{gap or '  '}  {screen.paint(end, 'dim')}"
            head = screen.paint(label.ljust(_COLUMN - 1), "bold", "cyan")
            screen.write(f"{head} {shown}")
        else:
            screen.row(label, text, *styles, indent=0, column=_COLUMN)
            if end:
                screen.text(end, "dim", indent=_COLUMN)
        self._flush()

    def _flush(self) -> None:
        self.screen.stream.flush()


def short_id(name: str) -> str:
    """Return the first digits of ``sha256:…``, enough to find it in the demo's log."""
    return name.removeprefix("sha256:")[:_DIGITS]


def story_lines(lines: Iterable[Line]) -> list[dict[str, Any]]:
    """Return lines as pages show them: each part's label beside its first line."""
    found, last = [], ""
    for line in lines:
        label = LABELS.get(line.step, line.step) if line.step != last else ""
        last = line.step
        found.append({"label": label, "text": line.text, "ids": list(line.ids), "real": line.real})
    return found
