"""The index's file as SQLite has it: opened, removed, and what its errors say about it.

Trusts: nothing.  Does not trust: the file; any byte of it may have changed.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path

import msgspec

from teeproof.core.errors import Unavailable
from teeproof.proof.log.storage.disk import touch_private
from teeproof.proof.log.storage.segments import START, Mark

__all__ = ["FAULTS", "Damaged", "blames_file", "connect", "decode_mark", "remove", "unavailable"]

# SQLite puts names from the file into its messages, and Python cannot decode them if they are cut.
FAULTS = (sqlite3.Error, UnicodeDecodeError)
_OUTSIDE = {  # what SQLite says of the disk, and of others at work; all else, of the file itself
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_MISUSE,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
}


class Damaged(Exception):
    """The file is no index, or that of another log."""


def unavailable(why: str) -> Unavailable:
    """Return the error for an index that cannot be used."""
    return Unavailable(
        f"the log's index cannot be used: {why}: make room; one that is missing or broken is"
        " made anew by whatever opens the log for writing, such as: teeproof log publish",
        code="log_index",
        got=why[:200],
    )


def blames_file(error: BaseException) -> bool:
    """Whether one of ``FAULTS`` says that the file is damaged, and not the disk full or busy."""
    if isinstance(error, sqlite3.ProgrammingError):
        return False
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    return code & 0xFF not in _OUTSIDE


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """Open the file; ``mode`` is ``ro``, or ``rwc``, which makes it. Raises what SQLite does."""
    if mode != "ro":
        with suppress(OSError):  # SQLite says why
            touch_private(path)
    name = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(
        name, uri=True, isolation_level=None, check_same_thread=False, timeout=10
    )
    if mode != "ro":
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA cache_size = -16000")
    return connection


def remove(path: Path) -> None:
    """Remove the file and those beside it.

    Raises:
        Unavailable: code ``log_index``; it is a directory, or the disk refuses.
    """
    for suffix in ("", "-wal", "-shm"):
        part = Path(f"{path}{suffix}")
        try:
            part.unlink(missing_ok=True)
        except OSError as error:
            why = f"{part} cannot be removed ({error.strerror}): remove it by hand"
            raise unavailable(why) from None


def decode_mark(raw: bytes | None) -> Mark:
    """Return the mark that an index has, or the beginning; raises Damaged."""
    try:
        mark = msgspec.msgpack.decode(raw, type=Mark) if raw else START
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Damaged(f"its mark: {error}") from None
    if min(mark.segment, mark.offset, mark.last, mark.size) < 0:
        raise Damaged("its mark is below 0")
    return mark
