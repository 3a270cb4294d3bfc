"""The key that signs verdicts: Ed25519, in a file of one line that its owner alone can read.

    teeproof-verdict-secret-<64 hex digits>     the seed
    teeproof-verdict-<64 hex digits>            the public key, for whoever relies on the verdicts

It signs EARs and verification summaries and nothing else, as the role ``verdict`` of a key document
does (``proof.keys``).

Trusts: the disk, to keep a secret.  Does not trust: other users of the machine.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from teeproof.core.errors import Malformed, NotAllowed
from teeproof.core.reading import read_bounded
from teeproof.core.writing import PRIVATE, write_file
from teeproof.proof import points, signing

__all__ = [
    "PUBLIC",
    "SECRET",
    "VerdictKey",
    "parse_public",
    "parse_secret",
    "read_public",
    "read_secret",
    "write_secret",
]

SECRET = "teeproof-verdict-secret-"  # noqa: S105  a prefix
PUBLIC = "teeproof-verdict-"
_LIMIT = 4096
_DIGITS = 64


class VerdictKey:
    """A key pair.

    Args:
        seed: 32 secret bytes.
    """

    def __init__(self, seed: bytes) -> None:
        self._seed = seed

    @classmethod
    def new(cls, *, random: Callable[[int], bytes] = os.urandom) -> VerdictKey:
        """Return a fresh key; Unavailable if the random source gives none."""
        return cls(signing.draw("ed25519", random))

    def __repr__(self) -> str:
        """Name the public half alone."""
        return f"VerdictKey({self.public.hex()})"

    @cached_property
    def public(self) -> bytes:
        """The public key, 32 bytes."""
        return signing.public_key("ed25519", self._seed)

    @cached_property
    def expanded(self) -> bytes:
        """What ``signing.sign_ed25519`` signs with, 64 bytes; secret."""
        return signing.expand_ed25519(self._seed)

    @property
    def text(self) -> str:
        """The public half as one line of text."""
        return PUBLIC + self.public.hex()

    def write(self, path: Path) -> None:
        """Write the secret half to a new file; see ``write_secret``."""
        write_secret(path, self._seed)


def write_secret(path: Path, seed: bytes) -> None:
    """Write a seed to a new file that its owner alone can read; nothing is overwritten.

    Raises:
        Usage: code ``out_taken``. Unavailable: code ``out_unavailable``.
    """
    write_file(path, f"{SECRET}{seed.hex()}\n".encode(), overwrite=False, mode=PRIVATE)


def read_secret(path: Path) -> VerdictKey:
    """Return the key whose secret half a file holds.

    Raises:
        NotAllowed: code ``key_open``: others can read the file.
        Malformed: codes ``key_public`` (it holds the public half) and ``verdict_key_malformed``.
        Usage, Unavailable, TooLarge: as ``read_bounded``.
    """
    text = _line(path)
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise NotAllowed(
            f"others can read the verdict key: chmod 600 {path}, or make a new one",
            code="key_open",
            expected="mode 0600",
            got=f"{mode:04o}",
        )
    if text.startswith(PUBLIC) and not text.startswith(SECRET):
        raise Malformed(
            f"{path} holds a public key, which signs nothing: name the file with the secret one",
            code="key_public",
        )
    return parse_secret(text)


def parse_secret(text: str) -> VerdictKey:
    """Return the key that a line of secret text stands for; Malformed if it is none."""
    return VerdictKey(_digits(text, SECRET))


def read_public(path: Path) -> bytes:
    """Return the public key in a file, 32 bytes; of a secret key its public half.

    Raises:
        Malformed: code ``verdict_key_malformed``.
        Usage, Unavailable, TooLarge: as ``read_bounded``.
    """
    text = _line(path)
    if text.startswith(SECRET):
        return parse_secret(text).public
    return parse_public(text)


def parse_public(text: str) -> bytes:
    """Return the public key that a line of text stands for; Malformed if none, or a weak one."""
    key = _digits(text, PUBLIC)
    if not points.is_valid("ed25519", key):
        raise _malformed("a key that one party alone can sign with", text)
    return key


def _digits(text: str, prefix: str) -> bytes:
    digits = text.removeprefix(prefix)
    if digits == text or len(digits) != _DIGITS or digits.strip("0123456789abcdef"):
        shown = "a secret key" if text.startswith(SECRET) else text
        raise _malformed(f"{prefix} and {_DIGITS} lower-case hex digits", shown)
    return bytes.fromhex(digits)


def _line(path: Path) -> str:
    data = read_bounded(path, limit=_LIMIT, what="key")
    return data.decode("ascii", "replace").removesuffix("\n").removesuffix("\r")


def _malformed(expected: str, got: str) -> Malformed:
    return Malformed(
        "this is not a verdict key: teeproof keys new FILE --verdict makes one",
        code="verdict_key_malformed",
        expected=expected,
        got=ascii(got[:100]),
    )
