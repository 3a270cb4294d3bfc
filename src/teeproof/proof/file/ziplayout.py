"""The records of a proof file's ZIP: every field is fixed but name, size, CRC and place.

    local header     for each member, its name and its bytes behind it
    central header   for each member, in the same order
    end record       once, the last 22 bytes

Source: PKWARE APPNOTE 6.3.10, 4.3.7 (local), 4.3.12 (central), 4.3.16 (end).

Trusts: nothing.  Does not trust: whoever wrote the file.
"""

from __future__ import annotations

import struct

from teeproof.core.errors import Malformed

__all__ = [
    "CENTRAL",
    "CENTRAL_BYTES",
    "END",
    "END_BYTES",
    "LOCAL_BYTES",
    "MAX_FILE_BYTES",
    "MAX_MEMBERS",
    "MAX_NAME_BYTES",
    "central_header",
    "end_record",
    "local_header",
    "refuse",
]

MAX_FILE_BYTES = 64 << 20
MAX_MEMBERS = 0xFFFE  # APPNOTE 4.4.22: 0xFFFF says that the count stands in a ZIP64 record
MAX_NAME_BYTES = 320

_VERSION = 10  # APPNOTE 4.4.3.2: 1.0, stored files
_DATE = 0x0021  # MS-DOS: 1980-01-01, the first day that it knows

# signature, version, flags, method, time, date, CRC, packed size, size, name, extra
_LOCAL = struct.Struct("<4sHHHHHIIIHH")
# … the same after two versions, then comment, disk, attributes within and without, offset
CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
# signature, this disk, first disk, members here, members, bytes, offset, comment
END = struct.Struct("<4sHHHHIIH")
LOCAL_BYTES = _LOCAL.size
CENTRAL_BYTES = CENTRAL.size
END_BYTES = END.size

_pack_local, _pack_central = _LOCAL.pack, CENTRAL.pack


def local_header(crc: int, size: int, name: int) -> bytes:
    """Return the header before a member; ``name`` is the length of its name."""
    return _pack_local(b"PK\3\4", _VERSION, 0, 0, 0, _DATE, crc, size, size, name, 0)


def central_header(crc: int, size: int, name: int, offset: int) -> bytes:
    """Return the header of a member in the directory; ``offset`` is its local header's place."""
    return _pack_central(
        b"PK\1\2", _VERSION, _VERSION, 0, 0, 0, _DATE, crc, size, size, name, 0, 0, 0, 0, 0, offset
    )


def end_record(members: int, size: int, offset: int) -> bytes:
    """Return the end of the file: how many members, and where their directory is."""
    return END.pack(b"PK\5\6", 0, 0, members, members, size, offset, 0)


def refuse(why: str, code: str, expected: str | None = None, got: str | None = None) -> Malformed:
    """Return the error for a file that is not the one way in which its content is written."""
    return Malformed(f"this is not a proof file: {why}", code=code, expected=expected, got=got)
