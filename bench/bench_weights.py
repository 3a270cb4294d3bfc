"""How fast a model is digested, SHA-256 and BLAKE3 in one pass, beside both hashes on bare memory.

Rates are bytes per second. On one core CPU time is measured, on two cores the clock on the wall:
there other work on the machine tells.
"""

from __future__ import annotations

import hashlib
import json
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from blake3 import blake3

from bench.measure import Figure, Row, beside, rate
from teeproof.core.weights import digest_model, load_model, parse_layout

TENSORS = 32
EACH = 4 << 20
SIZE = TENSORS * EACH
PIECE = 256 << 10
RAM = Path("/dev/shm")
LIMIT = "both hashes, one after the other, over bytes in the cache"


def rows() -> Iterator[Row]:
    """Yield the rows."""
    with tempfile.TemporaryDirectory(dir=RAM if RAM.is_dir() else None) as place:
        folder = Path(place) / "model"
        folder.mkdir()
        header = _write(folder)
        yield from _one_core(folder)
        yield from _two_cores(folder)
        yield from _headers(header)


def _write(folder: Path) -> bytes:
    entries = {
        f"layers.{n}.weight": {
            "dtype": "BF16", "shape": [EACH // 2], "data_offsets": [n * EACH, (n + 1) * EACH],
        }
        for n in range(TENSORS)
    }  # fmt: skip
    header = json.dumps(entries).encode()
    data = random.Random(7).randbytes(EACH)
    with open(folder / "model.safetensors", "wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for _ in range(TENSORS):
            file.write(data)
    (folder / "config.json").write_bytes(b"{}")
    return header


def _one_core(folder: Path) -> Iterator[Row]:
    digest, load, sha, blake = (
        rate(figure, SIZE)
        for figure in beside(
            lambda: digest_model(folder, threads=1),
            lambda: load_model(folder, threads=1),
            lambda: _bare(hashlib.sha256()),
            lambda: _bare(blake3()),
            rounds=5,
        )
    )
    limit = Figure(1 / (1 / sha.value + 1 / blake.value), max(sha.noise, blake.noise))
    yield Row("digest a model, 1 core", digest, limit, LIMIT, goal=0.9, unit="1/s")
    yield Row("digest and load it, 1 core", load, limit, LIMIT, unit="1/s")


def _two_cores(folder: Path) -> Iterator[Row]:
    digest, limit = _wall(lambda: digest_model(folder, threads=2), _both_twice)
    what = "the same in two threads, half of the bytes each"
    yield Row(
        "digest a model, 2 cores", rate(digest, SIZE), rate(limit, SIZE), what,
        goal=0.9, unit="1/s",
    )  # fmt: skip


def _headers(header: bytes) -> Iterator[Row]:
    size = 8 + len(header) + SIZE
    ours, limit = beside(lambda: parse_layout(header, file_size=size), lambda: json.loads(header))
    yield Row(f"read a header of {TENSORS} tensors", ours, limit, "the library's JSON alone")


def _bare(digest: object, size: int = SIZE) -> None:
    piece = bytearray(PIECE)
    for _ in range(size // PIECE):
        digest.update(piece)  # type: ignore[attr-defined]


def _both_twice() -> None:
    def half() -> None:
        _bare(hashlib.sha256(), SIZE // 2)
        _bare(blake3(), SIZE // 2)

    other = threading.Thread(target=half)
    other.start()
    half()
    other.join()


def _wall(*works: Callable[[], object], rounds: int = 9) -> tuple[Figure, ...]:
    """Return the seconds on the wall of one call of each, in rounds that alternate."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, found in zip(works, times, strict=True):
            start = time.perf_counter()
            work()
            found.append(time.perf_counter() - start)
    return tuple(Figure(min(t), statistics.median(t) / min(t) - 1) for t in times)
