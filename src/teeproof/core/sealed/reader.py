"""Read any part of a sealed file: only the segments that it touches are read and authenticated.

What a read proves. Opening authenticates the header and the last segment, and the last segment's
number and mark fix the size of the plaintext. A read authenticates every segment that it touches,
each under its own number. So the bytes that it returns are, at that place and in a file of that
size, what somebody who holds the data key sealed under this header. It proves nothing about the
segments that were not read: one of them may be damaged, and only reading it will tell.
"""

from __future__ import annotations

import io
import threading
from typing import BinaryIO, cast

from teeproof.core.errors import Malformed
from teeproof.core.sealed.diagnosis import diagnose
from teeproof.core.sealed.header import Header, read_header
from teeproof.core.sealed.keys import Key
from teeproof.core.sealed.pieces import read_into
from teeproof.core.sealed.segments import PAYLOAD_HEADER, SEGMENT, Extent, Layout, PayloadKey
from teeproof.core.sealed.streams import payload_of

__all__ = ["SealedReader", "open_sealed"]


class SealedReader(io.RawIOBase):
    """The plaintext of a sealed file, as a binary file that can be read and sought.

    It keeps the last segment that it decrypted in part, so small reads in a row are cheap. Closing
    it closes the sealed file. ``read_at`` may be called from several threads.

    Attributes:
        header: the header of the file, authenticated.
        size: the bytes of the plaintext, authenticated.
    """

    def __init__(
        self, source: BinaryIO, *, header: Header, payload: PayloadKey, start: int, layout: Layout
    ) -> None:
        """Authenticate the last segment; ``open_sealed`` is how to get a reader."""
        self.header, self.size = header, layout.plain
        self._source, self._payload, self._start, self._layout = source, payload, start, layout
        self._position = 0
        self._lock = threading.Lock()
        self._spare: list[bytearray] = []  # buffers that no thread uses at the moment
        self._kept: tuple[int, bytearray] = self._last()

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the place in the plaintext."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place in the plaintext; places behind its end hold nothing."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}.get(whence)
        if base is None or base + offset < 0:
            raise ValueError(f"no such place: {offset} from {whence}")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: object) -> int:
        """Fill a buffer from the place where the reader stands; return how much came.

        Raises:
            NotAuthentic: a segment does not hold; the buffer then holds nothing of it.
            Malformed: the file shrank since it was opened.
        """
        view = memoryview(cast("bytearray", buffer)).cast("B")
        got = self._fill(self._position, view)
        self._position += got
        return got

    def readall(self) -> bytes:
        """Return everything from here on."""
        data = self.read_at(self._position, max(0, self.size - self._position))
        self._position += len(data)
        return data

    def read_at(self, offset: int, length: int) -> bytes:
        """Return up to ``length`` bytes from a place; the reader's own place does not change.

        Raises:
            NotAuthentic, Malformed: as ``readinto``.
        """
        if offset < 0 or length < 0:
            raise ValueError(f"no such range: {length} bytes from {offset}")
        buffer = bytearray(max(0, min(length, self.size - offset)))
        self._fill(offset, memoryview(buffer))
        return bytes(buffer)

    def close(self) -> None:
        """Close the sealed file too."""
        if not self.closed:
            self._source.close()
        super().close()

    def _fill(self, offset: int, view: memoryview) -> int:
        if self.closed:
            raise ValueError("this reader is closed")
        wanted = max(0, min(len(view), self.size - offset))
        done = 0
        while done < wanted:
            extent = self._layout.at(self._layout.index_of(offset + done))
            skip = offset + done - extent.plain_start
            part = view[done : min(wanted, done + extent.plain_length - skip)]
            self._part(extent, skip, part)
            done += len(part)
        return wanted

    def _part(self, extent: Extent, skip: int, part: memoryview) -> None:
        """Fill a buffer from within one segment."""
        index, kept = self._kept
        if index != extent.number:
            if len(part) == extent.plain_length:  # all of it: straight to where it is wanted
                self._decrypt(extent, part)
                return
            whole = bytearray(extent.plain_length)
            self._decrypt(extent, memoryview(whole))
            kept = whole
            self._kept = extent.number, whole
        part[:] = memoryview(kept)[skip : skip + len(part)]

    def _last(self) -> tuple[int, bytearray]:
        extent = self._layout.at(self._layout.count - 1)
        plain = bytearray(extent.plain_length)
        self._decrypt(extent, memoryview(plain))
        return extent.number, plain

    def _decrypt(self, extent: Extent, target: memoryview) -> None:
        try:
            buffer = self._spare.pop()
        except IndexError:
            buffer = bytearray(SEGMENT)
        try:
            self._decrypt_through(memoryview(buffer)[: extent.length], extent, target)
        finally:
            self._spare.append(buffer)

    def _decrypt_through(self, data: memoryview, extent: Extent, target: memoryview) -> None:
        with self._lock:
            self._source.seek(self._start + extent.start)
            got = read_into(self._source, data)
        if got < extent.length:
            raise Malformed(
                "the sealed file became shorter while it was read: get it again",
                code="payload_truncated",
                expected=f"{extent.length} bytes in segment {extent.number}",
                got=f"{got} bytes",
            )
        if not self._payload.decrypt_into(extent.number, data, target, last=extent.last):
            target[:] = bytes(len(target))  # nothing that was not authenticated stays
            raise diagnose(self._payload, extent.number, data, last=extent.last)


def open_sealed(source: BinaryIO, *, key: Key) -> SealedReader:
    """Return a reader of a sealed file's plaintext, with random access.

    Args:
        source: a binary file that can be sought, standing at the header; it ends where the sealed
            file ends.
        key: a recipient's key pair, or a data key that was granted.

    Raises:
        Malformed, TooLarge: as ``read_header``; codes ``payload_header``, ``payload_truncated``.
        NotAllowed: code ``not_a_recipient``.
        NotAuthentic: as ``open_stream``, for the header and the last segment.
    """
    header = read_header(source)
    payload = payload_of(source, header, key)
    start = source.tell() - PAYLOAD_HEADER
    layout = Layout(source.seek(0, io.SEEK_END) - start)
    return SealedReader(source, header=header, payload=payload, start=start, layout=layout)
