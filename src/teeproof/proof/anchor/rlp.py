"""RLP, in which Ethereum writes headers, receipts and trie nodes: strict, one form per value.

An item is a byte string or a list of items. The rules are those of Ethereum's Yellow Paper,
appendix B; a length with a leading zero, a long form where the short one fits, and bytes behind
the item are refused, so that what was accepted equals its own re-encoding.

Trusts: nothing; it only reads and writes.  Does not trust: lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from teeproof.core.errors import Malformed, TooLarge

__all__ = ["MAX_DEPTH", "Item", "decode", "encode", "from_uint", "strings", "uint"]

MAX_DEPTH = 16  # receipts and trie nodes stay below 6
Item: TypeAlias = "bytes | Sequence[Item]"


def encode(item: Item) -> bytes:
    """Return the RLP of a byte string or of a list."""
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < 0x80:
            return item
        return _head(0x80, len(item)) + item
    body = b"".join(map(encode, item))
    return _head(0xC0, len(body)) + body


def _head(base: int, size: int) -> bytes:
    if size < 56:
        return bytes((base + size,))
    digits = from_uint(size)
    return bytes((base + 55 + len(digits),)) + digits


def decode(data: bytes, *, limit: int, what: str) -> Item:
    """Return the one item in ``data``.

    Args:
        data: RLP bytes.
        limit: the largest accepted size in bytes.
        what: what the bytes are, for the error message.

    Raises:
        TooLarge: more than ``limit`` bytes.
        Malformed: not RLP, not in its only form, or nested deeper than ``MAX_DEPTH``.
    """
    if len(data) > limit:
        raise TooLarge(
            f"the {what} is too large", expected=f"at most {limit} bytes", got=f"{len(data)} bytes"
        )
    item, end = _item(data, 0, len(data), MAX_DEPTH, what)
    if end != len(data):
        raise _malformed(what, "one item", f"{len(data) - end} bytes behind it")
    return item


def _item(data: bytes, at: int, end: int, depth: int, what: str) -> tuple[Item, int]:
    """Return the item at ``at``, and where it ends; nothing at or behind ``end`` is read."""
    if at >= end:
        raise _malformed(what, "an item", "the end")
    first = data[at]
    if first < 0x80:
        return data[at : at + 1], at + 1
    base = 0x80 if first < 0xC0 else 0xC0
    start, size = _span(data, at, end, first - base, what)
    if base == 0x80:
        value = data[start : start + size]
        if size == 1 and value[0] < 0x80:
            raise _malformed(what, "a small byte written as itself", f"81{value.hex()}")
        return value, start + size
    if not depth:
        raise _malformed(what, f"at most {MAX_DEPTH} lists in each other", "more")
    return _list(data, start, start + size, depth, what), start + size


def _list(data: bytes, at: int, end: int, depth: int, what: str) -> list[Item]:
    found = []
    while at < end:
        item, at = _item(data, at, end, depth - 1, what)
        found.append(item)
    return found


def _span(data: bytes, at: int, end: int, short: int, what: str) -> tuple[int, int]:
    """Return where a content starts, and its size; ``short`` is the first byte less its base."""
    start, size = at + 1, short
    if short > 55:
        start += short - 55
        digits = data[at + 1 : min(start, end)]
        size = int.from_bytes(digits, "big")
        if len(digits) != short - 55 or not digits[0] or size < 56:
            raise _malformed(what, "a length in its shortest form", digits.hex())
    if size > end - start:
        raise _malformed(what, f"{size} bytes", f"{max(0, end - start)} bytes")
    return start, size


def from_uint(number: int) -> bytes:
    """Return a number that is not negative, as the shortest big-endian bytes; zero is empty."""
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def uint(item: Item, *, size: int, what: str) -> int:
    """Return the number that ``item`` is.

    Args:
        item: an item of a decoded list.
        size: the most bytes that it may have.
        what: its name, for the error message.

    Raises:
        Malformed: a list, more than ``size`` bytes, or a leading zero.
    """
    if not isinstance(item, bytes) or len(item) > size or item[:1] == b"\0":
        got = item.hex()[:100] if isinstance(item, bytes) else "a list"
        raise _malformed(what, f"a number of at most {size} bytes without leading zeros", got)
    return int.from_bytes(item, "big")


def strings(item: Item, *, what: str) -> list[bytes]:
    """Return the byte strings of a flat list.

    Raises:
        Malformed: not a list, or a list inside it.
    """
    if isinstance(item, bytes):
        raise _malformed(what, "a list", "a byte string")
    found = [part for part in item if isinstance(part, bytes)]
    if len(found) != len(item):
        raise _malformed(what, "a list of byte strings", "a list inside it")
    return found


def _malformed(what: str, expected: str, got: str) -> Malformed:
    return Malformed(
        f"the {what} is not canonical RLP", code="rlp_malformed", expected=expected, got=got
    )
