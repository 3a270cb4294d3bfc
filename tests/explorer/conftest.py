"""A log with a small lifecycle, and the explorer over it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from teeproof.cli.explorer_desk import ExplorerDesk
from teeproof.explorer.app import make_app
from teeproof.explorer.log.content import Book
from teeproof.proof.log.storage.log import Log
from teeproof.proof.sealing import Sealed
from teeproof.proof.verify import Trust
from teeproof.proof.workload import Identity
from tests.explorer.made import Scene, scene
from tests.proof.people import NOW, attester, policy

if TYPE_CHECKING:
    from tests.explorer.firefox import Firefox


@dataclass
class Shown:
    """What is shown, and by which application."""

    app: object
    sealed: dict[str, Sealed]
    book: Book
    directory: Path


@pytest.fixture(scope="session")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    directory = tmp_path_factory.mktemp("explorer") / "log"
    with Log.create(directory, origin="log.example/explorer") as log:
        boot = lambda: Identity.boot(attester(), store=log, now=lambda: NOW)  # noqa: E731
        trainer, server = boot(), boot()
        parts = {
            f"part-{number}": trainer.seal("contribute", outputs={f"{number}": b"%d" % number})
            for number in range(3)
        }
        model = trainer.seal("train", outputs={"model": b"m"}, inputs=parts)
        hostile = server.seal(
            "<script>alert(1)</script>", outputs={"x": b"x"}, inputs={'"><i>': b"raw"}
        )
        answer = server.seal(
            "answer", outputs={"answer": b"42"}, inputs={"model": model, "part": parts["part-0"]}
        )
        long = server.seal("L" * 120_000, outputs={"\u202etxt.exe" + "N" * 100_000: b"long"})
        log.publish()
    sealed = parts | {"model": model, "answer": answer, "hostile": hostile, "long": long}
    lines = (
        {"label": "4 Answer", "text": "it says <42>", "ids": [answer.name], "real": False},
        {"label": "", "text": "a real quote", "ids": [], "real": True},
    )
    book = Book(directory, trust=Trust(policy=policy()), story=lambda: lines, now=lambda: NOW)
    app = make_app(
        book,
        command=lambda name: f"teeproof verify log {name[7:15]}",
        desk=ExplorerDesk(policy=policy(), logs=None, words=("--policy", "mine.toml")),
        now=lambda: NOW,
    )
    return Shown(app, sealed, book, directory)


def ask(app: object, method: str, path: str, host: str = "127.0.0.1", **more: object):
    """Send one request to an application, and return its answer."""

    async def one() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
            return await client.request(method, path, **more)  # type: ignore[arg-type]

    return asyncio.run(one())


@pytest.fixture
def get(shown: Shown):
    return lambda path, **more: ask(shown.app, "GET", path, **more)


@pytest.fixture
def post(shown: Shown):
    return lambda path, **more: ask(shown.app, "POST", path, **more)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A pool, two models, their answers; made once, by the real services."""
    pytest.importorskip("torch")
    return scene(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="session")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    """A second browser engine, started once; the tests are skipped where it is missing."""
    from tests.explorer.firefox import opened

    with opened(tmp_path_factory.mktemp("firefox")) as found:
        yield found
