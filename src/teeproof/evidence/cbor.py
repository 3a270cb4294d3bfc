"""Read CBOR strictly: one reading of the bytes, or none.

A reader of our own, and no library: evidence comes in two dialects that no option of ``cbor2``
tells apart from what must be refused. It keeps the last of two equal keys, takes indefinite lengths
at every depth, lengths in more bytes than they need, and bytes behind the end when it reads a
stream. Nitro's documents need exactly one indefinite length, at their outermost map, and Arm's
tokens may write numbers at any width. What is left to read is small.

Refused everywhere: a key twice, keys that are neither text nor integer, floats, undefined and other
simple values, tags that the caller does not name, nesting, text that is no UTF-8, trailing bytes. A
length is held against the bytes that are left before anything is made of it.

Source: RFC 8949.

Trusts: nothing; it only reads.  Does not trust: lengths, depth, order.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple, NoReturn

from teeproof.core.errors import Malformed, TooLarge

__all__ = ["MAX_DEPTH", "MAX_ITEMS", "Tagged", "loads", "octets"]

MAX_DEPTH = 8  # real evidence nests four deep
MAX_ITEMS = 4096  # real evidence has some two hundred
UNSIGNED, NEGATIVE, OCTETS, TEXT, ARRAY, MAP, TAG, SIMPLE = range(8)  # RFC 8949, 3.1: major types
_INDEFINITE = 31
_BREAK = 0xFF
_SIMPLE = {20: False, 21: True, 22: None}


class Tagged(NamedTuple):
    """A value behind a tag that the caller named."""

    tag: int
    value: Any


def loads(
    data: bytes,
    *,
    limit: int,
    what: str,
    tags: Collection[int] = (),
    shortest: bool = True,
    open_map: bool = False,
) -> Any:
    """Return the one value in ``data``: int, bytes, str, bool, None, list, dict or ``Tagged``.

    Args:
        data: the bytes.
        limit: the most bytes that are read.
        what: what to call it in messages.
        tags: the tags that may stand in it.
        shortest: whether lengths and integers must be as short as they can be.
        open_map: whether the outermost value may be a map of indefinite length.

    Raises:
        TooLarge: more than ``limit`` bytes.
        Malformed: anything that the module does not read.
    """
    if len(data) > limit:
        raise TooLarge(
            f"this is too large for a {what}",
            expected=f"at most {limit} bytes",
            got=f"{len(data)} bytes",
        )
    reader = _Reader(data, what=what, tags=tags, shortest=shortest)
    value = reader.outermost() if open_map else reader.value(0)
    if reader.at != len(data):
        reader.refuse(f"{len(data) - reader.at} bytes behind the end")
    return value


def octets(value: bytes) -> bytes:
    """Return a byte string as CBOR."""
    size = len(value)
    if size < 24:
        return bytes([0x40 | size]) + value
    width = next(w for w in (1, 2, 4, 8) if size < 1 << 8 * w)
    return bytes([0x58 + width.bit_length() - 1]) + size.to_bytes(width, "big") + value


class _Reader:
    """A cursor over CBOR; every step checks its bounds."""

    def __init__(self, data: bytes, *, what: str, tags: Collection[int], shortest: bool) -> None:
        self.data, self.at, self.items = data, 0, 0
        self.what, self.tags, self.shortest = what, tags, shortest

    def refuse(self, why: str) -> NoReturn:
        raise Malformed(
            f"the {self.what} is not the CBOR that it should be: {why}",
            code="cbor_malformed",
            got=why,
        )

    def take(self, size: int) -> bytes:
        if size > len(self.data) - self.at:
            self.refuse(f"{size} bytes are announced, {len(self.data) - self.at} are left")
        self.at += size
        return self.data[self.at - size : self.at]

    def head(self) -> tuple[int, int, int]:
        """Return major type, additional information and argument (RFC 8949, 3)."""
        if self.at >= len(self.data):
            self.refuse("a value is announced, and nothing is left")
        first = self.data[self.at]
        self.at += 1
        major, info = first >> 5, first & 31
        if info < 24 or info == _INDEFINITE:
            return major, info, info
        if info > 27:
            self.refuse(f"reserved additional information {info}")
        width = 1 << (info - 24)
        argument = int.from_bytes(self.take(width), "big")
        if self.shortest and argument < (24 if width == 1 else 1 << 4 * width):
            self.refuse("a number in more bytes than it needs")
        return major, info, argument

    def value(self, depth: int) -> Any:
        self.items += 1
        if self.items > MAX_ITEMS:
            self.refuse(f"more than {MAX_ITEMS} values")
        if depth > MAX_DEPTH:
            self.refuse(f"nested more than {MAX_DEPTH} deep")
        major, info, argument = self.head()
        if major == SIMPLE:
            return self.simple(info)
        if info == _INDEFINITE:
            self.refuse("an indefinite length")
        if major <= TEXT:
            return self.scalar(major, argument)
        if major == TAG:
            return self.tagged(argument, depth)
        self.room(argument, 1 if major == ARRAY else 2)
        if major == ARRAY:
            return [self.value(depth + 1) for _ in range(argument)]
        found: dict[int | str, Any] = {}
        for _ in range(argument):
            self.entry(found, depth + 1)
        return found

    def outermost(self) -> Any:
        if self.data[:1] != bytes([MAP << 5 | _INDEFINITE]):
            return self.value(0)
        self.at, found = 1, dict[int | str, Any]()
        while self.data[self.at : self.at + 1] != bytes([_BREAK]):
            self.entry(found, 1)
        self.at += 1
        return found

    def scalar(self, major: int, argument: int) -> int | bytes | str:
        if major == UNSIGNED:
            return argument
        if major == NEGATIVE:
            return -1 - argument
        raw = self.take(argument)
        if major == OCTETS:
            return raw
        try:
            return raw.decode()
        except UnicodeDecodeError:
            self.refuse("text that is not UTF-8")

    def simple(self, info: int) -> bool | None:
        if info not in _SIMPLE:
            self.refuse("a float, or a simple value other than true, false and null")
        return _SIMPLE[info]

    def tagged(self, tag: int, depth: int) -> Tagged:
        if tag not in self.tags:
            self.refuse(f"an unexpected tag {tag}")
        return Tagged(tag, self.value(depth + 1))

    def room(self, count: int, width: int) -> None:
        """Refuse more values than there can be in the bytes that are left."""
        left = len(self.data) - self.at
        if count * width > left:
            self.refuse(f"{count} entries are announced, {left} bytes are left")

    def entry(self, found: dict[int | str, Any], depth: int) -> None:
        key = self.value(depth)
        if type(key) not in (int, str):  # bool is an int, and True equals 1
            self.refuse("a key that is neither text nor integer")
        if key in found:
            self.refuse(f"the key {str(key)[:60]} twice")
        found[key] = self.value(depth)
