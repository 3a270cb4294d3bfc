"""A small lifecycle for the tests: workloads, statements, a log, two witnesses, a relying party."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec

from teeproof.core.clock import to_epoch
from teeproof.proof.envelope import Envelope
from teeproof.proof.file import ProofFile, export
from teeproof.proof.log.formats.cosignature import Cosigner
from teeproof.proof.log.formats.policy import TlogPolicy
from teeproof.proof.memory import MemoryLog, MemorySource
from teeproof.proof.statement import Statement
from teeproof.proof.verify import ProofVerdict, Trust, verify_proof
from teeproof.proof.workload import Identity
from tests.proof.people import NOW, policy, step, workload_named

ORIGIN = "log.example/a"
LATER = NOW + timedelta(hours=1)
ONE = Cosigner("one.example/w", b"\1" * 32)
TWO = Cosigner("two.example/w", b"\2" * 32)
THREE = Cosigner("three.example/w", b"\3" * 32)
LOG_SEED = b"\7" * 32


def log_policy(log: MemoryLog, *, quorum: str = "2") -> TlogPolicy:
    """The relying party's: this log, and two of three witnesses."""
    lines = [f"log {log.verifier.text()}"]
    for name, witness in (("one", ONE), ("two", TWO), ("three", THREE)):
        lines.append(f"witness {name} {witness.verifier.text()}")
    lines += [f"group all-of-them {quorum} one two three", "quorum all-of-them"]
    return TlogPolicy.parse("\n".join(lines) + "\n")


class World:
    """Statements in a log; ``proof`` exports some, ``verify`` judges them as the relying party."""

    def __init__(self, *, origin: str = ORIGIN, seed: bytes = LOG_SEED) -> None:
        self.log = MemoryLog(origin, seed=seed)
        self.source = MemorySource(self.log)
        self.known: dict[Any, Any] = {}

    def add(self, *people: Identity) -> None:
        for one in people:
            self.source.add_identity(one.record.encode(), one.blobs)

    def say(self, statement: Statement, *signers: Identity) -> Statement:
        """Sign, with the author's key first, and log."""
        first, *others = signers
        envelope = first.sign(statement)
        for other in others:
            envelope = other.cosign(envelope)
        self.put(envelope)
        return statement

    def put(self, envelope: Envelope) -> bytes:
        return self.source.add_statement(envelope.encode())

    def publish(self, *, at: Any = NOW, by: Sequence[Cosigner] = (ONE, TWO)) -> None:
        """Publish, and have witnesses cosign at a time."""
        signed = self.log.publish()
        time = to_epoch(at)
        lines = [witness.cosign(signed.note.text, time=time) for witness in by]
        self.log.add_cosignatures(signed.checkpoint.size, lines)

    def export(self, *roots: Statement, **options: Any) -> bytes:
        target = io.BytesIO()
        export(self.source, [root.id for root in roots], target, **options)
        return target.getvalue()

    def trust(self, **changes: Any) -> Trust:
        trust = Trust(policy=policy(), logs=log_policy(self.log))
        return msgspec.structs.replace(trust, **changes)

    def verify(
        self, data: bytes, *, now: Any = LATER, known: Any = None, **changes: Any
    ) -> ProofVerdict:
        with ProofFile.from_bytes(data) as proof:
            return verify_proof(proof, now=now, trust=self.trust(**changes), known=known)


def lifecycle() -> tuple[World, dict[str, Statement]]:
    """Two contributions, a dataset, a model, an answer, an action; by four workloads; logged."""
    world = World()
    data, trainer = workload_named("validator"), workload_named("trainer")
    server, agent = workload_named("server"), workload_named("agent")
    world.add(data, trainer, server, agent)
    said: dict[str, Statement] = {}
    for name in ("first", "second"):
        said[name] = world.say(step(data, "contribute", name, of=[("record", name, None)]), data)
    parts = [("contribution", name, said[name]) for name in ("first", "second")]
    said["dataset"] = world.say(step(data, "validate", "dataset", of=parts), data)
    inputs = [("dataset", "dataset", said["dataset"])]
    said["model"] = world.say(step(trainer, "train", "model", of=inputs), trainer)
    inputs = [("model", "model", said["model"])]
    said["answer"] = world.say(step(server, "answer", "answer", of=inputs), server)
    inputs = [("answer", "answer", said["answer"])]
    said["action"] = world.say(step(agent, "trade", "trade", of=inputs), agent)
    world.publish()
    return world, said


def failures(verdict: ProofVerdict) -> dict[str, str]:
    """The codes of all that failed, by check."""
    return {fault.check.name: fault.check.code or "" for fault in verdict.faults}
