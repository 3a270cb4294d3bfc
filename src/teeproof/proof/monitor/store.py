"""What a monitor remembers: the tree that it verified, and checkpoints that are still in doubt.

    <directory>/lock          held by the one process that may write
    <directory>/tree/<level>  all complete nodes of a level, 32 bytes each, appended to
    <directory>/monitor.json  the verified checkpoint, and signed ones that could not be verified
    <directory>/fork.proof    what was proven against the log, if anything was

A new checkpoint is remembered only after the nodes under it are durable, and nodes beyond it are
cut off when the directory is opened. The nodes are checked against the checkpoint's root then.

Trusts: a sync that was said to be done.  Does not trust: what it reads back; the power.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import msgspec

from teeproof.core import strictjson
from teeproof.core.errors import Error, NotAuthentic, Unavailable, Usage
from teeproof.core.reading import read_bounded
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.log.formats.merkle import EMPTY_ROOT, HASH_BYTES, root
from teeproof.proof.log.formats.note import MAX_NOTE_BYTES
from teeproof.proof.log.formats.text import from_base64, to_base64
from teeproof.proof.log.storage.disk import Disk
from teeproof.proof.monitor.fork import MAX_FORK_BYTES, ForkProof
from teeproof.proof.monitor.levels import Levels
from teeproof.proof.witness.state import Lock

__all__ = ["MAX_DOUBTS", "Damaged", "Doubt", "Store", "Unwritable"]

MAX_DOUBTS = 64
_STATE = "monitor.json"
_PROOF = "fork.proof"
_LIMIT = (MAX_DOUBTS + 2) * 2 * MAX_NOTE_BYTES
_FIELDS = {"checkpoint", "doubts", "origin"}


class Damaged(NotAuthentic):
    """The memory is not what it was when it was written."""

    default_code = "monitor_state"


class Unwritable(Unavailable):
    """The memory cannot be written."""

    default_code = "monitor_disk"


class Doubt(msgspec.Struct, frozen=True):
    """A signed checkpoint that was not verified against the tree yet.

    Attributes:
        signed: the checkpoint; its signature holds.
        since: when it was first seen, in seconds since 1970.
        source: where.
    """

    signed: SignedCheckpoint
    since: int
    source: str


class Store:
    """A monitor's memory of one log, in one directory. One process at a time.

    Args:
        directory: made if there is none.
        origin: which log; a directory serves one.
        disk: the file system.

    Raises:
        Usage: the directory is another log's.
        Damaged: it is not what it was.
        Unavailable: another process uses it; ``Unwritable`` where it cannot be written.
    """

    def __init__(self, directory: Path, *, origin: str, disk: Disk | None = None) -> None:
        self.directory, self.origin, self._disk = directory, origin, disk or Disk()
        self._levels = Levels(directory / "tree", self._disk)
        self.held: SignedCheckpoint | None = None
        self.doubts: tuple[Doubt, ...] = ()
        try:
            self._disk.make_directories(directory / "tree")
        except OSError as error:
            raise self._unwritable(error) from None
        self._lock = Lock(directory, what="monitor")
        try:
            self._read_state()
            self.rollback()
            self._require_root()
        except OSError as error:
            self.close()
            raise self._unwritable(error) from None
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let another process open the directory."""
        self._levels.close()
        self._lock.close()

    @property
    def size(self) -> int:
        """How many leaves are here, verified or being verified."""
        return self._levels.size

    @property
    def verified(self) -> int:
        """How many leaves the verified checkpoint covers."""
        return self.held.checkpoint.size if self.held else 0

    def node(self, level: int, index: int) -> bytes:
        """Return the root of a complete subtree.

        Raises:
            Usage: there is none.
            Damaged: the file is too short.
        """
        found = self._levels.node(level, index)
        if len(found) != HASH_BYTES:
            raise self._damaged(f"level {level} of the tree was cut short")
        return found

    def root(self, size: int) -> bytes:
        """Return the root of the tree of the first ``size`` leaves; Usage if there are fewer."""
        return root(size, self.node) if size else EMPTY_ROOT

    def extend(self, leaves: bytes) -> None:
        """Add leaf hashes, joined; they count only after ``keep``.

        Raises:
            Unwritable: the disk refused.
        """
        try:
            self._levels.extend(leaves)
        except OSError as error:
            raise self._unwritable(error) from None

    def keep(self, signed: SignedCheckpoint) -> None:
        """Remember, durably, that the tree here is the one of this checkpoint.

        Raises:
            Unwritable: the disk refused; the checkpoint before stays in force.
        """
        if self.root(signed.checkpoint.size) != signed.checkpoint.root:
            raise Usage("the tree is not the one of this checkpoint", code="outside_tree")
        try:
            self._levels.sync()
            self._write_state(signed, self.doubts)
        except OSError as error:
            raise self._unwritable(error) from None
        self.held = signed

    def doubt(self, doubts: Sequence[Doubt]) -> None:
        """Remember, durably, which signed checkpoints are still to be verified.

        Raises:
            Unwritable: the disk refused.
        """
        kept = tuple(doubts)[:MAX_DOUBTS]
        if kept != self.doubts:
            try:
                self._write_state(self.held, kept)
            except OSError as error:
                raise self._unwritable(error) from None
            self.doubts = kept

    def rollback(self) -> None:
        """Forget leaves that were added after the verified checkpoint."""
        try:
            self._levels.cut(self.verified)
        except OSError as error:
            raise self._unwritable(error) from None

    @property
    def proof_path(self) -> Path:
        """Where the fork.proof lies, if there is one."""
        return self.directory / _PROOF

    def proof(self) -> ForkProof | None:
        """Return what was proven against the log, if anything was.

        Raises:
            Malformed: the file was changed.
        """
        if not self.proof_path.exists():
            return None
        data = read_bounded(self.proof_path, limit=MAX_FORK_BYTES, what="fork.proof")
        return ForkProof.parse(data)

    def keep_proof(self, proof: ForkProof) -> None:
        """Write the fork.proof durably; the first one stays.

        Raises:
            Unwritable: the disk refused.
        """
        if not self.proof_path.exists():
            try:
                self._place(_PROOF, proof.encode())
            except OSError as error:
                raise self._unwritable(error) from None

    def _read_state(self) -> None:
        path = self.directory / _STATE
        if not path.exists():
            return
        data = read_bounded(path, limit=_LIMIT, what="monitor's memory")
        try:
            value = strictjson.loads(data, limit=_LIMIT, what="monitor's memory")
            if set(value) != _FIELDS:
                raise ValueError
            self.held = _checkpoint(value["checkpoint"]) if value["checkpoint"] else None
            self.doubts = tuple(
                Doubt(_checkpoint(x["checkpoint"]), int(x["since"]), str(x["source"]))
                for x in value["doubts"]
            )
            origin = value["origin"]
        except (Error, KeyError, TypeError, ValueError, AttributeError):
            raise self._damaged("monitor.json cannot be read") from None
        if origin != self.origin:
            raise Usage(
                "this directory holds what was seen of another log: name another with --state",
                code="monitor_other_log",
                expected=self.origin,
                got=ascii(origin)[:200],
            )

    def _write_state(self, held: SignedCheckpoint | None, doubts: Sequence[Doubt]) -> None:
        value = {
            "origin": self.origin,
            "checkpoint": _text(held) if held else None,
            "doubts": [
                {"checkpoint": _text(x.signed), "since": x.since, "source": x.source}
                for x in doubts
            ],
        }
        self._place(_STATE, strictjson.dumps(value).encode() + b"\n")

    def _place(self, name: str, content: bytes) -> None:
        self._disk.place(self.directory / name, content, scratch=self.directory / ".new")
        self._disk.sync_directory(self.directory)

    def _require_root(self) -> None:
        if self.held and self.root(self.verified) != self.held.checkpoint.root:
            raise self._damaged("the tree is not the one of the verified checkpoint")

    def _damaged(self, why: str) -> Damaged:
        return Damaged(
            f"the monitor's memory was changed on disk: {why}: put it back as it was, or begin"
            " anew in another directory with --state",
            got=str(self.directory),
        )

    def _unwritable(self, error: OSError) -> Unwritable:
        return Unwritable(
            f"{self.directory} cannot be written: {error.strerror or error}",
            got=str(self.directory),
        )


def _checkpoint(text: str) -> SignedCheckpoint:
    # In base64, because a log chooses the text: brackets in it would pass for JSON beyond bounds.
    return SignedCheckpoint.parse(from_base64(text.encode(), what="checkpoint"))


def _text(signed: SignedCheckpoint) -> str:
    return to_base64(signed.encode()).decode()
