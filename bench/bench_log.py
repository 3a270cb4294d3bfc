"""How fast a log acknowledges, publishes and proves, beside the bare disk and the bare hashes.

Times are of the wall clock where the disk is waited for, best of rounds that alternate with the
limit's; the bytes are those that the journal writes, in commits of the same size.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

from bench.measure import Figure, Row, beside
from teeproof.proof.log.formats import rfc6962
from teeproof.proof.log.formats.tree import Tree
from teeproof.proof.log.storage.disk import Disk
from teeproof.proof.log.storage.frames import FRAME_HEAD_BYTES, ROW_BYTES
from teeproof.proof.log.storage.log import Item, Log
from teeproof.proof.log.storage.stored import ENTRY_HEAD_BYTES

Work = Callable[[], object]
RECORD = 800  # bytes: a signed statement in its envelope
COMMIT = 256
SMALL, LARGE = 1_000, 1_000_000
ORIGIN = "log.example/bench"
OPENING = """
import json, resource, sys, time
from pathlib import Path
from teeproof.proof.log.storage.log import Log
start = time.process_time()
if len(sys.argv) > 1:
    with Log.open(Path(sys.argv[1])) as log:
        spent = time.process_time() - start
        log.inclusion_proof(log.size - 1)
else:
    spent = 0.0
peak = [line for line in open("/proc/self/status") if line.startswith("VmHWM")][0].split()[1]
print(json.dumps([spent, int(peak) * 1024]))
"""


def rows() -> Iterator[Row]:
    """Yield the rows."""
    folder = Path(tempfile.mkdtemp(dir=os.environ.get("TEEPROOF_BENCH_DISK")))
    try:
        with Log.create(folder / "small", origin=ORIGIN) as log:
            yield from _durable(log, folder)
        yield from _growth(folder)
    finally:
        shutil.rmtree(folder)


def _durable(log: Log, folder: Path) -> Iterator[Row]:
    disk, descriptor = Disk(), os.open(folder / "raw", os.O_RDWR | os.O_CREAT)
    end = 0

    def raw(commits: int, size: int) -> Callable[[], Work]:
        def made() -> Work:
            content = os.urandom(_frame_bytes(size))
            return lambda: run(commits, content)

        return made

    def run(commits: int, content: bytes) -> None:
        nonlocal end
        for _ in range(commits):
            disk.write(descriptor, [content], end)
            os.fdatasync(descriptor)
            end += len(content)

    def ours(count: int) -> Callable[[], Work]:
        def made() -> Work:
            items = _items(count)
            return lambda: log.append_many(items)

        return made

    what = "write + fdatasync of the same bytes, 256 at once"
    stream, limit = 64 * COMMIT, raw(64, COMMIT)
    found = _wall(ours(stream), limit, per=stream)
    yield Row("durable append, 256 a commit, as a stream", *found, what, goal=0.8)
    found = _wall(ours(stream), limit, per=stream, rounds=5, clock=time.process_time)
    yield Row("processor time of that stream, an entry", *found, what)
    found = _wall(ours(COMMIT), raw(1, COMMIT), per=COMMIT, rounds=60)
    yield Row("the same, each commit awaited before the next is made", *found, what)
    found = _wall(ours(1), raw(1, 1), per=1, rounds=300)
    yield Row("durable append, one a commit", *found, "write + fdatasync of the same bytes")
    os.close(descriptor)


def _frame_bytes(records: int) -> int:
    """Return what one commit takes in the journal."""
    return FRAME_HEAD_BYTES + records * (ROW_BYTES + ENTRY_HEAD_BYTES + RECORD)


def _growth(folder: Path) -> Iterator[Row]:
    figures = {}
    for size in (SMALL, LARGE):
        with Log.create(folder / str(size), origin=ORIGIN) as log:
            _fill(log, size)
            figures[size] = _costs(log)
    for name, small in figures[SMALL].items():
        what = f"the same at {SMALL:,} entries"
        yield Row(f"{name}, at {LARGE:,} entries", figures[LARGE][name], small, what)
    tree = Tree(sha256(b"%d" % at).digest() for at in range(LARGE))
    places = iter(range(0, LARGE, 7))
    (floor,) = beside(lambda: tree.inclusion_proof(next(places)))
    yield Row(
        "inclusion proof from tiles, at 1,000,000 entries",
        figures[LARGE]["inclusion proof"],
        floor,
        "from a tree in memory",
        goal=0.8,
    )
    bare, small, large = (_opened(folder, size) for size in (None, SMALL, LARGE))
    yield Row("open a log of 1,000,000 entries", large[0], small[0], "one of 1,000", at_most=0.3)
    yield Row("peak memory of it", large[1], bare[1], "its imports alone", unit="B")


def _costs(log: Log) -> dict[str, Figure]:
    """Return seconds per entry of each step, at the size that the log has."""
    appended, published, single = [], [], []
    for _ in range(5):
        items = _items(4 * COMMIT)
        appended.append(_seconds(lambda items=items: log.append_many(items)) / len(items))
        published.append(_seconds(log.publish) / len(items))
        log.append_many(_items(1))
        single.append(_seconds(log.publish))
    size = log.published_size
    places = iter(range(1 << 40))
    (proof,) = beside(lambda: log.inclusion_proof(size - 1 - next(places) % 512))
    checked = rfc6962.leaf_hash(log.entry(5))
    rfc6962.verify_inclusion(
        checked, index=5, size=size, proof=log.inclusion_proof(5), root=_root(log)
    )
    return {
        "append in commits of 256, an entry": Figure(min(appended), 0),
        "publish 1,024 entries, an entry": Figure(min(published), 0),
        "publish one entry": Figure(min(single), 0),
        "inclusion proof": proof,
    }


def _fill(log: Log, size: int) -> None:
    while log.size < size:
        log.append_many(_items(min(size - log.size, 1 << 15), record=64))
        log.publish()


def _root(log: Log) -> bytes:
    return log.checkpoint().checkpoint.root


def _items(count: int, *, record: int = RECORD) -> list[Item]:
    ids = os.urandom(32 * count)
    content, author = os.urandom(record), bytes(32)
    return [Item(1, ids[32 * at : 32 * at + 32], author, author, content) for at in range(count)]


def _opened(folder: Path, size: int | None) -> tuple[Figure, Figure]:
    words = [sys.executable, "-c", OPENING, *([folder / str(size)] if size else [])]
    runs = [
        json.loads(subprocess.run(words, capture_output=True, check=True).stdout) for _ in range(3)
    ]
    return tuple(Figure(min(values), 0) for values in zip(*runs, strict=True))


def _seconds(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    start = clock()
    work()
    return clock() - start


def _wall(
    *works: Callable[[], Work],
    per: int,
    rounds: int = 10,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[Figure, ...]:
    """Return the seconds of each, in rounds that alternate, for one of ``per``.

    What is called returns the work: what it makes first is in the processor's caches, as what a
    caller has just signed is, and making it is not measured.
    """
    times: list[list[float]] = [[] for _ in works]
    for _ in range(rounds + 1):
        for make, found in zip(works, times, strict=True):
            found.append(_seconds(make(), clock) / per)
    return tuple(_best(found[1:]) for found in times)


def _best(found: list[float]) -> Figure:
    return Figure(min(found), sorted(found)[len(found) // 2] / min(found) - 1)
