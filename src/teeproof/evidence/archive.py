"""Keep endorsements on disk, by content, so that old evidence can be verified as of its own time.

Intel's collateral lives for 30 days and is then gone from Intel's servers. What was in force at T
must be kept if "valid as of T" is to be checked later.

    <directory>/blobs/<first two hex digits>/<sha256>     the nine fields, each stored once
    <directory>/sets/<sha256 of the set>.json             which blobs form one set, and an index

The index (FMSPC, CA, TEE, root, dates) only sorts; a lookup takes a set whose signatures hold, and
the verifier checks signatures and dates itself. What AMD and NVIDIA say lies beside it, in
``evidence.kept``.

Trusts: nothing that it reads back; a blob whose digest is wrong is refused.
Does not trust: the disk, whoever handed over the collateral.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from teeproof.core.errors import Error
from teeproof.evidence.endorsements import FIELDS, MAX_COLLATERAL_BYTES, Collateral
from teeproof.evidence.entries import Entry, describe, in_order, require_held
from teeproof.evidence.record import Platform
from teeproof.evidence.shelf import Fault, Shelf, broken, changed

__all__ = ["Archive", "Fault", "Found"]


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
        self._shelf = Shelf(directory, "sets")

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
            self._shelf.write_blob(getattr(collateral, name))
        self._shelf.write(entry.id, entry)
        return entry

    def entries(self) -> list[Entry]:
        """Return the readable entries of ``survey``."""
        return self.survey()[0]

    def survey(self) -> tuple[list[Entry], list[Fault]]:
        """Return what is stored, newest last, and the files that are no entries.

        Raises:
            Unavailable: the directory cannot be read; one that does not exist is empty.
        """
        entries, faults = self._shelf.survey(self._entry)
        return sorted(entries, key=lambda entry: (entry.begins, entry.id)), faults

    def load(self, entry_id: str) -> Collateral:
        """Return a stored set.

        Raises:
            Unavailable: there is none with this id.
            NotAuthentic: a blob or the entry was changed on disk.
        """
        entry = self._entry(self._shelf.known(entry_id))
        limit = MAX_COLLATERAL_BYTES
        blobs = {name: self._shelf.blob(entry.blobs[name], limit=limit) for name in FIELDS}
        collateral = Collateral(**blobs)
        if collateral.id != entry_id:
            raise changed(entry_id, collateral.id)
        if describe(collateral) != entry:
            raise changed(f"the entry that describes {entry_id}", "another one")
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

    def _entry(self, path: Path) -> Entry:
        entry = self._shelf.read(path, Entry)
        if set(entry.blobs) != set(FIELDS) or entry.id != f"sha256:{path.stem}":
            raise broken("it names other parts than a set has")
        return entry
