"""Proof files for the tests: people without hardware, statements, files made of members."""

from __future__ import annotations

import io
import random
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from teeproof.core.digests import named, sha256
from teeproof.proof import canonical
from teeproof.proof.blobs import attachments_of
from teeproof.proof.envelope import Envelope, Signature, pae
from teeproof.proof.file import ProofFile, export
from teeproof.proof.file.zipread import MemoryData, ZipReader
from teeproof.proof.file.zipwrite import ZipWriter
from teeproof.proof.identity import (
    Claim,
    EvidenceName,
    IdentityRecord,
    Rotation,
    identity_payload,
)
from teeproof.proof.keyring import Keyring
from teeproof.proof.keys import KeyDocument
from teeproof.proof.links import Material, Subject
from teeproof.proof.log.formats.cosignature import Cosigner
from teeproof.proof.memory import MemoryLog, MemorySource
from teeproof.proof.receipt import link_event
from teeproof.proof.source import Logged
from teeproof.proof.statement import Statement, Step


@dataclass(frozen=True)
class Person:
    """An identity of proper form, whose evidence is a few bytes that nobody verifies here."""

    record: IdentityRecord
    keyring: Keyring
    blobs: Mapping[str, bytes]

    @property
    def digest(self) -> bytes:
        return self.record.digest

    @property
    def name(self) -> str:
        return self.record.name


@cache
def person(name: str, *, previous: bytes | None = None, quote: bytes | None = None) -> Person:
    drawn = random.Random(name)
    keyring = Keyring.new(("statement", "receipt"), random=drawn.randbytes)
    keys = KeyDocument.of(
        keyring.public(), not_before=1_770_000_000, not_after=1_770_600_000,
        previous=None if previous is None else named(previous),
    )  # fmt: skip
    blobs = {"quote": quote or f"quote of {name}".encode(), "event_log": b"[]"}
    evidence = EvidenceName("tdx", named(sha256(blobs["quote"])))
    payload = identity_payload(Claim(keys=keys, evidence=(evidence,)))
    signatures = tuple(
        Signature(key.role, keyring.prove_possession(key, pae(payload))) for key in keys.signing
    )
    record = IdentityRecord(
        envelope=Envelope(payload, signatures), attachments=attachments_of(blobs)
    )
    return Person(record, keyring, blobs)


def data(word: str) -> dict[str, str]:
    return {"sha256": sha256(word.encode()).hex()}


def of(word: str) -> str:
    return named(sha256(word.encode()))


def signed(statement: Statement, author: Person) -> Envelope:
    signature = author.keyring.sign(pae(statement.payload))
    return Envelope(statement.payload, (Signature("", signature),))


def step(
    author: Person,
    *outputs: str,
    inputs: Iterable[tuple[str, bytes | None]] = (),
    cosigners: Iterable[Person] = (),
    word: str = "make",
) -> bytes:
    """The envelope of a statement; inputs are data with the statement that made it, or None."""
    materials = tuple(
        Material(
            digest=data(given), role="input", statement=None if parent is None else named(parent)
        )
        for given, parent in inputs
    )
    predicate = Step(
        author=author.name, step=word, materials=materials,
        cosigners=tuple(person.name for person in cosigners),
    )  # fmt: skip
    statement = Statement.of(
        predicate, subjects=tuple(Subject(data(output), name=output) for output in outputs)
    )
    return signed(statement, author).encode()


def rotation(author: Person, following: Person) -> bytes:
    statement = Statement.of(
        Rotation(author=author.name, reason="expiry"),
        subjects=(Subject({"sha256": following.digest.hex()}, name="identity"),),
    )
    return signed(statement, author).encode()


def receipt(
    author: Person, answer: str, *, inputs: Iterable[tuple[str, bytes | None]] = ()
) -> bytes:
    body = {
        "api_version": "aci/1",
        "receipt_id": answer,
        "workload_keyset_digest": author.record.keyset_digest,
        "key_id": "receipt",
        "event_log": [
            {"type": "request.received", "body_hash": of(f"question of {answer}")},
            *(link_event("input", of(word), statement=parent) for word, parent in inputs),
            {"type": "response.returned", "body_hash": of(answer)},
        ],
    }
    signature = author.keyring.sign_receipt(canonical.encode(body))
    return canonical.encode(body | {"signature": signature.hex()})


def source(*people: Person, log: MemoryLog | None = None) -> MemorySource:
    found = MemorySource(log)
    for person_ in people:
        found.add_identity(person_.record.encode(), person_.blobs)
    return found


def new_log(origin: str = "log.example/a", seed: int = 1) -> MemoryLog:
    """A log whose salts follow from its origin."""
    drawn = random.Random(origin)
    return MemoryLog(origin, seed=bytes([seed]) * 32, random=drawn.randbytes)


class View:
    """A source that sees one checkpoint of the log only, as a replica of that day."""

    def __init__(self, held: MemorySource, size: int) -> None:
        self._held, self._size = held, size

    def __getattr__(self, name: str) -> Any:
        return getattr(self._held, name)

    def logged(self, key: bytes) -> Logged | None:
        place = self._held.logged(key)
        if place is None or place.index >= self._size:
            return None
        return replace(place, checkpoint=self._held.log._archive[self._size])


def exported(held: object, *roots: bytes, **options: object) -> bytes:
    stream = io.BytesIO()
    export(held, roots, stream, **options)  # type: ignore[arg-type]
    return stream.getvalue()


def opened(held: object, *roots: bytes, **options: object) -> ProofFile:
    return ProofFile.from_bytes(exported(held, *roots, **options))


def members(file: bytes) -> dict[str, bytes]:
    reader = ZipReader(MemoryData(file))
    return {name: reader.read(name) for name in reader.members}


def pack(content: Mapping[str, bytes] | Iterable[tuple[str, bytes]]) -> bytes:
    """A file with these members, in the order given."""
    stream = io.BytesIO()
    writer = ZipWriter(stream)
    for name, raw in content.items() if isinstance(content, Mapping) else content:
        writer.add(name, raw)
    writer.finish()
    return stream.getvalue()


def ordered(content: Mapping[str, bytes]) -> dict[str, bytes]:
    """Members in the order of the format, whatever their names."""
    groups = ("manifest.json", "statements/", "identities/", "blobs/", "log/")

    def place(name: str) -> tuple[int, str]:
        return next((i for i, g in enumerate(groups) if name.startswith(g)), 9), name

    return {name: content[name] for name in sorted(content, key=place)}


@cache
def story() -> tuple[MemorySource, dict[str, bytes]]:
    """A dataset, a model made of it by two people, an answer by a third; all in one log.

    Checkpoints: after the dataset, and at the end.
    """
    log = new_log()
    alice, bob, carol = person("alice"), person("bob"), person("carol")
    held = source(alice, bob, carol, log=log)
    ids = {"dataset": held.add_statement(step(alice, "dataset"))}
    log.publish()
    ids["model"] = held.add_statement(
        step(bob, "model", inputs=[("dataset", ids["dataset"])], cosigners=[alice])
    )
    ids["answer"] = held.add_statement(receipt(carol, "answer", inputs=[("model", ids["model"])]))
    ids["other"] = held.add_statement(step(alice, "other"))
    signed = log.publish()
    witness = Cosigner("witness.example/w", b"\7" * 32)
    log.add_cosignatures(
        signed.checkpoint.size, [witness.cosign(signed.note.text, time=1_770_000_100)]
    )
    return held, ids


@cache
def answer() -> bytes:
    """The proof file of the story's answer."""
    held, ids = story()
    return exported(held, ids["answer"])


def checksum(raw: bytes) -> int:
    return zlib.crc32(raw)


def signed_again(envelope: bytes, signer: Person) -> bytes:
    """An envelope with one more signature."""
    held = Envelope.parse(envelope)
    extra = Signature("", signer.keyring.sign(pae(held.payload)))
    return Envelope(held.payload, (*held.signatures, extra)).encode()
