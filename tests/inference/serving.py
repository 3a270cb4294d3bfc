"""The real workload on a loopback port, with a training statement, a lease and a price."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from teeproof.cloud.local import LocalInside
from teeproof.core.clock import wall_clock
from teeproof.core.digests import sha256
from teeproof.core.weights import digest_model
from teeproof.evidence.collect.simulated import SimulatedAttester, SimulatedPlatform, opt_in_policy
from teeproof.evidence.policy import Policy, parse_policy
from teeproof.inference import workload
from teeproof.inference.client import Service
from teeproof.inference.engine.engine import Engine
from teeproof.inference.service import InferenceService
from teeproof.inference.serving import Serving
from teeproof.inference.store import ReceiptStore
from teeproof.proof.envelope import Envelope
from teeproof.proof.links import Subject
from teeproof.proof.memory import MemorySource
from teeproof.proof.statement import Statement, Step
from teeproof.proof.workload import Identity

NAME = "orders"
ASSET = "eip155:31337/erc20:0x" + "ab" * 20
PRICE = {
    "asset": ASSET,
    "answer": "300000",
    "token": "10",
    "shares": {"node": 4000, "model": 3000, "data": 3000},
}


@cache
def platform() -> SimulatedPlatform:
    return SimulatedPlatform.create()


@cache
def policy() -> Policy:
    return parse_policy(opt_in_policy(platform()))


@cache
def people() -> tuple[Identity, Identity]:
    """A trainer and a market."""
    booted = [
        Identity.boot(SimulatedAttester(platform(), now=wall_clock), store=MemorySource())
        for _ in range(2)
    ]
    return booted[0], booted[1]


def said(author: Identity, step: str, digest: bytes, name: str) -> tuple[Statement, Envelope]:
    statement = Statement.of(
        Step(author=author.name, step=step),
        subjects=(Subject({"sha256": digest.hex()}, name=name),),
    )
    return statement, author.sign(statement)


class Hosted:
    """A host's view: folders, the store that stands for the log, and the workload's thread."""

    def __init__(self, folder: Path, model: Path, **serving: Any) -> None:
        self.folder, self.model = folder, model
        self.store = MemorySource()
        self.root = digest_model(model)
        trainer, market = people()
        self.training, envelope = said(trainer, "train", self.root.root, "model")
        self.lease, lease = said(market, "lease", sha256(b"lease"), "lease")
        for person, record in ((trainer, envelope), (market, lease)):
            self.store.add_identity(person.record.encode(), person.blobs)
            self.store.add_statement(record.encode())
        self.document: dict[str, Any] = {
            "model": NAME,
            "statement": self.training.name,
            "lease": {"digest": f"sha256:{sha256(b'lease').hex()}", "statement": self.lease.name},
            "price": PRICE,
        } | serving
        self.envelope = envelope
        self.inside: LocalInside | None = None
        self._thread: threading.Thread | None = None

    def prepare(self) -> LocalInside:
        inside = LocalInside(self.folder, platform=platform(), store=self.store)
        link = inside.inputs / "model"
        if not link.exists():
            link.symlink_to(self.model)
        (inside.inputs / "serve.json").write_text(json.dumps(self.document))
        (inside.inputs / "training.json").write_bytes(self.envelope.encode())
        return inside

    def start(self) -> str:
        self.inside = self.prepare()
        self._thread = threading.Thread(target=workload.main, args=(self.inside,), daemon=True)
        self._thread.start()
        return self.inside.wait_address()

    def service(self) -> tuple[InferenceService, ReceiptStore]:
        """The application without a server, and its store: who asks is the ASGI server."""
        inside = self.prepare()
        store = ReceiptStore(inside.state / "receipts.sqlite")
        made = InferenceService(
            Engine.open(self.model),
            identity=inside.boot(roles=["receipt"]),
            attester=inside.attester(),
            serving=Serving.parse(json.dumps(self.document).encode()),
            store=store,
        )
        return made, store

    @staticmethod
    def scope(path: str = "/v1/chat/completions", **more: Any) -> dict[str, Any]:
        return {
            "type": "http", "method": "POST", "path": path, "raw_path": path.encode(),
            "query_string": b"", "headers": [],
        } | more  # fmt: skip

    async def talk(self, service: InferenceService, data: bytes) -> tuple[int, bytes]:
        """Ask an application, and return status and body."""
        asked, sent = [{"type": "http.request", "body": data}], []

        async def receive() -> dict[str, Any]:
            if not asked:
                await asyncio.Event().wait()
            return asked.pop()

        async def send(message: Any) -> None:
            sent.append(message)

        await service(self.scope(), receive, send)
        return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)

    @property
    def url(self) -> str:
        assert self.inside is not None
        return self.inside.address

    def stop(self) -> None:
        if self.inside is not None and self._thread is not None:
            self.inside.stop()
            self._thread.join(120)
            assert not self._thread.is_alive()
            self.inside = None

    def connect(self, **options: Any) -> Service:
        return Service.connect(self.url, policy=policy(), **options)


@contextmanager
def hosted(folder: Path, model: Path, **serving: Any) -> Iterator[Hosted]:
    host = Hosted(folder, model, **serving)
    host.start()
    try:
        yield host
    finally:
        host.stop()
