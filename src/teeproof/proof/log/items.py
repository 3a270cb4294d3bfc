"""What is submitted to a log, and what comes back.

Trusts: nothing.  Does not trust: whoever submits.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from teeproof.core.errors import TooLarge, Usage
from teeproof.proof.log.stored import ENTRY_HEAD_BYTES, KINDS

__all__ = ["MAX_RECORD_BYTES", "Appended", "Item", "encode_items"]

MAX_RECORD_BYTES = 1 << 20
_KIND = {kind: bytes([kind]) for kind in KINDS}


class Item(msgspec.Struct, frozen=True):
    """What is submitted to the log.

    Attributes:
        kind: ``STATEMENT``, ``RECEIPT`` or ``IDENTITY``.
        statement_id: 32 bytes.
        identity: 32 bytes, the digest of the author's identity.
        record: the envelope, opaque to the log; at most 1 MiB.
    """

    kind: int
    statement_id: bytes
    identity: bytes
    record: bytes


class Appended(msgspec.Struct, frozen=True):
    """Where an entry stands in the log, and the 32 bytes of salt that hide its statement id."""

    index: int
    salt: bytes


def encode_items(items: Sequence[Item], salts: Sequence[bytes]) -> tuple[list[int], bytes]:
    """Return the lengths of the journal's records, and their contents one after the other.

    Raises:
        Usage: a kind is unknown, or a digest does not have 32 bytes.
        TooLarge: a record has more than ``MAX_RECORD_BYTES``.
    """
    lengths: list[int] = []
    pieces: list[bytes] = []
    for item, salt in zip(items, salts, strict=True):
        kind, name, author, record = item.kind, item.statement_id, item.identity, item.record
        if len(name) != 32 or len(author) != 32 or kind not in _KIND:
            raise _malformed(item)
        length = len(record)
        if length > MAX_RECORD_BYTES:
            raise _too_large(record)
        lengths.append(length + ENTRY_HEAD_BYTES)
        pieces += (_KIND[kind], salt, name, author, record)
    return lengths, b"".join(pieces)


def _malformed(item: Item) -> Usage:
    return Usage(
        "an entry has a kind of 1, 2 or 3, and a statement id and an identity of 32 bytes",
        code="log_item",
        got=f"kind {item.kind}, {len(item.statement_id)} and {len(item.identity)} bytes",
    )


def _too_large(record: bytes) -> TooLarge:
    return TooLarge(
        "the record is too large for the log: store its parts as blobs",
        expected=f"at most {MAX_RECORD_BYTES} bytes",
        got=f"{len(record)} bytes",
    )
