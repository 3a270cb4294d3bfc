"""What a journal's records hold: entries with their salts and envelopes, checkpoints, cosignatures.

    1  entry         kind 1, salt 32, statement id 32, identity 32, seal 32, record
    2  checkpoint    the signed note
    3  cosignatures  tree size 8, signature lines

Trusts: nothing; it only reads.  Does not trust: lengths and kinds in the bytes.
"""

from __future__ import annotations

from typing import Self

import msgspec

from teeproof.core.errors import Malformed
from teeproof.proof.log.formats.entry import IDENTITY, RECEIPT, STATEMENT, Entry, commitment
from teeproof.proof.log.formats.note import SignatureLine

__all__ = [
    "CHECKPOINT",
    "COSIGNATURES",
    "ENTRY",
    "ENTRY_HEAD_BYTES",
    "KINDS",
    "Stored",
    "decode_cosignatures",
    "encode_cosignatures",
    "entry_of",
]

ENTRY, CHECKPOINT, COSIGNATURES = 1, 2, 3
KINDS = (STATEMENT, RECEIPT, IDENTITY)
ENTRY_HEAD_BYTES = 129
_SIZE_BYTES = 8
_BEGINS = {kind: Entry(kind, bytes(32), bytes(32)).encode()[:2] for kind in KINDS}


class Stored(msgspec.Struct, frozen=True, gc=False):
    """One entry as the journal has it.

    Attributes:
        kind: ``STATEMENT``, ``RECEIPT`` or ``IDENTITY``.
        salt: 32 bytes.
        statement_id: 32 bytes.
        identity: 32 bytes, the digest of the author's identity.
        seal: 32 bytes, the digest of the signatures.
        record: what was submitted beside them, opaque to the log.
    """

    kind: int
    salt: bytes
    statement_id: bytes
    identity: bytes
    seal: bytes
    record: bytes

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """Return the entry in a record's content.

        Raises:
            Malformed: it is too short, or of an unknown kind.
        """
        if len(content) < ENTRY_HEAD_BYTES or content[0] not in KINDS:
            raise _malformed("an entry is too short, or of an unknown kind")
        salt, name, identity, seal = (content[at : at + 32] for at in (1, 33, 65, 97))
        return cls(content[0], salt, name, identity, seal, content[ENTRY_HEAD_BYTES:])

    def entry(self) -> bytes:
        """Return what stands in the tree for it."""
        committed = commitment(self.salt, self.statement_id, self.seal)
        return Entry(self.kind, committed, self.identity).encode()


def entry_of(content: bytes) -> bytes:
    """Return what stands in the tree for a record's content: ``Stored.parse(content).entry()``.

    Raises:
        Malformed: it is too short, or of an unknown kind.
    """
    if len(content) < ENTRY_HEAD_BYTES or content[0] not in KINDS:
        raise _malformed("an entry is too short, or of an unknown kind")
    committed = commitment(content[1:33], content[33:65], content[97:129])
    return _BEGINS[content[0]] + committed + content[65:97]


def encode_cosignatures(size: int, lines: tuple[SignatureLine, ...]) -> bytes:
    """Return a record's content: lines for the checkpoint of one size."""
    return size.to_bytes(_SIZE_BYTES, "big") + b"".join(line.encode() for line in lines)


def decode_cosignatures(content: bytes) -> tuple[int, tuple[SignatureLine, ...]]:
    """Return the size and the lines in a record's content.

    Raises:
        Malformed: it is too short, or a line cannot be read.
    """
    if len(content) < _SIZE_BYTES:
        raise _malformed("cosignatures are cut short")
    lines = SignatureLine.parse_lines(content[_SIZE_BYTES:])
    return int.from_bytes(content[:_SIZE_BYTES], "big"), lines


def _malformed(why: str) -> Malformed:
    return Malformed(f"the journal cannot be read: {why}", code="journal_malformed")
