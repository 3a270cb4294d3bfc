"""Have msgspec know every record type before threads ask: it builds that knowledge unguarded.

msgspec 0.22 learns a type's fields when it first decodes one, and lets other threads see the type
half-learned; what they then read is no memory, and the process ends. So whoever starts threads that
decode calls ``settle_types`` first, when everything that will decode is imported.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import msgspec

__all__ = ["settle_types"]


def settle_types() -> int:
    """Learn every record type of ours that is loaded; return how many there are."""
    count = 0
    for one in _below(msgspec.Struct):
        if one.__module__.startswith("teeproof."):
            with suppress(TypeError, NameError):  # no document has such a type as its whole
                msgspec.json.Decoder(one)
            count += 1
    return count


def _below(kind: type) -> Iterator[type]:
    children: list[type] = kind.__subclasses__()
    for one in children:
        yield one
        yield from _below(one)
