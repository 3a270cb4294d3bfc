"""Read a journal: its segments, the frames between two places, one entry of a frame.

Trusts: nothing; whatever was durable once must be there still.  Does not trust: the disk.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

import msgspec

from teeproof.core.errors import Error, Malformed, NotAuthentic
from teeproof.core.reading import open_without_waiting
from teeproof.proof.log.storage import frames
from teeproof.proof.log.storage.faults import corrupt, unreadable
from teeproof.proof.log.storage.frames import Frame, Segment
from teeproof.proof.log.storage.stored import ENTRY

__all__ = ["START", "Mark", "Segments", "after", "damaged", "entries_in"]

_AHEAD = 1 << 18  # bytes; what is read beyond the last durable frame is not looked at
_GUESS = 4096  # most frames of few entries fit
_NEAR, _NEAR_BYTES = 16, 1 << 20  # frames that are kept, and how large each may be


class Mark(msgspec.Struct, frozen=True):
    """A place between two frames.

    Attributes:
        segment: the segment's number.
        offset: where the next frame begins, unless it begins the next segment.
        last: where the frame before begins; 0 if the segment has none.
        check: that frame's check; before the first frame, 32 zeros.
        size: how many entries stand before.
    """

    segment: int
    offset: int
    last: int
    check: bytes
    size: int


START = Mark(0, frames.SEGMENT_BYTES, 0, bytes(32), 0)


def entries_in(frame: Frame) -> list[bytes]:
    """Return the contents of a frame's entries."""
    return [content for kind, content in frame.records if kind == ENTRY]


def after(number: int, frame: Frame) -> Mark:
    """Return the mark behind a frame of a segment."""
    size = frame.first + len(entries_in(frame))
    return Mark(number, frame.end, frame.offset, frame.check, size)


class Segments:
    """A folder of segments, ``00000000.journal`` and on.

    Args:
        folder: where they lie.
        log: 32 bytes that name the log; every segment says them.
    """

    def __init__(self, folder: Path, log: bytes) -> None:
        self.folder, self._log = folder, log
        self._heads: list[Segment] = []
        self._near: OrderedDict[tuple[int, int], tuple[int, list[bytes]]] = OrderedDict()
        self._lock = Lock()

    def open(self) -> None:
        """Read the heads of the segments.

        Raises:
            NotAuthentic: code ``log_corrupt``; one is missing, damaged or of another log.
            Unavailable: code ``log_disk``; one cannot be read.
        """
        names = sorted(path.name for path in self.folder.glob("*.journal"))
        if not names or names != [self.path(number).name for number in range(len(names))]:
            raise corrupt("segments of the journal are missing", got=", ".join(names[-3:]))
        self._heads = [self._head(number) for number in range(len(names))]

    def path(self, number: int) -> Path:
        """Return where a segment lies."""
        return self.folder / f"{number:08}.journal"

    def length(self, number: int) -> int:
        """Return how many bytes a segment has.

        Raises:
            NotAuthentic, Unavailable: as ``open``.
        """
        try:
            return self.path(number).stat().st_size
        except OSError as error:
            raise self._unread(number, error) from None

    def check(self, mark: Mark) -> None:
        """Check that the journal has the frame that ends at a mark.

        Raises:
            NotAuthentic: code ``log_corrupt``; it has not.
        """
        if not mark.last:
            found = mark.segment < len(self._heads) and self._heads[mark.segment].first == mark.size
        else:
            found = self._has(mark)
        if not found:
            raise corrupt(
                "the journal ends before the last entry that was indexed, or is another one",
                expected=f"{mark.size} entries, to byte {mark.offset} of segment {mark.segment}",
            )

    def scan(self, start: Mark, stop: Mark) -> Iterator[tuple[int, Frame]]:
        """Yield the frames between two marks, each with its segment's number.

        Raises:
            NotAuthentic: code ``log_corrupt``; one of them is damaged.
        """
        number, offset = start.segment, start.offset
        while (number, offset) < (stop.segment, stop.offset):
            if number < stop.segment and offset >= self.length(number):
                number, offset = number + 1, frames.SEGMENT_BYTES
                continue
            try:
                frame = self.frame(number, offset)
            except Malformed:
                raise damaged(number, offset) from None
            offset = frame.end
            yield number, frame

    def follow(self, start: Mark) -> Iterator[Frame]:
        """Yield the frames from a mark on; the caller stops at the last one that is durable.

        Raises:
            NotAuthentic: code ``log_corrupt``; one of them is damaged, or there are no more.
        """
        number, offset, size = start.segment, start.offset, start.size
        while True:
            segment = self._segment(number)
            try:
                with open(
                    self.path(number), "rb", buffering=_AHEAD, opener=open_without_waiting
                ) as file:
                    file.seek(offset)
                    while head := file.read(frames.FRAME_HEAD_BYTES):
                        length = frames.frame_bytes(head, segment)
                        data = head + file.read(length - len(head))
                        frame = frames.parse_frame(data, segment, offset)
                        if frame.first != size:
                            raise damaged(number, offset)
                        yield frame
                        mark = after(number, frame)
                        offset, size = mark.offset, mark.size
            except Malformed:
                raise damaged(number, offset) from None
            except OSError as error:
                raise self._unread(number, error) from None
            number, offset = number + 1, frames.SEGMENT_BYTES

    def frame(self, number: int, offset: int) -> Frame:
        """Return the frame that begins at an offset of a segment.

        Raises:
            Malformed: there is no whole frame.
            NotAuthentic, Unavailable: as ``open``.
        """
        segment = self._segment(number)
        try:
            with open(self.path(number), "rb", buffering=0, opener=open_without_waiting) as file:
                data = os.pread(file.fileno(), _GUESS, offset)
                length = frames.frame_bytes(data, segment)
                if length > len(data):
                    data += os.pread(file.fileno(), length - len(data), offset + len(data))
        except OSError as error:
            raise self._unread(number, error) from None
        return frames.parse_frame(data[:length], segment, offset)

    def entry(self, number: int, offset: int, place: int, *, first: int | None = None) -> bytes:
        """Return the content of one entry of a frame; ``place`` counts the frame's entries.

        Args:
            number: the segment's.
            offset: where the frame begins.
            place: from 0 on.
            first: how many entries must stand before the frame, if that is known.

        Raises:
            NotAuthentic: code ``log_corrupt``; the frame is not what was written.
        """
        try:
            held, entries = self._entries(number, offset)
            if first not in (None, held):
                raise damaged(number, offset)
            return entries[place]
        except (Malformed, IndexError):
            raise damaged(number, offset) from None

    def _entries(self, number: int, offset: int) -> tuple[int, list[bytes]]:
        """Return how many entries stand before a frame, and its own; a few frames are kept.

        Whoever asks for an entry asks for its neighbours next, and a frame is read and checked as a
        whole.
        """
        with self._lock:
            known = self._near.get((number, offset))
            if known is not None:
                self._near.move_to_end((number, offset))
                return known
        frame = self.frame(number, offset)
        found = frame.first, entries_in(frame)
        if frame.end - offset <= _NEAR_BYTES:
            with self._lock:
                self._near[number, offset] = found
                while len(self._near) > _NEAR:
                    self._near.popitem(last=False)
        return found

    def _has(self, mark: Mark) -> bool:
        try:
            frame = self.frame(mark.segment, mark.last)
        except (Malformed, NotAuthentic):
            return False
        return frame.check == mark.check and frame.end == mark.offset

    def _segment(self, number: int) -> Segment:
        if number >= len(self._heads):  # a reader, and the writer has begun another
            self.open()
        if number >= len(self._heads):
            raise corrupt(f"segment {number} of the journal is missing")
        return self._heads[number]

    def _head(self, number: int) -> Segment:
        try:
            with open(self.path(number), "rb", opener=open_without_waiting) as file:
                data = file.read(frames.SEGMENT_BYTES)
        except OSError as error:
            raise self._unread(number, error) from None
        try:
            segment = Segment.parse(data)
        except Malformed as error:
            raise corrupt(f"segment {number} of the journal: {error.detail}") from None
        if segment.number != number or segment.log != self._log:
            raise corrupt(f"segment {number} of the journal is of another log or place")
        return segment

    def _unread(self, number: int, error: OSError) -> Error:
        """Return the error for a segment that is not there, or is and cannot be read."""
        if isinstance(error, FileNotFoundError):
            return corrupt(f"segment {number} of the journal is missing")
        return unreadable(
            f"segment {number} of the journal",
            self.path(number),
            error,
            advice="make it a file that may be read, or restore the log's directory; nothing else"
            " has what it holds",
        )


def damaged(number: int, offset: int) -> NotAuthentic:
    """Return the error for a frame that was whole once."""
    return corrupt(f"the frame at byte {offset} of segment {number} of the journal is damaged")
