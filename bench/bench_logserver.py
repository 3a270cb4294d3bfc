"""A log over HTTP: appends per second beside a bare ASGI application and beside the log itself.

Server and clients share this machine's cores, as do the limit's, so a rate says little and a ratio
says it all. Rates are of wall-clock time: whoever appends waits for the disk too.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.measure import Figure, Row
from teeproof.core.digests import named, sha256
from teeproof.proof.envelope import Envelope, Signature
from teeproof.proof.links import Subject
from teeproof.proof.log.http.limits import NDJSON
from teeproof.proof.log.http.publishing import Publisher
from teeproof.proof.log.http.server import LogApp
from teeproof.proof.log.http.tokens import Tokens
from teeproof.proof.log.storage.items import Item
from teeproof.proof.log.storage.log import Log
from teeproof.proof.statement import Statement, Step
from teeproof.web.running import listen, server_for

ROUNDS = 5
SECONDS = 0.4  # of one round
BATCH = 256
MOST = 8192  # entries in one round
TOKEN = "a-token-of-the-benchmark"
_numbers = itertools.count()

BARE = b"""
import sys
from uvicorn import Config, Server
from teeproof.web.running import listen
small = [(b"content-type", b"application/json"), (b"content-length", b"280")]
large = [(b"content-type", b"application/octet-stream"), (b"content-length", b"8192")]
async def app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    get = scope["method"] == "GET"
    await send({"type": "http.response.start", "status": 200, "headers": large if get else small})
    await send({"type": "http.response.body", "body": bytes(8192 if get else 280)})
sock = listen("127.0.0.1:0")
print(sock.getsockname()[1], flush=True)
Server(Config(app, lifespan="off", ws="none", log_level="critical", access_log=False)).run([sock])
"""


def rows() -> Iterator[Row]:
    """Yield appends and reads over HTTP."""
    with tempfile.TemporaryDirectory() as folder, _bare() as bare, _log(Path(folder)) as ours:
        for clients in (1, 8, 64):
            yield from _appends(clients, ours, bare, Path(folder) / f"raw{clients}")
        yield from _batches(ours, bare, Path(folder) / "batches")
        yield from _reads(ours, bare)


def _appends(clients: int, ours: int, bare: int, folder: Path) -> Iterator[Row]:
    with Log.create(folder, origin="bench.example/raw") as log:
        over, nothing, raw = _beside(
            lambda: _ask(ours, clients, _append),
            lambda: _ask(bare, clients, _append),
            lambda: _raw(log, clients),
        )
    what = f"append over HTTP, {clients} client{'s' if clients > 1 else ''}"
    yield Row(what, over, nothing, "bare ASGI that discards bodies", unit="1/s")
    yield Row(what, over, raw, f"Log.append from {clients} threads", unit="1/s")


def _batches(ours: int, bare: int, folder: Path) -> Iterator[Row]:
    with Log.create(folder, origin="bench.example/raw") as log:
        over, nothing, raw = _beside(
            lambda: BATCH * _ask(ours, 1, _append_many),
            lambda: BATCH * _ask(bare, 1, _append_many),
            lambda: _raw(log, 1, BATCH),
        )
    what = f"entries over HTTP, {BATCH} in a request"
    yield Row(what, over, nothing, "bare ASGI that discards bodies", unit="1/s")
    yield Row(what, over, raw, "Log.append_many", unit="1/s")


def _reads(ours: int, bare: int) -> Iterator[Row]:
    for path in ("tile/0/000", "tile/entries/000", "checkpoint"):
        request = f"GET /{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        over, nothing = _beside(
            lambda r=request: _ask(ours, 8, lambda: r),
            lambda r=request: _ask(bare, 8, lambda: r),
        )
        yield Row(f"GET /{path}, 8 clients", over, nothing, "bare ASGI, 8 KiB", unit="1/s")


def _beside(*works: Callable[[], float]) -> tuple[Figure, ...]:
    """Return the best rate of each, in rounds that alternate."""
    found: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS):
        for work, rates in zip(works, found, strict=True):
            rates.append(work())
    return tuple(Figure(max(r), 1 - statistics.median(r) / max(r)) for r in found)


def _envelope() -> bytes:
    digest = sha256(b"bench", next(_numbers).to_bytes(8, "big"))
    author = named(sha256(b"an identity"))
    made = Statement.of(
        Step(author=author, step="train"), subjects=(Subject({"sha256": digest.hex()}),)
    )
    return Envelope(made.payload, (Signature("", b"s" * 64),)).encode()


def _append() -> bytes:
    return _post(_envelope(), "application/json")


def _append_many() -> bytes:
    return _post(b"".join(_envelope() + b"\n" for _ in range(BATCH)), NDJSON)


def _post(body: bytes, kind: str) -> bytes:
    head = (
        f"POST /append HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _ask(port: int, clients: int, request: Callable[[], bytes]) -> float:
    """Return the answers per second that clients get, each with one request at a time.

    Requests are made before the clock starts: only the clients' sending and reading is in it.
    """
    many = max(8, MOST // clients // (BATCH if request is _append_many else 1))
    made = [[request() for _ in range(many)] for _ in range(clients)]
    return asyncio.run(_measured(port, made))


async def _measured(port: int, made: list[list[bytes]]) -> float:
    loop = asyncio.get_running_loop()
    all_of_them = [_Client(requests, loop) for requests in made]
    for client in all_of_them:
        await loop.create_connection(lambda c=client: c, "127.0.0.1", port)
    start = time.perf_counter()
    for client in all_of_them:
        client.begin(start + SECONDS)
    await asyncio.gather(*(client.done for client in all_of_them))
    answers = sum(client.answers for client in all_of_them)
    return answers / (time.perf_counter() - start)


class _Client(asyncio.Protocol):
    """One connection; it asks, waits, and asks again."""

    def __init__(self, requests: list[bytes], loop: asyncio.AbstractEventLoop) -> None:
        self.done: asyncio.Future[None] = loop.create_future()
        self.answers = 0
        self._requests, self._said, self._end = requests, b"", 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def begin(self, end: float) -> None:
        self._end = end
        self._next()

    def data_received(self, data: bytes) -> None:
        self._said += data
        head, found, body = self._said.partition(b"\r\n\r\n")
        if not found:
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self.done.set_exception(RuntimeError(self._said[:300]))
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) >= length:
            self.answers, self._said = self.answers + 1, b""
            self._next()

    def _next(self) -> None:
        if time.perf_counter() >= self._end or self.answers == len(self._requests):
            self._transport.close()
            self.done.set_result(None)
        else:
            self._transport.write(self._requests[self.answers])  # type: ignore[attr-defined]


def _raw(log: Log, threads: int, batch: int = 1) -> float:
    """Return the entries per second that threads append to a log in this process."""
    end, counts = time.perf_counter() + SECONDS, [0] * threads
    made = [[[_item() for _ in range(batch)] for _ in range(max(8, MOST // threads // batch))]
            for _ in range(threads)]  # fmt: skip

    def work(thread: int) -> None:
        for items in made[thread]:
            if time.perf_counter() >= end:
                return
            log.append_many(items)
            counts[thread] += len(items)

    workers = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
    start = time.perf_counter()
    end = start + SECONDS
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(counts) / (time.perf_counter() - start)


def _item() -> Item:
    data = _envelope()
    return Item(1, Envelope.parse(data).id, bytes(32), bytes(32), data)


@contextlib.contextmanager
def _bare() -> Iterator[int]:
    with _process("-c", BARE.decode()) as port:
        yield port


@contextlib.contextmanager
def _log(folder: Path) -> Iterator[int]:
    with _process("-m", "bench.bench_logserver", str(folder / "log")) as port:
        yield port


@contextlib.contextmanager
def _process(*words: str) -> Iterator[int]:
    child = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    try:
        yield int(child.stdout.readline())
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def main() -> None:
    """Serve a new log of 300 entries in this process, and say on which port."""
    with Log.create(Path(sys.argv[1]), origin="bench.example/log") as log:
        log.append_many([_item() for _ in range(300)])
        publisher = Publisher(log, every=1.0)
        publisher.publish()
        publisher.start()
        app = LogApp(log, tokens=Tokens({"bench": TOKEN}), publisher=publisher)
        sock = listen("127.0.0.1:0")
        sys.stdout.write(f"{sock.getsockname()[1]}\n")
        sys.stdout.flush()
        server_for(app).run(sockets=[sock])


if __name__ == "__main__":
    main()
