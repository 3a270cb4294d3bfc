"""Read a ZIP file that is written in the one way of ``ziplayout``, and refuse any other.

Each header is written again from its name, size, CRC and place, and compared as a whole: so there
is no field that one reader heeds and another does not. The members fill the file from its first
byte to the directory, which fills the rest but for the end record.

Trusts: nothing.  Does not trust: whoever wrote the file, and whoever may change it meanwhile.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from teeproof.core.errors import Malformed, TooLarge, Unavailable, Usage
from teeproof.core.text import legible
from teeproof.proof.file.ziplayout import (
    CENTRAL,
    CENTRAL_BYTES,
    END,
    END_BYTES,
    MAX_FILE_BYTES,
    MAX_MEMBERS,
    MAX_NAME_BYTES,
    central_header,
    end_record,
    local_header,
    refuse,
)

__all__ = ["Data", "FileData", "MemoryData", "ZipReader"]

_CHUNK = 1 << 20
_SIGNATURE_END = b"PK\5\6"


class Data(Protocol):
    """Bytes that are read in pieces."""

    size: int

    def read(self, offset: int, size: int) -> bytes:
        """Return the bytes there; fewer only where the data has become shorter."""

    def close(self) -> None:
        """Let go of it."""


class MemoryData:
    """Bytes in memory."""

    def __init__(self, data: bytes) -> None:
        self.size = len(data)
        self._data = data

    def read(self, offset: int, size: int) -> bytes:
        """Return the bytes there."""
        return self._data[offset : offset + size]

    def close(self) -> None:
        """Do nothing."""


class FileData:
    """A regular file, read piece by piece.

    It is not mapped: reading a mapped file that somebody cuts short ends the process.

    Raises:
        Unavailable: there is no such file, or it may not be read.
        Usage: it is a directory or a device.
    """

    def __init__(self, path: Path) -> None:
        try:
            # A named pipe without a writer would block an ordinary open for ever.
            self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise Unavailable(
                f"{path} cannot be read: {error.strerror}", code="file_unavailable", got=str(path)
            ) from None
        except ValueError:  # a NUL byte in the name
            raise Usage("this is no file name", code="not_a_file", got=ascii(str(path))) from None
        status = os.fstat(self._descriptor)
        self.size = status.st_size
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise Usage(f"{path} is not a regular file: name a proof file", code="not_a_file")

    def read(self, offset: int, size: int) -> bytes:
        """Return the bytes there."""
        data = os.pread(self._descriptor, size, offset)
        while len(data) < size and (
            more := os.pread(self._descriptor, size - len(data), offset + len(data))
        ):
            data += more
        return data

    def close(self) -> None:
        """Close the file; further reads fail."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


Member = tuple[int, int, int]
"""Where a member's bytes begin, how many they are, and their CRC-32."""

# Of a central header: CRC, size and length of the name.
_parts = struct.Struct("<16xI4xIH16x").unpack_from


class ZipReader:
    """The members of a file, by name and in the file's order. Only headers have been read.

    Raises:
        TooLarge: code ``proof_too_large``.
        Malformed: codes ``proof_not_zip``, ``zip_end``, ``zip_field``, ``zip_gap``,
            ``zip_name``, ``zip_name_repeated`` and ``zip_headers_differ``.
    """

    def __init__(self, data: Data) -> None:
        self._data = data
        self.members: Mapping[str, Member] = _members(data)

    def read(self, name: str) -> bytes:
        """Return a member's bytes; Malformed (``zip_crc``) where they are not what was written."""
        offset, size, crc = self.members[name]
        data = self._data.read(offset, size)
        if len(data) != size or zlib.crc32(data) != crc:
            raise Malformed(
                f"the proof's member {name} is damaged: get the file again",
                code="zip_crc",
                expected=f"{size} bytes with the CRC {crc:08x}",
                got=f"{len(data)} bytes with the CRC {zlib.crc32(data):08x}",
            )
        return data

    def digest(self) -> bytes:
        """Return the SHA-256 of the whole file."""
        digest = hashlib.sha256()
        for offset in range(0, self._data.size, _CHUNK):
            digest.update(self._data.read(offset, min(_CHUNK, self._data.size - offset)))
        return digest.digest()

    def close(self) -> None:
        """Close the file."""
        self._data.close()


def _members(data: Data) -> dict[str, Member]:
    count, size, start = _end(data)
    directory = data.read(start, size)
    found: dict[str, Member] = {}
    at = following = 0
    # One loop of few calls: files have tens of thousands of members.
    for _ in range(count):
        if at + CENTRAL_BYTES > len(directory):
            raise refuse("its directory is cut short", "zip_end")
        crc, length, name_length = _parts(directory, at)
        header = directory[at : at + CENTRAL_BYTES]
        at += CENTRAL_BYTES + name_length
        name = directory[at - name_length : at]
        if header != central_header(crc, length, name_length, following):
            raise _header(header, central_header(crc, length, name_length, following))
        if len(name) != name_length or not 0 < name_length <= MAX_NAME_BYTES or not name.isascii():
            raise refuse("a member's name is not a short ASCII one", "zip_name", got=legible(name))
        header = local_header(crc, length, name_length) + name
        offset = following + len(header)
        if offset + length > start or data.read(following, len(header)) != header:
            raise _local_differs(name)
        text = name.decode()
        if text in found:
            raise refuse("a name is given twice", "zip_name_repeated", got=text)
        found[text] = (offset, length, crc)
        following = offset + length
    if at != len(directory):
        raise refuse("its directory holds more than headers", "zip_end")
    if following != start:
        raise _gap("the directory", following, start)
    return found


def _end(data: Data) -> tuple[int, int, int]:
    """Return how many members there are, and size and place of their directory."""
    if data.size > MAX_FILE_BYTES:
        raise TooLarge(
            "this is too large for a proof file",
            code="proof_too_large",
            expected=f"at most {MAX_FILE_BYTES} bytes",
            got=f"{data.size} bytes",
        )
    record = data.read(max(0, data.size - END_BYTES), END_BYTES)
    if len(record) != END_BYTES or not record.startswith(_SIGNATURE_END):
        raise refuse(
            "it does not end as a ZIP file without a comment does", "proof_not_zip",
            got=legible(record),
        )  # fmt: skip
    members, size, start = END.unpack(record)[4:7]
    if record != end_record(members, size, start) or start + size + END_BYTES != data.size:
        raise refuse("its end record speaks of other bytes than stand before it", "zip_end")
    if members > MAX_MEMBERS:
        raise TooLarge("this has too many members for a proof file", code="proof_too_large")
    return members, size, start


def _header(got: bytes, expected: bytes) -> Exception:
    names = (
        "signature", "version made by", "version needed", "flags", "compression", "time", "date",
        "CRC", "compressed size", "size", "name length", "extra length", "comment length", "disk",
        "internal attributes", "external attributes", "offset",
    )  # fmt: skip
    place, right_place = CENTRAL.unpack(got)[-1], CENTRAL.unpack(expected)[-1]
    if place != right_place:
        return _gap("a member", right_place, place)
    pairs = zip(names, CENTRAL.unpack(expected), CENTRAL.unpack(got), strict=True)
    name, right, wrong = next(pair for pair in pairs if pair[1] != pair[2])
    return refuse(f"a member has another {name}", "zip_field", str(right), str(wrong))


def _gap(what: str, expected: int, got: int) -> Exception:
    return refuse(
        "members do not follow one another from the first byte to the directory",
        "zip_gap",
        f"{what} at byte {expected}",
        f"byte {got}",
    )


def _local_differs(name: bytes) -> Exception:
    return refuse(
        "what stands before a member is not what the directory says",
        "zip_headers_differ",
        got=legible(name),
    )
