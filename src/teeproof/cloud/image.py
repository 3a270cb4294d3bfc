"""The code that runs: a folder that is measured file by file before anything in it is started.

What is started is a private copy, which is measured itself: who can write to the folder changes
the digest, or nothing.

Beside the sources it holds ``libraries.json``: which libraries the machine has, by version and by
the digest of what their installer recorded. The digest of all of it is the image in the manifest.

What that does not cover: a library whose files were edited after they were installed, and Python
and the system below. In dstack the operating system's image is measured too; here that part of the
machine is simulated, and a policy pins what it says.

Trusts: who takes the snapshot.  Does not trust: whoever can write to the folder afterwards.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import marshal
import os
import platform
import shutil
import stat
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from teeproof import core
from teeproof.cloud.scratch import scratch
from teeproof.core.digests import framed_sha256, named, sha256
from teeproof.core.errors import Malformed, NotAuthentic, TooLarge, Unavailable
from teeproof.core.reading import read_bounded

__all__ = ["BYTECODE", "LIBRARIES", "Image", "Loaded"]

LIBRARIES = "libraries.json"
BYTECODE = "__pycache__"
_MAX_FILES = 10_000
_MAX_BYTES = 256 << 20
_IGNORED = shutil.ignore_patterns(BYTECODE)
_UNCHECKED = 0b01  # PEP 552: a pyc with a hash that is not compared when it is loaded


class Loaded(NamedTuple):
    """A private copy of an image, with bytecode beside the sources.

    Attributes:
        folder: what is mounted.
        digest: ``sha256:…`` of the copy's sources.
    """

    folder: Path
    digest: str


class Image:
    """A measured folder of code; make one with ``snapshot``, or open one that was made.

    Attributes:
        folder: where it lies.
        digest: ``sha256:…`` of it, as it was when this object was made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.digest = self.measure(folder)
        self._loaded: Loaded | None = None
        self._one_at_a_time = threading.Lock()

    def __repr__(self) -> str:
        """Name the digest."""
        return f"Image({self.digest[:23]}…)"

    @classmethod
    def snapshot(cls, folder: Path, *, extra: Mapping[str, Path] | None = None) -> Image:
        """Copy the installed package below a folder, once for the same content, and measure it.

        Args:
            folder: where images are kept, each by its digest.
            extra: further files, by their place in the image: modules of somebody's own.

        Raises:
            Unavailable: a file cannot be read or written.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder))
            try:
                _copy(draft, extra or {})
                place = folder / cls.measure(draft).removeprefix("sha256:")
                if not place.exists():
                    draft.replace(place)
                    place.chmod(0o755)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        except OSError as error:
            raise Unavailable(
                f"no image of the code can be made in {folder}: {error.strerror}",
                code="image_unavailable",
            ) from None
        return cls(place)

    @staticmethod
    def measure(folder: Path) -> str:
        """Return ``sha256:…`` over the sorted paths and digests of all files.

        Bytecode is left out: it is made anew from what was measured (``load``).

        Raises:
            Malformed: something in it is neither file nor folder. TooLarge: it is too large.
        """
        parts: list[bytes] = []
        for name, path in _files(folder):
            with open(path, "rb") as file:
                parts += name.encode(), hashlib.file_digest(file, "sha256").digest()
        return named(framed_sha256("teeproof.image.v1", *parts))

    def load(self) -> Loaded:
        """Return a private copy of what lies in the folder now; the same for the same content.

        Raises:
            NotAuthentic: code ``libraries_changed``; this machine's libraries are not those of the
                image.
            Unavailable: it cannot be copied.
        """
        with self._one_at_a_time:
            if self._loaded is None or self._loaded.digest != self.measure(self.folder):
                self._loaded = _load(self.folder)
        return self._loaded


def _load(folder: Path) -> Loaded:
    code = scratch() / "code"
    try:
        shutil.copytree(folder, code, copy_function=shutil.copyfile, ignore=_IGNORED)
        listed = read_bounded(code / LIBRARIES, limit=_MAX_BYTES, what="list of libraries")
    except (OSError, shutil.Error) as error:
        raise Unavailable(
            f"the image in {folder} cannot be read: {error}", code="image_unavailable"
        ) from None
    if listed != _libraries():
        raise NotAuthentic(
            "this machine has other libraries than the image names: take another snapshot",
            code="libraries_changed",
            expected=named(sha256(listed)),
            got=named(sha256(_libraries())),
        )
    digest = Image.measure(code)
    _compile(code)
    _open_to_read(code)
    return Loaded(code, digest)


def _copy(place: Path, extra: Mapping[str, Path]) -> None:
    package = Path(core.__file__).parent.parent
    shutil.copytree(package, place / "teeproof", ignore=_IGNORED, copy_function=shutil.copyfile)
    for name, path in extra.items():
        target = place / name
        if not target.resolve().is_relative_to(place.resolve()) or target.exists():
            raise Malformed("this name has no place in an image", got=name[:200])
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    (place / LIBRARIES).write_bytes(_libraries())


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    found: list[tuple[str, Path]] = []
    size = 0
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != BYTECODE]
        for name in (*folders, *names):
            path = Path(root, name)
            status = path.lstat()
            if stat.S_ISDIR(status.st_mode):
                continue
            if not stat.S_ISREG(status.st_mode):
                raise Malformed(
                    "an image holds files and folders only", code="image_irregular", got=name[:100]
                )
            size += status.st_size
            found.append((path.relative_to(folder).as_posix(), path))
    if len(found) > _MAX_FILES or size > _MAX_BYTES:
        raise TooLarge(
            "the image is too large",
            expected=f"at most {_MAX_FILES} files and {_MAX_BYTES} bytes",
            got=f"{len(found)} files and {size} bytes",
        )
    return iter(sorted(found))


def _compile(folder: Path) -> None:
    """Write the bytecode of each source: a workload that had to make its own would start late."""
    for name, path in _files(folder):
        if path.suffix != ".py":
            continue
        source = path.read_bytes()
        try:
            code = compile(source, f"/code/{name}", "exec", dont_inherit=True, optimize=0)
        except (SyntaxError, ValueError):
            continue  # whoever imports it learns why
        target = Path(importlib.util.cache_from_source(str(path)))
        target.parent.mkdir(exist_ok=True)
        flags = _UNCHECKED.to_bytes(4, "little")
        head = importlib.util.MAGIC_NUMBER + flags + importlib.util.source_hash(source)
        target.write_bytes(head + marshal.dumps(code))


def _open_to_read(folder: Path) -> None:
    """Let the workload's user read; the folder around it stays private."""
    for root, _, names in os.walk(folder):
        Path(root).chmod(0o755)
        for name in names:
            Path(root, name).chmod(0o444)


@lru_cache(maxsize=1)
def _libraries() -> bytes:
    """Return the machine's Python and its libraries, as JSON."""
    found = {}
    for folder in sorted({path for path in map(Path, sys.path) if path.name == "site-packages"}):
        for record in folder.glob("*.dist-info/RECORD"):
            name = record.parent.name.removesuffix(".dist-info")
            if not name.startswith("teeproof-"):  # it is in the image itself
                found[name] = named(sha256(record.read_bytes()))
    value = {"python": platform.python_version(), "libraries": dict(sorted(found.items()))}
    return json.dumps(value, indent=1).encode()
