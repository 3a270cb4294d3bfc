"""A log's directory: what lies where, who may write, and the blobs beside the log.

    log.json     origin and public key; written last, so a directory without it is no log
    key          the Ed25519 seed, 32 bytes, for its owner only
    lock         held by the one writer
    journal/     segments: entries with salts and envelopes, checkpoints, cosignatures
    index.sqlite derived from the journal
    blobs/       <first two hex digits>/<sha256>
    tmp/         files that are not done
    public/      what may be served: checkpoint, tile/, tile/entries/

Others may pass through the directory to ``public/``, and read nothing else but ``log.json``.

Trusts: the owner of the directory.  Does not trust: what it reads back.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from teeproof.core import strictjson
from teeproof.core.digests import framed_sha256, named, parse_named, sha256
from teeproof.core.errors import Error, TooLarge, Unavailable, Usage
from teeproof.core.reading import read_bounded
from teeproof.proof.log.formats.note import NoteSigner, VerifierKey
from teeproof.proof.log.storage.disk import PUBLIC, PUBLIC_FOLDER, Disk, keep_private, others_may
from teeproof.proof.log.storage.faults import corrupt, refused

__all__ = ["MAX_BLOB_BYTES", "Directory"]

MAX_BLOB_BYTES = 64 << 20
SEED_BYTES = 32
_VERSION = 1
_PRIVATE = ("journal", "blobs", "tmp")
_FOLDERS = (*_PRIVATE, "public")
_FILES = ("key", "lock")
_DATABASES = ("index.sqlite", "links.db")
_PASSED = 0o711  # of the directory: others know names in it, or do not


class Directory:
    """The places in one log's directory.

    Args:
        path: the directory.
        disk: where writes go.
    """

    def __init__(self, path: Path, disk: Disk) -> None:
        self.path, self.disk = path, disk
        self.journal, self.public = path / "journal", path / "public"
        self.blobs, self.scratch = path / "blobs", path / "tmp"
        self.index = path / "index.sqlite"
        self._about, self._key, self._lock = path / "log.json", path / "key", path / "lock"

    def prepare(self, seed: bytes) -> None:
        """Make the folders and the key; ``finish`` makes it a log.

        Raises:
            Usage: code ``log_exists``; the directory is a log already, or holds other things.
            Unavailable: code ``log_disk``.
        """
        self._require_free()
        try:
            for name in (*_FOLDERS, *_FILES):
                self.disk.remove(self.path / name)
            self.disk.make_directories(self.path.parent, mode=PUBLIC_FOLDER)
            self.disk.make_directories(self.path, mode=_PASSED)
            for name in _PRIVATE:
                self.disk.make_directories(self.path / name)
            self.disk.make_directories(self.public, mode=PUBLIC_FOLDER)
            self.disk.place(self._key, seed, scratch=self.scratch / "key", mode=0o600)
        except OSError as error:
            raise refused("the log cannot be made", self.path, error) from None

    def finish(self, key: VerifierKey) -> None:
        """Say whose log it is; from now on it is one."""
        about = {"version": _VERSION, "origin": key.name, "key": key.text()}
        text = strictjson.dumps(about, pretty=True) + "\n"
        try:
            scratch = self.scratch / "log.json"
            self.disk.place(self._about, text.encode(), scratch=scratch, mode=PUBLIC)
            self.disk.sync_directory(self.path)
        except OSError as error:
            raise refused("the log cannot be made", self.path, error) from None

    def key(self) -> VerifierKey:
        """Return the log's public key, whose name is its origin.

        Raises:
            Unavailable: code ``log_missing``; this is no log.
            NotAuthentic: code ``log_corrupt``; ``log.json`` is damaged.
        """
        if not self._about.is_file():
            raise Unavailable(
                "there is no log here: make one, or name its directory",
                code="log_missing",
                got=str(self.path),
            )
        try:
            raw = strictjson.loads(read_bounded(self._about, limit=4096), limit=4096)
            about = msgspec.convert(raw, type=_About)
            key = VerifierKey.parse(about.key)
        except (Error, msgspec.ValidationError) as error:
            raise corrupt("log.json cannot be read", got=str(error)[:200]) from None
        if about.version != _VERSION or about.origin != key.name:
            raise corrupt("log.json is of another version, or has the key of another log")
        return key

    def signer(self) -> NoteSigner:
        """Return what signs checkpoints.

        Raises:
            NotAuthentic: code ``log_corrupt``; the secret key is not that of ``log.json``.
        """
        key = self.key()
        signer = NoteSigner(key.name, read_bounded(self._key, limit=SEED_BYTES, what="log key"))
        if signer.verifier != key:
            raise corrupt("the secret key is another one than log.json names", expected=key.text())
        return signer

    @staticmethod
    def name(key: VerifierKey) -> bytes:
        """Return 32 bytes that name the log in its journal."""
        return framed_sha256("teeproof.log.v1", key.text().encode())

    def lock(self) -> int:
        """Become the one writer; closing the descriptor ends it.

        Raises:
            Unavailable: code ``log_locked``; another process, or another part of this one, writes.
        """
        try:
            descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise refused("the log cannot be locked", self.path, error) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise Unavailable(
                "another process writes to this log: stop it, or open the log read-only",
                code="log_locked",
                got=str(self.path),
            ) from None
        return descriptor

    def mend(self) -> None:
        """Take the rights to the private parts from others who have them, as after a restore.

        What is in a private folder is out of reach then; ``tokens`` are held to it where they are
        loaded.

        Raises:
            Unavailable: code ``log_disk``; the directory belongs to another user.
        """
        try:
            for path, allowed in self._guarded():
                keep_private(path, others=allowed)
        except OSError as error:
            raise refused("others may use the log's files", self.path, error) from None

    def exposed(self) -> tuple[str, ...]:
        """Return what others may use and should not, the key first; ``.`` is the directory."""
        return tuple(
            str(path.relative_to(self.path))
            for path, allowed in self._guarded()
            if others_may(path) & ~allowed
        )

    def _guarded(self) -> Iterator[tuple[Path, int]]:
        """Yield what others must keep out of, and the rights that they may have."""
        for name in (*_FILES, *_PRIVATE):
            yield self.path / name, 0
        for name in _DATABASES:
            for end in ("", "-wal", "-shm"):
                yield self.path / f"{name}{end}", 0
        for folder in (self.path, self.public):
            yield folder, 0o055

    def tidy(self) -> None:
        """Remove files that were not done when the last writer ended.

        Folders that may be empty are made anew: copies by file leave them out.
        """
        try:
            self.disk.make_directories(self.scratch)
            self.disk.make_directories(self.public, mode=PUBLIC_FOLDER)
            for path in self.scratch.iterdir():
                self.disk.remove(path)
        except OSError as error:
            raise refused(
                "the folder for files that are not done cannot be used", self.scratch, error
            ) from None

    def put_blob(self, data: bytes) -> str:
        """Store a blob and return its digest; it is durable when this returns.

        Raises:
            TooLarge: more than ``MAX_BLOB_BYTES``.
            Unavailable: code ``log_disk``.
        """
        if len(data) > MAX_BLOB_BYTES:
            raise TooLarge("the blob is too large", expected=f"at most {MAX_BLOB_BYTES} bytes")
        digest = named(sha256(data))
        path = self._blob(digest)
        try:
            self.disk.make_directories(path.parent)
            if not path.is_file() or path.read_bytes() != data:
                scratch = self.scratch / f"{path.name}.{os.urandom(4).hex()}"
                self.disk.place(path, data, scratch=scratch)
            self.disk.sync_directory(path.parent)  # also where it was there: its name may be new
        except OSError as error:
            raise refused("the blob cannot be stored", path, error) from None
        return digest

    def blob(self, digest: str) -> bytes:
        """Return a blob.

        Raises:
            Malformed: the digest is none.
            Unavailable: code ``blob_unknown``; there is no such blob.
            NotAuthentic: code ``log_corrupt``; it was changed.
        """
        path = self._blob(digest)
        if not path.is_file():
            raise Unavailable("the log has no such blob", code="blob_unknown", got=digest)
        data = read_bounded(path, limit=MAX_BLOB_BYTES, what="blob")
        if named(sha256(data)) != digest:
            raise corrupt("a blob has another digest", expected=digest, got=named(sha256(data)))
        return data

    def _blob(self, digest: str) -> Path:
        name = parse_named(digest).hex()
        return self.blobs / name[:2] / name

    def _require_free(self) -> None:
        if not self.path.exists():
            return
        names = {path.name for path in self.path.iterdir()} if self.path.is_dir() else {""}
        if self._about.exists() or names - {*_FOLDERS, *_FILES}:
            raise Usage(
                "this is a log already, or holds other things: name a new directory",
                code="log_exists",
                got=str(self.path),
            )


class _About(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    origin: str
    key: str
