"""Logs in memory that sign what they are told to, and a witness to show it to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import httpx

from teeproof.proof.log.formats.checkpoint import Checkpoint, SignedCheckpoint, sign_checkpoint
from teeproof.proof.log.formats.cosignature import Cosigner
from teeproof.proof.log.formats.entry import STATEMENT, Entry
from teeproof.proof.log.formats.merkle import Tree, leaf_hash
from teeproof.proof.log.formats.note import NoteSigner
from teeproof.proof.witness.app import App
from teeproof.proof.witness.request import AddCheckpoint
from teeproof.proof.witness.witness import Witness

ORIGIN = "log.example/one"
SIGNER = NoteSigner(ORIGIN, bytes(range(32)))
STRANGER = NoteSigner(ORIGIN, bytes(32))
OTHER_LOG = NoteSigner("log.example/two", bytes(range(1, 33)))
COSIGNER = Cosigner("witness.example/w1", bytes(range(2, 34)))
NOW = 1_780_000_000


def entry(number: int, *, by: int = 0) -> bytes:
    """Return the bytes of a log entry; another ``by`` gives another one."""
    return Entry(STATEMENT, number.to_bytes(32, "big"), by.to_bytes(32, "big")).encode()


class Book:
    """A log in memory: entries, their tree, and a key that signs any of its sizes."""

    def __init__(self, entries: Iterable[bytes] = (), signer: NoteSigner = SIGNER) -> None:
        self.entries: list[bytes] = []
        self.tree = Tree()
        self.signer = signer
        self.add(*entries)

    @classmethod
    def of(cls, size: int, *, by: int = 0, signer: NoteSigner = SIGNER) -> Book:
        return cls((entry(n, by=by) for n in range(size)), signer)

    def add(self, *entries: bytes) -> Book:
        self.entries += entries
        self.tree.extend([leaf_hash(e) for e in entries])
        return self

    def grow(self, count: int, *, by: int = 0) -> Book:
        size = len(self.entries)
        return self.add(*(entry(n, by=by) for n in range(size, size + count)))

    def fork(self, at: int, *, by: int = 9) -> Book:
        """Return a log with the same first entries, and then others up to the same size."""
        rest = len(self.entries) - at
        return Book(self.entries[:at], self.signer).grow(rest, by=by)

    def signed(self, size: int | None = None, *extensions: str) -> SignedCheckpoint:
        size = len(self.entries) if size is None else size
        checkpoint = Checkpoint(self.signer.verifier.name, size, self.tree.root(size), extensions)
        return sign_checkpoint(checkpoint, self.signer)

    def request(self, old: int, size: int | None = None) -> AddCheckpoint:
        size = len(self.entries) if size is None else size
        proof = self.tree.consistency_proof(old, size) if 0 < old <= size else []
        return AddCheckpoint(old, tuple(proof), self.signed(size))


def open_witness(
    directory: Path, *, now: Callable[[], float] = lambda: NOW, **options: Any
) -> Witness:
    options.setdefault("logs", [SIGNER.verifier])
    return Witness.open(directory, COSIGNER, now=now, **options)


def call(
    app: App, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of one request to an ASGI application."""
    given = {"content-length": str(len(body))} | (headers or {})
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": [(k.lower().encode(), v.encode()) for k, v in given.items()],
    }
    messages = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    start, *rest = sent
    found = {k.decode(): v.decode() for k, v in start["headers"]}
    said = b"".join(part["body"] for part in rest)
    return start["status"], found, b"" if method == "HEAD" else said  # as a server leaves it out


def transport(*apps: tuple[str, App]) -> httpx.MockTransport:
    """Return a transport that asks ASGI applications by host name."""
    known = dict(apps)

    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.host not in known:
            raise httpx.ConnectError("nobody is there")
        app = known[request.url.host]
        status, headers, body = call(app, request.method, request.url.path, request.content)
        return httpx.Response(status, headers=headers, content=body)

    return httpx.MockTransport(handle)
