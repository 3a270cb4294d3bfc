"""What is submitted to a log, and what comes back.

Trusts: nothing.  Does not trust: whoever submits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import msgspec

from teeproof.core.errors import TooLarge, Usage
from teeproof.proof.log.storage.stored import ENTRY_HEAD_BYTES, KINDS

__all__ = ["MAX_RECORD_BYTES", "Appended", "Item", "encode_items"]

MAX_RECORD_BYTES = 1 << 20
_KIND = {kind: bytes([kind]) for kind in KINDS}


class Item(msgspec.Struct, frozen=True, gc=False):
    """What is submitted to the log.

    Attributes:
        kind: ``STATEMENT``, ``RECEIPT`` or ``IDENTITY``.
        statement_id: 32 bytes.
        identity: 32 bytes, the digest of the author's identity.
        seal: 32 bytes, the digest of the signatures: see ``entry.commitment``.
        record: the envelope, opaque to the log; at most 1 MiB.
    """

    kind: int
    statement_id: bytes
    identity: bytes
    seal: bytes
    record: bytes

    @property
    def name(self) -> bytes:
        """Id and seal, by which the log tells whether it has this already."""
        return self.statement_id + self.seal


class Appended(msgspec.Struct, frozen=True, gc=False):
    """Where an entry stands in the log, and the 32 bytes of salt that hide its statement id."""

    index: int
    salt: bytes


def encode_items(
    items: Sequence[Item], salts: Sequence[bytes]
) -> tuple[list[int], Iterable[bytes]]:
    """Return the lengths of the journal's records, and the pieces that their contents join.

    Args:
        items: one or more.
        salts: 32 bytes for each.

    Raises:
        Usage: a kind is unknown, or a digest does not have 32 bytes.
        TooLarge: a record has more than ``MAX_RECORD_BYTES``.
    """
    names = [item.statement_id for item in items]
    authors = [item.identity for item in items]
    seals = [item.seal for item in items]
    records = [item.record for item in items]
    numbers = [item.kind for item in items]
    lengths = [ENTRY_HEAD_BYTES + len(record) for record in records]
    if {*map(len, names), *map(len, authors), *map(len, seals)} != {32} or not _KIND.keys() >= set(
        numbers
    ):
        raise _malformed(items)
    kinds = map(_KIND.__getitem__, numbers)
    if max(lengths) > MAX_RECORD_BYTES + ENTRY_HEAD_BYTES:
        raise _too_large(max(lengths) - ENTRY_HEAD_BYTES)
    rows = zip(kinds, salts, names, authors, seals, records, strict=True)
    return lengths, chain.from_iterable(rows)


def _malformed(items: Sequence[Item]) -> Usage:
    got = {(i.kind, len(i.statement_id), len(i.identity), len(i.seal)) for i in items}
    bad = sorted(form for form in got if form[0] not in _KIND or form[1:] != (32, 32, 32))
    return Usage(
        "an entry has a kind of 1, 2 or 3; its statement id, identity and seal have 32 bytes",
        code="log_item",
        got=f"kind, and lengths: {bad[0]}",
    )


def _too_large(size: int) -> TooLarge:
    return TooLarge(
        "the record is too large for the log: store its parts as blobs",
        expected=f"at most {MAX_RECORD_BYTES} bytes",
        got=f"{size} bytes",
    )
