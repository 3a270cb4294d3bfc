"""A log with a pool, two models and their answers: made by the real services, small models."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import teeproof.cli.chapters  # noqa: F401  every kind of statement, and its judge
from teeproof.cloud.manifest import Manifest
from teeproof.core.digests import named, sha256
from teeproof.data.contribute import withdraw
from teeproof.data.statements import Withdrawn
from teeproof.evidence.collect.simulated import application_policy
from teeproof.evidence.policy import parse_policy
from teeproof.explorer.app import make_app
from teeproof.explorer.log.content import Book
from teeproof.inference.stream import Sent, stream_event
from teeproof.inference.usage import usage_event
from teeproof.proof import canonical
from teeproof.proof.links import Material, Subject
from teeproof.proof.log.contents import Contents
from teeproof.proof.log.storage.log import Log
from teeproof.proof.memory import MemorySource
from teeproof.proof.receipt import Receipt, model_event
from teeproof.proof.statement import Statement, Step
from teeproof.proof.verify import Trust
from teeproof.proof.workload import Identity
from tests.data.scenes import ALICE, EVE, NOW, TIME, honest
from tests.proof.people import platform
from tests.training.school import School

ASSET = "eip155:31337/erc20:0x" + "ab" * 20
REQUEST = b'{"messages":[{"content":"sell half my ETH","role":"user"}],"model":"orders"}'
STREAM = b'data: {"delta":"sell"}\n\ndata: [DONE]\n\n'


class Recording(MemorySource):
    """Memory that knows in which order it was filled."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[bytes, Mapping[str, bytes] | None]] = []

    def add_identity(self, data: bytes, blobs: Mapping[str, bytes]) -> bytes:
        self.calls.append((data, dict(blobs)))
        return super().add_identity(data, blobs)

    def add_statement(self, data: bytes) -> bytes:
        self.calls.append((data, None))
        return super().add_statement(data)


@dataclass
class Scene:
    """What lies in the log, by name."""

    school: School
    server: Identity
    answers: dict[str, Receipt] = field(default_factory=dict)
    trained: dict[str, Statement] = field(default_factory=dict)
    said: dict[str, Statement] = field(default_factory=dict)

    @property
    def pool(self) -> str:
        assert self.school.terms is not None
        return self.school.terms.digest.hex()

    def model(self, name: str) -> str:
        return self.trained[name].subjects[0].digest["sha256"]

    def log(self, directory: Path, *more: Callable[[Contents], Any]) -> Path:
        """Write all of it to a log on the disk."""
        store = self.school.store
        assert isinstance(store, Recording)
        with Log.create(directory, origin="log.example/made") as log:
            contents = Contents(log)
            for data, blobs in store.calls:
                if blobs is None:
                    contents.add_statement(data)
                else:
                    contents.add_identity(data, blobs)
            for one in more:
                one(contents)
            log.publish()
            contents.close()
        return directory


def app_of(directory: Path, *codes: str) -> tuple[Any, Book]:
    """Return the explorer over a log, for who allows these codes alone; without any, every code."""
    trust = Trust(policy=parse_policy(application_policy(platform(), compose_hash=list(codes))))
    book = Book(directory, trust=trust, now=lambda: NOW)
    return make_app(book, command=lambda name: f"teeproof verify log {name[7:15]}"), book


def scene(folder: Path) -> Scene:
    """Contribute, copy, train twice, answer, use an answer, withdraw."""
    school = School(folder)
    school.store = Recording()
    with school.opened() as opened:
        copy = opened.contribute(honest(2, 60), EVE, opened.pool_client, opened.kms_here)
        assert copy.decision == "copy"
        opened.dataset = opened.pool_client.dataset()
        opened.contributed = opened.contributed[:2]
        first = opened.contributed[0].contribution
        machine = opened.inside("server", Manifest("server", "teeproof.inference.workload"))
        found = Scene(school, machine.boot(roles=["receipt"]))
        found.trained["whole"] = opened.trained("whole")[1]
        found.trained["part"] = opened.trained("part", without=frozenset([first]))[1]
        for name, response in (("plain", b'{"choices":[]}'), ("stream", STREAM), ("odd", b"x")):
            found.answers[name] = answer(found, "whole", response, name=name)
            found.school.store.add_statement(found.answers[name].encode())
        found.said["used"] = _use(found, "stream")
        withdraw(first, owner=ALICE, pool=opened.pool_client, kms=opened.kms_here)
    return found


def answer(scene: Scene, model: str, response: bytes, *, name: str, **changes: Any) -> Receipt:
    """Sign a receipt as the service does."""
    sent = Sent()
    sent.add(response)
    training = scene.trained[model]
    shares = {"data": 3000, "model": 3000, "node": 4000}
    document = {
        "api_version": "aci/1", "receipt_id": f"rcpt-{name}0000", "chat_id": "chatcmpl-1",
        "model": "orders", "workload_keyset_digest": scene.server.record.keyset_digest,
        "endpoint": "/v1/chat/completions", "method": "POST", "served_at": TIME,
        "key_id": "receipt",
        "event_log": [
            {"type": "request.received", "body_hash": named(sha256(REQUEST))},
            model_event(training.subjects[0].sha256, statement=training.id),
            {"type": "x.generation", "engine": "teeproof-numpy/1", "temperature": "0", "top_p": "1",
             "seed": 7, "max_tokens": 96, "finish_reason": "stop"},
            usage_event(prompt=15, count=13, amount=300_000, asset=ASSET, shares=shares),
            *([{"type": "<script>alert(1)</script>", "a": "\u202e"}] if name == "odd" else []),
            stream_event(sent, cut_by=None),
            {"type": "response.returned", "body_hash": sent.digest},
        ],
    } | changes  # fmt: skip
    signature = scene.server.keyring.sign_receipt(canonical.encode(document))
    return Receipt.parse(canonical.encode(document | {"signature": signature.hex()}))


def forged(receipt: Receipt) -> bytes:
    """Return a receipt of which one byte was changed after it was signed."""
    body = json.loads(receipt.encode())
    body["event_log"][3]["completion_tokens"] += 1
    return canonical.encode(body)


def _use(scene: Scene, name: str) -> Statement:
    receipt = scene.answers[name]
    response = next(one.digest for one in receipt.subjects if one.name == "response")
    step = Step(
        author=scene.server.name, step="act on <b>it</b>",
        materials=(Material(response, role="answer", statement=receipt.name),),
    )  # fmt: skip
    done = Statement.of(step, subjects=(Subject({"sha256": "ab" * 32}, name="act"),))
    return scene.server.keep(done).statement


def false_withdrawal(scene: Scene, contribution: int) -> Statement:
    """Say, as somebody who is no pool, that an owner took a contribution back."""
    made = scene.school.contributed[contribution]
    truth = next(
        Statement.parse(one.payload)
        for one in _statements(scene)
        if one.type == "urn:teeproof:withdrawn:v1"
    )
    said: Withdrawn = truth.predicate
    false = Withdrawn(
        author=scene.server.name, contribution=made.contribution, order=said.order,
        owner=made.said.consent.owner, signature=said.signature,
        materials=(Material({"sha256": made.proof.statement.subjects[0].digest["sha256"]},
                            role="contribution", statement=made.proof.statement.name),),
    )  # fmt: skip
    return Statement.of(false, subjects=(Subject({"sha256": "cd" * 32}, name="order"),))


def _statements(scene: Scene) -> list[Statement]:
    from teeproof.proof.source import read_record

    store = scene.school.store
    assert isinstance(store, Recording)
    reads = [read_record(data) for data, blobs in store.calls if blobs is None]
    return [read.statement for read in reads if read.statement is not None]
