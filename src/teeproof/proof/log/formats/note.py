"""Signed notes: text that people can read, and lines that sign it.

c2sp.org/signed-note. A note's bytes are its one encoding.

Trusts: keys that the caller names.  Does not trust: a note's text, before a line of it is checked.
"""

from __future__ import annotations

import re
from typing import Self

import msgspec

from teeproof.core.errors import Malformed, TooLarge, Usage
from teeproof.core.text import legible
from teeproof.proof.log.formats.text import from_base64, to_base64
from teeproof.proof.log.formats.vkey import (
    COSIGNATURE,
    COSIGNATURE_MLDSA,
    ED25519,
    KEY_ID_BYTES,
    VerifierKey,
    check_name,
    ed25519_holds,
    ed25519_pair,
    ed25519_sign,
)

__all__ = [
    "COSIGNATURE",
    "COSIGNATURE_MLDSA",
    "ED25519",
    "MAX_NOTE_BYTES",
    "MAX_SIGNATURES",
    "Note",
    "NoteSigner",
    "SignatureLine",
    "VerifierKey",
    "verify_line",
]

# The specification asks for room for 16 signatures of nearly 5 kB; we give it to 64.
MAX_NOTE_BYTES = 1 << 18
MAX_SIGNATURES = 64

_CONTROL = re.compile(rb"[\x00-\x09\x0b-\x1f]")
_DASH = "— ".encode()


class SignatureLine(msgspec.Struct, frozen=True):
    """One signature under a note: who, by which key, and the signature's bytes."""

    name: str
    key_id: bytes
    signature: bytes

    def encode(self) -> bytes:
        """Return the line, with its newline."""
        return b"%b%b %b\n" % (_DASH, self.name.encode(), to_base64(self.key_id + self.signature))

    @classmethod
    def parse_lines(cls, data: bytes) -> tuple[Self, ...]:
        """Return the lines of a block, in their order; an empty block has none.

        Raises:
            Malformed: a line of another form, or a last line without a newline.
            TooLarge: more than 64 lines or 256 KiB.
        """
        _bounded(data)
        if data.count(b"\n") > MAX_SIGNATURES:
            raise _too_many()
        *lines, rest = data.split(b"\n")
        if rest:
            raise _bad_note("its last line does not end")
        return tuple(cls._parse(line) for line in lines)

    @classmethod
    def _parse(cls, line: bytes) -> Self:
        parts = line.removeprefix(_DASH).split(b" ")
        if not line.startswith(_DASH) or len(parts) != 2:
            raise _bad_note("a signature line is not '— name base64'", got=legible(line[:100]))
        name = check_name(_decoded(parts[0]))
        raw = from_base64(parts[1], what="signature")
        if len(raw) <= KEY_ID_BYTES:
            raise _bad_note("a signature is shorter than its key id")
        return cls(name, raw[:KEY_ID_BYTES], raw[KEY_ID_BYTES:])


class Note(msgspec.Struct, frozen=True):
    """A text and the lines that sign it. Nothing has been verified.

    Attributes:
        text: UTF-8, with its final newline; this is what is signed.
        signatures: in the note's order, unknown and repeated ones included.
    """

    text: bytes
    signatures: tuple[SignatureLine, ...]

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Return the note in these bytes; they are its one encoding.

        Raises:
            Malformed: not UTF-8, a control character, no blank line before the signatures, no
                signature, or a signature line of another form.
            TooLarge: more than 256 KiB or 64 signatures.
        """
        _bounded(data)
        _plain(data)
        text, separator, lines = data.rpartition(b"\n\n")
        if not separator or not lines:
            raise _bad_note("it has no signatures after a blank line")
        return cls(text + b"\n", SignatureLine.parse_lines(lines))

    def encode(self) -> bytes:
        """Return the note's bytes."""
        return b"%b\n%b" % (self.text, b"".join(line.encode() for line in self.signatures))

    def with_(self, *lines: SignatureLine) -> Self:
        """Return the note with more lines; one that it has already is not added again.

        Raises:
            TooLarge: it would have more than 64 lines, and nobody could read it.
        """
        known = dict.fromkeys((*self.signatures, *lines))
        added = tuple(known)[len(set(self.signatures)) :]
        if added and len(self.signatures) + len(added) > MAX_SIGNATURES:
            raise _too_many()
        return type(self)(self.text, self.signatures + added)


class NoteSigner:
    """Signs notes with one Ed25519 key, as a log does.

    Args:
        name: the key's name; for a log, its origin.
        seed: 32 secret bytes.

    Raises:
        Usage: the seed has another length, or the algorithm is not ``ED25519``.
        Malformed: the name is none.
    """

    def __init__(self, name: str, seed: bytes, algorithm: int = ED25519) -> None:
        if algorithm != ED25519:
            raise Usage("a note is signed with Ed25519; a Cosigner cosigns checkpoints")
        public, self._secret = ed25519_pair(seed)
        self.verifier = VerifierKey(name, algorithm, public)

    def sign(self, text: bytes) -> SignatureLine:
        """Return the line that signs a text, which must end in a newline.

        Raises:
            Malformed: what stands there is no note's text.
        """
        if not text.endswith(b"\n"):
            raise _bad_note("its text does not end in a newline")
        _plain(text)
        signature = ed25519_sign(text, self._secret)
        return SignatureLine(self.verifier.name, self.verifier.key_id, signature)


def verify_line(text: bytes, line: SignatureLine, key: VerifierKey) -> bool:
    """Whether a line is by this key, and its Ed25519 signature over the text holds."""
    return (
        key.algorithm == ED25519
        and key.owns(line)
        and ed25519_holds(text, line.signature, key.public_key)
    )


def _plain(data: bytes) -> None:
    if _CONTROL.search(data):
        raise _bad_note("it has a control character: lines end in a newline alone")
    _decoded(data)


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise _bad_note("it is not UTF-8") from None


def _bounded(data: bytes) -> None:
    if len(data) > MAX_NOTE_BYTES:
        raise TooLarge(
            "the note is too long",
            expected=f"at most {MAX_NOTE_BYTES} bytes",
            got=f"{len(data)} bytes",
        )


def _bad_note(why: str, got: str | None = None) -> Malformed:
    return Malformed(f"this is not a signed note: {why}", code="note_malformed", got=got)


def _too_many() -> TooLarge:
    return TooLarge("the note has too many signatures", expected=f"at most {MAX_SIGNATURES}")
