"""One commit in the making: records of several callers, and those who wait for it.

Trusts: nothing.  Does not trust: nothing; callers were checked when their items were encoded.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from io import BytesIO
from typing import NamedTuple
from zlib import crc32

from teeproof.core.errors import Error
from teeproof.proof.log.storage.items import Appended, Item, encode_items

__all__ = ["BATCH", "Batch", "Buffers", "Part"]

BATCH = 256  # records in one commit, at most
_LEAST_BUFFER, _MOST_BUFFER = 64 << 10, 1 << 20  # bytes
_BATCH_BYTES = 4 << 20  # in one commit, unless one caller's part has more


class Part(NamedTuple):
    """Records of one caller: their lengths, their contents joined, the CRC-32 of those."""

    lengths: list[int]
    contents: bytes | memoryview
    crc: int
    buffer: BytesIO | None = None  # what holds the contents


class Buffers:
    """Memory for the contents of large parts, used again.

    The system takes back large pieces that are freed; getting them anew, page by page, takes longer
    than filling them.
    """

    def __init__(self) -> None:
        self._free: deque[BytesIO] = deque(maxlen=4)

    def encode(self, items: Sequence[Item], salts: Sequence[bytes]) -> Part:
        """Return the part that some items make; raises as ``encode_items`` does."""
        lengths, pieces = encode_items(items, salts)
        size = sum(lengths)
        if not _LEAST_BUFFER <= size <= _MOST_BUFFER:
            contents = b"".join(pieces)
            return Part(lengths, contents, crc32(contents))
        try:
            buffer = self._free.pop()
        except IndexError:
            buffer = BytesIO()
        buffer.seek(0)
        buffer.writelines(pieces)
        view = buffer.getbuffer()[:size]
        return Part(lengths, view, crc32(view), buffer)

    def take_back(self, parts: Iterable[Part]) -> None:
        """Use the memory of parts again, which nobody needs any more."""
        for part in parts:
            if part.buffer and isinstance(part.contents, memoryview):
                part.contents.release()
                self._free.append(part.buffer)


class Batch:
    """One commit while it waits and is written."""

    def __init__(self) -> None:
        self.kinds = b""
        self.lengths: list[int] = []
        self.parts: list[Part] = []
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
        self.parts.append(part)
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
