"""Keep a simulator's seed on disk, so that its root stays the same and can be pinned.

The seed is one small file: it is there completely or not at all, and everything follows from it.

Trusts: the file's owner.  Does not trust: other users of the machine, a crash half-way.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from teeproof.core import strictjson
from teeproof.core.errors import Malformed, Unavailable, Usage
from teeproof.core.reading import read_bounded
from teeproof.evidence.simulated.keys import SEED_BYTES

__all__ = ["FILE_NAME", "load_seed", "open_seed"]

FILE_NAME = "seed.json"
_TYPE = "urn:teeproof:simulator:v1"
_FILE_BYTES = 4096


def load_seed(directory: Path) -> bytes:
    """Return the seed that is kept in this directory.

    Raises:
        Unavailable: there is none.
        Usage: others than its owner may read it.
        Malformed: the file is not a simulator's.
    """
    path = directory / FILE_NAME
    raw = read_bounded(path, limit=_FILE_BYTES, what="simulator seed")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise Usage(
            f"others can read the seed: run chmod 600 {path}, or delete it for a new one",
            code="seed_exposed",
            expected="mode 0600",
            got=f"mode {mode:04o}",
        )
    value = strictjson.loads(raw, limit=_FILE_BYTES, what="simulator seed")
    match value:
        case {"type": str(kind), "seed": str(digits)} if kind == _TYPE and _is_seed(digits):
            return bytes.fromhex(digits)
    raise Malformed(f"{path} is not a simulator's seed: delete it for a new one", expected=_TYPE)


def open_seed(directory: Path, *, randomness: Callable[[int], bytes]) -> bytes:
    """Return the seed of this directory; make directory and seed if there is none.

    Any number of processes may do this at once: all get the same seed.

    Raises:
        Unavailable: the directory cannot be made or written.
    """
    if (directory / FILE_NAME).exists():
        return load_seed(directory)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(directory):
            if not (directory / FILE_NAME).exists():
                _write(directory, randomness(SEED_BYTES))
    except OSError as error:
        raise Unavailable(
            f"the simulator cannot keep its seed in {directory}: {error.strerror}",
            code="simulator_unavailable",
        ) from None
    return load_seed(directory)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fchmod(descriptor, 0o700)
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # the system releases it even if we crash
        yield
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(directory: Path, seed: bytes) -> None:
    text = strictjson.dumps({"type": _TYPE, "seed": seed.hex()}, pretty=True) + "\n"
    temporary = directory / f"{FILE_NAME}.new"  # one that a crash left behind is written over
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(directory / FILE_NAME)


def _is_seed(digits: str) -> bool:
    return len(digits) == 2 * SEED_BYTES and not digits.strip("0123456789abcdef")
