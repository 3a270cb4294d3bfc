"""The journal: append-only segments on disk, and all that a log must never lose.

One frame holds one group commit, and is durable before it is acknowledged. The next frame is
written only after that, so a bad frame with a good one behind it was damaged later: an error. A bad
frame with nothing good behind it is a commit that the power cut short, and is cut off.

Trusts: a sync that was said to be done.  Does not trust: what it reads back; the power.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from errno import EDQUOT, ENOSPC
from pathlib import Path

from teeproof.core.errors import Malformed
from teeproof.proof.log.storage import frames
from teeproof.proof.log.storage.disk import Content, Disk
from teeproof.proof.log.storage.faults import corrupt, poisoned, refused
from teeproof.proof.log.storage.frames import Frame, Segment
from teeproof.proof.log.storage.segments import START, Mark, Segments, after, damaged

__all__ = ["SEGMENT_LIMIT", "Journal"]

SEGMENT_LIMIT = 64 << 20  # a segment that has reached this is followed by another


class Journal(Segments):
    """A journal with its one writer.

    Args:
        folder: where the segments lie.
        log: 32 bytes that name the log; every segment says them.
        disk: where writes go.
        scratch: a folder on the same file system for files that are not done.
        random: 16 bytes of it for each segment.
        limit: the segment's size in bytes after which the next is begun.

    Attributes:
        mark: where the next frame goes; all before it is durable.
    """

    def __init__(
        self,
        folder: Path,
        log: bytes,
        *,
        disk: Disk,
        scratch: Path,
        random: Callable[[int], bytes] = os.urandom,
        limit: int = SEGMENT_LIMIT,
    ) -> None:
        super().__init__(folder, log)
        self.mark = START
        self._disk, self._scratch = disk, scratch
        self._random, self._limit = random, limit
        self._descriptor = -1
        self._poison: str | None = None

    def create(self) -> None:
        """Begin the first segment, in an empty folder; it is durable."""
        self._begin(Segment(0, 0, self._random(16), self._log, START.check))

    def recover(self, start: Mark = START) -> Iterator[Frame]:
        """Yield every frame from a mark on; then ``mark`` is the end.

        The journal is left as it is; ``settle`` cuts off what was never acknowledged.

        Raises:
            NotAuthentic: code ``log_corrupt``; a frame is damaged and a good one follows.
        """
        self.mark = start
        for number in range(start.segment, len(self._heads)):
            if number > start.segment:
                self._follow(number)
            size = self.length(number)
            while self.mark.offset < size:
                try:
                    frame = self.frame(number, self.mark.offset)
                except Malformed:
                    self._require_torn(number, size)
                    return
                self._advance(number, frame)
                yield frame

    def settle(self) -> None:
        """Make the end that ``recover`` found the end: cut what is behind it, and make it durable.

        The last frame is written again. A sync that failed may have left it in memory only, marked
        as clean; every frame before it was durable before the next was written.

        Raises:
            Unavailable: code ``log_disk``.
        """
        mark = self.mark
        descriptor = self._writable()
        try:
            self._disk.truncate(descriptor, mark.offset)
            if mark.last:
                again = os.pread(descriptor, mark.offset - mark.last, mark.last)
                self._disk.write(descriptor, [again], mark.last)
            self._disk.sync(descriptor)
            self._disk.sync_directory(self.folder)
        except OSError as error:
            raise refused("the journal cannot be opened for writing", self.folder, error) from None

    def append(self, table: bytes, contents: Sequence[Content], crc: int, *, entries: int) -> Mark:
        """Write one frame and return where it begins; when this returns, it is durable.

        Args:
            table: by ``frames.encode_table``.
            contents: the records' contents; neighbours may be joined.
            crc: CRC-32 of the contents, joined.
            entries: how many of the records are entries.

        Raises:
            Unavailable: code ``log_disk``, and nothing was written; or ``log_poisoned``, and the
                journal must be opened anew.
        """
        if self._poison:
            raise poisoned(self._poison)
        if self.mark.offset >= self._limit:
            self._rotate()
        before, segment = self.mark, self._heads[-1]
        length = sum(map(len, contents))
        head, check = frames.encode_head(
            segment, before.offset, first=before.size, table=table, length=length, crc=crc
        )
        self._write([head, *contents])
        end, size = before.offset + len(head) + length, before.size + entries
        self.mark = Mark(segment.number, end, before.offset, check, size)
        return before

    def close(self) -> None:
        """Close the segment that was open for writing."""
        if self._descriptor >= 0:
            self._disk.close(self._descriptor)
            self._descriptor = -1

    def _write(self, data: Sequence[Content]) -> None:
        descriptor = self._writable()
        try:
            self._disk.append(descriptor, data, self.mark.offset)
        except OSError as error:
            if error.errno not in (ENOSPC, EDQUOT):
                # The kernel may have dropped the pages and call them clean: a retry proves nothing.
                raise self._poisoned("a write to the journal failed", error) from None
            self._undo(descriptor)
            raise refused("the journal cannot be written", self.folder, error) from None

    def _undo(self, descriptor: int) -> None:
        try:
            self._disk.truncate(descriptor, self.mark.offset)
        except OSError as error:
            raise self._poisoned("half of a frame cannot be removed", error) from None

    def _poisoned(self, what: str, error: OSError) -> Exception:
        self._poison = f"{what} ({error.strerror or error})"
        return poisoned(self._poison)

    def _rotate(self) -> None:
        mark, number = self.mark, len(self._heads)
        self._begin(Segment(number, mark.size, self._random(16), self._log, mark.check))
        self.close()
        self.mark = _begins(number, mark)

    def _begin(self, segment: Segment) -> None:
        path = self.path(segment.number)
        try:
            self._disk.place(path, segment.encode(), scratch=self._scratch / path.name)
        except OSError as error:
            raise refused("a segment cannot be begun", self.folder, error) from None
        try:
            self._disk.sync_directory(self.folder)
        except OSError as error:
            raise self._poisoned("a sync of the journal's folder failed", error) from None
        self._heads.append(segment)

    def _writable(self) -> int:
        if self._descriptor < 0:
            try:
                self._descriptor = self._disk.open(self.path(len(self._heads) - 1))
            except OSError as error:
                raise refused("the journal cannot be opened", self.folder, error) from None
        return self._descriptor

    def _follow(self, number: int) -> None:
        segment, mark = self._heads[number], self.mark
        if segment.previous != mark.check or segment.first != mark.size:
            raise corrupt(
                f"segment {number - 1} of the journal does not end where the next begins",
                expected=f"{segment.first} entries before segment {number}",
                got=f"{mark.size} entries",
            )
        self.mark = _begins(number, mark)

    def _advance(self, number: int, frame: Frame) -> None:
        if frame.first != self.mark.size:
            raise corrupt(
                f"the frame at byte {frame.offset} of segment {number} is out of order",
                expected=f"{self.mark.size} entries before it",
                got=f"{frame.first}",
            )
        self.mark = after(number, frame)

    def _require_torn(self, number: int, size: int) -> None:
        """Return if what begins at the mark can only be a commit that was cut short."""
        offset, segment = self.mark.offset, self._heads[number]
        if number < len(self._heads) - 1 or size - offset > frames.MAX_FRAME_BYTES:
            raise damaged(number, offset)
        with open(self.path(number), "rb", buffering=0) as file:
            data = os.pread(file.fileno(), size - offset, offset)
        at = data.find(segment.marker, 1)
        while at >= 0:
            try:
                frames.parse_table(data[at:], segment, offset + at)
            except Malformed:
                at = data.find(segment.marker, at + 1)
            else:
                raise damaged(number, offset)


def _begins(number: int, before: Mark) -> Mark:
    return Mark(number, frames.SEGMENT_BYTES, 0, before.check, before.size)
