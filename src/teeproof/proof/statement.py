"""A statement: what a workload says it made, of what, and who it is that says so.

A statement is an in-toto Statement v1. Its outputs are the subjects; its inputs are materials, each
with a role, and with the id of the statement that produced it where there is one. Author and
materials lie inside the predicate, so they are signed.

    {"_type": "https://in-toto.io/Statement/v1",
     "predicate": {"author": "sha256:<identity>", "materials": […], …},
     "predicateType": "urn:teeproof:step:v1",
     "subject": [{"digest": {"sha256": "…"}, "name": "model.safetensors"}]}

Source: in-toto attestation framework, spec/v1/statement.md and resource_descriptor.md.

Trusts: nothing.  Does not trust: whoever wrote the payload.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any, Final, Literal

import msgspec

from teeproof.core.digests import named, parse_named
from teeproof.core.errors import Malformed, Usage
from teeproof.proof import canonical, foreign
from teeproof.proof.envelope import MAX_PAYLOAD_BYTES
from teeproof.proof.links import Link, Material, Subject
from teeproof.proof.plain import require_plain

__all__ = ["STATEMENT_TYPE", "Predicate", "Statement", "Step", "known_types", "predicate_type"]

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
OURS = "urn:teeproof:"
MAX_COSIGNERS = 15  # with the author, as many as an envelope holds


class Predicate(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    kw_only=True,
    gc=False,
):
    """What every predicate of ours begins with; subclasses add their fields.

    Attributes:
        author: ``sha256:…`` of the identity that says this; its ``statement`` key signs.
        cosigners: identities that must sign too.
        materials: inputs, in the order in which they were used.
    """

    author: str
    cosigners: tuple[str, ...] = ()
    materials: tuple[Material, ...] = ()


_TYPES: dict[str, type[Predicate]] = {}
_NAMES: dict[type, str] = {}


def predicate_type(name: str) -> Any:
    """Return a class decorator that makes a ``Predicate`` known by its type URI."""

    def register(kind: type[Predicate]) -> type[Predicate]:
        require_plain(kind)
        if not name.startswith(OURS) or _TYPES.setdefault(name, kind) is not kind:
            raise Usage(f"the predicate type {name} is taken, or not ours", code="type_taken")
        _NAMES.setdefault(kind, name)
        return kind

    return register


def known_types() -> tuple[str, ...]:
    """Return the predicate types of ours that are known so far, sorted."""
    return tuple(sorted(_TYPES))


@predicate_type("urn:teeproof:step:v1")
class Step(Predicate, frozen=True, kw_only=True):
    """One step of a lifecycle: outputs made of inputs.

    Attributes:
        step: what was done, one word or a few: ``train``, ``validate``, ``answer``.
        parameters: whatever else determines the result, as text.
    """

    step: str
    parameters: dict[str, str] = {}


class _Wire(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, gc=False):
    """A payload of which only the outside has been read."""

    type: Literal["https://in-toto.io/Statement/v1"] = msgspec.field(name="_type")
    subject: tuple[Subject, ...]
    predicate_type: str = msgspec.field(name="predicateType")
    predicate: msgspec.Raw


class _Open(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of a predicate of ours whose type is not known here."""

    author: str
    cosigners: tuple[str, ...] = ()
    materials: tuple[Material, ...] = ()


_outside = msgspec.json.Decoder(_Wire)
_encoder = msgspec.json.Encoder(order="sorted")
_inside: dict[str, msgspec.json.Decoder[Any]] = {}


class Statement(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A statement as parsed; make one with ``Statement.of``.

    Attributes:
        payload: the canonical bytes.
        id: their SHA-256, 32 bytes.
        type: the predicate type.
        subjects: outputs.
        author: the identity that says this, 32 bytes; None if the predicate names none.
        cosigners: identities that must sign too, 32 bytes each.
        links: inputs.
        outside: of another party's predicate, inputs without a SHA-256, in words: nothing joins
            them to what made them.
        predicate: the typed predicate; plain JSON where the type is not known here.
        known: whether the predicate's type is known here, so that every field was understood.
    """

    payload: bytes
    id: bytes
    type: str
    subjects: tuple[Subject, ...]
    author: bytes | None
    cosigners: tuple[bytes, ...]
    links: tuple[Link, ...]
    outside: tuple[str, ...]
    predicate: Any
    known: bool

    @classmethod
    def of(cls, predicate: Predicate, *, subjects: tuple[Subject, ...]) -> Statement:
        """Return the statement with a predicate of ours.

        Raises:
            Usage: a class without a registered type, or values that have no canonical form.
            Malformed: a digest, a role or a count that the format does not allow.
        """
        name = _NAMES.get(type(predicate))
        if name is None:
            raise Usage(
                "this predicate has no registered type: decorate its class with predicate_type",
                code="type_unknown",
                got=type(predicate).__name__,
            )
        try:
            # No float or large integer has a place in a predicate of ours, so parsing sees them.
            return cls.parse(_canonical(name, predicate, subjects))
        except (msgspec.MsgspecError, UnicodeError, TypeError, RecursionError, Malformed):
            return cls.parse(_payload(name, predicate, subjects))

    @classmethod
    def of_foreign(
        cls, predicate_type: str, predicate: dict[str, Any], *, subjects: tuple[Subject, ...]
    ) -> Statement:
        """Return a statement with another party's predicate, such as SLSA provenance.

        Its author is the identity that the predicate names as builder or verifier, as
        ``urn:teeproof:identity:sha256:…``; Usage and Malformed as ``of``.
        """
        if predicate_type.startswith(OURS):
            raise Usage("predicates of ours are typed: use Statement.of", code="type_unknown")
        return cls.parse(_payload(predicate_type, predicate, subjects))

    @classmethod
    def parse(cls, payload: bytes) -> Statement:
        """Return the statement in a payload.

        Raises:
            TooLarge: more than ``MAX_PAYLOAD_BYTES``.
            Malformed: not an in-toto Statement v1, not canonical, an unknown field in a predicate
                of ours, or a digest that is none.
        """
        if len(payload) > MAX_PAYLOAD_BYTES:
            canonical.decode(payload, limit=MAX_PAYLOAD_BYTES, what="statement")
        try:
            wire = _outside.decode(payload)
            predicate, known = _predicate(wire)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise _malformed(str(error) or type(error).__name__) from None
        _require_canonical(payload, wire, predicate, known)
        try:
            return _read(payload, wire, predicate, known)
        except (msgspec.ValidationError, ValueError, TypeError, AttributeError) as error:
            raise _malformed(str(error)) from None

    @property
    def name(self) -> str:
        """``sha256:…`` of the payload."""
        return named(self.id)

    @property
    def signers(self) -> tuple[bytes, ...]:
        """The identities whose signatures stand first in the envelope, in this order."""
        return self.cosigners if self.author is None else (self.author, *self.cosigners)


def _payload(predicate_type: str, predicate: Any, subjects: tuple[Subject, ...]) -> bytes:
    body = {
        "_type": STATEMENT_TYPE,
        "predicate": predicate,
        "predicateType": predicate_type,
        "subject": list(subjects),
    }
    return canonical.encode(body)


def _canonical(name: str, predicate: Predicate, subjects: tuple[Subject, ...]) -> bytes:
    """Return what ``_payload`` returns, if these have the types that they should."""
    form = (
        b'{"_type":"https://in-toto.io/Statement/v1","predicate":%s,'
        b'"predicateType":"%s","subject":%s}'
    )
    return form % (_encoder.encode(predicate), name.encode(), _encoder.encode(subjects))


def _predicate(wire: _Wire) -> tuple[Any, bool]:
    kind = _TYPES.get(wire.predicate_type)
    if kind is None:
        return msgspec.json.decode(wire.predicate), False
    decoder = _inside.get(wire.predicate_type)
    if decoder is None:
        decoder = _inside.setdefault(wire.predicate_type, msgspec.json.Decoder(kind))
    return decoder.decode(wire.predicate), True


def _require_canonical(payload: bytes, wire: _Wire, predicate: Any, known: bool) -> None:
    if known and _canonical(wire.predicate_type, predicate, wire.subject) == payload:
        return
    # Another party's predicate may hold anything; and the slow path names the difference.
    canonical.decode(payload, limit=MAX_PAYLOAD_BYTES, what="statement")
    if known:
        raise Malformed(
            "the statement spells out a default, or leaves one out: use Statement.of",
            code="not_canonical",
        )


def _read(payload: bytes, wire: _Wire, predicate: Any, known: bool) -> Statement:
    outside: tuple[str, ...] = ()
    if known or wire.predicate_type.startswith(OURS):
        given = predicate if known else msgspec.convert(predicate, _Open, strict=True)
        author, cosigners, materials = given.author, given.cosigners, given.materials
    else:
        author, materials, outside = foreign.read(wire.predicate_type, predicate)
        cosigners = ()
    if cosigners and not _are_several(author, cosigners):
        raise ValueError("an author or cosigner is named twice, or there are more than 15")
    for subject in wire.subject:
        subject.check()
    if not wire.subject:
        raise ValueError("a statement without a subject says nothing about anything")
    return Statement(
        payload=payload,
        id=hashlib.sha256(payload).digest(),
        type=wire.predicate_type,
        subjects=wire.subject,
        author=None if author is None else _person(author),
        cosigners=tuple(map(_person, cosigners)) if cosigners else (),
        links=tuple([material.link() for material in materials]) if materials else (),
        outside=outside,
        predicate=predicate,
        known=known,
    )


_person = lru_cache(maxsize=1024)(parse_named)  # few say much


def _are_several(author: str | None, cosigners: tuple[str, ...]) -> bool:
    return len(cosigners) <= MAX_COSIGNERS and len({author, *cosigners}) == len(cosigners) + 1


def _malformed(got: str) -> Malformed:
    return Malformed(
        "this is not a statement",
        code="statement_malformed",
        expected="an in-toto Statement v1 with a known set of fields",
        got=got[:300],
    )
