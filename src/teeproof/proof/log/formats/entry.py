"""What a log keeps of a statement: 66 bytes that say nothing to those who do not know its salt.

    0   1   version, 0x01
    1   1   kind: 1 statement, 2 receipt, 3 identity
    2  32   commitment: SHA-256 over a label, a salt, the statement's id and its seal, each framed
    34 32   identity: SHA-256 of the author's identity statement

The seal is the digest of the signatures, and of an identity's quote: what stands in the log was
signed when it was entered, and cannot be signed later with stolen keys. The salt travels in the
proof; without it, the log cannot be searched for a statement that one guesses. The fixed length
also keeps an entry from being taken for two tree nodes (64 bytes).

Trusts: nothing; it only reads.  Does not trust: lengths and kinds in the bytes.
"""

from __future__ import annotations

import hashlib
from typing import Self

import msgspec

from teeproof.core.errors import Malformed

__all__ = [
    "ENTRY_BYTES",
    "IDENTITY",
    "RECEIPT",
    "SALT_BYTES",
    "STATEMENT",
    "Entry",
    "commitment",
]

STATEMENT, RECEIPT, IDENTITY = 1, 2, 3
SALT_BYTES = 32
ENTRY_BYTES = 66
_VERSION = 1
_KINDS = (STATEMENT, RECEIPT, IDENTITY)
_LABEL = b"teeproof.log-entry.v1"
_LENGTH = SALT_BYTES.to_bytes(8, "big")  # of a salt and of an id
_FRAMED_LABEL = len(_LABEL).to_bytes(8, "big") + _LABEL + _LENGTH


def commitment(salt: bytes, statement_id: bytes, seal: bytes) -> bytes:
    """Return the 32 bytes that stand for a statement in the log.

    Args:
        salt: 32 bytes.
        statement_id: 32 bytes.
        seal: 32 bytes, ``source.Read.seal`` or ``IdentityRecord.seal``.

    Raises:
        Malformed: one of them is not 32 bytes.
    """
    if len(salt) != SALT_BYTES or len(statement_id) != 32 or len(seal) != 32:
        raise _malformed("a salt, a statement id and a seal have 32 bytes")
    # framed_sha256 over label and parts, with the lengths written out: verifiers make many
    parts = _FRAMED_LABEL + salt + _LENGTH + statement_id + _LENGTH + seal
    return hashlib.sha256(parts).digest()


class Entry(msgspec.Struct, frozen=True):
    """One record of the log.

    Attributes:
        kind: ``STATEMENT``, ``RECEIPT`` or ``IDENTITY``.
        commitment: 32 bytes, see ``commitment``.
        identity: 32 bytes, the digest of the author's identity.
    """

    kind: int
    commitment: bytes
    identity: bytes

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise _malformed(f"kind {self.kind} is unknown")
        if len(self.commitment) != 32 or len(self.identity) != 32:
            raise _malformed("a digest in it is not 32 bytes")

    def encode(self) -> bytes:
        """Return the record's 66 bytes."""
        return bytes((_VERSION, self.kind)) + self.commitment + self.identity

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Return the entry in a record.

        Raises:
            Malformed: it does not have 66 bytes, or another version or kind.
        """
        if len(data) != ENTRY_BYTES:
            raise _malformed(f"it has {len(data)} bytes instead of {ENTRY_BYTES}")
        if data[0] != _VERSION:
            raise _malformed(f"version {data[0]} is unknown")
        return cls(data[1], data[2:34], data[34:66])


def _malformed(why: str) -> Malformed:
    return Malformed(f"this is not a log entry: {why}", code="entry_malformed")
