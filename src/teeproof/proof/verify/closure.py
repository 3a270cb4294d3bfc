"""Read a proof once: identities, then statement by statement, keeping only what the rest needs.

Payloads and envelopes are dropped as soon as their signatures have been checked, so a proof of ten
thousand statements needs little memory.

Trusts: nothing.  Does not trust: the proof.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import msgspec

from teeproof.evidence.verdict import Check
from teeproof.proof.file import ProofFile
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.links import Link
from teeproof.proof.source import Read
from teeproof.proof.verify.statements import spoken
from teeproof.proof.verify.structure import Edges, edges_of

__all__ = ["MAX_MAKERS", "Closure", "Kept", "read_closure"]

MAX_MAKERS = 16  # of one piece of data; more are not listed beside each statement that uses it
_FEW = 8  # outputs that are found by looking at each
Progress = Callable[[int, int], None]


class Kept(msgspec.Struct, frozen=True, gc=False):
    """What is kept of one statement.

    Attributes:
        type: predicate type, or ``aci/1``.
        title: what was done or said, in the author's word; for people only.
        author: identity digest, 32 bytes, if it could be found.
        checks: those that need nothing but the statement and its author's keys.
        cosigners: identities that had to sign too.
        seal: the digest of their signatures, 32 bytes.
        links: inputs.
        outside: inputs that nothing can join to what made them, in words.
        outputs: ``sha256:…`` of what it made.
    """

    type: str
    title: str
    author: bytes | None
    checks: tuple[Check, ...]
    cosigners: tuple[bytes, ...]
    seal: bytes
    links: tuple[Link, ...]
    outside: tuple[str, ...]
    outputs: Collection[str]


class Closure:
    """Everything in a proof, read.

    Attributes:
        identities: by digest.
        statements: by id.
        producers: the statements that made a ``sha256:…``.
    """

    def __init__(self, producers: Callable[[str], Sequence[bytes]]) -> None:
        self.identities: dict[bytes, IdentityRecord] = {}
        self.statements: dict[bytes, Kept] = {}
        self.producers = producers

    def edges(self) -> Edges:
        """Return the graph of the statements."""
        links = {one: kept.links for one, kept in self.statements.items()}
        outputs = {one: kept.outputs for one, kept in self.statements.items()}
        return edges_of(links, outputs, self.producers)

    def inputs(self, statement_id: bytes) -> tuple[bytes, ...]:
        """Return the statements in the proof that a statement was made of, for people to follow.

        Where its author named data only, these are all that made it, unless they are too many.
        """
        found: dict[bytes, None] = {}
        for link in self.statements[statement_id].links:
            if link.statement is None:
                makers = self.producers(link.digest)
                if len(makers) <= MAX_MAKERS:
                    found.update(dict.fromkeys(makers))
                    found.pop(statement_id, None)
            elif link.statement in self.statements:
                found[link.statement] = None
        return tuple(found)


def read_closure(proof: ProofFile, *, progress: Progress | None = None) -> Closure:
    """Return what a proof holds, with every signature checked; nothing is judged yet."""
    closure = Closure(proof.producers)
    for digest in proof.identity_digests:
        record = proof.record(digest)
        if record is not None:
            closure.identities[digest] = record
    total = len(proof.statement_ids)
    identities, statements, seals = closure.identities, closure.statements, proof.seals
    for count, statement_id in enumerate(proof.statement_ids, 1):
        read = proof.read(statement_id)
        if read is None:
            continue
        author, checks = spoken(read, identities, proof.author_of_receipt)
        statements[statement_id] = Kept(
            read.type, read.title, author, checks, read.cosigners, seals[statement_id],
            read.links, read.outside, _outputs(read),
        )  # fmt: skip
        if progress is not None:
            progress(count, total)
    return closure


def _outputs(read: Read) -> Collection[str]:
    if len(read.subjects) == 1:
        return (read.subjects[0].sha256,)
    outputs = tuple(subject.sha256 for subject in read.subjects)
    return frozenset(outputs) if len(outputs) > _FEW else outputs
