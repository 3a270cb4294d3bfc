"""Find what a graph is made of in a source: from some statements upwards, or all that it holds.

Trusts: nothing.  Does not trust: the source; every record is asked for its digest.
"""

from __future__ import annotations

from collections.abc import Iterable

from teeproof.core.digests import named
from teeproof.core.errors import Error, TooLarge
from teeproof.proof.graph.link import MAX_NODES, ROTATION
from teeproof.proof.graph.model import Identified, Kind, Said
from teeproof.proof.graph.read import identified, require_digest, said
from teeproof.proof.source import Source

__all__ = ["Collected", "collect"]


class Collected:
    """What was found.

    Attributes:
        said: statements and receipts by id.
        identities: by digest.
        unreadable: ids under which the source holds something else, and what was to be there.
    """

    def __init__(self) -> None:
        self.said: dict[bytes, Said] = {}
        self.identities: dict[bytes, Identified] = {}
        self.unreadable: dict[bytes, Kind] = {}


def collect(source: Source, roots: Iterable[bytes]) -> Collected:
    """Return the roots and everything above them, as far as the source holds it.

    Raises:
        TooLarge: more than ``MAX_NODES`` records.
    """
    found = Collected()
    walk = _Walk(source, found)
    for root in roots:
        walk.statement(root)
        walk.identity(root)
    walk.run()
    return found


class _Walk:
    def __init__(self, source: Source, found: Collected) -> None:
        self.source, self.found = source, found
        self._statements: list[bytes] = []
        self._identities: list[bytes] = []
        self._digests: list[bytes] = []
        self._named: list[tuple[bytes, bytes]] = []
        self._seen: dict[str, set[bytes]] = {"statement": set(), "identity": set(), "data": set()}

    def statement(self, statement_id: bytes) -> None:
        self._once("statement", statement_id, self._statements)

    def identity(self, digest: bytes) -> None:
        self._once("identity", digest, self._identities)

    def run(self) -> None:
        """Ask until nothing new is spoken of; statements by name first, then by digest."""
        while self._statements or self._identities or self._digests:
            while self._statements:
                self._read_statement(self._statements.pop())
            while self._identities:
                self._read_identity(self._identities.pop())
            while self._named:
                self._check_named(*self._named.pop())
            if not self._statements and self._digests:
                for maker in self.source.producers(named(self._digests.pop())):
                    self.statement(maker)

    def _once(self, kind: str, digest: bytes, queue: list[bytes]) -> None:
        seen = self._seen[kind]
        if digest not in seen:
            if len(seen) >= MAX_NODES:
                raise TooLarge(
                    "there is more above these statements than one graph holds",
                    expected=f"at most {MAX_NODES} records",
                )
            seen.add(digest)
            queue.append(digest)

    def _read_statement(self, statement_id: bytes) -> None:
        data = self.source.statement(statement_id)
        if data is None:
            return
        try:
            read = said(data)
            require_digest(read.id, statement_id)
        except Error:
            self.found.unreadable[statement_id] = "statement"
            return
        self.found.said[statement_id] = read
        for given in read.inputs:
            self.statement(given.statement or given.digest)
            self.identity(given.digest)
            if given.statement is None:
                self._once("data", given.digest, self._digests)
            else:
                self._named.append((given.statement, given.digest))
        author = read.author
        if author is None and read.keyset is not None:
            author = self.source.identity_of_keyset(read.keyset)
        for person in (author, *read.cosigners):
            if person is not None:
                self.identity(person)
        if read.type == ROTATION:
            for output in read.outputs:
                self.identity(output.digest)

    def _check_named(self, parent: bytes, digest: bytes) -> None:
        """Where the parent is not here, or denies the output, ask who else lists it."""
        read = self.found.said.get(parent)
        if digest != parent and (read is None or all(o.digest != digest for o in read.outputs)):
            self._once("data", digest, self._digests)

    def _read_identity(self, digest: bytes) -> None:
        data = self.source.identity(digest)
        if data is None:
            return
        try:
            read = identified(data)
            require_digest(read.digest, digest)
        except Error:
            self.found.unreadable[digest] = "identity"
            return
        self.found.identities[digest] = read
        if read.previous is not None:
            self.identity(read.previous)
            self._once("data", digest, self._digests)  # the old one's word that it is followed
