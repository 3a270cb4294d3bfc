"""The header of a safetensors file: which tensors it holds, and where. No bytes of tensors here.

    offset  bytes
         0      8  n, the header's length, little-endian
         8      n  JSON: {"<name>": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, …,
                   "__metadata__": {"<text>": "<text>"}}, filled up with spaces
     8 + n         the tensors, one after the other, to the end of the file

What is accepted here, the ``safetensors`` library accepts too, and sees the same in it. Refused
besides: a name given twice, a field that the format does not know, a header beyond 1 MiB, and types
smaller than a byte.

Source: safetensors, README "Format", and its reference implementation.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any, Final

from teeproof.core import strictjson
from teeproof.core.errors import Malformed, TooLarge

__all__ = ["DTYPES", "MAX_HEADER", "Layout", "Place", "parse_layout", "read_layout"]

MAX_HEADER: Final = 1 << 20
MAX_DIMENSION: Final = (1 << 53) - 1
METADATA: Final = "__metadata__"
DTYPES: Final = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "F8_E8M0": 1,
    "I16": 2, "U16": 2, "F16": 2, "BF16": 2,
    "I32": 4, "U32": 4, "F32": 4,
    "I64": 8, "U64": 8, "F64": 8, "C64": 8,
}  # fmt: skip
"""Bytes of one element, by type."""
_FIELDS: Final = {"dtype", "shape", "data_offsets"}
_NEGATIVE: Final = re.compile(rb"[\[,:]\s*-")  # Python reads -0 as 0; the library refuses it


@dataclass(frozen=True, slots=True)
class Place:
    """One tensor of a file.

    Attributes:
        name: as the model's code calls it.
        dtype: a key of ``DTYPES``.
        shape: its dimensions; none for a single number.
        start: offset of its first byte in the file.
        end: offset behind its last byte.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Layout:
    """What a header says.

    Attributes:
        tensors: in the order in which they lie in the file.
        metadata: text beside them.
    """

    tensors: tuple[Place, ...]
    metadata: dict[str, str]


def read_layout(descriptor: int, *, name: str = "model.safetensors") -> Layout:
    """Return the layout of an open file.

    Raises:
        Malformed, TooLarge: as ``parse_layout``.
    """
    size = os.fstat(descriptor).st_size
    length = _length(os.pread(descriptor, 8, 0), size, name)
    return parse_layout(os.pread(descriptor, length, 8), file_size=size, name=name)


def parse_layout(header: bytes, *, file_size: int, name: str = "model.safetensors") -> Layout:
    """Return what a header says, if it accounts for each byte of the file exactly once.

    Args:
        header: the JSON, without the eight bytes before it.
        file_size: how many bytes the whole file has.
        name: what to call the file in messages.

    Raises:
        TooLarge: the header has more than 1 MiB.
        Malformed: code ``safetensors_malformed``, or one of ``strictjson``.
    """
    if len(header) > MAX_HEADER:
        raise _header_too_large(name, len(header))
    if header[:1] != b"{" or _NEGATIVE.search(header):
        raise _malformed(name, "a header that does not begin with { or holds a negative number")
    document = strictjson.loads(header, limit=MAX_HEADER, what=f"header of {name}")
    base = 8 + len(header)
    metadata = _metadata(document.pop(METADATA, {}), name)
    places = [_place(key, entry, base, name) for key, entry in document.items()]
    places.sort(key=lambda place: (place.start, place.end, place.name))
    end = base
    for place in places:
        if place.start != end:
            raise _malformed(name, f"a hole or an overlap before tensor {place.name[:80]!a}")
        end = place.end
    if end != file_size:
        raise _malformed(name, f"{file_size} bytes where the tensors end at {end}")
    return Layout(tuple(places), metadata)


def _length(head: bytes, size: int, name: str) -> int:
    if len(head) < 8:
        raise _malformed(name, f"{len(head)} bytes")
    length = int.from_bytes(head, "little")
    if length > MAX_HEADER:
        raise _header_too_large(name, length)
    if 8 + length > size:
        raise _malformed(name, f"a header of {length} bytes in a file of {size}")
    return length


def _metadata(value: Any, name: str) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise _malformed(name, f"{METADATA} that is no mapping of text to text")
    return value


def _place(key: str, entry: Any, base: int, name: str) -> Place:
    if not isinstance(entry, dict) or entry.keys() != _FIELDS:
        raise _malformed(name, f"fields of tensor {key[:80]!a} are not {sorted(_FIELDS)}")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    width = DTYPES.get(dtype) if isinstance(dtype, str) else None
    if width is None:
        raise _malformed(name, f"tensor {key[:80]!a} of type {dtype!a:.40}")
    if not (_are_sizes(shape) and _are_sizes(offsets) and len(offsets) == 2):
        raise _malformed(name, f"shape or offsets of tensor {key[:80]!a}")
    count = 1
    for dimension in shape:
        count *= dimension
        if count > MAX_DIMENSION:  # the library refuses what overflows, even before a zero
            raise _malformed(name, f"tensor {key[:80]!a} with more than 2^53 elements")
    start, end = offsets
    if end - start != count * width:
        raise _malformed(name, f"{end - start} bytes for tensor {key[:80]!a} of {dtype} {shape}")
    return Place(key, dtype, tuple(shape), base + start, base + end)


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and all(
        type(one) is int and 0 <= one <= MAX_DIMENSION for one in value
    )


def _header_too_large(name: str, length: int) -> TooLarge:
    return TooLarge(
        f"the header of {name} is too large",
        expected=f"at most {MAX_HEADER} bytes",
        got=f"{length} bytes",
    )


def _malformed(name: str, got: str) -> Malformed:
    return Malformed(
        f"{name} is not a safetensors file whose header accounts for each byte once",
        code="safetensors_malformed",
        got=got[:300],
    )
