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
        self._waiting: list[tuple[Edge, bool]] = []
        self._asked: set[str] = set()  # digests and keysets: each is looked up once

    def run(self, roots: Iterable[bytes]) -> Iterator[Read]:
        """Yield each statement of the closure once, as it is found."""
        for root in sorted(set(roots), reverse=True):
            self._waiting.append((Edge(root, "root", named(root)), True))
        while self._waiting:
            edge, is_statement = self._waiting.pop()
            key = parse_named(edge.parent)
            if not is_statement:
                self._identity(edge, key)
            elif key not in self.statements:
                read = self._source.read(key)
                if read is None:
                    self.missing.append(edge)
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
                self._waiting.append((Edge(read.id, link.role, named(link.statement)), True))
        if read.author is not None:
            self._person(read.id, "author", read.author)
        for cosigner in read.cosigners:
            self._person(read.id, "cosigner", cosigner)
        if read.keyset is not None:
            self._keyset(read.id, read.keyset)
        if read.type == ROTATION:
            for subject in read.subjects:
                if self._source.record(parse_named(subject.sha256)) is not None:
                    self._person(read.id, "rotation", parse_named(subject.sha256))

    def _person(self, child: bytes, role: str, digest: bytes) -> None:
        if digest not in self.identities:
            self._waiting.append((Edge(child, role, named(digest)), False))

    def _produced(self, child: bytes, role: str, digest: str) -> None:
        if digest not in self._asked:
            self._asked.add(digest)
            for producer in self._source.producers(digest):
                self._waiting.append((Edge(child, role, named(producer)), True))

    def _keyset(self, child: bytes, keyset: str) -> None:
        found = self._source.identities_of_keyset(keyset)
        if not found:
            self.missing.append(Edge(child, "keyset", keyset))
        elif keyset not in self._asked:
            self._asked.add(keyset)
            for digest in found:
                self._person(child, "keyset", digest)

    def _identity(self, edge: Edge, digest: bytes) -> None:
        if digest in self.identities:
            return
        record = self._source.record(digest)
        if record is None:
            if edge.role != "previous":
                self.missing.append(edge)
            return
        self.identities.add(digest)
        for blob in record.attachments.values():
            self.blobs.setdefault(blob, digest)
        if record.keys.previous is not None:
            self._waiting.append((Edge(digest, "previous", record.keys.previous), False))
            self._rotations(digest)

    def _rotations(self, digest: bytes) -> None:
        for producer in self._source.producers(named(digest)):
            read = None if producer in self.statements else self._source.read(producer)
            if read is not None and read.type == ROTATION:
                self._waiting.append((Edge(digest, "rotation", named(producer)), True))


def incomplete(edge: Edge) -> Unavailable:
    """Return the error for an edge whose upper end nobody has."""
    return Unavailable(
        f"{named(edge.child)} names {edge.parent} as its {edge.role}, which is not at hand: "
        "name a source that has it, or allow a proof with holes",
        code="closure_incomplete",
        expected=edge.parent,
        got="nothing",
    )
