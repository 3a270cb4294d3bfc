"""Faults of our own while a story runs: written down in its folder, and one sentence on the screen.

They come from parts of the story, from the server of its pages, and from any thread. Python and
uvicorn would write a traceback over what a person reads; it is kept instead, for whoever mends it.
"""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from teeproof.core.text import cut

__all__ = ["PROBLEMS", "Problems"]

PROBLEMS: Final = "problems.log"
"""Where faults are written down, in the story's folder."""

_LONGEST = 600  # characters of a sentence
_MOST = 4 << 20  # bytes of the file: whoever can cause a fault again and again fills no disk
_KINDS = 20  # of faults that are told of; each is told once


class Problems:
    """Faults of one story.

    Args:
        folder: the story's.
        tell: shows a sentence to whoever looks on.
    """

    def __init__(self, folder: Path, tell: Callable[[str], object]) -> None:
        self.path, self._tell = folder / PROBLEMS, tell
        self._told: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def note(self, error: BaseException) -> str:
        """Write a fault down, and return the sentence that says so."""
        self._write("".join(traceback.format_exception(error)))
        what = f"{type(error).__name__}: {error}"
        return cut(f"a fault of teeproof itself, {what}: see {self.path}", _LONGEST)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Write down what threads raise and what libraries log as an error, and tell of it."""
        handler, root, before = _Noting(self._logged), logging.getLogger(), threading.excepthook
        root.addHandler(handler)
        threading.excepthook = self._raised
        try:
            yield
        finally:
            threading.excepthook = before
            root.removeHandler(handler)

    def _raised(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and args.exc_type is not SystemExit:
            self._show(args.exc_value)

    def _logged(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            self._show(error)
            return
        self._write(f"{record.name}: {record.getMessage()}\n")
        self._once(record.name, record.msg, f"{record.name} reports: {record.getMessage()}:"
                   f" see {self.path}")  # fmt: skip

    def _show(self, error: BaseException) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
        sentence = self.note(error)
        self._once(type(error).__name__, where, sentence[0].upper() + sentence[1:])

    def _once(self, kind: str, where: str, sentence: str) -> None:
        """Tell of a fault whose kind and place were not told of before."""
        with self._lock:
            if (kind, where) in self._told or len(self._told) >= _KINDS:
                return
            self._told.add((kind, where))
        self._tell(cut(sentence, _LONGEST))

    def _write(self, text: str) -> None:
        with self._lock, self.path.open("a", encoding="utf-8", errors="replace") as file:
            if file.tell() < _MOST:
                file.write(text[:_MOST])


class _Noting(logging.Handler):
    """Hands on errors that libraries log."""

    def __init__(self, note: Callable[[logging.LogRecord], None]) -> None:
        super().__init__(logging.ERROR)
        self._note = note

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a record on; a folder that cannot be written to is told of as logging does."""
        try:
            self._note(record)
        except OSError:
            self.handleError(record)
