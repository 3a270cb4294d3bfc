"""Join statements and identities into nodes and edges, by digests alone, in linear time.

An input that names the statement which made it leads there, if that statement lists the very digest
as an output. An input that names a digest alone leads to whichever statement here lists it; where
several do, a node for the data stands between, so that nobody is picked. A statement that lists a
digest both as input and as output did not make it: it says something about it.

Trusts: nothing.  Does not trust: whoever wrote the statements; cycles and claims of others' work
are possible, and are kept apart by ``Edge.how``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from teeproof.core.digests import parse_named
from teeproof.core.errors import TooLarge
from teeproof.proof.graph.model import Edge, How, Identified, Input, Kind, Node, Relation, Said

__all__ = ["MAX_NODES", "Linked", "link"]

MAX_NODES = 1 << 21
_FEW = 4  # outputs up to which looking through them is faster than a set
ROTATION = "urn:teeproof:rotation:v1"


class Linked:
    """Nodes by number, and what stands around each. Filled by ``link``; then only read.

    Attributes:
        nodes: every node.
        ids: their ids.
        index: number by id.
        up: edges from each node to what is above it, in the statement's order.
        down: edges to each node from what is below it.
        parents: the numbers above, along edges that hold.
        children: the numbers below, likewise.
        makers: by digest, the statements that list it as output and not as input.
        users: by digest, the statements that list it as input.
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.ids: list[bytes] = []
        self.index: dict[bytes, int] = {}
        self.up: list[list[Edge]] = []
        self.down: list[list[Edge]] = []
        self.parents: list[list[int]] = []
        self.children: list[list[int]] = []
        self.makers: dict[bytes, list[int]] = {}
        self.users: dict[bytes, list[int]] = {}

    def add(self, node: Node) -> int:
        """Add a node and return its number; TooLarge beyond ``MAX_NODES``."""
        number = self.index.setdefault(node.id, len(self.nodes))
        if number == len(self.nodes):
            if number >= MAX_NODES:
                raise TooLarge(
                    "this graph is too large for one machine's memory: begin at one statement",
                    expected=f"at most {MAX_NODES} nodes",
                )
            self.nodes.append(node)
            self.ids.append(node.id)
            for lists in (self.up, self.down, self.parents, self.children):
                lists.append([])
        return number

    def settle(self) -> None:
        """Lay out what walks read side by side in memory: large graphs are walked twice as fast."""
        numbers = list(range(len(self.nodes)))
        self.ids = [bytes(bytearray(each)) for each in self.ids]
        self.parents = [[numbers[each] for each in above] for above in self.parents]
        self.children = [[numbers[each] for each in below] for below in self.children]

    def join(self, edge: Edge, below: int, above: int) -> None:
        """Add an edge between two nodes."""
        self.up[below].append(edge)
        self.down[above].append(edge)
        if edge.holds:
            self.parents[below].append(above)
            self.children[above].append(below)


def link(
    said: Mapping[bytes, Said],
    identities: Mapping[bytes, Identified],
    unreadable: Mapping[bytes, Kind],
    *,
    times: Callable[[bytes], int | None] | None = None,
) -> Linked:
    """Return the graph of these records.

    Args:
        said: statements and receipts by id.
        identities: by digest.
        unreadable: ids under which a source holds something else, and what was to be there.
        times: T of a statement in seconds since 1970, where the caller knows it.
    """
    linker = _Linker(said, identities, unreadable)
    linker.add_nodes(times)
    for number, statement in enumerate(linker.statements):
        linker.join_inputs(number, statement)
        linker.join_people(number, statement)
    linker.join_successions()
    linker.linked.settle()
    return linker.linked


class _Linker:
    def __init__(
        self,
        said: Mapping[bytes, Said],
        identities: Mapping[bytes, Identified],
        unreadable: Mapping[bytes, Kind],
    ) -> None:
        self.said, self.identities, self.unreadable = said, identities, unreadable
        self.statements = [s for s in said.values() if s.id not in identities]
        self.by_keyset: dict[str, list[bytes]] = {}
        for identity in identities.values():
            self.by_keyset.setdefault(identity.keyset, []).append(identity.digest)
        self.linked = Linked()
        self._outputs: dict[bytes, frozenset[bytes]] = {}

    def add_nodes(self, times: Callable[[bytes], int | None] | None) -> None:
        """Add what is here; statements first, so that their numbers are their places."""
        for statement in self.statements:
            number = self.linked.add(
                Node(
                    id=statement.id,
                    kind="statement",
                    type=statement.type,
                    word=statement.word,
                    author=self._author(statement),
                    keyset=statement.keyset,
                    cosigners=statement.cosigners,
                    outputs=statement.outputs,
                    time=None if times is None else times(statement.id),
                )
            )
            self._note_data(number, statement)
        for identity in self.identities.values():
            self.linked.add(
                Node(
                    id=identity.digest,
                    kind="identity",
                    word=identity.kind,
                    keyset=identity.keyset,
                    evidence=identity.evidence,
                )
            )
        for digest, kind in self.unreadable.items():
            self.linked.add(Node(id=digest, kind=kind, state="unreadable"))

    def join_inputs(self, number: int, statement: Said) -> None:
        """Add the edges of a statement's inputs."""
        for given in statement.inputs:
            parent = given.statement or given.digest
            if parent in self.said or parent in self.identities:
                holds = given.digest == parent or self._lists(parent, given.digest)
                self._made_of(number, parent, given, "named" if holds else "denied")
                if not holds:
                    self._join_by_digest(number, given)
            elif given.statement is None:
                self._join_by_digest(number, given)
            else:
                self._spoken_of(parent, "statement")
                self._made_of(number, parent, given, "missing")
                if given.digest in self.linked.makers:
                    self._join_by_digest(number, given)

    def join_people(self, number: int, statement: Said) -> None:
        """Add the edges to author and cosigners."""
        author = self.linked.nodes[number].author
        if author is not None:
            self._person(number, author, "said-by")
        elif statement.keyset is not None:
            self._one_of_several(number, statement.keyset)
        for cosigner in statement.cosigners:
            self._person(number, cosigner, "cosigned-by")

    def join_successions(self) -> None:
        """Add an edge where an identity says that it follows another, or the other says so."""
        handed = {
            (output.digest, statement.author)
            for statement in self.statements
            if statement.type == ROTATION and statement.author is not None
            for output in statement.outputs
            if output.digest in self.identities
        }
        claimed = {(i.digest, i.previous) for i in self.identities.values() if i.previous}
        for new, old in sorted(handed | claimed):
            below, above = self.linked.index[new], self._spoken_of(old, "identity")
            both = (new, old) in handed and (new, old) in claimed
            edge = Edge(new, old, "follows", "named" if both else "one-sided")
            self.linked.join(edge, below, above)

    def _author(self, statement: Said) -> bytes | None:
        if statement.author is None and statement.keyset is not None:
            found = self.by_keyset.get(statement.keyset, [])
            return found[0] if len(found) == 1 else None
        return statement.author

    def _note_data(self, number: int, statement: Said) -> None:
        used = dict.fromkeys(given.digest for given in statement.inputs)
        for digest in used:
            self.linked.users.setdefault(digest, []).append(number)
        for output in statement.outputs:
            if output.digest not in used:
                self.linked.makers.setdefault(output.digest, []).append(number)

    def _lists(self, statement: bytes, digest: bytes) -> bool:
        """Return whether a statement lists a digest as output; identities list none."""
        of = self.said.get(statement)
        if of is None:
            return False
        if len(of.outputs) <= _FEW:
            return any(output.digest == digest for output in of.outputs)
        if statement not in self._outputs:
            self._outputs[statement] = frozenset(output.digest for output in of.outputs)
        return digest in self._outputs[statement]

    def _join_by_digest(self, number: int, given: Input) -> None:
        makers = self.linked.makers.get(given.digest, [])
        if len(makers) == 1:
            maker = self.linked.nodes[makers[0]].id
            self._made_of(number, maker, given, "digest")
            return
        known = given.digest in self.linked.index
        data = self.linked.add(Node(id=given.digest, kind="data", name=given.name))
        self._made_of(number, given.digest, given, "named")
        for maker_number in () if known else makers:
            maker = self.linked.nodes[maker_number].id
            edge = Edge(given.digest, maker, "made-by", "several", digest=given.digest)
            self.linked.join(edge, data, maker_number)

    def _made_of(self, number: int, above: bytes, given: Input, how: How) -> None:
        below = self.linked.nodes[number].id
        edge = Edge(below, above, "made-of", how, given.role, given.digest, given.name)
        self.linked.join(edge, number, self.linked.index[above])

    def _person(self, number: int, identity: bytes, relation: Relation) -> None:
        above = self._spoken_of(identity, "identity")
        self.linked.join(Edge(self.linked.nodes[number].id, identity, relation), number, above)

    def _one_of_several(self, number: int, keyset: str) -> None:
        """Where several identities have a receipt's keyset, let the keyset stand between."""
        digest, holders = parse_named(keyset), self.by_keyset.get(keyset, [])
        if not holders:
            return
        known = digest in self.linked.index
        between = self.linked.add(Node(id=digest, kind="data", name="keyset"))
        for holder in () if known else holders:
            edge = Edge(digest, holder, "said-by", "several")
            self.linked.join(edge, between, self.linked.index[holder])
        below = self.linked.nodes[number].id
        self.linked.join(Edge(below, digest, "said-by"), number, between)

    def _spoken_of(self, digest: bytes, kind: Kind) -> int:
        number = self.linked.index.get(digest)
        if number is not None:
            return number
        return self.linked.add(Node(id=digest, kind=kind, state="missing"))
