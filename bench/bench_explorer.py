"""The explorer's pages: drawings of large graphs, and many visitors beside a bare page.

A history is the worst case for a drawing: as many columns as statements, and nothing is alike. A
lifecycle is what a pool's model looks like: hundreds of contributions that are folded into one box.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.bench_graph import AUTHORS, _digest, _history
from bench.measure import Figure, Row, beside
from teeproof.core.digests import named
from teeproof.evidence.collect.simulated import SimulatedAttester, open_platform, opt_in_policy
from teeproof.evidence.policy import parse_policy
from teeproof.explorer.app import make_app
from teeproof.explorer.drawn.drawing import draw
from teeproof.explorer.log.content import Book
from teeproof.proof.envelope import Envelope, Signature
from teeproof.proof.graph import Graph
from teeproof.proof.links import Material, Subject
from teeproof.proof.log.storage.log import Log
from teeproof.proof.source import read_record
from teeproof.proof.statement import Statement, Step
from teeproof.proof.verify import Trust
from teeproof.proof.workload import Identity

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
VISITORS = 200
DRAWINGS = ((1_000, 0.050), (5_000, 0.300))


def rows() -> Iterator[Row]:
    """Yield the rows: each drawing beside joining its parts alone, then the visitors."""
    for size, bound in DRAWINGS:
        yield _drawing("history", size, bound, *_history(size), boxes=size)
    yield _drawing("lifecycle", *DRAWINGS[0], *_lifecycle(DRAWINGS[0][0]), boxes=4)
    yield from _visitors()


def _drawing(
    kind: str, size: int, bound: float, records: list[bytes], ids: list[bytes], *, boxes: int
) -> Row:
    graph = Graph.of_records([read_record(record) for record in records])

    def ours() -> str:
        href = lambda one: f"/p/{one.hex()}"  # noqa: E731
        return draw(graph, root=ids[-1], href=href, most=size, more=lambda word: f"/list/{word}")

    text = ours()
    assert (len(ids), text.count("<a ")) == (size, boxes)
    parts = [text[at : at + 200] for at in range(0, len(text), 200)]
    figure, limit = beside(ours, lambda: "".join(parts).encode(), rounds=5)
    what = f"draw a {kind} of {size:,} statements, {-(-len(text) // 1024)} KiB of SVG"
    return Row(what, figure, limit, "joining and encoding the same text", at_most=bound)


def _lifecycle(size: int) -> tuple[list[bytes], list[bytes]]:
    """Return records of an answer by a model that was trained on as many contributions."""
    ids: list[bytes] = []

    def said(step: str, *of: int) -> bytes:
        materials = tuple(
            Material(role="input", digest=_digest(each), statement=named(ids[each])) for each in of
        )
        subject = Subject(_digest(len(ids)), name=f"data {len(ids)}")
        statement = Statement.of(
            Step(author=AUTHORS[0], step=step, materials=materials), subjects=(subject,)
        )
        ids.append(statement.id)
        return Envelope(statement.payload, (Signature("", bytes(64)),)).encode()

    records = [said("contribute") for _ in range(size - 3)]
    records += [said("decide", *range(size - 3)), said("train", size - 3), said("answer", size - 2)]
    return records, ids


def _visitors() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        yield from _visited(Path(folder))


def _visited(folder: Path) -> Iterator[Row]:
    platform = open_platform(folder / "platform")
    with Log.create(folder / "log", origin="log.example/bench") as log:
        attester = SimulatedAttester(platform, now=lambda: NOW)
        author = Identity.boot(attester, store=log, now=lambda: NOW)
        one = author.seal("answer", outputs={"x": b"x"})
        log.publish()
    book = Book(folder / "log", trust=Trust(policy=parse_policy(opt_in_policy(platform))),
                now=lambda: NOW)  # fmt: skip
    app, bare = make_app(book, command=str), _bare()
    for path in (f"/p/{one.id.hex()}", "/words"):
        ours, limit = beside(lambda p=path: _ask(app, p), lambda: _ask(bare, "/"), rounds=5)
        what = f"{VISITORS} visitors at once of {'a statement' if path[1] == 'p' else path}"
        yield Row(what, ours, limit, "a bare Starlette page, as many visitors")
    before = _memory()
    for _ in range(5):
        _ask(app, f"/p/{one.id.hex()}")
    yield Row(
        f"memory that {5 * VISITORS} more visitors leave",
        Figure(max(_memory() - before, 0), 0.0),
        Figure(before, 0.0),
        "what the process has before",
        at_most=64 << 20,
        unit="B",
    )


def _bare() -> Any:
    from starlette.applications import Starlette
    from starlette.responses import HTMLResponse
    from starlette.routing import Route

    async def page(_: object) -> HTMLResponse:
        return HTMLResponse("<!doctype html><title>x</title><p>x")

    return Starlette(routes=[Route("/", page)])


def _ask(app: Any, path: str) -> None:
    """Send as many requests at once as there are visitors, straight to the application."""

    async def one() -> None:
        said: list[int] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                said.append(message["status"])

        scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(),
                 "query_string": b"", "headers": [(b"host", b"127.0.0.1")], "scheme": "http",
                 "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1), "root_path": "",
                 "http_version": "1.1"}  # fmt: skip
        await app(scope, receive, send)
        assert said == [200], said

    async def all_of_them() -> None:
        await asyncio.gather(*(one() for _ in range(VISITORS)))

    asyncio.run(all_of_them())


def _memory() -> int:
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in x)
    return int(line.split()[1]) << 10
