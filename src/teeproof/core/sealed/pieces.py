"""Cut a source into segments, and know of each whether it is the last.

A stream is read in order, one byte further than the segment: that byte says whether more comes. A
large regular file is cut by its size, so several threads can read it at once.
"""

from __future__ import annotations

import io
import os
import stat
from typing import BinaryIO, NamedTuple, Protocol, cast

from teeproof.core.errors import Unavailable, Usage

__all__ = ["Ahead", "Piece", "Placed", "Source", "cut", "read_into", "write_all"]


class Piece(NamedTuple):
    """One segment of a source.

    Attributes:
        size: its bytes.
        last: whether nothing follows.
        offset: where it lies in the file, if the source is one.
    """

    size: int
    last: bool
    offset: int = 0


class Source(Protocol):
    """Something that is cut into segments."""

    def take(self, buffer: memoryview) -> Piece | None:
        """Return the next segment, or None behind the last; called by one thread at a time."""

    def load(self, piece: Piece, buffer: memoryview) -> None:
        """Have the segment in the buffer that it was taken with; called by several at once."""


def cut(source: BinaryIO, *, first: int, rest: int) -> Source:
    """Return a source's segments, from where it stands.

    Args:
        source: any stream that blocks.
        first: the size of the first segment.
        rest: the size of each further one, the last excepted.
    """
    # Exactly these types: others, such as gzip's, have a descriptor of something else.
    raw = source.raw if type(source) is io.BufferedReader else source
    if type(raw) is io.FileIO:
        status = os.fstat(raw.fileno())
        # A small file gains nothing, and files of the kernel's have no size before they are read.
        if stat.S_ISREG(status.st_mode) and status.st_size - source.tell() > first + rest:
            return Placed(source, status.st_size, first=first, rest=rest)
    return Ahead(source, first=first, rest=rest)


class Placed:
    """The segments of a regular file that has a size."""

    def __init__(self, source: BinaryIO, end: int, *, first: int, rest: int) -> None:
        self._descriptor, self._rest, self._end = source.fileno(), rest, end
        self._size, self._offset = first, source.tell()
        source.seek(end)

    def take(self, buffer: memoryview) -> Piece | None:
        """Return the place of the next segment; nothing is read yet."""
        left = self._end - self._offset
        if left == 0:
            return None
        piece = Piece(min(self._size, left), left <= self._size, self._offset)
        self._offset += piece.size
        self._size = self._rest
        return piece

    def load(self, piece: Piece, buffer: memoryview) -> None:
        """Read the segment.

        Raises:
            Unavailable: code ``source_changed``: the file became shorter.
        """
        done = 0
        while done < piece.size:
            view = buffer[done : piece.size]
            got = os.preadv(self._descriptor, [view], piece.offset + done)
            if got == 0:
                raise Unavailable(
                    "the file became shorter while it was read: try again",
                    code="source_changed",
                    expected=f"{self._end} bytes",
                    got=f"{piece.offset + done} bytes",
                )
            done += got


class Ahead:
    """The segments of a stream, each read to the byte behind it, which the next begins with."""

    def __init__(self, source: BinaryIO, *, first: int, rest: int) -> None:
        self._source, self._rest = source, rest
        self._size, self._carried = first, b""
        self._ended = False

    def take(self, buffer: memoryview) -> Piece | None:
        """Read into a buffer of at least ``rest`` + 1 bytes; the first segment may be empty."""
        if self._ended:
            return None
        size, carried = self._size, len(self._carried)
        buffer[:carried] = self._carried
        got = carried + read_into(self._source, buffer[carried : size + 1])
        self._ended = got <= size
        self._carried = b"" if self._ended else bytes(buffer[size : size + 1])
        self._size = self._rest
        return Piece(min(got, size), self._ended)

    def load(self, piece: Piece, buffer: memoryview) -> None:
        """Do nothing: it was read when it was taken."""


def read_into(source: BinaryIO, buffer: memoryview) -> int:
    """Fill a buffer from a stream; return how much came, less only where the stream ends."""
    done = 0
    fill = getattr(source, "readinto", None)
    while done < len(buffer):
        if fill is not None:
            got = fill(buffer[done:])
            got = _waiting() if got is None else cast("int", got)
        else:
            data = source.read(len(buffer) - done)
            got = len(data)
            buffer[done : done + got] = data
        if got == 0:
            break
        done += got
    return done


def write_all(target: BinaryIO, data: bytes | memoryview) -> None:
    """Write all of some bytes: an unbuffered file may take a part only."""
    view = memoryview(data)
    while view:
        view = view[target.write(view) :]


def _waiting() -> int:
    raise Usage("this stream does not wait for its data: pass a blocking one", code="not_blocking")
