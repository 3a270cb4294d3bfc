"""Sealed files on the host's disk, by digest: nothing is kept there that the host could read.

Trusts: nothing; a file that was changed is not found.  Does not trust: the disk.
"""

from __future__ import annotations

from pathlib import Path

from teeproof.core.digests import parse_named, sha256
from teeproof.core.errors import TooLarge, Unavailable
from teeproof.core.reading import read_bounded
from teeproof.core.writing import PRIVATE, write_file

__all__ = ["MAX_SEALED_BYTES", "Vault"]

MAX_SEALED_BYTES = (4 << 20) + (128 << 10)  # a file of 4 MiB, its tags, the largest header


class Vault:
    """A folder of sealed files.

    Args:
        folder: made if there is none.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def put(self, blob: bytes) -> bytes:
        """Keep a sealed file durably; return its SHA-256.

        Raises:
            TooLarge: more than ``MAX_SEALED_BYTES``.
            Unavailable: the disk did not take it.
        """
        if len(blob) > MAX_SEALED_BYTES:
            raise TooLarge(
                "the sealed file is larger than a pool takes: divide it",
                code="file_too_large",
                expected=f"at most {MAX_SEALED_BYTES} bytes",
                got=f"{len(blob)} bytes",
            )
        digest = sha256(blob)
        write_file(self._path(digest), blob, overwrite=True, mode=PRIVATE)
        return digest

    def get(self, ciphertext: str) -> bytes:
        """Return a sealed file by its ``sha256:…``.

        Raises:
            Unavailable: code ``file_unknown``; it is not there, or no longer what it was.
        """
        digest = parse_named(ciphertext)
        try:
            blob = read_bounded(self._path(digest), limit=MAX_SEALED_BYTES, what="sealed file")
        except (Unavailable, TooLarge):
            blob = b""
        if sha256(blob) != digest:
            raise Unavailable(
                "the host's disk does not have this sealed file, or changed it: send it again",
                code="file_unknown",
                got=ciphertext,
            )
        return blob

    def drop(self, ciphertext: str) -> None:
        """Remove a sealed file, if it is there."""
        self._path(parse_named(ciphertext)).unlink(missing_ok=True)

    def _path(self, digest: bytes) -> Path:
        return self._folder / f"{digest.hex()}.sealed"
