"""The explorer over a long log: reading it, following it, its pages, its start, its listeners.

A log of 10,000 entries is made; BENCH_ENTRIES says another number, such as 60000. What is read is
beside checking the same signatures and nothing else, and beside decoding all records as JSON; a
page is beside one that needs no log. What several processes do is told by the clock on the wall:
it is as true as the machine is quiet.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from bench import largelog
from bench.measure import Figure, Row, beside, command, rate
from teeproof.core.digests import sha256
from teeproof.explorer.app import make_app
from teeproof.explorer.log import finding
from teeproof.explorer.log.content import Book
from teeproof.explorer.log.finding import Index
from teeproof.explorer.log.kept import VERDICT, Kept
from teeproof.explorer.pages import home
from teeproof.explorer.pages.family import Site
from teeproof.proof.links import Subject
from teeproof.proof.log import crew
from teeproof.proof.log.authors import Authors
from teeproof.proof.log.contents import Contents
from teeproof.proof.log.formats.entry import IDENTITY
from teeproof.proof.log.storage.log import Log
from teeproof.proof.source import read_record
from teeproof.proof.statement import Statement, Step
from teeproof.proof.verify import Trust
from teeproof.proof.workload import Identity

ENTRIES = int(os.environ.get("BENCH_ENTRIES", "10000"))
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PAGE = 0.100  # seconds
LISTENERS, LOOKS = 100, 10
_JSON = "reading all records and decoding them as JSON"
_SIGNATURES = "checking the same signatures with libsodium, and nothing else"


def rows() -> Iterator[Row]:
    """Yield the rows; the index is read by whoever asks, so that all of it is measured."""
    import teeproof.cli.chapters  # noqa: F401  every kind of statement

    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "log"
        made = largelog.make(directory, ENTRIES)
        finding.AT_ONCE, finding._EVERY = 1 << 60, 0.0
        yield from _read(directory, made.entries)
        yield from _followed(directory)
        yield from _pages(directory, made)
        yield _started(directory)
        yield _listened(directory)


def _read(directory: Path, entries: int) -> Iterator[Row]:
    def decoded() -> None:
        with Log.open(directory, read_only=True) as log:
            for stored in log.iterate():
                msgspec.json.decode(stored.record)

    bare, signed = _signatures(directory)
    before = _memory()
    index = Index(directory)
    index.roll()
    held = _memory() - before
    size = sum(x.stat().st_size for x in (directory / "journal").iterdir())
    works = (lambda: Index(directory).roll(), lambda: _linked(directory), bare, decoded)
    ours, links, limit, json_ = beside(*works, rounds=2)
    for what, figure in (("index", ours), ("links.db", links)):
        yield Row(f"{what} of {entries:,} entries", rate(figure, entries), rate(limit, signed),
                  _SIGNATURES, unit="1/s")  # fmt: skip
    yield Row(f"index of {entries:,} entries", rate(ours, entries), rate(json_, entries), _JSON,
              unit="1/s")  # fmt: skip
    yield from _together(directory, entries, bare, signed)
    yield Row(f"memory of the index of {entries:,} entries", Figure(max(held, 0), 0.0),
              Figure(size, 0.0), "the journal's bytes", goal=1.0, unit="B")  # fmt: skip
    del index


def _signatures(directory: Path) -> tuple[Callable[[], None], int]:
    """Return what checks one signature of each statement of a log bare, and how many these are."""
    from nacl.bindings import crypto_sign_open

    work, authors = [], Authors()
    with Log.open(directory, read_only=True) as log:
        for stored in log.iterate():
            if stored.kind == IDENTITY:
                continue
            read, author = read_record(stored.record), authors._author(log, stored.identity)
            assert author is not None
            if read.receipt is not None:
                key = author.key("receipt")
                assert key is not None
                work.append((read.receipt.signature + read.receipt.signed, key.raw))
            else:
                assert read.envelope is not None
                signature = read.envelope.signatures[0].sig
                work.append((signature + read.envelope.signed, author.statement_key))

    def bare() -> None:
        for data, key in work:
            crypto_sign_open(data, key)

    return bare, len(work)


def _linked(directory: Path, hands: int = 1) -> None:
    for path in directory.glob("links.db*"):
        path.unlink()
    with (
        Log.open(directory, read_only=True) as log,
        closing(Contents(log, hands=hands)) as contents,
    ):
        contents.follow()


def _together(
    directory: Path, entries: int, bare: Callable[[], None], signed: int
) -> Iterator[Row]:
    """What several processes read in a second by the clock, beside signatures on one core."""
    count, least = crew.hands(), crew.LEAST
    crew.LEAST, finding.AT_ONCE = 0, 0

    def indexed() -> None:
        index = Index(directory, hands=count)
        index.roll()
        assert index._thread is not None
        index._thread.join()

    for what, work in (("index", indexed), ("links.db", lambda: _linked(directory, count))):
        ours, limit = (min(_wall(each) for _ in range(2)) for each in (work, bare))
        name = f"{what} of {entries:,} entries, {count} processes, with their start, by the clock"
        yield Row(name, Figure(entries / ours, 0.0), Figure(signed / limit, 0.0),
                  f"{_SIGNATURES}, one process, by the clock", unit="1/s")  # fmt: skip
    crew.LEAST, finding.AT_ONCE = least, 1 << 60


def _wall(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _followed(directory: Path) -> Iterator[Row]:
    """One new entry: until it is found by the beginning of its output's digest."""
    ours, limits = [], []
    index = Index(directory)
    index.roll()
    with Log.open(directory) as log:
        author = next(iter(largelog._people(Contents(log), 1)))
        for number in range(12):
            digest = sha256(b"new %d" % number).hex()
            _say(author, number, digest)
            log.publish()
            start = time.process_time()
            assert len(index.find(digest[:20])) == 1
            ours.append(time.process_time() - start)
            start = time.process_time()
            with Log.open(directory, read_only=True) as reader:
                read_record(next(reader.iterate(reader.size - 1)).record)
            limits.append(time.process_time() - start)
    yield Row(
        f"follow one entry after {index._done:,}, and find it",
        Figure(min(ours), 0.0),
        Figure(min(limits), 0.0),
        "opening the log and reading that entry",
        at_most=0.02,
    )


def _say(author: Identity, number: int, digest: str) -> None:
    said = Step(author=author.name, step=f"step {number}")
    author.keep(Statement.of(said, subjects=(Subject({"sha256": digest}, name="x"),)))


def _pages(directory: Path, made: largelog.Made) -> Iterator[Row]:
    from tests.network.scenes import policy

    book = Book(directory, trust=Trust(policy=policy()), now=lambda: NOW)
    app, of = make_app(book, command=str), made.of
    while True:  # the graph of a long log is made beside the pages
        _ask(app, f"/graph/{of['step']}", codes=(200, 503))
        if book.graphs.gathering.wait(600):
            break
    paths = {
        "the first page": "/", "what is here": "/here", "the log": "/log",
        "a search by 4 characters": f"/search?q={of['answer'][:4]}",
        "a search by a word": "/search?q=training",
        "a graph": f"/graph/{of['step']}", "a model": f"/model/{of['model']}",
        "an identity": f"/identity/{of['identity']}",
        "the busiest identity, page 9": f"/identity/{of['market']}?page=9",
        "a node": f"/node/{of['node']}", "an agent": f"/agent/{of['agent']}",
        "an answer": f"/answer/{of['answer']}", "a pool": f"/pool/{of['pool']}",
    }  # fmt: skip
    for what, path in paths.items():
        ours, limit = beside(lambda p=path: _ask(app, p), lambda: _ask(app, "/words"), rounds=3)
        yield Row(f"{what}, of {made.entries:,} entries, again", ours, limit, "the page of words",
                  at_most=PAGE)  # fmt: skip
    for kind in ("answer", "contribution", "dataset", "action"):
        ours = _first_time(lambda k=kind: _ask(app, f"/p/{of[k]}"), book)
        yield Row(f"the page of a statement ({kind}), verified", ours, limit, "the page of words")
    for kind in ("pool", "model", "agent"):
        ours = _first_time(lambda k=kind: _ask(app, f"/{k}/{of[k]}"), book)
        yield Row(f"the page of {kind}, all of it verified", ours, limit, "the page of words")


def _first_time(work: Callable[[], object], book: Book) -> Figure:
    found = []
    for _ in range(5):
        book._pages = Kept(most=64, seconds=VERDICT)  # nothing is known yet
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return Figure(min(found), sorted(found)[2] / min(found) - 1)


def _started(directory: Path) -> Row:
    """The command, from its start until its first page is there: CPU time of its process."""
    found = []
    for _ in range(3):
        words = [
            sys.executable,
            "-m",
            "teeproof.cli",
            "explorer",
            directory,
            "--port",
            "0",
            "--json",
        ]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                told = "".join(iter(process.stdout.readline, "}\n")) + "}"
                url = json.loads(told)["url"]
                with urllib.request.urlopen(url, timeout=120) as answer:
                    assert answer.status == 200
                spent = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
                found.append(sum(map(int, spent[11:13])) / os.sysconf("SC_CLK_TCK"))
            finally:
                process.terminate()
    bare = command([sys.executable, "-c", "import cryptography.x509, jinja2, starlette, uvicorn"])
    return Row("teeproof explorer, until its first page", Figure(min(found), 0.0), bare.cpu,
               "importing the libraries of a server", at_most=3.0)  # fmt: skip


def _listened(directory: Path) -> Row:
    """A hundred who listen while entries arrive: CPU time of one look of one listener."""
    from starlette.concurrency import run_in_threadpool

    book = Book(directory, trust=Trust(), now=lambda: NOW)
    book.index.roll()
    nothing_else: Any = None
    pages = home.HomePages(
        Site(pages=nothing_else, book=book, desk=None, shelf=nothing_else, command=str)
    )
    home._EVERY, finding._EVERY = 0.2, 1.0
    heard = 0

    async def listen() -> None:
        nonlocal heard
        stream = pages._stream()
        async for event in stream:
            heard += event.startswith("id:")
            if heard >= LISTENERS * LOOKS // 2:
                break
        await stream.aclose()

    async def every(log: Log, author: Identity) -> None:
        tasks = [asyncio.create_task(listen()) for _ in range(LISTENERS)]
        for number in range(LOOKS):
            await asyncio.sleep(0.5)
            _say(author, 100 + number, sha256(b"heard %d" % number).hex())
            log.publish()
        await asyncio.wait(tasks, timeout=10)
        for task in tasks:
            task.cancel()

    with Log.open(directory) as log:
        author = next(iter(largelog._people(Contents(log), 1)))
        start = time.process_time()
        asyncio.run(every(log, author))
        spent = time.process_time() - start
    assert heard >= LISTENERS * LOOKS // 2, heard

    async def nothing() -> None:
        await asyncio.gather(*(run_in_threadpool(int) for _ in range(1_000)))

    start = time.process_time()
    asyncio.run(nothing())
    limit = (time.process_time() - start) / 1_000
    return Row(f"a new entry told to one of {LISTENERS} listeners", Figure(spent / heard, 0.0),
               Figure(limit, 0.0), "a thread that does nothing", at_most=0.05)  # fmt: skip


def _ask(app: Any, path: str, *, codes: tuple[int, ...] = (200, 303)) -> None:
    from tests.explorer.conftest import ask

    answer = ask(app, "GET", path)
    assert answer.status_code in codes, (path, answer.status_code, answer.text[:200])


def _memory() -> int:
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in x)
    return int(line.split()[1]) << 10
