"""Seal a stream, and open one: from any source to any target, in a few megabytes of memory."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

from teeproof.core.errors import Unavailable, Usage
from teeproof.core.sealed.diagnosis import diagnose
from teeproof.core.sealed.header import Header, read_header
from teeproof.core.sealed.keys import Key, make_header, unwrap
from teeproof.core.sealed.pieces import Piece, Source, cut, read_into, write_all
from teeproof.core.sealed.pipeline import MAX_THREADS, in_order
from teeproof.core.sealed.recipients import Recipient
from teeproof.core.sealed.segments import (
    FIRST_PLAIN,
    PAYLOAD_HEADER,
    PLAIN,
    SEGMENT,
    TAG,
    PayloadKey,
    payload_size,
    truncated,
)

__all__ = ["Progress", "open_stream", "payload_of", "seal"]

Progress = Callable[[int], None]
"""Called with the bytes of plaintext done so far, from one thread at a time."""


def seal(
    source: BinaryIO,
    target: BinaryIO,
    *,
    recipients: Sequence[Recipient],
    policy_digest: bytes | None = None,
    progress: Progress | None = None,
    threads: int = 2,
    random: Callable[[int], bytes] = os.urandom,
) -> Header:
    """Seal a stream to its end; return the header that was written.

    Args:
        source: what to seal, from where it stands; any stream that blocks. Of a large regular file
            what is added meanwhile is left out.
        target: takes the sealed file. If this raises, what it took is worth nothing.
        recipients: 1 to 64 public keys. Each can open the file, and *forge* it for the others:
            they all hold its data key.
        policy_digest: SHA-256 of the policy under which a service may hand the key on.
        progress: told how far it is.
        threads: cores to use.
        random: makes file id, data key, salt and nonce prefix; each call must be fresh.

    Raises:
        Usage, Malformed: as ``make_header``; code ``threads``.
        TooLarge: more than 2^32 segments of 1 MiB.
        Unavailable: codes ``file_unavailable`` (the source cannot be read), ``source_changed`` (it
            became shorter). What writing to the target raises passes through.
    """
    _require_threads(threads)
    header, data_key = make_header(recipients, policy_digest=policy_digest, random=random)
    key = PayloadKey.new(
        data_key=data_key.secret, associated_data=header.associated_data, random=random
    )
    write_all(target, header.encode() + key.header)
    pieces = cut(source, first=FIRST_PLAIN, rest=PLAIN)

    def work(slot: _Slot) -> None:
        size, last, _ = slot.piece
        slot.result = slot.target[: size + TAG]
        key.encrypt_into(slot.index, slot.source[:size], slot.result, last=last)

    _run(pieces, work, target, progress, [_Slot(PLAIN, SEGMENT) for _ in range(threads)])
    return header


def open_stream(
    source: BinaryIO,
    target: BinaryIO,
    *,
    key: Key,
    progress: Progress | None = None,
    threads: int = 2,
) -> Header:
    """Open a sealed stream; return its header.

    Each segment is authenticated before it is written, but only the last one shows that the file
    is whole: until this returns, the target holds a beginning of the plaintext, and if this raises
    it must be thrown away. ``open_file`` does so.

    Args:
        source: a sealed file, from its header to its end.
        target: takes the plaintext.
        key: a recipient's key pair, or a data key that was granted.
        progress: told how far it is.
        threads: cores to use.

    Raises:
        Malformed, TooLarge: as ``read_header``; codes ``payload_header``, ``payload_truncated``.
        NotAllowed: code ``not_a_recipient``.
        NotAuthentic: codes ``wrapped_key_not_authentic``, ``header_not_authentic``,
            ``segment_not_authentic``, ``last_segment_not_authentic``, ``segment_moved``,
            ``payload_truncated``, ``payload_extended``.
    """
    _require_threads(threads)
    header = read_header(source)
    payload = payload_of(source, header, key)
    pieces = cut(source, first=SEGMENT - PAYLOAD_HEADER, rest=SEGMENT)

    def work(slot: _Slot) -> None:
        size, last, _ = slot.piece
        if size < TAG + (slot.index > 0):
            raise truncated(slot.index * SEGMENT + size)
        data, slot.result = slot.source[:size], slot.target[: size - TAG]
        if not payload.decrypt_into(slot.index, data, slot.result, last=last):
            raise diagnose(payload, slot.index, data, last=last)

    _run(pieces, work, target, progress, [_Slot(SEGMENT, PLAIN) for _ in range(threads)])
    return header


def payload_of(source: BinaryIO, header: Header, key: Key) -> PayloadKey:
    """Return the key of the payload that follows a header; the stream then stands behind its own.

    Raises:
        Malformed: codes ``payload_truncated``, ``payload_header``.
        NotAllowed, NotAuthentic: as ``unwrap``.
    """
    data_key = unwrap(header, key)
    buffer = bytearray(PAYLOAD_HEADER)
    got = read_into(source, memoryview(buffer))
    if got < PAYLOAD_HEADER:
        raise truncated(got)
    return PayloadKey(
        bytes(buffer), data_key=data_key.secret, associated_data=header.associated_data
    )


class _Slot:
    """One thread's segment, and the buffers that it uses again and again."""

    __slots__ = ("index", "piece", "result", "source", "target")

    def __init__(self, source: int, target: int) -> None:
        self.source = memoryview(bytearray(source + 1))
        self.target = memoryview(bytearray(target))
        self.result = self.target
        self.index, self.piece = 0, Piece(0, False)


def _run(
    pieces: Source,
    work: Callable[[_Slot], None],
    target: BinaryIO,
    progress: Progress | None,
    slots: Sequence[_Slot],
) -> None:
    count = done = 0

    def read(slot: _Slot) -> bool:
        nonlocal count
        with _source_named():
            piece = pieces.take(slot.source)
        if piece is None:
            return False
        slot.index, slot.piece = count, piece
        if count >= 1 << 32:
            payload_size(count * SEGMENT)  # raises: a segment's number has 4 bytes
        count += 1
        return True

    def load_and_work(slot: _Slot) -> None:
        with _source_named():
            pieces.load(slot.piece, slot.source)
        work(slot)

    def write(slot: _Slot) -> None:
        nonlocal done
        write_all(target, slot.result)
        done += min(slot.piece.size, len(slot.result))
        if progress is not None:
            progress(done)

    in_order(slots, read=read, work=load_and_work, write=write)


@contextlib.contextmanager
def _source_named() -> Iterator[None]:
    """Say of a failure that it is the source's: what writes fails too, and says so itself."""
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"the source cannot be read: {error.strerror}", code="file_unavailable"
        ) from None


def _require_threads(threads: int) -> None:
    if not 1 <= threads <= MAX_THREADS:
        raise Usage(
            "name a number of threads that a machine has",
            code="threads",
            expected=f"1 to {MAX_THREADS}",
            got=str(threads),
        )
