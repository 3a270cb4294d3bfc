"""Checkpoints: a log's name, how many entries it has, and the root of their tree, signed.

c2sp.org/tlog-checkpoint. A checkpoint's one encoding is the text that is signed.

Trusts: the log key that the caller names.  Does not trust: who delivered the checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import msgspec

from teeproof.core.errors import Malformed, NotAuthentic, Usage
from teeproof.proof.log.formats.note import (
    Note,
    NoteSigner,
    SignatureLine,
    VerifierKey,
    verify_line,
)
from teeproof.proof.log.formats.rfc6962 import EMPTY_ROOT, HASH_BYTES
from teeproof.proof.log.formats.text import MAX_NUMBER, decimal, from_base64, to_base64

__all__ = ["Accept", "Checkpoint", "SignedCheckpoint", "sign_checkpoint", "verify_checkpoint"]


class Checkpoint(msgspec.Struct, frozen=True):
    """The head of a log's tree at one size.

    Attributes:
        origin: which log; by convention its URL without the scheme.
        size: how many entries, below 2^63.
        root: 32 bytes.
        extensions: further lines, opaque and not empty; better none.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for line in (self.origin, *self.extensions):
            if not line or min(line) < " " or not _is_text(line):
                raise _malformed("a line is empty, or has control characters")
        if not 0 <= self.size <= MAX_NUMBER or len(self.root) != HASH_BYTES:
            raise _malformed("its size or its root is out of range")
        # c2sp.org/tlog-witness: size zero goes with the root of the empty tree.
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise _malformed("an empty tree has another root")

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """Return the checkpoint in a note's text.

        Raises:
            Malformed: fewer than three lines, an empty line, a size or root of another form, bytes
                that are not UTF-8, or no newline at the end.
        """
        try:
            origin, size, root, *extensions, rest = text.decode().split("\n")
        except UnicodeDecodeError:
            raise _malformed("it is not UTF-8") from None
        except ValueError:
            raise _malformed("it has fewer than three lines") from None
        if rest:
            raise _malformed("its last line does not end")
        return cls(
            origin,
            decimal(size.encode(), what="tree size"),
            from_base64(root.encode(), what="root hash", size=HASH_BYTES),
            tuple(extensions),
        )

    def encode(self) -> bytes:
        """Return the text that is signed, with its final newline."""
        lines = (self.origin, str(self.size), to_base64(self.root).decode(), *self.extensions, "")
        return "\n".join(lines).encode()


class SignedCheckpoint(msgspec.Struct, frozen=True):
    """A checkpoint, and the note that carries it; the two always say the same.

    Attributes:
        checkpoint: what the note's text says. Nothing has been verified.
        note: the text with all signature lines, known and unknown.
    """

    checkpoint: Checkpoint
    note: Note

    def __post_init__(self) -> None:
        if self.checkpoint.encode() != self.note.text:
            raise _malformed("the note is about another checkpoint")

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Return the checkpoint in a signed note.

        Raises:
            Malformed: these bytes are no signed note, or its text is no checkpoint.
            TooLarge: they are more than a note may have.
        """
        note = Note.parse(data)
        return cls(Checkpoint.parse(note.text), note)

    def encode(self) -> bytes:
        """Return the note's bytes."""
        return self.note.encode()

    def with_(self, *lines: SignatureLine) -> Self:
        """Return the checkpoint with more signature lines, such as cosignatures."""
        return type(self)(self.checkpoint, self.note.with_(*lines))


Accept = Callable[[SignedCheckpoint], bool]
"""Whether a checkpoint is one that counts, such as one with a quorum of cosignatures."""


def sign_checkpoint(c: Checkpoint, signer: NoteSigner) -> SignedCheckpoint:
    """Return the checkpoint signed by its log.

    Raises:
        Usage: the signer has another name than the checkpoint's origin.
    """
    if signer.verifier.name != c.origin:
        raise Usage(
            "a log signs checkpoints of its own origin only",
            code="origin_mismatch",
            expected=c.origin,
            got=signer.verifier.name,
        )
    text = c.encode()
    return SignedCheckpoint(c, Note(text, (signer.sign(text),)))


def verify_checkpoint(signed: SignedCheckpoint, key: VerifierKey) -> None:
    """Check that the log of this key signed the checkpoint, and that it is about this log.

    Raises:
        NotAuthentic: code ``log_unknown`` where the checkpoint is of another origin or has no line
            by this key; ``checkpoint_signature`` where any line by it does not hold.
    """
    origin = signed.checkpoint.origin
    # tlog-checkpoint says that the two should be equal, tlog-policy that they must.
    if key.name != origin:
        raise _unknown("it is of another log", expected=key.name, got=origin)
    lines = {line for line in signed.note.signatures if key.owns(line)}
    if not lines:
        raise _unknown("no line is by the log's key", expected=key.text())
    if not all(verify_line(signed.note.text, line, key) for line in lines):
        raise NotAuthentic(
            "the log's signature does not hold for this checkpoint: fetch it again",
            code="checkpoint_signature",
            expected=f"a signature by {key.text()}",
        )


def _is_text(line: str) -> bool:
    try:
        line.encode()
    except UnicodeEncodeError:
        return False
    return True


def _malformed(why: str) -> Malformed:
    return Malformed(f"this is not a checkpoint: {why}", code="checkpoint_malformed")


def _unknown(why: str, *, expected: str, got: str | None = None) -> NotAuthentic:
    return NotAuthentic(
        f"the checkpoint is not by a known log: {why}",
        code="log_unknown",
        expected=expected,
        got=got,
    )
