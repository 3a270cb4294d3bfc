"""Who may fill a log: bearer tokens, one line each in a file that only its owner reads.

    # name token
    trainer-1 Xo3q…

A token limits who uses the log's disk. It proves nothing about a record: what an entry is worth
follows from the signatures in it, the log's checkpoint and the witnesses.

Trusts: whoever can read the file.  Does not trust: what a client sends as its token.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from teeproof.core.digests import sha256
from teeproof.core.errors import Malformed, NotAllowed, Unavailable, Usage
from teeproof.core.reading import read_bounded

__all__ = ["Tokens", "create_tokens", "first_token", "load_tokens"]

_MAX_FILE_BYTES = 64 << 10
_LINE = re.compile(r"([A-Za-z0-9._-]{1,64}) ([A-Za-z0-9._~+/=-]{16,256})")
_OTHERS = 0o077
_TOKEN_BYTES = 32


class Tokens:
    """Names by token; only the tokens' SHA-256 is kept.

    Args:
        tokens: by name.
    """

    def __init__(self, tokens: Mapping[str, str]) -> None:
        self._digests = {name: sha256(token.encode()) for name, token in tokens.items()}

    def __repr__(self) -> str:
        """Name the names, and nothing else."""
        return f"Tokens({', '.join(sorted(self._digests))})"

    def name_of(self, header: bytes | None) -> str:
        """Return whose token an ``Authorization`` header carries.

        Digests are compared, each of them, in constant time: the time that an answer takes says
        neither how much of a token is right nor which one.

        Raises:
            NotAllowed: code ``token_missing`` or ``token_wrong``.
        """
        if header is None:
            raise NotAllowed(
                "this needs a token of the log: send Authorization: Bearer TOKEN",
                code="token_missing",
                expected="Authorization: Bearer TOKEN",
            )
        scheme, _, token = header.partition(b" ")
        given = sha256(token)
        found = [name for name, known in self._digests.items() if hmac.compare_digest(known, given)]
        if scheme.lower() != b"bearer" or not found:
            raise NotAllowed(
                "the log does not know this token: ask its operator for one", code="token_wrong"
            )
        return found[0]


def load_tokens(path: Path) -> Tokens:
    """Return the tokens in a file.

    Raises:
        Unavailable: there is no such file.
        Usage: others may read it.
        Malformed: a line is not ``name token``, a name is given twice, or there is no line.
    """
    return Tokens(_read(path))


def first_token(path: Path) -> str:
    """Return the first token of a file, for a client; errors as ``load_tokens``."""
    return next(iter(_read(path).values()))


def create_tokens(
    path: Path, *, name: str = "first", random: Callable[[int], str] = secrets.token_urlsafe
) -> None:
    """Write a file, mode 0600, with one fresh token.

    Raises:
        Unavailable: it is there already, or cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"# name token\n{name} {random(_TOKEN_BYTES)}\n")
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be written: {error.strerror}", code="out_unavailable", got=str(path)
        ) from None


def _read(path: Path) -> dict[str, str]:
    data = read_bounded(path, limit=_MAX_FILE_BYTES, what="file of tokens")
    if path.stat().st_mode & _OTHERS:
        raise Usage(
            f"others may read the tokens in {path}: chmod 600 it, and replace them",
            code="token_file_open",
        )
    found: dict[str, str] = {}
    for line in data.decode("ascii", "replace").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None or match[1] in found:
            raise _malformed(path)  # the line is not shown: it may be a secret
        found[match[1]] = match[2]
    if not found:
        raise _malformed(path)
    return found


def _malformed(path: Path) -> Malformed:
    return Malformed(
        f"{path} is no file of tokens",
        code="token_file_malformed",
        expected="lines of a name, a space, and a token of 16 to 256 characters; names differ",
    )
