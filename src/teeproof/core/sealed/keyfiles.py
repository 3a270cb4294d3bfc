"""Keys in files: one line of text each; a secret one is readable by its owner only."""

from __future__ import annotations

from pathlib import Path

from teeproof.core.errors import Malformed
from teeproof.core.reading import read_bounded
from teeproof.core.sealed.recipients import PrivateRecipient, Recipient
from teeproof.core.writing import PRIVATE, write_file

__all__ = ["MAX_KEY_FILE", "read_key", "read_recipient", "write_key"]

MAX_KEY_FILE = 4096


def write_key(path: Path, key: PrivateRecipient) -> None:
    """Write a secret key to a new file, which only its owner can read; nothing is overwritten.

    Raises:
        Usage: code ``out_taken``. Unavailable: code ``out_unavailable``.
    """
    write_file(path, key.secret_text.encode() + b"\n", overwrite=False, mode=PRIVATE)


def read_key(path: Path) -> PrivateRecipient:
    """Return the key pair whose secret a file holds.

    Raises:
        Malformed: as ``PrivateRecipient.parse``, code ``key_public`` for a public key.
        Usage, Unavailable, TooLarge: as ``read_bounded``.
    """
    text = _line(path)
    if text.startswith("teeproof-seal-") and not text.startswith("teeproof-seal-secret-"):
        raise Malformed(
            f"{path} holds a public key, which opens nothing: name the file with the secret one",
            code="key_public",
        )
    return PrivateRecipient.parse(text)


def read_recipient(path: Path) -> Recipient:
    """Return the recipient whose public key a file holds.

    Raises:
        Malformed: as ``Recipient.parse``.
        Usage, Unavailable, TooLarge: as ``read_bounded``.
    """
    return Recipient.parse(_line(path))


def _line(path: Path) -> str:
    data = read_bounded(path, limit=MAX_KEY_FILE, what="key")
    return data.decode("ascii", "replace").removesuffix("\n").removesuffix("\r")
