"""Seal a statement in one call, and save it with everything that anyone needs to check it.

    me = Identity.boot()
    answer = me.seal("answer", outputs={"answer.txt": b"42"}, inputs={"question.txt": b"6 x 7"})
    answer.save("answer.proof")

An input is bytes, a file, what an earlier call returned, or another's proof file; with the last two
the edge to it names the statement that made it, and ``save`` finds that statement where it is kept,
also in another identity's store. A file is read when it is sealed: who changes it between its use
and the call seals what it has become, so bytes that matter are better handed over as bytes.

Trusts: its caller.  Does not trust: nothing comes in from elsewhere.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Protocol

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Unavailable, Usage
from teeproof.core.reading import digest_file
from teeproof.proof.envelope import Envelope
from teeproof.proof.file import Exported, ProofFile, Union, export
from teeproof.proof.file.library import Library
from teeproof.proof.links import Material, Subject
from teeproof.proof.source import Source
from teeproof.proof.statement import Statement, Step

__all__ = ["Content", "Given", "Input", "Origin", "Sealed", "Store", "sources_of", "step_of"]

Content = bytes | str | PathLike[str]
"""Bytes, or the path of a file. Text is always a path: encode what is meant as content."""

Origin = Source | Library
"""Where statements are found: a store, a proof file."""


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
        sources: where it and all that it was made of are kept; the first is its author's store.
    """

    def __init__(
        self,
        statement: Statement,
        envelope: Envelope,
        store: Store,
        sources: Iterable[Origin] = (),
    ) -> None:
        self.statement = statement
        self.envelope = envelope
        self.sources: tuple[Origin, ...] = tuple(dict.fromkeys((store, *sources)))

    def __repr__(self) -> str:
        """Name the statement and what it made."""
        what = getattr(self.statement.predicate, "step", self.statement.type)
        outputs = [(made.name or made.sha256[:23] + "…")[:40] for made in self._outputs[:3]]
        more = ", …" if len(self._outputs) > len(outputs) else ""
        return f"Sealed({what!r}, {self.name[:23]}…, outputs {', '.join(outputs)}{more})"

    @property
    def _outputs(self) -> tuple[Subject, ...]:
        return self.statement.subjects

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
                return Input(subject, self.name, self.sources)
        names = ", ".join(subject.name or "unnamed" for subject in self.statement.subjects)
        raise Usage(
            "the statement has no output of this name", code="output_unknown", expected=names,
            got=str(output)[:100],
        )  # fmt: skip

    def save(self, path: str | PathLike[str], *, sources: Iterable[Origin] = ()) -> Exported:
        """Write a proof file: this statement and everything that it rests on.

        Args:
            path: the file; it appears once it is complete.
            sources: where else to look: other stores, proof files.

        Raises:
            Unavailable: something that it was made of is in none of them.
        """
        if not isinstance(path, str | PathLike):
            raise Usage("a proof is saved under a path", code="not_a_file", got=type(path).__name__)
        return self._export(Path(path), sources)

    def proof(self, *, sources: Iterable[Origin] = ()) -> bytes:
        """Return the proof file's bytes; arguments and errors as ``save``."""
        target = io.BytesIO()
        self._export(target, sources)
        return target.getvalue()

    def _export(self, target: Path | io.BytesIO, further: Iterable[Origin]) -> Exported:
        sources = tuple(dict.fromkeys((*self.sources, *further)))
        for source in sources:
            publish = getattr(source, "publish", None)
            if publish is not None:
                publish()
        return export(sources[0] if len(sources) == 1 else Union(sources), [self.id], target)


class Input:
    """One output of a statement, as the input of another."""

    def __init__(self, subject: Subject, statement: str, sources: Iterable[Origin] = ()) -> None:
        self.subject = subject
        self.statement = statement
        self.sources = tuple(sources)

    def __repr__(self) -> str:
        """Name the output and the statement that made it."""
        return f"Input({self.subject.name or self.subject.sha256!r} of {self.statement[:23]}…)"


Given = Content | Sealed | Input | ProofFile
"""What an input can be."""


def sources_of(inputs: Iterable[Given]) -> list[Origin]:
    """Return where the statements behind these inputs are kept."""
    found: list[Origin] = []
    for given in inputs:
        if isinstance(given, ProofFile):
            found.append(given)
        elif isinstance(given, Sealed | Input):
            found += given.sources
    return found


def step_of(
    author: str,
    step: str,
    *,
    outputs: Mapping[str, Content],
    inputs: Mapping[str, Given],
    parameters: Mapping[str, str],
    cosigners: tuple[str, ...] = (),
) -> Statement:
    """Return the statement of one step; the keys of ``inputs`` are their roles.

    Raises:
        Usage: no step, no output, an input with several outputs of which none was chosen, neither
            bytes nor a path, or no mappings.
        Unavailable: a file cannot be read.
    """
    if not isinstance(step, str) or not step.strip():
        raise Usage(
            "say in a word or a few what was done",
            code="step_missing",
            expected="text such as train",
            got=repr(step)[:100],
        )
    _require_mapping("outputs", outputs, 'by name, such as {"answer.txt": b"42"}')
    _require_mapping("inputs", inputs, 'by role, such as {"question": b"6 x 7"}')
    _require_mapping("parameters", parameters, 'text by name, such as {"seed": "7"}')
    for name, value in parameters.items():
        if not isinstance(value, str):
            raise Usage(
                f"the parameter {name} is not text: write it as text, so that it has one form",
                code="parameters_malformed",
                expected='text by name, such as {"seed": "7"}',
                got=repr(value)[:100],
            )
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


def _require_mapping(name: str, given: Any, expected: str) -> None:
    if not isinstance(given, Mapping):
        got = type(given).__name__
    elif wrong := [key for key in given if not isinstance(key, str) or not key]:
        got = f"the name {wrong[0]!r:.100}"
    else:
        return
    raise Usage(
        f"{name} is a mapping with names", code=f"{name}_malformed", expected=expected, got=got
    )


def _material(role: str, given: Given) -> Material:
    if isinstance(given, Sealed):
        given = _only_output(role, given.statement.subjects, given.name)
    elif isinstance(given, ProofFile):
        given = _only_output(role, *_root_of(role, given))
    if isinstance(given, Input):
        subject = given.subject
        return Material(
            digest=subject.digest, name=subject.name, role=role, statement=given.statement
        )
    digest = _digest(given)
    name = None if isinstance(given, bytes) else Path(given).name
    return Material(digest=digest, name=name, role=role)


def _root_of(role: str, proof: ProofFile) -> tuple[tuple[Subject, ...], str]:
    read = proof.read(proof.roots[0])
    if len(proof.roots) != 1 or read is None:
        raise Usage(
            f"the proof behind {role} is of several statements: hand over one of one",
            code="input_ambiguous",
            expected="one root",
            got=f"{len(proof.roots)} roots",
        )
    return read.subjects, named(read.id)


def _only_output(role: str, subjects: tuple[Subject, ...], statement: str) -> Input:
    if len(subjects) != 1:
        raise Usage(
            f"the statement behind {role} has several outputs: choose one, made['its name']",
            code="output_ambiguous",
            expected=", ".join(subject.name or "unnamed" for subject in subjects[:8]),
        )
    return Input(subjects[0], statement)


def _digest(given: Content) -> dict[str, str]:
    if isinstance(given, bytes):
        return {"sha256": sha256(given).hex()}
    if not isinstance(given, str | PathLike):
        raise Usage(
            "an output or input is bytes, or the path of a file",
            code="content_unknown",
            expected="bytes, str or os.PathLike; of an input also Sealed, its output, or ProofFile",
            got=type(given).__name__,
        )
    try:
        return {"sha256": digest_file(Path(given)).hex()}
    except Unavailable as error:
        if not isinstance(given, str):
            raise
        raise Unavailable(
            f"{error.detail} (text is a path: encode it if it is the content)",
            code=error.code,
            got=error.got,
        ) from None
