"""A transaction's receipt: whether it succeeded, and the events (logs) that it left.

    legacy  RLP of (status, gas used so far, bloom, logs)
    typed   one byte, then the same: EIP-2718; 1 to 4 are EIP-2930, 1559, 4844 and 7702

Receipts from before EIP-658 (2017) hold a state root where the status stands: they do not say
whether the transaction succeeded, and are refused.

Trusts: nothing; the trie says whose receipt it is.  Does not trust: the bytes.
"""

from __future__ import annotations

import msgspec

from teeproof.core.errors import Malformed
from teeproof.proof.anchor import rlp
from teeproof.proof.anchor.rlp import Item

__all__ = ["MAX_RECEIPT_BYTES", "Log", "Receipt", "parse"]

MAX_RECEIPT_BYTES = 1 << 16
_TYPES = frozenset({1, 2, 3, 4})
_LEGACY = 0xC0  # EIP-2718: a first byte from here on begins an RLP list
_MAX_TOPICS = 4  # Yellow Paper, appendix H: LOG0 to LOG4


class Log(msgspec.Struct, frozen=True):
    """One event.

    Attributes:
        address: 20 bytes, the contract that left it.
        topics: up to four of 32 bytes; the first is Keccak-256 of the event's signature.
        data: what is not indexed, in ABI encoding.
    """

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What we read of a receipt.

    Attributes:
        kind: 0 for legacy, else the type of EIP-2718.
        succeeded: whether the transaction's effects stand; a failed one leaves no logs.
        logs: in the order in which the transaction left them.
    """

    kind: int
    succeeded: bool
    logs: tuple[Log, ...]


def parse(raw: bytes) -> Receipt:
    """Return the receipt in ``raw``, as it stands in the trie.

    Raises:
        TooLarge: more than ``MAX_RECEIPT_BYTES``.
        Malformed: another type (``receipt_type``), no status (``receipt_without_status``), not
            canonical RLP (``rlp_malformed``), or another form (``receipt_malformed``).
    """
    kind, body = _typed(raw)
    parts = rlp.decode(body, limit=MAX_RECEIPT_BYTES, what="receipt")
    if isinstance(parts, bytes) or len(parts) != 4:
        raise _malformed("a list of 4 parts", "another item")
    status, gas, bloom, logs = parts
    if isinstance(status, bytes) and len(status) == 32:
        raise Malformed(
            "the receipt is from before 2017 and does not say whether the transaction succeeded",
            code="receipt_without_status",
        )
    if status not in (b"", b"\1"):
        raise _malformed("a status of 0 or 1", "another")
    rlp.uint(gas, size=8, what="gas of the receipt")
    if not isinstance(bloom, bytes) or len(bloom) != 256:
        raise _malformed("a bloom of 256 bytes", "another")
    if isinstance(logs, bytes):
        raise _malformed("a list of logs", "a byte string")
    return Receipt(kind=kind, succeeded=status == b"\1", logs=tuple(map(_log, logs)))


def _typed(raw: bytes) -> tuple[int, bytes]:
    if raw[:1] >= bytes((_LEGACY,)):
        return 0, raw
    if not raw or raw[0] not in _TYPES:
        raise Malformed(
            "this type of receipt is not known",
            code="receipt_type",
            expected="legacy, or a type from 1 to 4",
            got=raw[:1].hex() or "nothing",
        )
    return raw[0], raw[1:]


def _log(item: Item) -> Log:
    if isinstance(item, bytes) or len(item) != 3:
        raise _malformed("a log of 3 parts", "another item")
    address, topics, data = item
    if not isinstance(address, bytes) or len(address) != 20:
        raise _malformed("an address of 20 bytes", "another")
    found = rlp.strings(topics, what="list of topics")
    if len(found) > _MAX_TOPICS or any(len(topic) != 32 for topic in found):
        raise _malformed(f"at most {_MAX_TOPICS} topics of 32 bytes", "others")
    if not isinstance(data, bytes):
        raise _malformed("data that are a byte string", "a list")
    return Log(address, tuple(found), data)


def _malformed(expected: str, got: str) -> Malformed:
    return Malformed(
        "this is not the receipt of a transaction",
        code="receipt_malformed",
        expected=expected,
        got=got,
    )
