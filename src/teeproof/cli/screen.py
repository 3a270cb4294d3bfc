"""Write to a terminal: colours where they are wanted, ASCII where nothing else can be shown.

Whatever is written, from evidence, file names or policies, has its control characters escaped, line
ends among them: a certificate's name or an event's payload cannot move the cursor, change colours,
turn the text around, or begin a line that looks like one of ours.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Mapping
from typing import Any, Literal, TextIO

from teeproof.core.text import plain

__all__ = ["ColorChoice", "Screen", "plain", "short", "standard"]

ColorChoice = Literal["auto", "always", "never"]
_CODES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "magenta": "35",
    "cyan": "36",
}
_ASCII = {
    "✓": "+", "✗": "x", "–": "-", "·": "|", "…": "...", "→": "->", "—": "-", "’": "'", "─": "-",
    "│": "|", "├": "+", "└": "+", "←": "<-", "“": '"', "”": '"',
}  # fmt: skip
_WIDEST = 120
_UNBOUNDED = 1 << 20
_NARROW = 60  # below that many columns, labels stand above what they label
_BROAD = 10  # and those of that many columns or more
_LONGEST = 10_000  # what is longer is cut, not wrapped: finding its words takes the square of it


class Screen:
    """Where a command writes what people read.

    Args:
        stream: the text stream.
        color: whether to write ANSI colours.
        width: columns; text is wrapped to it.
        never: styles that are left out.
    """

    def __init__(
        self, stream: TextIO, *, color: bool, width: int, never: frozenset[str] = frozenset()
    ) -> None:
        self.stream, self.color, self.width, self.never = stream, color, width, never
        self._ascii = not _can_show(stream)

    @classmethod
    def of(
        cls,
        stream: TextIO,
        choice: ColorChoice = "auto",
        environment: Mapping[str, str] = os.environ,
    ) -> Screen:
        """Return the screen for a stream: coloured on a terminal unless ``NO_COLOR`` is set.

        Text is wrapped to the terminal's width or ``COLUMNS``; into a pipe or file it is not.
        """
        terminal = stream.isatty()
        wanted = terminal and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
        color = choice == "always" or (choice == "auto" and wanted)
        if terminal or environment.get("COLUMNS", "").isdecimal():
            width = max(40, min(_WIDEST, shutil.get_terminal_size((80, 24)).columns))
        else:
            width = _UNBOUNDED
        return cls(stream, color=color, width=width)

    def without(self, *styles: str) -> Screen:
        """Return the same screen, on which these styles are left out."""
        return Screen(self.stream, color=self.color, width=self.width, never=frozenset(styles))

    def paint(self, text: str, *styles: str) -> str:
        """Return text in a style such as ``bold`` or ``red``; the text itself is made harmless."""
        safe = plain(text)
        codes = [_CODES[style] for style in styles if style not in self.never]
        if not self.color or not codes or not safe.strip():
            return safe
        return f"\x1b[{';'.join(codes)}m{safe}\x1b[0m"

    def write(self, line: str = "") -> None:
        """Write one line that ``paint`` and ``plain`` made."""
        if self._ascii:
            encoding = self.stream.encoding or "ascii"
            for mark, instead in _ASCII.items():
                line = line.replace(mark, instead)
            line = line.encode(encoding, "backslashreplace").decode(encoding)
        self.stream.write(line + "\n")

    def json(self, value: Any) -> None:
        """Write a value as JSON; a character that does not print is written as its JSON escape."""
        text = json.dumps(value, indent=2, ensure_ascii=self._ascii, allow_nan=False)
        if not text.replace("\n", "").isprintable():
            text = "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)
        self.stream.write(text + "\n")

    def title(self, text: str) -> None:
        """Write a heading, with an empty line before it."""
        self.write()
        self.write(self.paint(text, "bold"))

    def text(self, text: str, *styles: str, indent: int = 0) -> None:
        """Write a paragraph, wrapped; a line end in it is escaped."""
        for line in self._wrapped(text, indent):
            self.write(" " * indent + self.paint(line, *styles))

    def sides(self, left: str, right: str, *styles: str) -> None:
        """Write two texts on one line with a dot between, or on two where they do not fit."""
        if len(plain(left)) + len(plain(right)) + 3 > self.width:
            self.text(left, *styles)
            self.text(right, "dim")
        else:
            self.write(f"{self.paint(left, *styles)} {self.paint(f'· {right}', 'dim')}")

    def row(
        self, label: str, text: str, *styles: str, indent: int = 2, column: int = 14, mark: str = ""
    ) -> None:
        """Write a label and, from a column on, a text; only the text is wrapped.

        Args:
            label: stands left.
            text: stands right; a line end in it is escaped.
            styles: of the text.
            indent: columns before the label.
            column: columns that the label takes.
            mark: an already painted mark of one column before the label.
        """
        head = f"{mark} " if mark else ""
        if column and self._is_above(label, column):
            self._above(head, label, text, styles, indent=indent, column=column)
            return
        start = indent + (2 if mark else 0) + column
        label_styles = ("dim",) if not mark else tuple(s for s in styles if s == "dim")
        first = self.paint(label.ljust(column - 1), *label_styles) + " " if column else ""
        lines = self._wrapped(text, start)
        self.write(" " * indent + head + first + self.paint(lines[0], *styles))
        for line in lines[1:]:
            self.write(" " * start + self.paint(line, *styles))

    def copied(
        self, label: str, text: str, *styles: str, indent: int = 2, column: int = 14, mark: str = ""
    ) -> None:
        """Write what people copy, a key, an id or a command, whole: it is never broken.

        It stands beside its label where it fits, else on a line of its own; a terminal that folds
        that line puts no line end into what is copied. The arguments are those of ``row``.
        """
        size, left = len(plain(text)), indent + (2 if mark else 0)
        if label and not self._is_above(label, column) and left + column + size <= self.width:
            self.row(label, text, *styles, indent=indent, column=column, mark=mark)
            return
        if label:
            head = f"{mark} {self.paint(label)}" if mark else self.paint(label, "dim")
            self.write(" " * indent + head)
            left += 2
        self.write(" " * (left if left + size <= self.width else 0) + self.paint(text, *styles))

    def _is_above(self, label: str, column: int) -> bool:
        """Return whether a label leaves no room beside it."""
        if self.width == _UNBOUNDED:
            return False
        return len(plain(label)) >= column or (self.width < _NARROW and column >= _BROAD)

    def _above(
        self, head: str, label: str, text: str, styles: tuple[str, ...], *, indent: int, column: int
    ) -> None:
        narrow = self.width < _NARROW
        indent = min(indent, 4) if narrow else indent
        if label:
            quiet = ("dim",) if not head or "dim" in styles else ()
            first, *rest = self._wrapped(label, indent + (2 if head else 0))
            self.write(" " * indent + head + self.paint(first, *quiet))
            for line in rest:
                self.write(" " * (indent + 2) + self.paint(line, *quiet))
        below = indent + (2 if narrow else (2 if head else 0) + column)
        self.text(text, *styles, indent=below)

    def _wrapped(self, text: str, indent: int) -> list[str]:
        room = max(20, self.width - indent)
        safe = plain(text)
        if len(safe) > max(room, _LONGEST):
            return [safe[at : at + room] for at in range(0, len(safe), room)]
        return textwrap.wrap(safe, room, break_on_hyphens=False) or [""]


def short(digest: str | None, digits: int = 16) -> str:
    """Return a digest cut short for the eye, such as ``sha256:0123456789abcdef…``."""
    if digest is None:
        return "none"
    prefix, separator, rest = digest.rpartition(":")
    return f"{prefix}{separator}{rest[:digits]}…" if len(rest) > digits else digest


def _can_show(stream: TextIO) -> bool:
    try:
        "".join(_ASCII).encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def standard(choice: ColorChoice = "auto") -> Screen:
    """Return the screen of standard output."""
    return Screen.of(sys.stdout, choice)
