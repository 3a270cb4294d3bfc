"""TOML from strangers: bounded in size, and in what the parser would spend on it.

The standard parser spends memory with the square of the parts of a dotted key: 64 KB of ``a.a.a…``
take it 4 GB. A key cannot go on in another line, so the dots of a line bound the parts of its keys,
wherever quotes, brackets and comments begin and end.
"""

from __future__ import annotations

import tomllib
from typing import Any

from teeproof.core.errors import Malformed, TooLarge

__all__ = ["MAX_DOTS", "loads"]

MAX_DOTS = 16  # of one line, in text and comments too: 64 KiB then cost 30 MB and 0.2 s at most


def loads(data: bytes | str, *, limit: int, what: str = "TOML document") -> dict[str, Any]:
    """Return the value of a TOML document of at most ``limit`` bytes.

    Args:
        data: UTF-8 bytes or text.
        limit: the largest accepted size in bytes.
        what: what the document is, for the error message.

    Raises:
        TooLarge: more than ``limit`` bytes.
        Malformed: not TOML, or a line with more than ``MAX_DOTS`` dots.
    """
    text = _text(data, limit, what)
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > MAX_DOTS:
            raise _malformed(
                what, f"line {number} has more than {MAX_DOTS} dots", "toml_too_many_dots"
            )
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise _malformed(what, "it is nested too deeply", "toml_too_deep") from None
    except ValueError as error:
        raise _malformed(what, str(error)[:200], "toml_malformed") from None


def _text(data: bytes | str, limit: int, what: str) -> str:
    if len(data) > limit:
        raise _too_large(what, limit, len(data))
    try:
        raw = data.encode() if isinstance(data, str) else data
        text = raw.decode()
    except UnicodeError as error:
        raise _malformed(what, str(error)[:200], "toml_malformed") from None
    if len(raw) > limit:
        raise _too_large(what, limit, len(raw))
    return text


def _too_large(what: str, limit: int, size: int) -> TooLarge:
    return TooLarge(
        f"this is too large for a {what}", expected=f"at most {limit} bytes", got=f"{size} bytes"
    )


def _malformed(what: str, why: str, code: str) -> Malformed:
    return Malformed(f"the {what} is not a TOML document: {why}", code=code, got=why)
