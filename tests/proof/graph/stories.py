"""Stories that the tests of the graph tell: an agent's action, back to three contributions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache

from teeproof.core.digests import named, parse_named, sha256
from teeproof.proof import canonical
from teeproof.proof.envelope import Envelope, Signature
from teeproof.proof.graph import Graph
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.links import Material, Subject
from teeproof.proof.receipt import Receipt, link_event, model_event
from teeproof.proof.source import Logged, read_record
from teeproof.proof.statement import Statement, Step
from tests.proof.people import digest, step, workload_named

NOBODY = named(sha256(b"an identity that nobody has the record of"))


class Memory:
    """A source in memory, which counts how often it is asked."""

    def __init__(
        self,
        records: Iterable[bytes] = (),
        identities: Iterable[bytes] = (),
        blobs: dict[str, bytes] | None = None,
    ) -> None:
        reads = [(read_record(record), record) for record in records]
        self.records = {read.id: record for read, record in reads}
        self.identities = {IdentityRecord.parse(data).digest: data for data in identities}
        self.blobs = blobs or {}
        self._producers: dict[str, list[bytes]] = {}
        for read, _ in reads:
            for subject in read.subjects:
                self._producers.setdefault(subject.sha256, []).append(read.id)
        self.asked: list[bytes] = []

    def statement(self, statement_id: bytes) -> bytes | None:
        self.asked.append(statement_id)
        return self.records.get(statement_id)

    def identity(self, identity: bytes) -> bytes | None:
        return self.identities.get(identity)

    def identity_of_keyset(self, keyset_digest: str) -> bytes | None:
        parsed = map(IdentityRecord.parse, self.identities.values())
        return next((i.digest for i in parsed if i.keyset_digest == keyset_digest), None)

    def blob(self, name: str) -> bytes | None:
        return self.blobs.get(name)

    def producers(self, name: str) -> Iterator[bytes]:
        return iter(self._producers.get(name, ()))

    def logged(self, statement_id: bytes) -> Logged | None:
        return None


def packed(statement: Statement) -> bytes:
    """The statement in an envelope; a graph looks at no signature."""
    return Envelope(statement.payload, (Signature("", b"x"),)).encode()


def plain_step(
    word: str,
    *outputs: str,
    of: Iterable[tuple[str, str, bytes | None]] = (),
    author: str = NOBODY,
    cosigners: tuple[str, ...] = (),
) -> Statement:
    """A step by its words alone: (role, data, id of the statement that made it)."""
    materials = tuple(
        Material(
            role=role,
            digest={"sha256": digest(data)},
            name=data,
            statement=None if parent is None else named(parent),
        )
        for role, data, parent in of
    )
    predicate = Step(author=author, step=word, materials=materials, cosigners=cosigners)
    subjects = tuple(Subject({"sha256": digest(o)}, name=o) for o in outputs)
    return Statement.of(predicate, subjects=subjects)


def receipt(keyset: str, *, model: str, made_by: bytes | None, answer: str) -> Receipt:
    """A receipt of one answer by a model."""
    body = {
        "api_version": "aci/1",
        "workload_keyset_digest": keyset,
        "key_id": "receipt",
        "event_log": [
            {"type": "request.received", "body_hash": f"sha256:{digest('question')}"},
            model_event(f"sha256:{digest(model)}", statement=made_by),
            {"type": "response.returned", "body_hash": f"sha256:{digest(answer)}"},
        ],
        "signature": "00" * 64,
    }
    return Receipt.parse(canonical.encode(body))


class Story:
    """Three contributions -> dataset -> training run -> model -> answer -> an agent's action."""

    def __init__(self) -> None:
        self.pool = workload_named("pool")
        self.trainer = workload_named("trainer")
        self.gateway = workload_named("gateway", "receipt")
        self.agent = workload_named("agent")
        self.contributions = tuple(
            step(self.pool, "contribute", name) for name in ("alice.csv", "bob.csv", "carol.csv")
        )
        names = ("alice.csv", "bob.csv", "carol.csv")
        parts = zip(names, self.contributions, strict=True)
        self.dataset = step(
            self.pool, "assemble", "corpus", of=[("contribution", n, s) for n, s in parts]
        )
        self.model = step(
            self.trainer,
            "train",
            "model.safetensors",
            "loss.json",
            of=[("dataset", "corpus", self.dataset), ("base-model", "base.safetensors", None)],
        )
        self.answer = receipt(
            self.gateway.record.keyset_digest,
            model="model.safetensors",
            made_by=self.model.id,
            answer="answer",
        )
        self.action = step(self.agent, "pay", "transaction", of=[("answer", "answer", None)])
        statements = (*self.contributions, self.dataset, self.model, self.action)
        self.records = (*map(packed, statements), self.answer.encode())
        people = (self.pool, self.trainer, self.gateway, self.agent)
        self.identities = tuple(person.record.encode() for person in people)
        self.blobs = {name: data for person in people for name, data in person.blobs.items()}

    def source(self) -> Memory:
        return Memory(self.records, self.identities, self.blobs)

    def graph(self) -> Graph:
        return Graph.of_records(self.records, self.identities, blob=self.blobs.get)


@cache
def story() -> Story:
    return Story()


__all__ = ["NOBODY", "Memory", "Story", "link_event", "packed", "parse_named", "plain_step",
           "receipt", "story"]  # fmt: skip
