"""How fast files are sealed and opened, beside the library's AES-256-GCM with the same reads.

Rates are bytes per second. On one core CPU time is measured, on two cores the clock on the wall:
there other work on the machine tells. A null target takes bytes and keeps none.
"""

from __future__ import annotations

import io
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench.measure import Figure, Row, beside, commands, rate
from teeproof.core import sealed
from teeproof.core.sealed.segments import FIRST_PLAIN, PLAIN

SIZE = FIRST_PLAIN + 127 * PLAIN
KEY = sealed.PrivateRecipient(sealed.X25519, bytes(range(32)))
TO = [KEY.public]
CIPHER = AESGCM(bytes(32))
NONCE = bytes(12)
SEGMENT = 1 << 20
RAM = Path("/dev/shm")
PROGRAM = Path(sys.executable).with_name("teeproof")


class Null(io.RawIOBase):
    """Takes everything."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return len(data)


def rows() -> Iterator[Row]:
    """Yield the rows."""
    plain = random.Random(7).randbytes(SIZE)
    target = io.BytesIO()
    sealed.seal(io.BytesIO(plain), target, recipients=TO)
    file = target.getvalue()
    with tempfile.TemporaryDirectory(dir=RAM if RAM.is_dir() else None) as folder:
        (Path(folder) / "plain").write_bytes(plain)
        (Path(folder) / "sealed").write_bytes(file)
        yield from _cores(Path(folder), len(file))
        yield from _files(Path(folder))
        yield from _processes(Path(folder), plain)
    yield from _ranges(file)
    yield from _keys()


def _cores(folder: Path, size: int) -> Iterator[Row]:
    for cores, measure in ((1, beside), (2, _wall)):
        many = f"{cores} core{'s'[: cores - 1]}"
        seal, open_ = _ours(folder, cores)
        raw_seal, raw_open = _library(folder, size, cores)
        found = measure(seal, raw_seal, open_, raw_open, lambda cores=cores: _raw(cores))
        ours, limit, ours_open, limit_open, bare = (rate(figure, SIZE) for figure in found)
        what = "the library's AES-256-GCM, same reads"
        yield Row(f"seal, {many}", ours, limit, what, goal=0.9, unit="1/s")
        yield Row(f"open, {many}", ours_open, limit_open, what, goal=0.9, unit="1/s")
        bare_is = "AES-256-GCM on one buffer again and again, nothing read"
        yield Row(f"seal, {many}", ours, bare, bare_is, unit="1/s")


def _ours(folder: Path, threads: int) -> tuple[Callable[[], object], ...]:
    def seal() -> None:
        with open(folder / "plain", "rb", buffering=0) as source:
            sealed.seal(source, Null(), recipients=TO, threads=threads)

    def open_() -> None:
        with open(folder / "sealed", "rb", buffering=0) as source:
            sealed.open_stream(source, Null(), key=KEY, threads=threads)

    return seal, open_


def _library(folder: Path, size: int, threads: int) -> tuple[Callable[[], object], ...]:
    """Return what a program would do that knows of no format: read, encrypt, forget.

    Its ciphertext begins at the same odd place as ours: where a read begins costs, or saves, time.
    """
    before, count = size % SEGMENT, SIZE // PLAIN // threads
    one = CIPHER.encrypt(NONCE, bytes(PLAIN), None)
    (folder / "ciphertext").write_bytes(bytes(before) + one * (size // SEGMENT))

    def part(number: int, name: str, work: Callable[..., object], read: int, made: int) -> None:
        buffer, target = bytearray(read), bytearray(made)
        with open(folder / name, "rb", buffering=0) as source:
            source.seek(SIZE % PLAIN * (read == PLAIN) + before * (read == SEGMENT))
            source.seek(number * count * read, io.SEEK_CUR)
            for _ in range(count):
                source.readinto(buffer)
                work(NONCE, buffer, None, target)

    def each(*arguments: Any) -> None:
        _together([lambda n=n: part(n, *arguments) for n in range(threads)])

    def seal() -> None:
        each("plain", CIPHER.encrypt_into, PLAIN, SEGMENT)

    def open_() -> None:
        each("ciphertext", CIPHER.decrypt_into, SEGMENT, PLAIN)

    return seal, open_


def _raw(threads: int) -> None:
    def work() -> None:
        buffer, target = bytearray(PLAIN), bytearray(SEGMENT)
        for _ in range(SIZE // PLAIN // threads):
            CIPHER.encrypt_into(NONCE, buffer, None, target)

    _together([work] * threads)


def _together(works: list[Callable[[], object]]) -> None:
    threads = [threading.Thread(target=work) for work in works[1:]]
    for thread in threads:
        thread.start()
    works[0]()
    for thread in threads:
        thread.join()


def _files(folder: Path) -> Iterator[Row]:
    def through(name: str, work: Callable[[Any, Any], object]) -> Callable[[], None]:
        def run() -> None:
            with (
                open(folder / name, "rb", buffering=0) as source,
                open(folder / "out", "wb", buffering=0) as target,
            ):
                work(source, target)

        return run

    def library(source: Any, target: Any) -> None:
        buffer, made = bytearray(PLAIN), bytearray(SEGMENT)
        while source.readinto(buffer) == PLAIN:
            CIPHER.encrypt_into(NONCE, buffer, None, made)
            target.write(made)

    def copy(source: Any, target: Any) -> None:
        buffer = bytearray(SEGMENT)
        while source.readinto(buffer):
            target.write(buffer)

    found = beside(
        through("plain", lambda s, t: sealed.seal(s, t, recipients=TO, threads=1)),
        through("sealed", lambda s, t: sealed.open_stream(s, t, key=KEY, threads=1)),
        through("plain", library),
        through("plain", copy),
    )
    seal, open_, limit, copied = (rate(figure, SIZE) for figure in found)
    what = "the library's AES-256-GCM, same reads and writes"
    yield Row("seal, file to file in RAM, 1 core", seal, limit, what, goal=0.9, unit="1/s")
    yield Row("open, file to file in RAM, 1 core", open_, limit, what, goal=0.9, unit="1/s")
    yield Row("seal, file to file in RAM, 1 core", seal, copied, "copying the file", unit="1/s")


def _processes(folder: Path, plain: bytes) -> Iterator[Row]:
    """Yield the memory of the command: the same for a small file and for one of 1 GiB."""
    (folder / "to").write_text(KEY.public.text)
    (folder / "small").write_bytes(plain[: 8 << 20])
    with open(folder / "large", "wb") as large:
        large.truncate(1 << 30)

    def line(name: str) -> list[str | Path]:
        words = [PROGRAM, "seal", folder / name, "--to", folder / "to", "--force"]
        return [*words, "-o", folder / "out"]

    large_one, small_one = commands([line("large"), line("small")], rounds=2)
    yield Row("memory of sealing 1 GiB", large_one.memory, small_one.memory, "8 MiB", unit="B")


def _ranges(file: bytes) -> Iterator[Row]:
    places = [n * 2_345_678 % (SIZE - 65_536) for n in range(64)]
    reader = sealed.open_sealed(io.BytesIO(file), key=KEY)
    one = CIPHER.encrypt(NONCE, bytes(PLAIN), None)

    def ours() -> None:
        for place in places:
            reader.read_at(place, 65_536)

    def library() -> None:
        buffer, target, source = bytearray(SEGMENT), bytearray(PLAIN), io.BytesIO(one)
        for _ in places:
            source.seek(0)
            source.readinto(buffer)
            CIPHER.decrypt_into(NONCE, buffer, None, target)

    found, limit = (Figure(f.value / len(places), f.noise) for f in beside(ours, library))
    yield Row("read 64 KiB at any place", found, limit, "read and decrypt one 1 MiB segment")


def _keys() -> Iterator[Row]:
    def small(key: sealed.PrivateRecipient) -> Callable[[], object]:
        return lambda: sealed.seal(io.BytesIO(b"x"), Null(), recipients=[key.public], threads=1)

    def wrap(key: sealed.PrivateRecipient) -> Callable[[], object]:
        return lambda: key.public.encrypt(bytes(32), info=bytes(32))

    for name, hybrid in (("X25519", False), ("ML-KEM-768+X25519", True)):
        key = sealed.generate_recipient(hybrid=hybrid)
        ours, limit = beside(small(key), wrap(key))
        yield Row(f"seal one byte, {name}", ours, limit, "one HPKE encryption")


def _wall(*works: Callable[[], object], rounds: int = 9) -> tuple[Figure, ...]:
    """Return the seconds on the wall of one call of each, in rounds that alternate."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, found in zip(works, times, strict=True):
            start = time.perf_counter()
            work()
            found.append(time.perf_counter() - start)
    return tuple(Figure(min(t), statistics.median(t) / min(t) - 1) for t in times)
