"""One commit in the making: records of several callers, and those who wait for it.

Trusts: nothing.  Does not trust: nothing; callers were checked when their items were encoded.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import NamedTuple
from zlib import crc32

from teeproof.core.errors import Error
from teeproof.proof.log.items import Appended, Item, encode_items

__all__ = ["BATCH", "Batch", "Part", "encode"]

BATCH = 256  # records in one commit, at most
_BATCH_BYTES = 4 << 20  # in one commit, unless one caller's part has more


class Part(NamedTuple):
    """Records of one caller: their lengths, their contents joined, the CRC-32 of those."""

    lengths: list[int]
    contents: bytes
    crc: int


class Batch:
    """One commit while it waits and is written."""

    def __init__(self) -> None:
        self.kinds = b""
        self.lengths: list[int] = []
        self.contents: list[bytes] = []
        self.crc = self.bytes = self.first = 0
        self.ids: list[bytes] = []
        self.futures: list[tuple[Future[Appended], Appended]] = []
        self.error: Error | None = None
        self.done = threading.Event()

    def has_room(self, part: Part) -> bool:
        """Whether so many more records fit; what is empty takes any part."""
        return not self.kinds or (
            len(self.kinds) + len(part.lengths) <= BATCH
            and self.bytes + len(part.contents) <= _BATCH_BYTES
        )

    def add(self, kind: int, part: Part) -> None:
        """Add records of one kind."""
        self.crc = crc32(part.contents, self.crc) if self.kinds else part.crc
        self.kinds += bytes([kind]) * len(part.lengths)
        self.lengths += part.lengths
        self.contents.append(part.contents)
        self.bytes += len(part.contents)

    def require(self) -> None:
        """Return if the commit, which is done, is durable.

        Raises:
            Unavailable: it is not, and nothing of it was acknowledged.
        """
        if self.error:
            raise type(self.error)(self.error.detail, code=self.error.code, got=self.error.got)

    def tell(self) -> None:
        """Complete the futures; ``done`` is set, and ``error`` too if the commit failed."""
        for future, appended in self.futures:
            if self.error:
                future.set_exception(self.error)
            else:
                future.set_result(appended)


def encode(items: Sequence[Item], salts: Sequence[bytes]) -> Part:
    """Return the part that some items make; raises as ``encode_items`` does."""
    lengths, contents = encode_items(items, salts)
    return Part(lengths, contents, crc32(contents))
