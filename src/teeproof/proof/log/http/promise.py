"""What a log answers to an append: a promise, read here and believed by nobody yet.

Trusts: nothing.  Does not trust: the log's answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from teeproof.core.clock import parse_time, to_epoch
from teeproof.core.errors import Malformed, NotAuthentic, Unavailable, Usage
from teeproof.proof.log.admission import Record
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.log.formats.entry import SALT_BYTES
from teeproof.proof.log.formats.merkle import verify_consistency

__all__ = [
    "Promise",
    "another_statement",
    "late",
    "read_answer",
    "read_batch",
    "read_promise",
    "require_one_history",
]


class Promise(msgspec.Struct, frozen=True):
    """What a log says of a record that it took; a promise, until ``wait_included`` proves it.

    Attributes:
        index: where the entry will stand.
        salt: 32 bytes, with which the entry commits to the record. Keep it private.
        entry: the entry's 66 bytes, made here from the record and the salt.
        id: of the statement, 32 bytes.
        published_by: seconds since 1970.
    """

    index: int
    salt: bytes
    entry: bytes
    id: bytes
    published_by: int


def read_answer(data: bytes, origin: str) -> dict[str, Any]:
    """Return the JSON object that the log of this origin answers with.

    Raises:
        Malformed: no JSON object.
        NotAuthentic: code ``origin_mismatch``: it is another log.
    """
    try:
        value = msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise _strange("a JSON object", str(error)) from None
    if value.get("origin") != origin:
        raise NotAuthentic(
            "another log answers: check its address and its key",
            code="origin_mismatch",
            expected=origin,
            got=str(value.get("origin"))[:200],
        )
    return value


def read_batch(records: list[Record], answer: dict[str, Any]) -> list[Promise]:
    """Return the promises in an answer to a batch; errors as ``read_promise``."""
    parts = answer.get("appended")
    if not isinstance(parts, list) or len(parts) != len(records):
        raise _strange("as many answers as records", repr(parts)[:100])
    return [read_promise(*pair, answer) for pair in zip(records, parts, strict=True)]


def read_promise(record: Record, part: Any, answer: dict[str, Any]) -> Promise:
    """Return what is promised of a record.

    Args:
        record: what was sent.
        part: the object with index, salt and id.
        answer: the object with the time.

    Raises:
        Malformed: something is missing, or out of range.
        NotAuthentic: code ``statement_mismatch``: it is about another record.
    """
    try:
        index, salt, name = part["index"], bytes.fromhex(part["salt"]), part["id"]
        published_by = to_epoch(parse_time(answer["published_by"]))
    except (KeyError, TypeError, ValueError, AttributeError, Usage) as error:
        raise _strange("index, salt, id and published_by", repr(error)) from None
    if type(index) is not int or not 0 <= index < 1 << 63 or len(salt) != SALT_BYTES:
        raise _strange("an index, and a salt of 32 bytes", f"index {index!r:.30}")
    if name != record.name:
        raise another_statement("the log's answer", expected=record.name, got=str(name)[:100])
    return Promise(index, salt, record.entry(salt).encode(), record.id, published_by)


def another_statement(what: str, *, expected: str, got: str | None = None) -> NotAuthentic:
    """Return the error for an answer about another statement than the one that was asked for."""
    return NotAuthentic(
        f"{what} is about another statement", code="statement_mismatch", expected=expected, got=got
    )


def late(promise: Promise, signed: SignedCheckpoint, *, broken: bool) -> Unavailable:
    """Return the error for a promise that is not kept yet, or not in time."""
    return Unavailable(
        "the log has not published the entry"
        + (", though it promised to: append it to another" if broken else ": wait longer"),
        code="not_published",
        expected=f"a checkpoint of more than {promise.index} entries",
        got=f"one of {signed.checkpoint.size}",
    )


def require_one_history(
    one: SignedCheckpoint,
    other: SignedCheckpoint,
    prove: Callable[[int, SignedCheckpoint], list[bytes]],
) -> None:
    """Check that two checkpoints are of one log that only grew.

    Args:
        one: a checkpoint.
        other: another.
        prove: what shows that a checkpoint's tree extends its first so many entries.

    Raises:
        NotAuthentic: code ``log_forked``, with both; or ``prove`` was given altered tiles.
    """
    old, new = sorted((one, other), key=lambda signed: signed.checkpoint.size)
    first, second = old.checkpoint, new.checkpoint
    try:
        verify_consistency(
            old_size=first.size,
            old_root=first.root,
            new_size=second.size,
            new_root=second.root,
            proof=prove(first.size, new),
        )
    except NotAuthentic as error:
        if error.code != "consistency_mismatch":
            raise  # tiles that somebody altered convict nobody
        raise _forked(old, new) from None


def _forked(old: SignedCheckpoint, new: SignedCheckpoint) -> NotAuthentic:
    return NotAuthentic(
        "the log shows two histories: keep both checkpoints, they convict it",
        code="log_forked",
        expected=old.encode().decode(),
        got=new.encode().decode(),
    )


def _strange(expected: str, got: str) -> Malformed:
    return Malformed(
        "this is not how a log answers", code="answer_malformed", expected=expected, got=got[:200]
    )
