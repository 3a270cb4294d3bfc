"""What belongs to a proof of some statements: the walk that export, reading and merging share.

    statement   the statements that its links name; for a link that names none, those that produced
                its digest; the identities that wrote and cosign it
    receipt     the same, with the identity of its keyset
    rotation    the identity that it hands over to
    identity    the identity before it, the rotation statement, and the evidence's bytes

Trusts: nothing.  Does not trust: the source, which may hold cycles, chains and anything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from teeproof.core.digests import named, parse_named
from teeproof.core.errors import Unavailable
from teeproof.proof.file.library import Library
from teeproof.proof.source import Read

__all__ = ["ROTATION", "Edge", "Walk", "incomplete"]

ROTATION = "urn:teeproof:rotation:v1"


class Edge(NamedTuple):
    """Something that a statement or identity names.

    Attributes:
        child: the statement or identity that names it, 32 bytes.
        role: a link's role, or ``root``, ``author``, ``cosigner``, ``keyset``, ``evidence``,
            ``previous``, ``rotation``.
        parent: ``sha256:…`` of what is named.
    """

    child: bytes
    role: str
    parent: str


class Walk:
    """One walk over a library, without recursion; what it found stays with it.

    Attributes:
        statements: ids of the closure.
        identities: digests.
        blobs: ``sha256:…`` of the evidence's bytes, with the identity that names them.
        subjects: ``sha256:…`` that statements of the closure speak of, as subject or material.
        missing: what was named and is not there. Links that name no statement, and identities
            before the first one known, leave no hole.
    """

    def __init__(self, source: Library) -> None:
        self.statements: set[bytes] = set()
        self.identities: set[bytes] = set()
        self.blobs: dict[str, bytes] = {}
        self.subjects: set[str] = set()
        self.missing: list[Edge] = []
        self._source = source
        # child, role and key of what is named; and whether it is a statement or an identity
        self._waiting: list[tuple[bytes, str, bytes, bool]] = []
        # Whatever many may name is looked up once: else the work grows with the square of a file.
        self._asked: set[tuple[str, str]] = set()
        self._turns: dict[bytes, bool] = {}  # whether a statement is a rotation

    def run(self, roots: Iterable[bytes]) -> Iterator[Read]:
        """Yield each statement of the closure once, as it is found."""
        for root in sorted(set(roots), reverse=True):
            self._waiting.append((root, "root", root, True))
        while self._waiting:
            child, role, key, is_statement = self._waiting.pop()
            if not is_statement:
                self._identity(child, role, key)
            elif key not in self.statements:
                read = self._source.read(key)
                if read is None:
                    self.missing.append(Edge(child, role, named(key)))
                else:
                    self.statements.add(key)
                    yield read
                    self._follow(read)

    def _follow(self, read: Read) -> None:
        self.subjects.update(subject.sha256 for subject in read.subjects)
        for link in read.links:
            self.subjects.add(link.digest)
            if link.statement is None:
                self._produced(read.id, link.role, link.digest)
            elif link.statement not in self.statements:
                self._waiting.append((read.id, link.role, link.statement, True))
        if read.author is not None:
            self._person(read.id, "author", read.author)
        for cosigner in read.cosigners:
            self._person(read.id, "cosigner", cosigner)
        if read.keyset is not None:
            self._keyset(read.id, read.keyset)
        if read.type == ROTATION:
            for subject in read.subjects:
                digest = parse_named(subject.sha256)
                if self._first("turn", subject.sha256) and self._source.record(digest):
                    self._person(read.id, "rotation", digest)

    def _person(self, child: bytes, role: str, digest: bytes) -> None:
        if digest not in self.identities:
            self._waiting.append((child, role, digest, False))

    def _produced(self, child: bytes, role: str, digest: str) -> None:
        if self._first("data", digest):
            for producer in self._source.producers(digest):
                self._waiting.append((child, role, producer, True))

    def _keyset(self, child: bytes, keyset: str) -> None:
        found = self._source.identities_of_keyset(keyset)
        if not found:
            self.missing.append(Edge(child, "keyset", keyset))
        elif self._first("keyset", keyset):
            for digest in found:
                self._person(child, "keyset", digest)

    def _first(self, kind: str, digest: str) -> bool:
        asked = len(self._asked)
        self._asked.add((kind, digest))
        return len(self._asked) > asked

    def _identity(self, child: bytes, role: str, digest: bytes) -> None:
        if digest in self.identities:
            return
        record = self._source.record(digest)
        if record is None:
            if role != "previous":
                self.missing.append(Edge(child, role, named(digest)))
            return
        self.identities.add(digest)
        for blob in record.attachments.values():
            self.blobs.setdefault(blob, digest)
        if record.keys.previous is not None:
            self._person(digest, "previous", parse_named(record.keys.previous))
            self._rotations(digest)

    def _rotations(self, digest: bytes) -> None:
        for producer in self._source.producers(named(digest)):
            if producer not in self.statements and self._is_rotation(producer):
                self._waiting.append((digest, "rotation", producer, True))

    def _is_rotation(self, statement_id: bytes) -> bool:
        known = self._turns.get(statement_id)
        if known is None:
            read = self._source.read(statement_id)
            known = self._turns[statement_id] = read is not None and read.type == ROTATION
        return known


def incomplete(edge: Edge) -> Unavailable:
    """Return the error for an edge whose upper end nobody has."""
    why = f"{named(edge.child)} names {edge.parent} as its {edge.role}, which is not at hand: "
    if edge.role == "root":
        why = f"the statement {edge.parent} is not at hand: "
    return Unavailable(
        why + "name a source that has it" + (", or allow holes" if edge.role != "root" else ""),
        code="closure_incomplete",
        expected=edge.parent,
        got="nothing",
    )
