"""What is submitted to a log, and what comes back.

Trusts: nothing.  Does not trust: whoever submits.
"""

from __future__ import annotations

import msgspec

from teeproof.core.errors import TooLarge, Usage
from teeproof.proof.log.stored import KINDS

__all__ = ["MAX_RECORD_BYTES", "Appended", "Item", "check_item"]

MAX_RECORD_BYTES = 1 << 20


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


def check_item(item: Item) -> None:
    """Check an item's form.

    Raises:
        Usage: its kind is unknown, or a digest does not have 32 bytes.
        TooLarge: its record has more than ``MAX_RECORD_BYTES``.
    """
    if item.kind not in KINDS or len(item.statement_id) != 32 or len(item.identity) != 32:
        raise Usage(
            "an entry has a kind of 1, 2 or 3, and a statement id and an identity of 32 bytes",
            code="log_item",
            got=f"kind {item.kind}, {len(item.statement_id)} and {len(item.identity)} bytes",
        )
    if len(item.record) > MAX_RECORD_BYTES:
        raise TooLarge(
            "the record is too large for the log: store its parts as blobs",
            expected=f"at most {MAX_RECORD_BYTES} bytes",
            got=f"{len(item.record)} bytes",
        )
