"""What a witness is asked: an old size, a consistency proof, and a signed checkpoint.

c2sp.org/tlog-witness, add-checkpoint:

    old 20852014
    <consistency proof, one base64 hash a line, at most 63>

    <signed checkpoint>

Trusts: nothing; it only reads.  Does not trust: the request.
"""

from __future__ import annotations

from typing import Self

import msgspec

from teeproof.core.errors import Malformed, NotAuthentic, TooLarge, Usage
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.log.formats.note import MAX_NOTE_BYTES, Note
from teeproof.proof.log.formats.rfc6962 import HASH_BYTES
from teeproof.proof.log.formats.text import decimal, from_base64, to_base64

__all__ = ["MAX_PROOF_HASHES", "MAX_REQUEST_BYTES", "AddCheckpoint"]

MAX_PROOF_HASHES = 63  # c2sp.org/tlog-witness
_HASH_LINE = 45  # 44 characters of base64 and a newline
_OLD_LINE = len("old ") + 19 + 1
MAX_REQUEST_BYTES = _OLD_LINE + MAX_PROOF_HASHES * _HASH_LINE + 1 + MAX_NOTE_BYTES


class AddCheckpoint(msgspec.Struct, frozen=True):
    """One request. Nothing has been verified.

    Attributes:
        old: the size that the client believes the witness cosigned last; 0 for none.
        proof: consistency proof from ``old`` to the checkpoint, 32 bytes each.
        signed: the checkpoint with its signature lines.
    """

    old: int
    proof: tuple[bytes, ...]
    signed: SignedCheckpoint

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Return the request in a body.

        Raises:
            Malformed: ``request_malformed`` for other lines, ``proof_too_long`` for more than 63
                hashes, and those of notes, checkpoints, numbers and base64.
            NotAuthentic: ``empty_tree_root``, a checkpoint of size zero with another root than
                that of the empty tree.
            TooLarge: more bytes than any request has.
        """
        if len(data) > MAX_REQUEST_BYTES:
            raise TooLarge(
                "the request is too long",
                expected=f"at most {MAX_REQUEST_BYTES} bytes",
                got=f"{len(data)} bytes",
            )
        head, separator, note = data.partition(b"\n\n")
        first, *lines = head.split(b"\n", MAX_PROOF_HASHES + 1)
        if not separator or not first.startswith(b"old "):
            raise _malformed()
        if len(lines) > MAX_PROOF_HASHES:
            raise Malformed(
                "the consistency proof is too long: no tree needs as many hashes",
                code="proof_too_long",
                expected=f"at most {MAX_PROOF_HASHES} lines",
            )
        proof = tuple(from_base64(x, what="proof line", size=HASH_BYTES) for x in lines)
        return cls(decimal(first[4:], what="old size"), proof, _checkpoint(note))

    def encode(self) -> bytes:
        """Return the body that asks this.

        Raises:
            Usage: the proof has more than 63 hashes.
        """
        if len(self.proof) > MAX_PROOF_HASHES:
            raise Usage("a consistency proof has at most 63 hashes", code="proof_too_long")
        lines = b"".join(to_base64(value) + b"\n" for value in self.proof)
        return b"old %d\n%b\n%b" % (self.old, lines, self.signed.encode())


def _checkpoint(data: bytes) -> SignedCheckpoint:
    try:
        return SignedCheckpoint.parse(data)
    except Malformed as error:
        if error.code == "checkpoint_malformed" and _says_empty(data):
            raise NotAuthentic(
                "a checkpoint of size zero has another root than the empty tree's",
                code="empty_tree_root",
            ) from None
        raise


def _says_empty(data: bytes) -> bool:
    """Whether a note's text has the form of a checkpoint of size zero, whatever its root."""
    lines = Note.parse(data).text.split(b"\n")
    if len(lines) < 4 or not all(lines[:-1]) or lines[1] != b"0":
        return False
    try:
        from_base64(lines[2], what="root hash", size=HASH_BYTES)
    except Malformed:
        return False
    return True


def _malformed() -> Malformed:
    return Malformed(
        "this is not a request to add a checkpoint",
        code="request_malformed",
        expected="'old <size>', the proof's lines, an empty line, the signed checkpoint",
    )
