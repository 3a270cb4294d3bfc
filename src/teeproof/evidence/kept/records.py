"""The archive of what AMD and NVIDIA said: verified going in, verified coming out.

    <directory>/blobs/…                          parts, shared with Intel's sets
    <directory>/records/<sha256>.json            one index entry for each record

Trusts: nothing that it reads back.  Does not trust: the disk, whoever handed something over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from teeproof.core.errors import Error
from teeproof.evidence.kept import amd, nvidia
from teeproof.evidence.kept.record import MAX_PART_BYTES, Kind, Parts, Record, Said, made_of
from teeproof.evidence.shelf import Fault, Shelf, broken, changed

__all__ = ["Kept", "Lookup", "Records"]

_PARTS: dict[Kind, tuple[frozenset[str], frozenset[str]]] = {  # needed, and possible besides
    "amd-key": (frozenset({"key", "authority", "root"}), frozenset()),
    "amd-crl": (frozenset({"list", "authority", "root"}), frozenset()),
    "rim": (frozenset({"manifest"}), frozenset({"id"})),
    "ocsp": (frozenset({"answer", "certificate", "issuer"}), frozenset()),
}
_SAID: dict[Kind, Callable[[Parts], Said]] = {
    "amd-key": amd.key_said,
    "amd-crl": amd.list_said,
    "rim": nvidia.manifest_said,
    "ocsp": nvidia.answer_said,
}


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A record that was read back and holds.

    Attributes:
        record: its index entry.
        parts: its parts by name.
    """

    record: Record
    parts: dict[str, bytes]


class Lookup(msgspec.Struct, frozen=True, kw_only=True):
    """What a lookup found.

    Attributes:
        found: the best first.
        passed_over: what was looked at and could not be used.
    """

    found: tuple[Kept, ...]
    passed_over: tuple[Fault, ...]


class Records:
    """Records in one directory. Two processes may add at once; no file is half-written."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._shelf = Shelf(directory, "records")

    def add(self, kind: Kind, parts: Parts) -> Record:
        """Verify and store a record and return its entry; storing it again changes nothing.

        Whether its root is one to trust is for each verdict to say, not for the archive.

        Raises:
            Malformed, NotAuthentic: it does not hold.
            Unavailable: the directory cannot be written.
        """
        record = self.describe(kind, parts)
        for content in parts.values():
            self._shelf.write_blob(content)
        self._shelf.write(record.id, record)
        return record

    def describe(self, kind: Kind, parts: Parts) -> Record:
        """Return the entry that a record would get; raises as ``add``, and stores nothing."""
        needed, besides = _PARTS[kind]
        if not needed <= set(parts) <= needed | besides:
            raise broken("it names other parts than such a record has")
        if any(len(content) > MAX_PART_BYTES for content in parts.values()):
            raise broken(f"a part has more than {MAX_PART_BYTES} bytes")
        return made_of(kind, parts, _SAID[kind](parts))

    def survey(self) -> tuple[list[Record], list[Fault]]:
        """Return what is stored, newest last, and the files that are no entries.

        Raises:
            Unavailable: the directory cannot be read; one that does not exist is empty.
        """
        records, faults = self._shelf.survey(self._entry)
        return sorted(records, key=lambda record: (record.begins, record.id)), faults

    def load(self, record_id: str) -> Kept:
        """Return a stored record, verified again.

        Raises:
            Unavailable: there is none with this id.
            Malformed, NotAuthentic: a blob or the entry was changed on disk, or it never held.
        """
        record = self._entry(self._shelf.known(record_id))
        parts = {
            name: self._shelf.blob(digest, limit=MAX_PART_BYTES)
            for name, digest in record.blobs.items()
        }
        if self.describe(record.kind, parts) != record:
            raise changed(f"the entry that describes {record_id}", "another one")
        return Kept(record=record, parts=parts)

    def fault(self, record: Record) -> Fault | None:
        """Return what is wrong with a stored record; None if it is unchanged and holds."""
        try:
            self.load(record.id)
        except Error as error:
            return Fault(name=record.id, why=error.detail)
        return None

    def find(
        self,
        kind: Kind,
        about: Mapping[str, str],
        *,
        at: int,
        most: int = 1,
        outdated: bool = False,
    ) -> Lookup:
        """Return the records about a subject that are in force at a time, the newest first.

        The newest that had begun counts also after its end where it says that something is revoked:
        that is not taken back by getting old. Records that do not hold are passed over.

        Args:
            kind: of the record.
            about: names and values that its subject must have.
            at: seconds since 1970.
            most: so many are returned at most.
            outdated: whether to return, after those in force, others too, for a verdict with one
                can say since when it is not.

        Raises:
            Unavailable: the directory cannot be read; one that does not exist is empty.
        """
        records, faults = self.survey()
        serving = sorted(
            (r for r in records if r.kind == kind and about.items() <= r.subject.items()),
            key=lambda record: (-record.begins, -record.ends, record.id),
        )
        begun = [record for record in serving if record.begins <= at]
        ordered = [record for record in begun if record.in_force(at) or _warns(record, begun)]
        if outdated:
            rest = [record for record in serving if record not in ordered]
            ordered += sorted(rest, key=lambda record: record.begins > at)
        found: list[Kept] = []
        for record in ordered:
            if len(found) == most:
                break
            try:
                found.append(self.load(record.id))
            except Error as error:
                faults.append(Fault(name=record.id, why=error.detail))
        return Lookup(found=tuple(found), passed_over=tuple(faults))

    def _entry(self, path: Path) -> Record:
        record = self._shelf.read(path, Record)
        needed, besides = _PARTS[record.kind]
        whole = needed <= set(record.blobs) <= needed | besides
        if not whole or record.id != f"sha256:{path.stem}":
            raise broken("it names other parts than such a record has")
        return record


def _warns(record: Record, begun: list[Record]) -> bool:
    return record is begun[0] and record.subject.get("says", "good") != "good"
