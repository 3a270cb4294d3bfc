"""What a witness must never forget: the last checkpoint that it cosigned, for each log.

    <directory>/lock                             held by the one process that may write
    <directory>/checkpoints/<sha256 of origin>   the cosigned checkpoint, as the witness serves it

A record is replaced whole: written beside, synced, renamed, and the directory synced, before the
cosignature leaves. After a crash there is the old record or the new one, and a new one that nobody
was told of does no harm. Opening syncs the directory before anything is handed out, because what a
killed process renamed may not be durable yet.

A record bears the witness's own cosignature, which is checked when it is read, so a damaged record
is an error and never "no checkpoint yet". A host that puts back an older copy of the whole
directory is not noticed here; see ``witness``.

Trusts: a sync that was said to be done.  Does not trust: what it reads back; the power.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import msgspec

from teeproof.core.digests import sha256
from teeproof.core.errors import Error, NotAuthentic, Unavailable
from teeproof.core.reading import read_bounded
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.log.formats.cosignature import cosigned_at
from teeproof.proof.log.formats.note import MAX_NOTE_BYTES, VerifierKey
from teeproof.proof.log.storage.disk import Disk

__all__ = ["Lock", "Record", "State", "origin_hash"]

_FOLDER = "checkpoints"
_SCRATCH = ".new"


def origin_hash(origin: str) -> str:
    """Return the name under which a witness serves a log's checkpoint (c2sp.org/tlog-witness)."""
    return sha256(origin.encode()).hex()


class Record(msgspec.Struct, frozen=True):
    """What was cosigned last for one log, and when (seconds since 1970)."""

    signed: SignedCheckpoint
    time: int


class Lock:
    """Keeps a second process out of a directory, until it is closed or its process ends."""

    def __init__(self, directory: Path, *, what: str) -> None:
        path = directory / "lock"
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unwritable(directory, error) from None
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise Unavailable(
                f"another process runs this {what}: end it, or name another directory",
                code=f"{what}_running",
                got=str(directory),
            ) from None

    @property
    def closed(self) -> bool:
        """Whether others may be in."""
        return self._descriptor < 0

    def close(self) -> None:
        """Let others in."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class State:
    """The records of one witness, in memory and on disk. One process at a time; see ``Lock``.

    Args:
        directory: made if there is none.
        key: the witness's own verifier key.
        disk: the file system.

    Raises:
        NotAuthentic: ``witness_state`` where a record was damaged or is another witness's.
        Unavailable: the directory cannot be written, or another process uses it.
    """

    def __init__(self, directory: Path, *, key: VerifierKey, disk: Disk | None = None) -> None:
        self._folder, self._key, self._disk = directory / _FOLDER, key, disk or Disk()
        try:
            self._disk.make_directories(self._folder)
        except OSError as error:
            raise _unwritable(directory, error) from None
        self._lock = Lock(directory, what="witness")
        self._in_doubt = False
        try:
            self._disk.sync_directory(self._folder)
            self._records = self._read()
        except OSError as error:
            self._lock.close()
            raise _unwritable(directory, error) from None
        except BaseException:
            self._lock.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let another process open the directory."""
        self._lock.close()

    @property
    def records(self) -> Mapping[str, Record]:
        """The last record of each log, by origin."""
        return self._records

    def latest(self) -> int:
        """Return the latest time in any cosignature; 0 if there is none."""
        return max((record.time for record in self._records.values()), default=0)

    def replace(self, record: Record) -> None:
        """Make a record the last one of its log; it is durable when this returns.

        Raises:
            Unavailable: ``witness_disk``, the disk refused, and the record before stays in force;
            ``witness_in_doubt``, it failed at the last step, and the state must be opened anew.
        """
        if self._in_doubt or self._lock.closed:
            raise _in_doubt(self._folder)
        origin = record.signed.checkpoint.origin
        scratch = self._folder / _SCRATCH
        try:
            self._write(scratch, record.signed.encode())
        except OSError as error:
            raise _unwritable(self._folder, error) from None
        # From here on, a failure leaves open which record a crash would leave: nothing more is
        # cosigned until the directory was opened anew.
        self._in_doubt = True
        try:
            self._disk.rename(scratch, self._folder / origin_hash(origin))
            self._disk.sync_directory(self._folder)
        except OSError:
            raise _in_doubt(self._folder) from None
        self._in_doubt = False
        self._records[origin] = record

    def _write(self, path: Path, content: bytes) -> None:
        descriptor = self._disk.open(path)
        try:
            self._disk.truncate(descriptor, 0)
            self._disk.write(descriptor, [content], 0)
            self._disk.sync(descriptor)
        finally:
            self._disk.close(descriptor)

    def _read(self) -> dict[str, Record]:
        found = {}
        for path in sorted(self._folder.iterdir()):
            if path.name != _SCRATCH:
                record = self._record(path)
                found[record.signed.checkpoint.origin] = record
        return found

    def _record(self, path: Path) -> Record:
        try:
            signed = SignedCheckpoint.parse(
                read_bounded(path, limit=MAX_NOTE_BYTES, what="checkpoint")
            )
        except Error as error:
            raise _damaged(path, error.detail) from None
        time = _time_of(signed, (self._key,))
        if time is None:
            raise _damaged(path, "it does not bear this witness's cosignature")
        if origin_hash(signed.checkpoint.origin) != path.name:
            raise _damaged(path, "it is of another log than its name says")
        return Record(signed, time)


def _time_of(signed: SignedCheckpoint, keys: Sequence[VerifierKey]) -> int | None:
    times = (
        cosigned_at(signed.note.text, line, key) for line in signed.note.signatures for key in keys
    )
    return max((time for time in times if time is not None), default=None)


def _damaged(path: Path, why: str) -> NotAuthentic:
    return NotAuthentic(
        f"the witness's memory was changed on disk: {why}: put back the directory as it was, or"
        " make a new witness with a new key; never go on without it",
        code="witness_state",
        got=str(path),
    )


def _in_doubt(directory: Path) -> Unavailable:
    return Unavailable(
        f"{directory} failed while a record was replaced: nothing was cosigned since; repair the"
        " disk and start the witness again",
        code="witness_in_doubt",
        got=str(directory),
    )


def _unwritable(directory: Path, error: OSError) -> Unavailable:
    return Unavailable(
        f"{directory} cannot be written: {error.strerror or error}: nothing was cosigned",
        code="witness_disk",
        got=str(directory),
    )
