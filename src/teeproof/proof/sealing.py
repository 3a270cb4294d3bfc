"""Seal a statement in one call, and save it with everything that anyone needs to check it.

    me = Identity.boot()
    answer = me.seal("answer", outputs={"answer.txt": b"42"}, inputs={"question.txt": b"6 x 7"})
    answer.save("answer.proof")

An input is bytes, a file, or what an earlier call returned; then the edge to it names the statement
that made it. A file is read when it is sealed: who changes it between its use and the call seals
what it has become, so bytes that matter are better handed over as bytes.

Trusts: its caller.  Does not trust: nothing comes in from elsewhere.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Protocol

from teeproof.core.digests import sha256
from teeproof.core.errors import Usage
from teeproof.core.reading import digest_file
from teeproof.proof.envelope import Envelope
from teeproof.proof.file import Exported, export
from teeproof.proof.links import Material, Subject
from teeproof.proof.source import Source
from teeproof.proof.statement import Statement, Step

__all__ = ["Content", "Input", "Sealed", "Store", "step_of"]

Content = bytes | str | PathLike[str]
"""Bytes, or the path of a file. Text is always a path: encode what is meant as content."""


class Store(Source, Protocol):
    """A source that takes in statements and identities: memory, or a log."""

    def add_identity(self, data: bytes, blobs: Mapping[str, bytes]) -> bytes:
        """Keep an identity record and its evidence; return its digest."""

    def add_statement(self, data: bytes) -> bytes:
        """Keep an envelope or a receipt; return its id. It is durable when this returns."""

    def publish(self) -> None:
        """Make proofs of what was added possible."""


class Sealed:
    """A statement that was signed and kept.

    Attributes:
        statement: what was said.
        envelope: the signatures around it.
    """

    def __init__(self, statement: Statement, envelope: Envelope, store: Store) -> None:
        self.statement = statement
        self.envelope = envelope
        self._store = store

    @property
    def id(self) -> bytes:
        """The statement's id, 32 bytes."""
        return self.statement.id

    @property
    def name(self) -> str:
        """The statement's id as text, ``sha256:…``."""
        return self.statement.name

    def __getitem__(self, output: str) -> Input:
        """Return one of several outputs by name, to be the input of another statement."""
        for subject in self.statement.subjects:
            if subject.name == output:
                return Input(subject, self.name)
        names = ", ".join(subject.name or "unnamed" for subject in self.statement.subjects)
        raise Usage(
            "the statement has no output of this name", code="output_unknown", expected=names,
            got=output[:100],
        )  # fmt: skip

    def save(self, path: str | PathLike[str]) -> Exported:
        """Write a proof file: this statement and everything that it rests on.

        Raises:
            Unavailable: something that it was made of is not kept here.
        """
        self._store.publish()
        return export(self._store, [self.id], Path(path))

    def proof(self) -> bytes:
        """Return the proof file's bytes; raises as ``save``."""
        target = io.BytesIO()
        self._store.publish()
        export(self._store, [self.id], target)
        return target.getvalue()


class Input:
    """One output of a statement, as the input of another."""

    def __init__(self, subject: Subject, statement: str) -> None:
        self.subject = subject
        self.statement = statement


def step_of(
    author: str,
    step: str,
    *,
    outputs: Mapping[str, Content],
    inputs: Mapping[str, Content | Sealed | Input],
    parameters: Mapping[str, str],
    cosigners: tuple[str, ...] = (),
) -> Statement:
    """Return the statement of one step; the keys of ``inputs`` are their roles.

    Raises:
        Usage: no output, an input with several outputs of which none was chosen, or neither bytes
            nor a path.
        Unavailable: a file cannot be read.
    """
    if not outputs:
        raise Usage("a statement needs an output to speak of", code="outputs_missing")
    predicate = Step(
        author=author,
        cosigners=cosigners,
        materials=tuple(_material(role, given) for role, given in inputs.items()),
        step=step,
        parameters=dict(parameters),
    )
    subjects = tuple(Subject(_digest(given), name=name) for name, given in outputs.items())
    return Statement.of(predicate, subjects=subjects)


def _material(role: str, given: Content | Sealed | Input) -> Material:
    if isinstance(given, Sealed):
        if len(given.statement.subjects) != 1:
            raise Usage(
                f"the statement behind {role} has several outputs: choose one, made['its name']",
                code="output_ambiguous",
            )
        given = Input(given.statement.subjects[0], given.name)
    if isinstance(given, Input):
        subject = given.subject
        return Material(
            digest=subject.digest, name=subject.name, role=role, statement=given.statement
        )
    digest = _digest(given)
    name = None if isinstance(given, bytes) else Path(given).name
    return Material(digest=digest, name=name, role=role)


def _digest(given: Content) -> dict[str, str]:
    if isinstance(given, bytes):
        return {"sha256": sha256(given).hex()}
    if not isinstance(given, str | PathLike):
        raise Usage(
            "an output or input is bytes, or the path of a file",
            code="content_unknown",
            got=type(given).__name__,
        )
    return {"sha256": digest_file(Path(given)).hex()}
