"""Read records into what a graph keeps of them: no payloads, and names of a bounded length.

Trusts: nothing.  Does not trust: whoever wrote the records, or hands them over.
"""

from __future__ import annotations

from teeproof.core.digests import parse_named
from teeproof.core.errors import NotAuthentic
from teeproof.proof.graph.model import MAX_NAME, Identified, Input, Output, Said
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.receipt import RECEIPT_TYPE
from teeproof.proof.source import Read, read_record
from teeproof.proof.statement import OURS

__all__ = ["identified", "require_digest", "said"]

STEP = "urn:teeproof:step:v1"


def said(record: bytes | Read) -> Said:
    """Return what a statement's or receipt's record says; Malformed, TooLarge: it is neither."""
    read = read_record(record) if isinstance(record, bytes) else record
    outputs: dict[bytes, Output] = {}
    for subject in read.subjects:
        digest = bytes.fromhex(subject.digest["sha256"])
        outputs.setdefault(digest, Output(digest, _cut(subject.name)))
    return Said(
        id=read.id,
        type=read.type[:MAX_NAME],
        word=_word(read),
        author=read.author,
        keyset=read.keyset,
        cosigners=read.cosigners,
        outputs=tuple(outputs.values()),
        inputs=tuple(
            # A link's digest was parsed already, so that its form is known.
            Input(
                link.role[:MAX_NAME],
                bytes.fromhex(link.digest[7:]),
                link.statement,
                _cut(link.name),
            )
            for link in read.links
        ),
    )


def identified(record: bytes | IdentityRecord) -> Identified:
    """Return what an identity's record says; Malformed, TooLarge: it is none."""
    parsed = IdentityRecord.parse(record) if isinstance(record, bytes) else record
    (evidence,) = parsed.claim.evidence
    previous = parsed.keys.previous
    return Identified(
        digest=parsed.digest,
        kind=evidence.kind[:MAX_NAME],
        evidence=evidence.id,
        keyset=parsed.keyset_digest,
        previous=None if previous is None else parse_named(previous),
        record=record if isinstance(record, bytes) else parsed.encode(),
    )


def require_digest(got: bytes, expected: bytes) -> None:
    """Raise NotAuthentic unless a source gave the record that it was asked for."""
    if got != expected:
        raise NotAuthentic(
            "the source gave another record than the one it was asked for: do not use it",
            code="record_mismatch",
            expected=expected.hex(),
            got=got.hex(),
        )


def _word(read: Read) -> str:
    """Return what was done in a word: a step's own word, else the predicate type's."""
    if read.type == RECEIPT_TYPE:
        return "answer"
    if read.type == STEP and read.statement is not None:
        return str(read.statement.predicate.step)[:MAX_NAME]
    if read.type.startswith(OURS):
        return read.type.removeprefix(OURS).partition(":")[0][:MAX_NAME]
    parts = [part for part in read.type[-MAX_NAME:].split("/") if part]
    if len(parts) > 1 and parts[-1][:1] == "v" and parts[-1][1:].replace(".", "").isdecimal():
        parts.pop()
    return parts[-1] if parts else read.type[:MAX_NAME]


def _cut(name: str | None) -> str | None:
    return None if name is None else name[:MAX_NAME]
