"""Text that strangers wrote, made harmless, and how much room it takes."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["columns", "cut", "legible", "many", "plain"]


def plain(text: str) -> str:
    """Return text in which every character that does not print is written as its escape.

    Those are all control characters (C0 and C1, line ends and tabs too), what turns the direction
    of text around, other invisible characters, and halves of surrogate pairs.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def legible(data: bytes) -> str:
    """Return bytes as text: what is printable ASCII as it is, every other byte in hex."""
    return "".join(chr(b) if 0x20 <= b < 0x7F else f"\\x{b:02x}" for b in data)


def columns(text: str) -> int:
    """Return how many columns a terminal gives to printable text.

    Source: Unicode Standard Annex 11 (East Asian Width); marks that combine take none.
    """
    return len(text) if text.isascii() else sum(map(_columns_of, text))


def cut(text: str, room: int) -> str:
    """Return harmless text that takes at most ``room`` columns; what was left out is one ``…``.

    A mark that combines counts as a column here, so that a pile of them is cut too.
    """
    head = text[: room + 1]
    if room > 0 and head.isprintable() and (head.isascii() or _NARROW.fullmatch(head)):
        return text if len(text) <= room else head[: room - 1] + "…"
    safe = plain(text[: room + 1])  # no character becomes shorter, so no later one can be shown
    if sum(max(1, _columns_of(c)) for c in safe) <= room:
        return safe
    kept, left = "", room - 1
    for character in safe:
        left -= max(1, _columns_of(character))
        if left < 0:
            break
        kept += character
    return kept + "…" if room > 0 else ""


def many(count: int, noun: str, nouns: str | None = None) -> str:
    """Return a count with its noun, ``1 proof`` or ``1,200 proofs``; ``nouns`` is an odd plural."""
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


# Letters and marks of which each takes one column, as far as it prints; all else is looked up.
_NARROW = re.compile("[\x20-\x7e\xa1-\u02ff\u2010-\u2027]*")


def _columns_of(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
