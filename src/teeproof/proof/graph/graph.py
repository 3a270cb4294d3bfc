"""The graph: what is above a statement, what is below it, and what a bad key has touched.

Trusts: nothing; a graph is no verdict.  Does not trust: the source, whoever wrote the statements.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cached_property
from itertools import pairwise

from teeproof.core.digests import named
from teeproof.core.errors import Usage
from teeproof.proof.graph import walk
from teeproof.proof.graph.collect import collect
from teeproof.proof.graph.link import Linked, link
from teeproof.proof.graph.lookup import Lookup
from teeproof.proof.graph.model import (
    Contribution,
    Edge,
    Identified,
    Kind,
    Labels,
    Node,
    Said,
    Touched,
)
from teeproof.proof.graph.read import identified, said
from teeproof.proof.graph.reading import around, lineage, touched
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.source import Read, Source

__all__ = ["Graph"]

Blob = Callable[[str], bytes | None]
Times = Callable[[bytes], int | None]


class Graph:
    """Statements, identities and data, and the edges between them; ``of`` makes one.

    It does not change. Ids and digests are 32 bytes; ``find`` turns what a person typed into one.
    """

    def __init__(
        self,
        said: Mapping[bytes, Said],
        identities: Mapping[bytes, Identified],
        *,
        unreadable: Mapping[bytes, Kind] | None = None,
        blobs: tuple[Blob, ...] = (),
        times: Mapping[bytes, int] | None = None,
    ) -> None:
        self._said, self._identities = said, identities
        self._unreadable, self._blobs, self._times = unreadable or {}, blobs, times or {}
        self._linked = link(said, identities, self._unreadable, times=self._times.get)
        self._labels: dict[bytes, Labels] = {}

    @classmethod
    def of(cls, source: Source, *, roots: Iterable[bytes], times: Times | None = None) -> Graph:
        """Return the graph of these statements or identities and of all above them.

        Args:
            source: asked for each record once; evidence is asked for when labels are.
            roots: ids of statements, digests of identities.
            times: T of a statement in seconds since 1970, where the caller knows it.

        Raises:
            TooLarge: more records than one graph holds.
        """
        found = collect(source, roots)
        return cls(
            found.said, found.identities, unreadable=found.unreadable, blobs=(source.blob,),
            times=_known(times, found.said),
        )  # fmt: skip

    @classmethod
    def of_records(
        cls,
        records: Iterable[bytes | Read],
        identities: Iterable[bytes | IdentityRecord] = (),
        *,
        blob: Blob | None = None,
        times: Times | None = None,
    ) -> Graph:
        """Return the graph of envelopes, receipts and identity records in hand.

        Raises:
            Malformed, TooLarge: one of them is not what it should be.
        """
        statements = {read.id: read for read in map(said, records)}
        people = {read.digest: read for read in map(identified, identities)}
        blobs = () if blob is None else (blob,)
        return cls(statements, people, blobs=blobs, times=_known(times, statements))

    def merge(self, *others: Graph) -> Graph:
        """Return the graph of all that these graphs hold: several logs, joined by digest.

        Of two times of one statement the earlier counts: each is an upper bound.
        """
        graphs = (self, *others)
        times: dict[bytes, int] = {}
        for graph in graphs:
            for statement, time in graph._times.items():
                times[statement] = min(time, times.get(statement, time))
        unreadable = {k: v for graph in graphs for k, v in graph._unreadable.items()}
        said = {k: v for graph in graphs for k, v in graph._said.items()}
        people = {k: v for graph in graphs for k, v in graph._identities.items()}
        here = said.keys() | people.keys()
        return Graph(
            said,
            people,
            unreadable={k: v for k, v in unreadable.items() if k not in here},
            blobs=tuple(dict.fromkeys(blob for graph in graphs for blob in graph._blobs)),
            times=times,
        )

    def __repr__(self) -> str:
        """Count what it holds."""
        return f"Graph({len(self)} nodes, {sum(map(len, self._linked.up))} edges)"

    def __len__(self) -> int:
        return len(self._linked.nodes)

    def __contains__(self, node: bytes) -> bool:
        return node in self._linked.index

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Every node, statements first, each kind in the order in which it was found."""
        return tuple(self._linked.nodes)

    @property
    def edges(self) -> tuple[Edge, ...]:
        """Every edge, by the node below."""
        return tuple(edge for edges in self._linked.up for edge in edges)

    @property
    def linked(self) -> Linked:
        """Nodes by number with their edges, for drawings; not to be changed."""
        return self._linked

    def node(self, node: bytes) -> Node:
        """Return a node; Usage if it is not here."""
        return self._linked.nodes[self._number(node)]

    def above(self, node: bytes) -> tuple[Edge, ...]:
        """Return the edges to what a node names; also those that do not hold."""
        return tuple(self._linked.up[self._number(node)])

    def below(self, node: bytes) -> tuple[Edge, ...]:
        """Return the edges from what names a node; also those that do not hold."""
        return tuple(self._linked.down[self._number(node)])

    def ancestors(self, node: bytes) -> tuple[bytes, ...]:
        """Return all that a node rests on, nearest first: statements, identities, data."""
        return self._ids(walk.reach([self._number(node)], self._linked.parents)[1:])

    def descendants(self, node: bytes) -> tuple[bytes, ...]:
        """Return all that rests on a node, nearest first."""
        return self._ids(walk.reach([self._number(node)], self._linked.children)[1:])

    def around(
        self, starts: Iterable[bytes], *, up: bool, depth: int | None = None
    ) -> tuple[bytes, ...]:
        """Return nodes and what is above or below them, nearest first; what a drawing shows.

        Unlike ``ancestors``, with the nodes that an edge which does not hold leads to.
        """
        numbers = [self._number(start) for start in starts]
        return self._ids(around(self._linked, numbers, up=up, depth=depth))

    def path(self, a: bytes, b: bytes) -> tuple[Edge, ...] | None:
        """Return a shortest chain of edges that hold, from the lower of two nodes to the upper.

        Empty if the two are one; None if neither rests on the other.
        """
        start, goal = self._number(a), self._number(b)
        found = walk.shortest(start, goal, self._linked.parents)
        found = found or walk.shortest(goal, start, self._linked.parents)
        if found is None:
            return None
        return tuple(self._edge(x, y) for x, y in pairwise(found))

    def cycles(self) -> tuple[tuple[bytes, ...], ...]:
        """Return the groups of nodes that rest on each other; honest statements make none."""
        groups = walk.components(self._linked.parents)
        return tuple(self._ids(sorted(group)) for group in groups)

    def tops(self) -> tuple[bytes, ...]:
        """Return where a drawing begins, so that it shows every statement and all it is made of.

        Those are the statements that no other is made of, one of each cycle that nothing leads to,
        and identities that nothing here names.
        """
        linked = self._linked
        tops = [
            number
            for number, node in enumerate(linked.nodes)
            if node.kind != "data" and not linked.children[number]
        ]
        seen = set(walk.reach(tops, linked.parents))
        for number in range(len(linked.nodes)):
            if number not in seen:
                tops.append(number)
                seen.update(walk.reach([number], linked.parents))
        return self._ids(tops)

    def lineage(self, node: bytes) -> tuple[Contribution, ...]:
        """Return all that a statement was made of, and itself, in reading order: makers first."""
        return lineage(self._linked, self._number(node))

    def labels(self, identity: bytes) -> Labels | None:
        """Return what an identity's evidence claims, unverified; None if it is not here."""
        here = self._identities.get(identity)
        if here is None:
            return None
        if identity not in self._labels:
            from teeproof.proof.graph.labels import labels_of  # noqa: PLC0415  needs 60 ms

            self._labels[identity] = labels_of(here.record, blob=self._blob)
        return self._labels[identity]

    def find(self, text: str) -> bytes:
        """Return the node that a digest, or the beginning of one, names.

        Raises:
            Usage: it names none, or several; ``expected`` lists some.
        """
        return bytes.fromhex(self._by_id.find(text, what="statement, identity or data"))

    def short(self, digest: bytes) -> str:
        """Return the first hex digits of a digest, as many as name it alone in this graph."""
        return self._by_digest.short(digest.hex())

    def touched(self, key: str) -> Touched:
        """Return everything downstream of what a key names.

        Args:
            key: a digest or its beginning: of data, a model or a data set, of a statement, an
                identity or its evidence; a code measurement, or a platform's id (``labels``).

        Raises:
            Usage: it names nothing here, or several things; ``expected`` lists some.
        """
        return touched(
            self._linked,
            self._by_key.find(key, what="data, statement, identity, machine or code"),
            self._labelled,
        )

    @cached_property
    def _by_id(self) -> Lookup:
        return Lookup(node.hex() for node in self._linked.index)

    @cached_property
    def _by_digest(self) -> Lookup:
        """Nodes, and data that statements list."""
        linked = self._linked
        return Lookup(d.hex() for d in (*linked.index, *linked.makers, *linked.users))

    @cached_property
    def _by_key(self) -> Lookup:
        linked = self._linked
        digests = (d.hex() for d in (*linked.index, *linked.makers, *linked.users))
        return Lookup((*digests, *self._labelled))

    @cached_property
    def _labelled(self) -> dict[str, list[tuple[str, bytes]]]:
        """What each label is, and of which identities; an evidence id is one too."""
        found: dict[str, list[tuple[str, bytes]]] = {}
        for identity in self._identities:
            labels = self.labels(identity)
            assert labels is not None
            values = {"evidence": labels.evidence.partition(":")[2]} | labels.values
            for meaning, value in values.items():
                found.setdefault(value, []).append((meaning, identity))
        return found

    def _blob(self, digest: str) -> bytes | None:
        found = (blob(digest) for blob in self._blobs)
        return next((data for data in found if data is not None), None)

    def _edge(self, below: int, above: int) -> Edge:
        target = self._linked.nodes[above].id
        return next(e for e in self._linked.up[below] if e.above == target and e.holds)

    def _number(self, node: bytes) -> int:
        number = self._linked.index.get(node)
        if number is None:
            raise Usage("there is no such node in this graph", code="key_unknown", got=named(node))
        return number

    def _ids(self, numbers: Collection[int]) -> tuple[bytes, ...]:
        return tuple(map(self._linked.ids.__getitem__, numbers))


def _known(times: Times | None, statements: Iterable[bytes]) -> dict[bytes, int]:
    found = {} if times is None else {each: times(each) for each in statements}
    return {each: time for each, time in found.items() if time is not None}
