"""Keep endorsements on disk, by content, so that old evidence can be verified as of its own time.

Intel's collateral lives for 30 days and is then gone from Intel's servers. What was in force at T
must be kept if "valid as of T" is to be checked later.

    <directory>/blobs/<first two hex digits>/<sha256>     the nine fields, each stored once
    <directory>/sets/<sha256 of the set>.json             which blobs form one set, and an index

The index (FMSPC, CA, TEE, root, dates) only sorts; a lookup takes a set whose signatures hold, and
the verifier checks signatures and dates itself.

Trusts: nothing that it reads back; a blob whose digest is wrong is refused.
Does not trust: the disk, whoever handed over the collateral.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import msgspec

from teeproof.core import strictjson
from teeproof.core.digests import named, parse_named, sha256
from teeproof.core.errors import Error, Malformed, NotAuthentic, TooLarge, Unavailable, Usage
from teeproof.core.reading import read_bounded
from teeproof.evidence.endorsements import FIELDS, MAX_COLLATERAL_BYTES, Collateral
from teeproof.evidence.entries import Entry, describe, in_order, require_held
from teeproof.evidence.record import Platform

__all__ = ["Archive", "Fault", "Found"]

MAX_ENTRY_BYTES = 64 << 10


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Something in the archive that no lookup uses.

    Attributes:
        name: the file's name, or the set's id.
        why: what is wrong with it, in one sentence.
    """

    name: str
    why: str


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a lookup found.

    Attributes:
        collateral: the endorsements; None if there are none.
        passed_over: what was looked at before and could not be used.
    """

    collateral: Collateral | None
    passed_over: tuple[Fault, ...]


class Archive:
    """Endorsements in one directory. Two processes may add at once; no file is half-written."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def add(self, collateral: Collateral) -> Entry:
        """Store a set and return its entry; storing it again changes nothing.

        Whether its root is one to trust is for each verdict to say, not for the archive.

        Raises:
            Malformed: a part cannot be read, so nobody could ever find it.
            NotAuthentic: a signature does not hold under the set's own root.
            Unavailable: the directory cannot be written.
        """
        entry = describe(collateral)
        require_held(collateral, root=entry.root)
        for name in FIELDS:
            content = getattr(collateral, name)
            self._write(self._blob(entry.blobs[name]), content)
        text = strictjson.dumps(msgspec.to_builtins(entry))
        self._write(self._set(entry.id), text.encode())
        return entry

    def entries(self) -> list[Entry]:
        """Return the readable entries of ``survey``."""
        return self.survey()[0]

    def survey(self) -> tuple[list[Entry], list[Fault]]:
        """Return what is stored, newest last, and the files that are no entries.

        Raises:
            Unavailable: the directory cannot be read; one that does not exist is empty.
        """
        entries, faults = [], []
        for path in self._paths():
            try:
                entries.append(self._entry(path))
            except Error as error:
                faults.append(Fault(name=ascii(path.name)[1:-1], why=error.detail))
        return sorted(entries, key=lambda entry: (entry.begins, entry.id)), faults

    def load(self, entry_id: str) -> Collateral:
        """Return a stored set.

        Raises:
            Unavailable: there is none with this id.
            NotAuthentic: a blob or the entry was changed on disk.
        """
        path = self._set(entry_id)
        if not path.exists():
            raise Unavailable(
                "the archive holds no such endorsements: list them with teeproof endorsements list",
                code="endorsements_unknown",
                got=path.stem,
            )
        entry = self._entry(path)
        collateral = Collateral(**{name: self._read_blob(entry.blobs[name]) for name in FIELDS})
        if collateral.id != entry_id:
            raise _changed(entry_id, collateral.id)
        if describe(collateral) != entry:
            raise _changed(f"the entry that describes {entry_id}", "another one")
        return collateral

    def fault(self, entry: Entry) -> Fault | None:
        """Return what is wrong with a stored set; None if it is unchanged and its signatures hold.

        What is in force, and whether the root is one to trust, is not looked at.
        """
        try:
            self._held(entry)
        except Error as error:
            return Fault(name=entry.id, why=error.detail)
        return None

    def find(self, platform: Platform, *, at: int) -> Found:
        """Return the set to judge a platform with as of ``at`` (seconds since 1970).

        The one with the highest evaluation number that is in force then; if none is, the one that
        was last in force before, so that the verdict can say when it expired; else none. A set that
        was changed, or whose signatures do not hold under the platform's root, is passed over: one
        bad set must not keep a good one from being found.

        Raises:
            Unavailable: the directory cannot be read; one that does not exist is empty.
        """
        entries, faults = self.survey()
        for entry in in_order(entries, platform, at=at):
            if entry.begins > at:
                break
            try:
                return Found(collateral=self._held(entry), passed_over=tuple(faults))
            except Error as error:
                faults.append(Fault(name=entry.id, why=error.detail))
        return Found(collateral=None, passed_over=tuple(faults))

    def _held(self, entry: Entry) -> Collateral:
        collateral = self.load(entry.id)
        require_held(collateral, root=entry.root)
        return collateral

    def _paths(self) -> list[Path]:
        try:
            return sorted(p for p in (self.directory / "sets").iterdir() if p.suffix == ".json")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _unavailable("read", self.directory, error) from None

    def _entry(self, path: Path) -> Entry:
        try:
            data = read_bounded(path, limit=MAX_ENTRY_BYTES, what="archive entry")
            entry = msgspec.json.decode(data, type=Entry)
        except (Usage, TooLarge) as error:  # a directory, a device, a huge file
            raise _broken(error.detail) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _broken(str(error)) from None
        if set(entry.blobs) != set(FIELDS) or entry.id != f"sha256:{path.stem}":
            raise _broken("it names other parts than a set has")
        return entry

    def _set(self, entry_id: str) -> Path:
        return self.directory / "sets" / f"{parse_named(entry_id).hex()}.json"

    def _blob(self, digest: str) -> Path:
        name = parse_named(digest).hex()
        return self.directory / "blobs" / name[:2] / name

    def _read_blob(self, digest: str) -> bytes:
        path = self._blob(digest)
        try:
            content = read_bounded(path, limit=MAX_COLLATERAL_BYTES, what="blob")
        except (Usage, TooLarge) as error:  # a directory, a device, a huge file
            raise _changed(digest, error.detail) from None
        if named(sha256(content)) != digest:
            raise _changed(digest, named(sha256(content)))
        return content

    def _write(self, path: Path, content: bytes) -> None:
        """Write a file whole or not at all; an existing one that holds the same is left alone."""
        try:
            if path.is_file() and path.read_bytes() == content:
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


def _unavailable(done: str, directory: Path, error: OSError) -> Unavailable:
    return Unavailable(
        f"the archive cannot be {done}: {error.strerror}",
        code="archive_unavailable",
        got=str(directory),
    )


def _broken(why: str) -> Malformed:
    return Malformed(
        "this file in the archive is not an entry: remove it and add the endorsements again",
        code="archive_entry_malformed",
        got=why[:200],
    )


def _changed(expected: str, got: str) -> NotAuthentic:
    return NotAuthentic(
        "endorsements in the archive were changed on disk: remove them and add them again",
        code="archive_changed",
        expected=expected,
        got=got,
    )
