"""Files by content, written whole or not at all: what the archive of endorsements stands on.

    <directory>/blobs/<first two hex digits>/<sha256>     contents, each stored once
    <directory>/<index>/<sha256 of a set>.json            which blobs form one set

Two processes may write at once: a file appears under its name complete, and the name follows from
what is in it. Blobs are written before the index that names them, so one that is cut short names
nothing that is not there.

Trusts: nothing that it reads back; a blob whose digest is wrong is refused.
Does not trust: the disk.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from teeproof.core import strictjson
from teeproof.core.digests import named, parse_named, sha256
from teeproof.core.errors import Error, Malformed, NotAuthentic, TooLarge, Unavailable, Usage
from teeproof.core.reading import read_bounded

__all__ = ["Fault", "Shelf", "broken", "changed"]

MAX_ENTRY_BYTES = 64 << 10
_Entry = TypeVar("_Entry")
_Made = TypeVar("_Made")


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Something in the archive that no lookup uses.

    Attributes:
        name: the file's name, or the set's id.
        why: what is wrong with it, in one sentence.
    """

    name: str
    why: str


class Shelf:
    """One index over the blobs of a directory; nothing is created before something is written.

    Args:
        directory: the archive's.
        index: name of the folder with this index's entries.
    """

    def __init__(self, directory: Path, index: str) -> None:
        self.directory = directory
        self.index = index

    def paths(self) -> list[Path]:
        """Return the files that claim to be entries; Unavailable if they cannot be listed."""
        try:
            return sorted(p for p in (self.directory / self.index).iterdir() if p.suffix == ".json")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _unavailable("read", self.directory, error) from None

    def place(self, entry_id: str) -> Path:
        """Return where an entry is; Malformed if the id is none."""
        return self.directory / self.index / f"{parse_named(entry_id).hex()}.json"

    def known(self, entry_id: str) -> Path:
        """Return where an entry is; Unavailable if there is none with this id."""
        path = self.place(entry_id)
        if not path.exists():
            raise Unavailable(
                "the archive holds no such endorsements: list them with teeproof endorsements list",
                code="endorsements_unknown",
                got=path.stem,
            )
        return path

    def read(self, path: Path, form: type[_Entry]) -> _Entry:
        """Return the entry in a file; Malformed if it is none."""
        try:
            data = read_bounded(path, limit=MAX_ENTRY_BYTES, what="archive entry")
            return msgspec.json.decode(data, type=form)
        except (Usage, TooLarge) as error:  # a directory, a device, a huge file
            raise broken(error.detail) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise broken(str(error)) from None

    def survey(self, entry: Callable[[Path], _Made]) -> tuple[list[_Made], list[Fault]]:
        """Return what ``entry`` makes of each file, and the files of which it makes nothing."""
        made, faults = [], []
        for path in self.paths():
            try:
                made.append(entry(path))
            except Error as error:
                faults.append(Fault(name=ascii(path.name)[1:-1], why=error.detail))
        return made, faults

    def write(self, entry_id: str, entry: msgspec.Struct) -> None:
        """Write an entry; its blobs must be there."""
        text = strictjson.dumps(msgspec.to_builtins(entry))
        _write(self.place(entry_id), text.encode())

    def blob(self, digest: str, *, limit: int) -> bytes:
        """Return what a digest stands for; NotAuthentic if it was changed on disk."""
        path = self._blob(digest)
        try:
            content = read_bounded(path, limit=limit, what="blob")
        except (Usage, TooLarge) as error:  # a directory, a device, a huge file
            raise changed(digest, error.detail) from None
        if named(sha256(content)) != digest:
            raise changed(digest, named(sha256(content)))
        return content

    def write_blob(self, content: bytes) -> str:
        """Write a blob and return its digest."""
        digest = named(sha256(content))
        _write(self._blob(digest), content)
        return digest

    def _blob(self, digest: str) -> Path:
        name = parse_named(digest).hex()
        return self.directory / "blobs" / name[:2] / name


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; an existing one that holds the same is left alone."""
    try:
        if _holds(path, content):
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _unavailable("written", path.parent, error) from None


def _holds(path: Path, content: bytes) -> bool:
    """Return whether a file has this content; no more of it is read than that takes."""
    if not path.is_file() or path.stat().st_size != len(content):
        return False
    with path.open("rb") as file:
        return file.read(len(content) + 1) == content


def broken(why: str) -> Malformed:
    """Return the error for a file that is no entry."""
    return Malformed(
        "this file in the archive is not an entry: remove it and add the endorsements again",
        code="archive_entry_malformed",
        got=why[:200],
    )


def changed(expected: str, got: str) -> NotAuthentic:
    """Return the error for what is not what its name says."""
    return NotAuthentic(
        "endorsements in the archive were changed on disk: remove them and add them again",
        code="archive_changed",
        expected=expected,
        got=got,
    )


def _unavailable(done: str, directory: Path, error: OSError) -> Unavailable:
    return Unavailable(
        f"the archive cannot be {done}: {error.strerror}",
        code="archive_unavailable",
        got=str(directory),
    )
