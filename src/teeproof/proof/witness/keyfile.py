"""A witness's secret key on disk: one line, as Go's note package writes signer keys.

    PRIVATE+KEY+<name>+<id of the public key>+<base64 of the type and the seed>

The file is readable by its owner alone. It appears whole or not at all, and is never overwritten.

Trusts: the disk, to keep a secret that was never sent anywhere.  Does not trust: other users.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from teeproof.core.errors import Malformed, NotAllowed, Unavailable, Usage
from teeproof.core.reading import read_bounded
from teeproof.proof.log.formats.cosignature import Cosigner
from teeproof.proof.log.formats.note import COSIGNATURE
from teeproof.proof.log.formats.text import from_base64, to_base64
from teeproof.proof.log.formats.vkey import check_name
from teeproof.proof.log.storage.disk import Disk
from teeproof.proof.witness.state import Lock

__all__ = ["FILE_NAME", "create_key", "open_key"]

FILE_NAME = "witness.key"
_PREFIX = "PRIVATE+KEY+"
_LIMIT = 4096
_SEED_BYTES = 32


def open_key(directory: Path) -> Cosigner | None:
    """Return the key that is kept in a directory; None if there is none.

    Raises:
        NotAllowed: other users may read it.
        Malformed: it was changed.
        Unavailable: it cannot be read.
    """
    path = directory / FILE_NAME
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be read: {error.strerror}", code="file_unavailable", got=str(path)
        ) from None
    if stat.S_IMODE(mode) & 0o077:
        raise NotAllowed(
            f"other users can read the witness's key: chmod 600 {path}, or make a new witness",
            code="witness_key_open",
            expected="mode 0600",
            got=f"{stat.S_IMODE(mode):04o}",
        )
    return _parse(read_bounded(path, limit=_LIMIT, what="witness key"))


def create_key(
    directory: Path,
    name: str,
    *,
    disk: Disk | None = None,
    random: Callable[[int], bytes] = os.urandom,
) -> Cosigner:
    """Make a key, keep it, and return it.

    Raises:
        Usage: the directory has one already.
        Malformed: a key cannot have this name.
        Unavailable: the directory cannot be written, or another process uses it.
    """
    path, disk = directory / FILE_NAME, disk or Disk()
    seed = random(_SEED_BYTES)
    cosigner = Cosigner(check_name(name), seed)
    lock = Lock(directory, what="witness")  # two first starts at once make one key
    try:
        if path.exists():
            raise Usage(f"there is a key already: {path}", code="witness_key_exists")
        disk.place(path, _encode(cosigner, seed), scratch=directory / ".key.new", mode=0o600)
        disk.sync_directory(directory)
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be written: {error.strerror}", code="file_unavailable", got=str(path)
        ) from None
    finally:
        lock.close()
    return cosigner


def _encode(cosigner: Cosigner, seed: bytes) -> bytes:
    secret = to_base64(bytes([COSIGNATURE]) + seed).decode()
    key = cosigner.verifier
    return f"{_PREFIX}{key.name}+{key.key_id.hex()}+{secret}\n".encode()


def _parse(data: bytes) -> Cosigner:
    text = data.decode("utf-8", "replace")
    parts = text.removeprefix(_PREFIX).removesuffix("\n").split("+", 2)
    if not text.startswith(_PREFIX) or len(parts) != 3:
        raise _changed("it is not one PRIVATE+KEY line")
    raw = from_base64(parts[2].encode("utf-8", "replace"), what="witness key", size=33)
    if raw[0] != COSIGNATURE:
        raise _changed("it is not a key that cosigns")
    cosigner = Cosigner(check_name(parts[0]), raw[1:])
    if cosigner.verifier.key_id.hex() != parts[1]:
        raise _changed("its id belongs to another name or key")
    return cosigner


def _changed(why: str) -> Malformed:
    return Malformed(
        f"the witness's key file was changed: {why}: restore it from where you keep a copy",
        code="witness_key_malformed",
    )
