"""The one encoding of what we sign: JSON with sorted keys, no spaces, no floats, each key once.

What has several encodings can be read in several ways, so a document is accepted only if encoding
it again gives the same bytes. For documents with ASCII keys this is RFC 8785 (JCS); where keys lie
outside ASCII, ours are sorted by code point. Numbers with a fraction are written as text.

Trusts: this code.  Does not trust: whoever wrote the bytes.
"""

from __future__ import annotations

from typing import Any, TypeVar, overload

import msgspec

from teeproof.core.errors import Malformed, TooLarge, Usage

__all__ = ["GREATEST_INTEGER", "decode", "encode", "reject_numbers"]

T = TypeVar("T")

GREATEST_INTEGER = (1 << 53) - 1  # RFC 8785 3.2.2.3: what every reader holds exactly
_MAX_DEPTH = 64

_encoder = msgspec.json.Encoder(order="sorted")
_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


def encode(value: Any) -> bytes:
    """Return the encoding of a value: text, integers, booleans, None, lists, dicts, structs.

    Raises:
        Usage: a float, an integer beyond 2^53 - 1, text that is not Unicode, or nested too deeply.
    """
    try:
        data = _encoder.encode(value)
        reject_numbers(msgspec.to_builtins(value))  # NaN would be written as null
    except (msgspec.MsgspecError, UnicodeError, TypeError, RecursionError, ValueError) as error:
        raise Usage(
            "this cannot be written as canonical JSON",
            code="not_canonical_value",
            expected="text, integers below 2^53, booleans, null, lists and objects",
            got=str(error)[:200] or type(error).__name__,
        ) from None
    return data


@overload
def decode(data: bytes, *, limit: int, what: str) -> Any: ...
@overload
def decode(data: bytes, *, limit: int, what: str, kind: type[T]) -> T: ...
def decode(data: bytes, *, limit: int, what: str, kind: Any = Any) -> Any:
    """Return the value of a canonical document.

    Args:
        data: the document.
        limit: the largest accepted size in bytes.
        what: what the document is, for messages.
        kind: a strict ``msgspec`` type; without one, any JSON value without floats.

    Raises:
        TooLarge: more than ``limit`` bytes.
        Malformed: not JSON, not of this kind, or not equal to its own encoding.
    """
    if len(data) > limit:
        raise TooLarge(
            f"the {what} is too large", expected=f"at most {limit} bytes", got=f"{len(data)} bytes"
        )
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders.setdefault(kind, msgspec.json.Decoder(kind))
    try:
        value = decoder.decode(data)
        if kind is Any:
            reject_numbers(value)
        again = _encoder.encode(value)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError) as error:
        raise _malformed(what, str(error) or type(error).__name__) from None
    if again != data:
        raise Malformed(
            f"the {what} is not written in the canonical way: keys sorted and given once, no "
            "spaces, no default spelt out",
            code="not_canonical",
            expected=_around(again, data),
            got=_around(data, again),
        )
    return value


def reject_numbers(value: Any) -> None:
    """Raise ValueError on a float, an integer beyond 2^53 - 1, or nesting beyond 64 levels."""
    level = [value]
    for _ in range(_MAX_DEPTH):
        below: list[Any] = []
        for node in level:
            if type(node) is str:  # nearly all of them
                continue
            if isinstance(node, float) or (
                isinstance(node, int) and not -GREATEST_INTEGER <= node <= GREATEST_INTEGER
            ):
                raise ValueError("a number with a fraction, or beyond 2^53 - 1: write it as text")
            if isinstance(node, dict):
                below += node.values()
            elif isinstance(node, list | tuple):
                below += node
        if not below:
            return
        level = below
    raise ValueError(f"nested deeper than {_MAX_DEPTH} levels")


def _around(data: bytes, other: bytes) -> str:
    """Return the text near the first difference, for a message."""
    end = min(len(data), len(other))
    at = next((i for i in range(end) if data[i] != other[i]), end)
    return data[max(0, at - 20) : at + 20].decode(errors="replace")


def _malformed(what: str, got: str) -> Malformed:
    return Malformed(
        f"the {what} does not have the form that it claims",
        code=what.replace(" ", "_") + "_malformed",
        got=got[:300],
    )
