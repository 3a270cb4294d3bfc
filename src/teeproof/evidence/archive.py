"""Keep endorsements on disk, by content, so that old evidence can be verified as of its own time.

Intel's collateral lives for 30 days and is then gone from Intel's servers. What was in force at T
must be kept if "valid as of T" is to be checked later.

    <directory>/blobs/<first two hex digits>/<sha256>     the nine fields, each stored once
    <directory>/sets/<sha256 of the set>.json             which blobs form one set, and an index

The index (FMSPC, CA, TEE, dates) only finds a set; the verifier checks signatures and dates itself.

Trusts: nothing that it reads back; a blob whose digest is wrong is refused.
Does not trust: the disk, whoever handed over the collateral.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from teeproof.core import strictjson
from teeproof.core.digests import named, parse_named, sha256
from teeproof.core.errors import Malformed, NotAuthentic, Unavailable
from teeproof.core.reading import read_bounded
from teeproof.evidence.crl import parse_crl
from teeproof.evidence.endorsements import FIELDS, MAX_COLLATERAL_BYTES, Collateral
from teeproof.evidence.tdx.documents import parse_qe_identity, parse_tcb_info

__all__ = ["Archive", "Entry", "ca_of", "describe"]

MAX_ENTRY_BYTES = 64 << 10


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What the archive says of one set, without having verified it.

    Attributes:
        id: ``sha256:…`` of the set, as in a verdict's provenance.
        tee: ``TDX`` or ``SGX``.
        fmspc: processor family, 12 hex digits.
        ca: ``platform`` or ``processor``: which of Intel's CAs issued the PCK revocation list.
        evaluation_number: Intel's ``tcbEvaluationDataNumber``.
        begins: from when on all parts are in force, seconds since 1970.
        ends: the last second in which they are, seconds since 1970.
        blobs: field name -> ``sha256:…``.
    """

    id: str
    tee: str
    fmspc: str
    ca: str
    evaluation_number: int
    begins: int
    ends: int
    blobs: dict[str, str]


def describe(collateral: Collateral) -> Entry:
    """Return the index entry of a set; nothing is verified.

    Raises:
        Malformed: a part cannot be read.
    """
    info = parse_tcb_info(collateral.tcb_info)
    identity = parse_qe_identity(collateral.qe_identity)
    crls = [
        parse_crl(collateral.root_ca_crl, what="root CA revocation list"),
        parse_crl(collateral.pck_crl, what="PCK revocation list"),
    ]
    return Entry(
        id=collateral.id,
        tee=info.id[:16],
        fmspc=info.fmspc.lower()[:32],
        ca=ca_of(crls[1].issuer_name),
        evaluation_number=min(info.tcb_evaluation_data_number, identity.tcb_evaluation_data_number),
        begins=max(info.window[0], identity.window[0], *(crl.this_update for crl in crls)),
        ends=min(info.window[1], identity.window[1], *(crl.next_update - 1 for crl in crls)),
        blobs={name: named(sha256(getattr(collateral, name))) for name in FIELDS},
    )


def ca_of(issuer_name: bytes) -> str:
    """Return which of Intel's two PCK CAs bears this name (DER)."""
    return "processor" if b"Processor CA" in issuer_name else "platform"


class Archive:
    """Endorsements in one directory. Two processes may add at once; no file is half-written."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def add(self, collateral: Collateral) -> Entry:
        """Store a set and return its entry; storing it again changes nothing.

        Raises:
            Malformed: a part cannot be read, so nobody could ever find it.
            Unavailable: the directory cannot be written.
        """
        entry = describe(collateral)
        for name in FIELDS:
            content = getattr(collateral, name)
            self._write(self._blob(entry.blobs[name]), content)
        text = strictjson.dumps(msgspec.to_builtins(entry))
        self._write(self._set(entry.id), text.encode())
        return entry

    def entries(self) -> Iterator[Entry]:
        """Yield what is stored, newest last; a file that is no entry is refused, not skipped.

        Raises:
            Malformed: a file is no entry.
            Unavailable: the directory cannot be read; one that does not exist is empty.
        """
        found = [self._entry(path) for path in self._paths()]
        yield from sorted(found, key=lambda entry: (entry.begins, entry.id))

    def load(self, entry_id: str) -> Collateral:
        """Return a stored set.

        Raises:
            Unavailable: there is none with this id.
            NotAuthentic: a blob or the entry was changed on disk.
        """
        entry = self._entry(self._set(entry_id))
        collateral = Collateral(**{name: self._read_blob(entry.blobs[name]) for name in FIELDS})
        if collateral.id != entry_id:
            raise _changed(entry_id, collateral.id)
        if describe(collateral) != entry:
            raise _changed(f"the entry that describes {entry_id}", "another one")
        return collateral

    def find(self, *, tee: str, fmspc: str, ca: str, at: int) -> Collateral | None:
        """Return the set to judge a platform with as of ``at`` (seconds since 1970).

        The one with the highest evaluation number that is in force then; if none is, the one that
        was last in force before, so that the verdict can say when it expired; else None.
        """
        fitting = [e for e in self.entries() if (e.tee, e.fmspc, e.ca) == (tee, fmspc, ca)]
        valid = [entry for entry in fitting if entry.begins <= at <= entry.ends]
        earlier = [entry for entry in fitting if entry.begins <= at]
        if valid:
            best = max(valid, key=lambda entry: (entry.evaluation_number, entry.begins, entry.id))
        elif earlier:
            best = max(earlier, key=lambda entry: (entry.ends, entry.id))
        else:
            return None
        return self.load(best.id)

    def _paths(self) -> list[Path]:
        try:
            return sorted(p for p in (self.directory / "sets").iterdir() if p.suffix == ".json")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _unavailable("read", self.directory, error) from None

    def _entry(self, path: Path) -> Entry:
        try:
            present = path.is_file()
        except OSError as error:
            raise _unavailable("read", path.parent, error) from None
        if not present:
            raise Unavailable(
                "the archive holds no such endorsements: list them with teeproof endorsements list",
                code="endorsements_unknown",
                got=path.stem,
            )
        data = read_bounded(path, limit=MAX_ENTRY_BYTES, what="archive entry")
        try:
            entry = msgspec.json.decode(data, type=Entry)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _broken(path, str(error)) from None
        if set(entry.blobs) != set(FIELDS) or self._set(entry.id).name != path.name:
            raise _broken(path, "it names other parts than a set has")
        return entry

    def _set(self, entry_id: str) -> Path:
        return self.directory / "sets" / f"{parse_named(entry_id).hex()}.json"

    def _blob(self, digest: str) -> Path:
        name = parse_named(digest).hex()
        return self.directory / "blobs" / name[:2] / name

    def _read_blob(self, digest: str) -> bytes:
        content = read_bounded(self._blob(digest), limit=MAX_COLLATERAL_BYTES, what="blob")
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


def _broken(path: Path, why: str) -> Malformed:
    return Malformed(
        f"{path.name} in the archive is not an entry: remove it and add the endorsements again",
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
