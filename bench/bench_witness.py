"""How fast a witness cosigns and a monitor follows, beside the bare signatures and hashes."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from bench.measure import Row, beside
from teeproof.core.errors import Unavailable
from teeproof.proof.log.formats.checkpoint import Checkpoint, sign_checkpoint
from teeproof.proof.log.formats.cosignature import Cosigner
from teeproof.proof.log.formats.entry import STATEMENT, Entry
from teeproof.proof.log.formats.merkle import Tree, leaf_hash, node_hash
from teeproof.proof.log.formats.note import NoteSigner, verify_line
from teeproof.proof.log.formats.tiles import TILE_WIDTH, encode_entries, parse_path
from teeproof.proof.log.storage.disk import Disk
from teeproof.proof.monitor.monitor import Monitor
from teeproof.proof.monitor.store import Store
from teeproof.proof.witness.request import AddCheckpoint
from teeproof.proof.witness.witness import Witness

ENTRIES = 50_000
SIGNER = NoteSigner("log.example/bench", bytes(32))
COSIGNER = Cosigner("witness.example/bench", bytes(range(32)))


class Served:
    """A log in memory, as a monitor reads it."""

    name = "memory"

    def __init__(self, size: int) -> None:
        self.entries = [
            Entry(STATEMENT, n.to_bytes(32, "big"), bytes(32)).encode() for n in range(size)
        ]
        self.tree = Tree(map(leaf_hash, self.entries))
        head = Checkpoint(SIGNER.verifier.name, size, self.tree.root())
        self.checkpoint = sign_checkpoint(head, SIGNER).encode()
        self.files: dict[str, bytes] = {}

    def read(self, path: str) -> bytes:
        """Return what lies at a path; it is made once."""
        if path == "checkpoint":
            return self.checkpoint
        if path not in self.files:
            kind, level, index, width = parse_path(path)
            first = index * TILE_WIDTH
            if first + width > self.tree.size >> (8 * level):
                raise Unavailable("there is no such tile", code="tile_missing")
            if kind == "entries":
                self.files[path] = encode_entries(self.entries[first : first + width])
            else:
                nodes = (self.tree.node(8 * level, first + at) for at in range(width))
                self.files[path] = b"".join(nodes)
        return self.files[path]


def rows() -> Iterator[Row]:
    """Yield the rows."""
    folder = Path(tempfile.mkdtemp(dir=os.environ.get("TEEPROOF_BENCH_DISK")))
    try:
        yield _cosign(folder)
        yield _follow(folder)
    finally:
        shutil.rmtree(folder)


def _cosign(folder: Path) -> Row:
    served, times = Served(1000), count(1_780_000_000)
    tree, size = served.tree, 1000
    signed = sign_checkpoint(Checkpoint(SIGNER.verifier.name, size, tree.root()), SIGNER)
    body = AddCheckpoint(size, (), signed).encode()
    witness = Witness.open(folder / "w", COSIGNER, logs=[SIGNER.verifier], now=lambda: next(times))
    witness.add(AddCheckpoint(0, (), signed))
    disk, text, (line,) = Disk(), signed.note.text, signed.note.signatures

    def ours() -> None:
        witness.add(AddCheckpoint.parse(body))

    def bare() -> None:
        assert verify_line(text, line, SIGNER.verifier)
        cosigned = signed.with_(COSIGNER.cosign(text, time=1)).encode()
        disk.place(folder / "bare", cosigned, scratch=folder / "new")
        disk.sync_directory(folder)

    mine, limit = beside(ours, bare)
    witness.close()
    return Row("cosign a checkpoint", mine, limit, "verify, sign, one file replaced and synced")


def _follow(folder: Path) -> Row:
    served, numbers = Served(ENTRIES), count()

    def ours() -> None:
        with Store(folder / f"m{next(numbers)}", origin=SIGNER.verifier.name) as store:
            monitor = Monitor(store, [SIGNER.verifier], served, now=lambda: 1, again=lambda _: ())
            assert monitor.look().size == ENTRIES

    def bare() -> None:
        for entry in served.entries:
            node_hash(leaf_hash(entry), b"")

    mine, limit = beside(ours, bare, rounds=3)
    what = "one leaf hash and one node hash each"
    return Row(f"follow a log of {ENTRIES:,} entries", mine, limit, what)
