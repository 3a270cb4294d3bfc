"""Logs for tests: items, a model of what a log must remember, and a look at every file of it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from teeproof.proof.log.formats import rfc6962
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint, verify_checkpoint
from teeproof.proof.log.formats.tiles import decode_entries, entries_path, tile_path
from teeproof.proof.log.formats.tree import Tree
from teeproof.proof.log.storage.disk import Disk
from teeproof.proof.log.storage.log import Appended, Item, Log

ORIGIN = "log.example/a"
SEED = bytes(range(32))
AUTHORS = [sha256(name).digest() for name in (b"alice", b"bob")]


def item(number: int, *, size: int = 40) -> Item:
    """Return an item that follows from its number."""
    name = sha256(b"%d" % number).digest()
    return Item(
        1 + number % 3, name, AUTHORS[number % 2], name[::-1], (name * (size // 32 + 1))[:size]
    )


class QuickDisk(Disk):
    """A disk that waits for nothing: these tests lose no power."""

    def append(self, descriptor: int, parts: Sequence[bytes], offset: int) -> None:
        self.write(descriptor, parts, offset)

    def sync(self, descriptor: int) -> None:
        pass

    def sync_directory(self, path: Path) -> None:
        pass


def new(directory: Path, *, disk: Disk | None = None) -> Log:
    """Return a new log."""
    return Log.create(directory / "log", origin=ORIGIN, seed=SEED, disk=disk or QuickDisk())


def reopen(directory: Path, **options) -> Log:
    """Open that log."""
    return Log.open(directory / "log", **{"disk": QuickDisk(), **options})


@contextmanager
def fast_folder() -> Iterator[Path]:
    """A folder in memory, where there is one: for tests that bring their own idea of a sync."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=memory if os.access(memory, os.W_OK) else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def crash(log: Log) -> None:
    """End a log's writer as a kill would between two calls: nothing is brought up to date."""
    log._open = False
    if log._background:
        log._background.close()
    log._writing.committer.close()
    log._writing._stack.close()


@dataclass
class Model:
    """What was acknowledged and seen, and must be so for ever."""

    entries: dict[bytes, tuple[Appended, Item]] = field(default_factory=dict)
    checkpoints: dict[int, bytes] = field(default_factory=dict)
    lines: dict[int, set] = field(default_factory=dict)

    def acknowledged(self, items: list[Item], found: list[Appended]) -> None:
        for thing, appended in zip(items, found, strict=True):
            if thing.statement_id in self.entries:
                assert self.entries[thing.statement_id][0] == appended
            self.entries.setdefault(thing.statement_id, (appended, thing))

    def saw(self, signed: SignedCheckpoint) -> None:
        size = signed.checkpoint.size
        assert self.checkpoints.setdefault(size, signed.note.text) == signed.note.text
        assert size >= max(self.checkpoints), "a smaller tree after a larger one"

    def cosigned(self, size: int, lines: list) -> None:
        self.lines.setdefault(size, set()).update(lines)

    def check(self, log: Log) -> None:
        """Check what a log says against what it once said; of many entries, all in the tree."""
        known = list(self.entries.values())
        for appended, thing in known[:-20:7] + known[-20:]:
            assert log.find(thing.statement_id) == appended
            stored = log.stored(appended.index)
            assert (stored.kind, stored.identity) == (thing.kind, thing.identity)
            assert (stored.salt, stored.record) == (appended.salt, thing.record)
            assert appended.index in log.entries_by(thing.identity, start=appended.index, limit=1)
        self.saw(log.checkpoint())
        check_tree(log, self.checkpoints)
        for size, text in self.checkpoints.items():
            if log.size > size - 1 >= 0:
                archived = log.first_checkpoint(size - 1)
                assert archived.note.text == text
                assert self.lines.get(size, set()) <= set(archived.note.signatures)


def check_tree(log: Log, checkpoints: dict[int, bytes]) -> None:
    """Check that tiles and checkpoints are those of the log's entries."""
    signed = log.checkpoint()
    size = signed.checkpoint.size
    verify_checkpoint(signed, log.verifier)
    served = SignedCheckpoint.parse((log.public / "checkpoint").read_bytes())
    assert served == signed
    entries = [log.entry(index) for index in range(size)]
    tree = Tree(rfc6962.leaf_hash(entry) for entry in entries)
    for seen, text in checkpoints.items():
        assert text == SIGNED_TEXT % (seen, rooted(tree, seen))
    check_files(log.public, entries, tree)
    for index in {0, size // 2, size - 1} & set(range(size)):
        assert log.inclusion_proof(index) == tree.inclusion_proof(index)
    for old in checkpoints:
        assert log.consistency_proof(old) == tree.consistency_proof(old)


SIGNED_TEXT = ORIGIN.encode() + b"\n%d\n%b\n"


def rooted(tree: Tree, size: int) -> bytes:
    from base64 import b64encode

    return b64encode(tree.root(size))


def check_files(public: Path, entries: list[bytes], tree: Tree) -> None:
    """Check each tile and bundle that a tree of these entries must have."""
    for first in range(0, len(entries), 256):
        wanted = entries[first : first + 256]
        name = entries_path(first // 256, len(wanted))
        assert decode_entries((public / name).read_bytes()) == wanted
    level, width = 0, len(entries)
    while width:
        for first in range(0, width, 256):
            count = min(256, width - first)
            wanted = b"".join(tree.node(8 * level, first + at) for at in range(count))
            assert (public / tile_path(level, first // 256, count)).read_bytes() == wanted
        level, width = level + 1, width >> 8
