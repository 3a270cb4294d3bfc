"""Write members one after the other, as the one ZIP file that holds them.

Nothing is kept but the directory, some 120 bytes for each member.

Trusts: the caller's order of names.  Does not trust: how much there will be to write.
"""

from __future__ import annotations

import zlib
from typing import BinaryIO

from teeproof.core.errors import TooLarge
from teeproof.proof.file.ziplayout import (
    END_BYTES,
    LOCAL_BYTES,
    MAX_FILE_BYTES,
    MAX_MEMBERS,
    central_header,
    end_record,
    local_header,
)

__all__ = ["ZipWriter"]


class ZipWriter:
    """Writes to a stream, which need not seek.

    Args:
        stream: where to; nobody else writes to it meanwhile.
        limit: how many bytes the file may have.

    Attributes:
        written: bytes so far.
    """

    def __init__(self, stream: BinaryIO, *, limit: int = MAX_FILE_BYTES) -> None:
        self.written = 0
        self._stream = stream
        self._limit = limit
        self._directory = bytearray()
        self._members = 0

    def add(self, name: str, data: bytes) -> None:
        """Write a member.

        Raises:
            TooLarge: the file would have too many members or bytes; nothing was written.
        """
        encoded = name.encode("ascii")
        crc = zlib.crc32(data)
        entry = central_header(crc, len(data), len(encoded), self.written) + encoded
        size = LOCAL_BYTES + len(encoded) + len(data)
        behind = len(self._directory) + len(entry) + END_BYTES
        if self._members == MAX_MEMBERS or self.written + size + behind > self._limit:
            raise TooLarge(
                "this is too much for one proof file: prove fewer roots in it",
                code="proof_too_large",
                expected=f"at most {MAX_MEMBERS} members and {self._limit} bytes",
            )
        self._stream.write(local_header(crc, len(data), len(encoded)) + encoded)
        self._stream.write(data)
        self._directory += entry
        self._members += 1
        self.written += size

    def finish(self) -> None:
        """Write the directory."""
        end = end_record(self._members, len(self._directory), self.written)
        self._stream.write(self._directory)
        self._stream.write(end)
        self.written += len(self._directory) + len(end)
