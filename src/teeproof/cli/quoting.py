"""Commands as people paste them into a shell, whatever the names in them are."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

from teeproof.cli.screen import Screen, plain

__all__ = ["program", "shell", "write_unverified"]

_PLAIN = frozenset(range(0x20, 0x7F)) - frozenset(b"'\\")


def shell(*words: str | Path) -> str:
    """Return words as a POSIX shell reads them; a ``Path`` is never taken for an option.

    A name that is no UTF-8, or that does not print, is written in ``$'…'`` (POSIX.1-2024, 2.2.4).
    """
    return " ".join(map(_word, words))


def program() -> str | Path:
    """Return what a person types to start this program: its name, where the shell knows it."""
    started = Path(sys.argv[0])
    return started if started.name == "teeproof" and not shutil.which("teeproof") else "teeproof"


def write_unverified(screen: Screen, command: str) -> None:
    """Say that what follows is not verified, and the command that does it, if there is one."""
    said = "NOT VERIFIED: these are claims."
    whole = f"{said} Check them: {command}" if command else said
    if len(plain(whole)) <= screen.width:
        screen.write(screen.paint(whole, "yellow"))
        return
    screen.text(f"{said} Check them:" if command else said, "yellow")
    screen.copied("", command, "yellow")


def _word(word: str | Path) -> str:
    text = str(word)
    if isinstance(word, Path) and text.startswith("-") and text != "-":
        text = f"./{text}"
    if text.isprintable():
        return shlex.quote(text)
    # Three octal digits: a digit that follows \xNN may be taken for a part of it.
    octal = (chr(b) if b in _PLAIN else f"\\{b:03o}" for b in os.fsencode(text))
    return f"$'{''.join(octal)}'"
