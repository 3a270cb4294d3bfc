"""What a log holds of each node of a market: claims, admissions, matches, leases, what ran there.

It is fed by the index with what its author signed, and holds a bounded number of nodes, and of each
the latest. What it says is what the records say: anybody who may write to the log can sign that he
is a market. Nothing more is checked here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import nlargest

from teeproof.explorer.log.nodefile import MOST_MARKETS, Admitted, Closed, Leased, NodeFile
from teeproof.network.checking import maybe
from teeproof.network.leases import digest_of
from teeproof.network.statements import (
    AdmissionStatement,
    ClosingStatement,
    LeaseStatement,
    MatchStatement,
    NodeStatement,
)
from teeproof.proof.source import Read

__all__ = ["MOST_NODES", "Answered", "Nodes", "answered", "is_of_a_node"]

MOST_NODES = 50_000
_MOST_LEASES = 200_000  # by which closings and answers are told whose they are
_MOST_MODELS = 20  # of one lease
_MOST_CODES = 20
_MOST_CLOSINGS, _MOST_COPIES = 8, 8  # of one lease
_KINDS = NodeStatement, AdmissionStatement, MatchStatement, LeaseStatement, ClosingStatement

Answered = tuple[str, tuple[str, ...]]
"""The model that a receipt names, and the leases of the machines on which it ran, hex."""


@dataclass(slots=True)
class Nodes:
    """The nodes of a log."""

    full: bool = False
    _nodes: dict[str, NodeFile] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)  # of nodes, by every identity of theirs
    _disputed: dict[str, list[str]] = field(default_factory=dict)  # what others call them
    _claims: dict[str, tuple[str, str]] = field(default_factory=dict)  # author and name, by id
    _leases: dict[str, Leased] = field(default_factory=dict)  # by digest

    def __len__(self) -> int:
        return len(self._nodes)

    def named(self, identity: str) -> list[NodeFile]:
        """Return the nodes that an identity is said to be, in hex: whoever said it first, first.

        Anybody may say it, also before the market does.
        """
        names = [self._names.get(identity, identity), *self._disputed.get(identity, ())]
        return [found for one in names if (found := self._nodes.get(one)) is not None]

    def latest(self, count: int = 100) -> list[NodeFile]:
        """Return nodes, the ones of which the log spoke last first."""
        return nlargest(count, self._nodes.values(), key=lambda node: node.number)

    def add(self, read: Read, *, number: int) -> None:
        """Take in a statement, if it is about a node."""
        author = "" if read.author is None else read.author.hex()
        if (told := answered(read)) is not None:
            self.answer(read.id.hex(), told)
        elif (claimed := maybe(read, NodeStatement)) is not None and author:
            self._claimed(read.id.hex(), author, claimed, number)
        elif (decided := maybe(read, AdmissionStatement)) is not None:
            self._decided(read, author, decided, number)
        elif (matched := maybe(read, MatchStatement)) is not None:
            self._matched(matched)
        elif (leased := maybe(read, LeaseStatement)) is not None:
            self._leased(read.id.hex(), author, leased, number)
        elif (closed := maybe(read, ClosingStatement)) is not None:
            self._closed(read.id.hex(), author, closed)

    def about(self, read: Read) -> Iterator[tuple[str, str]]:
        """Yield the node and the lease that a statement is about, in hex, each as what it is."""
        if read.author is not None and maybe(read, NodeStatement) is not None:
            yield "node", self._names.get(read.author.hex(), read.author.hex())
        elif (decided := maybe(read, AdmissionStatement)) is not None:
            yield "node", _hex(decided.decision.node)
        elif (leased := maybe(read, LeaseStatement)) is not None:
            yield "node", _hex(leased.lease.node)
        elif (closed := maybe(read, ClosingStatement)) is not None:
            yield "lease", _hex(closed.closing.lease)

    def _file(self, node: str, number: int) -> NodeFile | None:
        found = self._nodes.get(node)
        if found is None:
            if len(self._nodes) >= MOST_NODES:
                self.full = True
                return None
            found = self._nodes[node] = NodeFile(id=node)
        found.number = number
        return found

    def _claimed(self, one: str, author: str, said: NodeStatement, number: int) -> None:
        if len(self._claims) < _MOST_LEASES:
            self._claims[one] = author, said.claim.name
        file = self._file(self._names.get(author, author), number)
        if file is not None:
            file.claim, file.name = one, said.claim.name[:200]

    def _decided(self, read: Read, author: str, said: AdmissionStatement, number: int) -> None:
        decision = said.decision
        node, identity = _hex(decision.node), _hex(decision.identity)
        file = self._file(node, number)
        if file is None:
            return
        if len(self._names) < _MOST_LEASES:
            self._names.setdefault(identity, node)  # who says otherwise later is not the first
        if self._names.get(identity, node) != node and len(self._disputed) < _MOST_LEASES:
            others = self._disputed.setdefault(identity, [])
            if node not in others and len(others) < MOST_MARKETS:
                others.append(node)
        if node != identity and self._names.get(identity) == node:
            stray = self._nodes.get(identity)  # its claim came before anybody said whose it is
            if stray is not None and not stray.admissions:
                file.claim, file.name = stray.claim, stray.name
                del self._nodes[identity]
        claim = next((one.statement.hex() for one in read.links if one.statement is not None), "")
        codes = tuple(reason.code[:60] for reason in decision.reasons[:_MOST_CODES])
        file.admission_count += 1
        admitted = Admitted(
            id=read.id.hex(), author=author, identity=identity, admitted=decision.admitted,
            codes=codes, claim=claim, at=decision.at,
        )  # fmt: skip
        file.admissions.append(admitted)
        file.by(author).latest = admitted

    def _matched(self, said: MatchStatement) -> None:
        chosen = self._nodes.get(_hex(said.match.chosen or ""))
        if chosen is not None:
            chosen.chosen += 1
        for rejected in said.match.rejected:
            file = self._nodes.get(_hex(rejected.node))
            if file is not None:
                file.passed_over[rejected.code] += 1

    def _leased(self, one: str, author: str, said: LeaseStatement, number: int) -> None:
        lease = said.lease
        digest = _hex(digest_of(lease))
        file = self._file(_hex(lease.node), number)
        if file is None:
            return
        known = self._leases.get(digest)
        if known is not None:
            if author not in known.authors and len(known.copies) < _MOST_COPIES:
                known.copies.append((one, author))
                file.by(author).leases.append(known)
            return
        made = Leased(
            id=one, digest=digest, author=author, renter=lease.renter[:200], rate=lease.rate[:40],
            asset=lease.terms.asset[:200], payout=lease.payout[:200], opened=lease.opened,
        )  # fmt: skip
        file.lease_count += 1
        file.leases.append(made)
        file.by(author).leases.append(made)
        if len(self._leases) < _MOST_LEASES:
            self._leases[digest] = made
        else:
            self.full = True

    def _closed(self, one: str, author: str, said: ClosingStatement) -> None:
        closing = said.closing
        lease = self._leases.get(_hex(closing.lease))
        if lease is None:
            return
        lease.closing_count += 1
        if len(lease.closings) >= _MOST_CLOSINGS:
            if author not in lease.authors:
                return
            strangers = [each for each in lease.closings if each.author not in lease.authors]
            lease.closings.remove((strangers or lease.closings)[0])
        lease.closings.append(
            Closed(id=one, author=author, reason=closing.reason, seconds=closing.seconds,
                   beats=closing.beats, paid=closing.paid[:40], refund=closing.refund[:40],
                   at=closing.at)
        )  # fmt: skip

    def answer(self, one: str, told: Answered) -> None:
        """Take in an answer by its receipt's id, hex, and what ``answered`` says of it."""
        model, leases = told
        for name in leases:
            lease = self._leases.get(name)
            if lease is None:
                continue
            count, _ = lease.models.get(model, (0, ""))
            if count or len(lease.models) < _MOST_MODELS:
                lease.models[model] = count + 1, one


def is_of_a_node(read: Read) -> bool:
    """Return whether a statement is of a kind that is about nodes."""
    return read.statement is not None and isinstance(read.statement.predicate, _KINDS)


def answered(read: Read) -> Answered | None:
    """Return what a receipt says of where its model ran; None where it names no such place."""
    if read.receipt is None:
        return None
    leases = tuple(_hex(link.digest) for link in read.links if link.role == "node")
    return (str(read.receipt.body.get("model", ""))[:200], leases) if leases else None


def _hex(name: str) -> str:
    return name.removeprefix("sha256:")[:64]
