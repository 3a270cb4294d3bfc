"""Cosign a checkpoint only if it extends all that was cosigned before: one step, never two at once.

    1  the origin is configured                        404 origin_unknown
    2  one of its keys signed, no line of them false   403 log_unknown, checkpoint_signature
    3  old size <= size                                400 old_size_above
    4  old size = the size cosigned last               409 old_size_conflict, with that size
    5  equal size: equal root                          422 equal_size_other_root
    6  the consistency proof holds                     422 consistency_mismatch
    7  the record is durable, then the cosignature leaves

Time never runs backwards in what a witness signs: a cosignature's time is at least that of every
one before, of any log. A clock that fell behind by a minute or less (a correction) is held at the
last time; one that fell further behind is an error, and nothing is cosigned until it is right
again. A clock that runs ahead is not noticed, though readers refuse times of the future; once it is
right again, the witness stands still until the time that it signed has come.

The first checkpoint of a log is taken as it is: a witness vouches for growth since it first looked.

What a witness needs, and cannot give itself: a disk that is not put back. A host that restores an
old copy of disk and key makes the witness forget, and it would then cosign a fork in good faith.
Only others can catch that: monitors that compare the cosigned checkpoints it served before and
after (two cosignatures of it contradict each other), and a quorum of witnesses on hosts of several
owners. A witness inside a TEE must open its state only after a cosignature by another witness over
a nonce of this boot.

Trusts: its disk and its clock as said above, the log keys it is given.
Does not trust: logs, whoever asks, the network.
"""

from __future__ import annotations

import time as _time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Self

from teeproof.core.errors import Malformed, NotAuthentic, TooLarge, Unavailable
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.log.formats.cosignature import Cosigner
from teeproof.proof.log.formats.note import MAX_NOTE_BYTES, SignatureLine, VerifierKey
from teeproof.proof.log.formats.rfc6962 import EMPTY_ROOT, verify_consistency
from teeproof.proof.log.storage.disk import Disk
from teeproof.proof.witness.request import AddCheckpoint
from teeproof.proof.witness.signed import by_origin, require_signed, strip
from teeproof.proof.witness.state import Record, State, origin_hash

__all__ = ["CLOCK_TOLERANCE", "Conflict", "OnFork", "Witness"]

CLOCK_TOLERANCE = 60  # seconds that a clock may be set back before the witness refuses to sign

OnFork = Callable[[SignedCheckpoint, SignedCheckpoint], None]
"""Called with two checkpoints of one size and two roots, both signed by the log: a proof."""


class Conflict(NotAuthentic):
    """The client named another old size than the one cosigned last.

    Attributes:
        size: the size cosigned last.
    """

    def __init__(self, *, size: int, named: int) -> None:
        super().__init__(
            "the old size is not the one cosigned last: prove consistency from that one",
            code="old_size_conflict",
            expected=str(size),
            got=str(named),
        )
        self.size = size


class Witness:
    """A witness for configured logs, with its key and its memory. Safe to call from many threads.

    Args:
        cosigner: the witness's key.
        state: its memory, of which it is the only user.
        logs: verifier keys; a key's name is the origin for which it signs.
        now: seconds since 1970.
        on_fork: told of a log that signed two roots for one size; a failure of it is ignored.
    """

    def __init__(
        self,
        cosigner: Cosigner,
        state: State,
        *,
        logs: Iterable[VerifierKey],
        now: Callable[[], float] = _time.time,
        on_fork: OnFork | None = None,
    ) -> None:
        self.logs = by_origin(logs)
        self._cosigner, self._state, self._now, self._on_fork = cosigner, state, now, on_fork
        self._lock = Lock()
        self._hashes = {origin_hash(origin): origin for origin in self.logs}

    @classmethod
    def open(
        cls,
        directory: Path,
        cosigner: Cosigner,
        *,
        logs: Iterable[VerifierKey],
        now: Callable[[], float] = _time.time,
        disk: Disk | None = None,
        on_fork: OnFork | None = None,
    ) -> Self:
        """Return the witness whose memory lies in a directory.

        Raises:
            NotAuthentic, Unavailable: as ``State``.
            Usage: a key is no log's key.
        """
        keys = tuple(logs)
        by_origin(keys)
        state = State(directory, key=cosigner.verifier, disk=disk)
        return cls(cosigner, state, logs=keys, now=now, on_fork=on_fork)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Cosign no more, and let another process open the memory."""
        with self._lock:
            self._state.close()

    @property
    def verifier(self) -> VerifierKey:
        """The key by which others check this witness's cosignatures."""
        return self._cosigner.verifier

    def add(self, request: AddCheckpoint) -> SignatureLine:
        """Return a cosignature, once the checkpoint is remembered durably.

        Raises:
            NotAuthentic: ``origin_unknown``, ``log_unknown``, ``checkpoint_signature``,
                ``equal_size_other_root``, ``consistency_mismatch``; ``Conflict`` for another old
                size.
            Malformed: ``old_size_above``; TooLarge where no cosignature fits behind it.
            Unavailable: the clock ran backwards, or the disk failed; nothing was cosigned.
        """
        signed = request.signed
        keys = self.logs.get(signed.checkpoint.origin)
        if keys is None:
            raise _unknown(signed.checkpoint.origin)
        require_signed(signed, keys)
        if request.old > signed.checkpoint.size:
            raise Malformed(
                "the old size is larger than the checkpoint's",
                code="old_size_above",
                expected=f"at most {signed.checkpoint.size}",
                got=str(request.old),
            )
        with self._lock:
            held = self._state.records.get(signed.checkpoint.origin)
            ours = strip(signed, keys)
            self._compare(request, ours, held)
            return self._cosign(ours, held)

    def checkpoint(self, name: str) -> SignedCheckpoint | None:
        """Return the last cosigned checkpoint of the log with this origin hash, if there is one."""
        origin = self._hashes.get(name)
        held = self._state.records.get(origin) if origin is not None else None
        return held.signed if held else None

    def last(self, origin: str) -> SignedCheckpoint | None:
        """Return the last cosigned checkpoint of a log, if there is one."""
        return self.checkpoint(origin_hash(origin))

    def _compare(
        self, request: AddCheckpoint, signed: SignedCheckpoint, held: Record | None
    ) -> None:
        new = signed.checkpoint
        old_size, old_root = 0, EMPTY_ROOT
        if held is not None:
            old_size, old_root = held.signed.checkpoint.size, held.signed.checkpoint.root
        if request.old != old_size:
            raise Conflict(size=old_size, named=request.old)
        if held is not None and new.size == old_size and new.root != old_root:
            self._tell(held.signed, signed)
            raise NotAuthentic(
                "the log signed another root for the size cosigned last: it forked",
                code="equal_size_other_root",
                expected=old_root.hex(),
                got=new.root.hex(),
            )
        verify_consistency(
            old_size=old_size,
            old_root=old_root,
            new_size=new.size,
            new_root=new.root,
            proof=request.proof,
        )

    def _cosign(self, signed: SignedCheckpoint, held: Record | None) -> SignatureLine:
        time = self._time()
        if held is not None and held.time == time and held.signed.note.text == signed.note.text:
            # The same again within a second needs no write: replays do not wear out the disk.
            return next(x for x in held.signed.note.signatures if self.verifier.owns(x))
        line = self._cosigner.cosign(signed.note.text, time=time)
        cosigned = signed.with_(line)
        if len(cosigned.encode()) > MAX_NOTE_BYTES:  # nobody could read it back
            raise TooLarge(
                "the checkpoint leaves no room for a cosignature: sign fewer extension lines",
                expected=f"at most {MAX_NOTE_BYTES} bytes with it",
            )
        self._state.replace(Record(cosigned, time))
        return line

    def _time(self) -> int:
        now, latest = int(self._now()), self._state.latest()
        if now <= 0 or now < latest - CLOCK_TOLERANCE:
            raise Unavailable(
                "the clock ran backwards, or was ahead before: set it right; nothing is cosigned"
                " before the last time that was",
                code="clock_backwards",
                expected=f"at least {latest}",
                got=str(now),
            )
        return max(now, latest)

    def _tell(self, held: SignedCheckpoint, new: SignedCheckpoint) -> None:
        if self._on_fork is not None:
            with suppress(Exception):  # the answer does not hang on who else is told
                self._on_fork(held, new)


def _unknown(origin: str) -> NotAuthentic:
    return NotAuthentic(
        "this witness does not know the log: ask its operator to add the log's key",
        code="origin_unknown",
        got=ascii(origin[:200]),
    )
