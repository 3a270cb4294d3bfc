"""Read files and directories, bounded, and recognise what is in them.

In a directory, what is not understood is left out, by name and with the reason. A file by one of
the usual names must be what its name says: spoiling it must not be a way to hide it.

Trusts: nothing; a name never decides what a file is.  Does not trust: whoever filled the directory.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from teeproof.core.errors import Error, Malformed, NotAuthentic, TooLarge, Unavailable, Usage
from teeproof.core.reading import read_bounded
from teeproof.evidence.files.kinds import MAX_FILE_BYTES, Piece, identify

__all__ = ["MAX_FILES", "read_files", "read_folder", "read_pieces"]

MAX_FILES = 64  # of one directory

_WELL_KNOWN = frozenset(
    {
        "quote.bin",
        "quote.hex",
        "quote.json",
        "collateral.json",
        "event_log.json",
        "app-compose.json",
        "mr_config.json",
        "gpus.json",
        "tpm.json",
        "firmware_log.bin",
        "platform_key.json",
    }
)


def read_files(files: Sequence[Path]) -> list[Piece]:
    """Return each file recognised; where two share a name, they are called by their paths.

    Raises:
        Malformed: a file is not understood; TooLarge, Unavailable, Usage: it cannot be read.
    """
    names = [path.name for path in files]
    called = [str(path) if names.count(path.name) > 1 else path.name for path in files]
    return [identify(_read(path), name=name) for path, name in zip(files, called, strict=True)]


def read_folder(path: Path) -> tuple[list[Piece], list[tuple[str, str]]]:
    """Return what is understood in a directory, and the names of the rest, each with why not.

    Raises:
        Malformed: a file by one of the usual names is not understood.
        Usage: too many files; Unavailable: one that cannot be read.
    """
    pieces: list[Piece] = []
    ignored: list[tuple[str, str]] = []
    for entry in _listed(path):
        try:
            pieces.append(identify(_read(entry), name=entry.name))
        except (Malformed, NotAuthentic, Usage) as error:
            # A file by one of the usual names must be what its name says; others may be anything.
            if entry.name in _WELL_KNOWN:
                raise
            ignored.append((entry.name, _why(error)))
    return pieces, ignored


def read_pieces(paths: Sequence[Path]) -> list[Piece]:
    """Return each file recognised; of a directory, the files in it that are understood.

    Raises:
        Usage: a directory holds nothing that is understood.
        Malformed: a file is not understood; TooLarge, Unavailable: it cannot be read.
    """
    found: list[Piece] = []
    for path in paths:
        if not os.path.isdir(path):
            found += read_files([path])
            continue
        inside, ignored = read_folder(path)
        if not inside:
            raise Usage(
                f"{path} holds nothing that teeproof understands",
                code="directory_empty",
                got=", ".join(name for name, _ in ignored)[:200] or "no files",
            )
        found += inside
    return found


def _listed(path: Path) -> list[Path]:
    try:
        entries = sorted(entry for entry in path.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be read: {error.strerror}", code="file_unavailable", got=str(path)
        ) from None
    if len(entries) > MAX_FILES:
        raise Usage(
            f"{path} holds too many files for one machine's evidence: name the files",
            code="directory_too_large",
            expected=f"at most {MAX_FILES} files",
            got=f"{len(entries)} files",
        )
    return entries


def _why(error: Error) -> str:
    if isinstance(error, TooLarge):
        return f"too large: {error.got}"
    if error.code == "evidence_unsupported":
        return f"{error.got}, which this version does not verify by itself"
    return error.got or error.detail


def _read(path: Path) -> bytes:
    try:
        if stat.S_ISDIR(path.stat().st_mode):
            raise Usage("a directory", code="not_a_file")
    except OSError:
        pass  # read_bounded says what is wrong
    return read_bounded(path, limit=MAX_FILE_BYTES, what="piece of evidence")
