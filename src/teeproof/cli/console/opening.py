"""Make the console of a demo on this machine, with a token of its own."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

from teeproof.cli.console.gifts import LocalGifts
from teeproof.cli.console.talk import LocalTalk
from teeproof.cli.joining import Joined
from teeproof.explorer.console.port import Console
from teeproof.explorer.console.stage import Stage
from teeproof.explorer.log.content import Book

__all__ = ["address_of", "open_console"]

_TOKEN_BYTES = 32


def open_console(
    reach: Callable[[], Joined],
    *,
    book: Book,
    stage: Stage | None = None,
    key_file: Path | None = None,
    random: Callable[[int], str] = secrets.token_urlsafe,
) -> Console:
    """Return the console.

    Args:
        reach: where the demo's services are now.
        book: its log, with whom its reader trusts.
        stage: its parts; None where they have all run.
        key_file: the owner's key; None for the folder's own.
        random: text of so many random bytes.
    """
    return Console(
        token=random(_TOKEN_BYTES),
        stage=stage,
        gifts=LocalGifts(reach, book=book, key_file=key_file),
        talk=LocalTalk(reach),
    )


def address_of(url: str, console: Console) -> str:
    """Return the address that opens a console; whoever has it may use it until the process ends."""
    return f"{url}/console?token={console.token}"
