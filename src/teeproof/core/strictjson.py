"""JSON from strangers: bounded in size and depth, and never with one key twice.

A parser that keeps the last of two equal keys lets one party read a document differently from
another. Nothing here accepts duplicate keys, NaN, text after the document, or deep nesting.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from teeproof.core.errors import Malformed, TooLarge

__all__ = ["MAX_DEPTH", "dumps", "loads"]

MAX_DEPTH = 64  # DESIGN section 5: inputs are bounded before any cryptography


def loads(data: bytes | str, *, limit: int, what: str = "JSON document") -> Any:
    """Return the value of a JSON document of at most ``limit`` bytes.

    Args:
        data: UTF-8 bytes or text.
        limit: the largest accepted size in bytes.
        what: what the document is, for the error message.

    Raises:
        TooLarge: more than ``limit`` bytes.
        Malformed: not JSON, a key given twice, nested deeper than ``MAX_DEPTH``, or NaN.
    """
    if len(data) > limit:
        raise TooLarge(f"the {what} is too large", expected=f"at most {limit} bytes", got=f"{len(data)} bytes")
    try:
        text = data if isinstance(data, str) else data.decode()
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except RecursionError:
        raise _too_deep(what) from None
    except UnicodeDecodeError as error:
        raise Malformed(f"the {what} is not UTF-8 text", code="json_malformed", got=str(error)) from None
    except Malformed as error:
        raise Malformed(f"the {what}: {error.detail}", code=error.code, got=error.got) from None
    except ValueError as error:
        raise Malformed(f"the {what} is not JSON", code="json_malformed", got=str(error)[:200]) from None
    if "\\u" in text and _has_lone_surrogate(value):
        raise Malformed(f"the {what} is not Unicode text", code="json_malformed", got="a lone surrogate")
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _check_depth(value, what)
    return value


def dumps(value: Any, *, pretty: bool = False) -> str:
    """Return JSON text: sorted keys, UTF-8, compact unless ``pretty``."""
    if pretty:
        return json.dumps(value, indent=2, sort_keys=False, ensure_ascii=False)
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise Malformed("one key is given twice", code="json_duplicate_key", got=twice[:100])
    return value


def _no_constant(name: str) -> NoReturn:
    raise Malformed("NaN and Infinity are not JSON", code="json_malformed", got=name)


def _has_lone_surrogate(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError):
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


def _too_deep(what: str) -> Malformed:
    return Malformed(
        f"the {what} is nested too deeply",
        code="json_too_deep",
        expected=f"at most {MAX_DEPTH} levels",
    )
