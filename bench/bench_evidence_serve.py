"""A verifier over HTTP: verdicts per second beside a bare ASGI application and beside the verifier.

Each row says how much of its limit the service reaches; both sides are asked by the same clients,
with the same bytes. A known question costs what a bare application costs that reads as large a body
and answers as much; a new one costs a verification by the library besides, in one process.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection

from bench.measure import Figure, Row
from teeproof.core.clock import from_epoch
from teeproof.evidence.collect.simulated import SimulatedPlatform, opt_in_policy, simulate
from teeproof.evidence.policy import parse_policy
from teeproof.evidence.record import Evidence
from teeproof.evidence.verify import verify

ROUNDS = 5
SECONDS = 1.0
CLIENTS = 8
AT = 1_772_366_400  # 2026-03-01T12:00:00Z
PLATFORM = SimulatedPlatform(b"\5" * 32)

BARE = """
import sys
from teeproof.web.running import listen, server_for
size = int(sys.argv[1])
async def app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % size)]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": b"x" * size})
sock = listen("127.0.0.1:0")
print(sock.getsockname()[1], flush=True)
server_for(app).run(sockets=[sock])
"""
_times = itertools.count(AT)


def rows() -> Iterator[Row]:
    """Yield the table's rows."""
    evidence = simulate("up-to-date", bytes(64), platform=PLATFORM, now=from_epoch(AT))
    policy = opt_in_policy(PLATFORM)
    with _service(policy) as port, _bare(_answer_size(port, evidence)) as bare:
        warm = _question(evidence, at=AT)
        _ask(port, warm)
        ours, limit = _side_by_side(
            lambda: _rate(port, lambda: warm), lambda: _rate(bare, lambda: warm)
        )
        yield Row("evidence serve: a known question", ours, limit, "bare ASGI, as large a body and"
                  " answer", unit="1/s")  # fmt: skip
        parsed = parse_policy(policy)

        def library() -> float:
            start, count = time.perf_counter(), 0
            while time.perf_counter() - start < SECONDS:
                verify(evidence, now=from_epoch(next(_times)), policy=parsed)
                count += 1
            return count / (time.perf_counter() - start)

        cold, alone, transport = _side_by_side(
            lambda: _rate(port, lambda: _question(evidence, at=next(_times))),
            library,
            lambda: _rate(bare, lambda: warm),
        )
        both = Figure(1 / (1 / alone.value + 1 / transport.value), alone.noise)
        yield Row("evidence serve: a new question, one worker", cold, both,
                  "the library's verify, then bare ASGI", unit="1/s")  # fmt: skip


def _question(evidence: Evidence, *, at: int) -> bytes:
    """Return a whole request: the quote, its log and its endorsements."""
    assert evidence.collateral is not None
    assert evidence.event_log is not None
    files = [evidence.quote, evidence.event_log, json.dumps(evidence.collateral.to_json()).encode()]
    body = json.dumps(
        {"files": [base64.b64encode(data).decode() for data in files], "policy": "simulated",
         "at": at}
    )  # fmt: skip
    return body.encode()


def _side_by_side(*works: Callable[[], float]) -> tuple[Figure, ...]:
    found: tuple[list[float], ...] = tuple([] for _ in works)
    for _ in range(ROUNDS):
        for work, rates in zip(works, found, strict=True):
            rates.append(work())
    return tuple(Figure(max(r), 1 - statistics.median(r) / max(r)) for r in found)


def _rate(port: int, question: Callable[[], bytes]) -> float:
    """Return the answers per second that clients get, each with one request at a time."""
    counts = [0] * CLIENTS
    end = time.perf_counter() + SECONDS

    def work(client: int) -> None:
        connection = HTTPConnection("127.0.0.1", port)
        while time.perf_counter() < end:
            _exchange(connection, question())
            counts[client] += 1
        connection.close()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(CLIENTS)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - start)


def _exchange(connection: HTTPConnection, body: bytes) -> bytes:
    connection.request("POST", "/v1/verdicts", body, {"content-type": "application/json"})
    answer = connection.getresponse()
    data = answer.read()
    if answer.status != 200:
        raise RuntimeError(data[:300])
    return data


def _ask(port: int, body: bytes) -> bytes:
    connection = HTTPConnection("127.0.0.1", port)
    try:
        return _exchange(connection, body)
    finally:
        connection.close()


def _answer_size(port: int, evidence: Evidence) -> int:
    return len(_ask(port, _question(evidence, at=AT)))


@contextlib.contextmanager
def _service(policy: str) -> Iterator[int]:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "policy.toml")
        with open(path, "w") as file:
            file.write(policy)
        words = ("-m", "teeproof.cli", "evidence", "serve", "--listen", "127.0.0.1:0", "--json",
                 "--workers", "1", "--policy", path)  # fmt: skip
        with _process(folder, *words) as child:
            assert child.stdout is not None
            lines = list(iter(child.stdout.readline, "}\n"))
            about = json.loads("".join([*lines, "}"]))
            yield int(about["url"].rpartition(":")[2])


@contextlib.contextmanager
def _bare(size: int) -> Iterator[int]:
    with _process("", "-c", BARE, str(size)) as child:
        assert child.stdout is not None
        yield int(child.stdout.readline())


@contextlib.contextmanager
def _process(home: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        [sys.executable, *words],
        env=os.environ | {"TEEPROOF_HOME": home},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield child
    finally:
        child.terminate()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()
