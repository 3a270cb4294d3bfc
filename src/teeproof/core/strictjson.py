"""JSON from strangers: bounded in size, depth and parts, and never with one key twice.

A parser that keeps the last of two equal keys lets one party read a document differently from
another. Nothing here accepts duplicate keys, NaN, text after the document, or deep nesting.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterable
from typing import Any, NoReturn

from teeproof.core.errors import Malformed, TooLarge

__all__ = ["MAX_CONTAINERS", "MAX_DEPTH", "dumps", "is_too_deep", "loads"]

MAX_DEPTH = 64  # what we read stays below 10
MAX_CONTAINERS = 1 << 16  # lists and objects, each of which costs 50 times its text; ours: 1000

_SAFE_RECURSION = 3000
"""Levels for which every thread has the stack.

Where a library has raised the interpreter's own limit, as py_ecc does to 100,000, the parser no
longer stops at a tower of brackets but overruns its stack: depth is counted in the text before.
"""
_TEXT = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)  # to the end where it is not closed: linear
_BRACKETS = re.compile(r"[\[{]+|[\]}]+")


def loads(data: bytes | str, *, limit: int, what: str = "JSON document") -> Any:
    """Return the value of a JSON document of at most ``limit`` bytes.

    Args:
        data: UTF-8 bytes or text.
        limit: the largest accepted size in bytes.
        what: what the document is, for the error message.

    Raises:
        TooLarge: more than ``limit`` bytes.
        Malformed: not JSON, a key given twice, nested deeper than ``MAX_DEPTH``, more brackets than
            ``MAX_CONTAINERS``, or NaN.
    """
    text = _text(data, limit, what)
    opened = text.count("[") + text.count("{")
    if opened > MAX_CONTAINERS:
        raise _too_many(what, opened)
    if sys.getrecursionlimit() > _SAFE_RECURSION and is_too_deep(text):
        raise _too_deep(what)
    try:
        value = json.loads(
            text, object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_finite
        )
    except RecursionError:
        raise _too_deep(what) from None
    except Malformed as error:
        raise Malformed(f"the {what}: {error.detail}", code=error.code, got=error.got) from None
    except ValueError as error:
        raise Malformed(
            f"the {what} is not JSON", code="json_malformed", got=str(error)[:200]
        ) from None
    if opened > MAX_DEPTH:
        _check_depth(value, what)
    if "\\u" in text and _has_lone_surrogate(value):
        raise Malformed(
            f"the {what} is not Unicode text", code="json_malformed", got="a lone surrogate"
        )
    return value


def dumps(value: Any, *, pretty: bool = False) -> str:
    """Return JSON text: compact with sorted keys, or indented in the given order if ``pretty``."""
    if pretty:
        return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    return json.dumps(
        value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")
    )


def is_too_deep(text: str) -> bool:
    """Return whether JSON text, not yet parsed, nests deeper than ``MAX_DEPTH``.

    For a parser that stops only where the interpreter's stack does.
    """
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    depth = 0
    for run in _BRACKETS.findall(_TEXT.sub("", text)):
        depth += len(run) if run[0] in "[{" else -len(run)
        if depth > MAX_DEPTH:
            return True
    return False


def _text(data: bytes | str, limit: int, what: str) -> str:
    if len(data) > limit:
        raise _too_large(what, limit, len(data))
    try:
        raw = data.encode() if isinstance(data, str) else data
        text = raw.decode()
    except UnicodeError as error:
        raise Malformed(
            f"the {what} is not UTF-8 text", code="json_malformed", got=str(error)[:200]
        ) from None
    if len(raw) > limit:
        raise _too_large(what, limit, len(raw))
    return text


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        got = _first_repeated(key for key, _ in pairs)[:100]
        raise Malformed(
            "one key is given twice",
            code="json_duplicate_key",
            got=got.encode(errors="backslashreplace").decode(),
        )
    return value


def _first_repeated(keys: Iterable[str]) -> str:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            return key
        seen.add(key)
    raise ValueError("no key is repeated")


def _no_constant(name: str) -> NoReturn:
    raise Malformed("NaN and Infinity are not JSON", code="json_malformed", got=name)


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise Malformed("a number is too large", code="json_malformed", got=digits[:100])
    return number


def _has_lone_surrogate(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def _check_depth(value: Any, what: str) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise _too_deep(what)


def _too_large(what: str, limit: int, size: int) -> TooLarge:
    return TooLarge(
        f"the {what} is too large", expected=f"at most {limit} bytes", got=f"{size} bytes"
    )


def _too_many(what: str, opened: int) -> Malformed:
    return Malformed(
        f"the {what} has too many parts",
        code="json_too_many",
        expected=f"at most {MAX_CONTAINERS} lists and objects",
        got=f"{opened} opening brackets",
    )


def _too_deep(what: str) -> Malformed:
    return Malformed(
        f"the {what} is nested too deeply",
        code="json_too_deep",
        expected=f"at most {MAX_DEPTH} levels",
    )
