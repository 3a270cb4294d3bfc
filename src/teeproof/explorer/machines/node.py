"""What the page of a node shows: its file, with what of the latest in it was verified.

The latest admissions and leases are verified together, as one proof. Of several markets' or
strangers' words the latest that holds counts; of what holds not, the page says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import teeproof.network.verify  # noqa: F401  the judges: without them no decision is made again
from teeproof.core.errors import Error, Unavailable
from teeproof.evidence.verdict import Check, Concern
from teeproof.explorer.log.content import Book
from teeproof.explorer.log.nodefile import Admitted, Closed, Leased, NodeFile
from teeproof.explorer.log.together import Together, Verifying
from teeproof.network.admission import Decision
from teeproof.network.checking import maybe
from teeproof.network.claim import NodeClaim
from teeproof.network.forms import money
from teeproof.network.statements import AdmissionStatement, NodeStatement
from teeproof.network.terms import Terms
from teeproof.proof.source import Read
from teeproof.proof.verify import IdentityVerdict

__all__ = ["HOLDS", "Earned", "LeaseRow", "NodePage", "node_page"]

_ADMISSIONS, _MARKETS = 5, 8  # that are verified
_LEASES = 20  # that are shown, and verified
_ENDS = 3  # of one lease, that are verified
HOLDS: Mapping[Concern | None, str] = {
    None: "✓ holds", "authenticity": "✗ does not hold", "availability": "– cannot be told",
    "policy": "✗ not what the policy here allows",
}  # fmt: skip
"""What came of a statement and all that it rests on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRow:
    """A lease: as it was said, how it ended, and whether that holds.

    Attributes:
        lease: as it was said.
        closed: its end; None while it is open, as far as the log says.
        objection: to the lease and its end; None where both hold.
    """

    lease: Leased
    closed: Closed | None
    objection: Concern | None

    @property
    def holds(self) -> str:
        """Whether it holds, in words."""
        return HOLDS[self.objection]

    @property
    def ends(self) -> int:
        """How many ends of it were looked at."""
        return len(_ends(self.lease))

    @property
    def more_ends(self) -> int:
        """How many more its log tells, which were not looked at."""
        return self.lease.closing_count - self.ends

    @property
    def lasted(self) -> int | None:
        """Seconds from its beginning to its end."""
        return None if self.closed is None else max(0, self.closed.at - self.lease.opened)

    @property
    def proved(self) -> str:
        """How much of it the node proved to be there, in words."""
        closed, lasted = self.closed, self.lasted
        if closed is None or lasted is None:
            return "open, as far as this log says"
        part = f", {100 * closed.seconds // lasted} %" if lasted else ""
        return f"{closed.seconds} of {lasted} s{part}, {closed.beats} heartbeats"


@dataclass(frozen=True, slots=True, kw_only=True)
class Earned:
    """What a node earned: by what is paid with, and from whom; only of ends that hold.

    Attributes:
        totals: by what is paid with.
        renters: whose leases came to most.
        leases: how many leases these are.
        markets: identities whose ledgers say so, hex; anybody can be a market.
    """

    totals: Sequence[tuple[str, int]]
    renters: Sequence[tuple[str, str, int]]
    leases: int
    markets: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePage:
    """A node.

    Attributes:
        file: what the log holds of it, unchecked.
        together: what was verified.
        root: the statement that the answer is about: an admission, or the node's claim; hex.
        claim: what the node says.
        decision: the market's, with its terms.
        node: the verdict on the node's own identity.
        own: the checks of the root.
        leases: newest first.
        earned: of those that hold.
        admissions: the verified ones, newest first, each with what it says.
        market: the identity that decided, hex; empty where none has.
        contrary: whether another identity, as a market too, decided otherwise, and that holds.
        left_out: how many records on it, or on a lease above, their authors did not sign.
    """

    file: NodeFile
    together: Together
    root: str
    claim: NodeClaim | None
    decision: Decision | None
    terms: Terms | None
    node: IdentityVerdict | None
    own: Sequence[Check]
    leases: Sequence[LeaseRow]
    earned: Earned
    admissions: Sequence[tuple[Admitted, str]]
    market: str
    contrary: bool
    left_out: int

    @property
    def devices(self) -> list[Mapping[str, Any]]:
        """The GPUs and switches that its verified evidence shows."""
        machine = None if self.node is None else self.node.evidence
        proven = machine.facts.get("gpus") if machine is not None and machine.authentic else None
        return list(proven["devices"]) if isinstance(proven, Mapping) else []


def node_page(book: Book, verifying: Verifying, identity: str) -> NodePage:
    """Return the page of a node, by any of its identities in hex.

    Raises:
        Unavailable: nobody speaks of it in this log (``node_unknown``).
    """
    file = _file(book.nodes.named(identity), verifying, identity)
    if file is None:
        raise Unavailable(
            "the log has nothing on such a node that its author signed", code="node_unknown",
            got=f"sha256:{identity}",
        )  # fmt: skip
    tried = _tried(file)
    roots = [one.id for one in tried] or ([file.claim] if file.claim else [])
    leases = _lent(file, verifying.of(tuple(roots)) if tried else None, tried)
    for lease in leases:
        roots += [one for one, _ in lease.statements]
        roots += [one.id for one in _ends(lease)]
    if not roots:
        raise Unavailable(
            "this node is only spoken of in matches", code="node_unknown", got=f"sha256:{file.id}"
        )
    every = verifying.of(tuple(dict.fromkeys(roots)))
    latest = next((one for one in tried if every.objection(one.id) is None), None)
    latest = latest or (tried[0] if tried else None)
    root = latest.id if latest is not None else file.claim or roots[0]
    contrary = latest is not None and any(
        one.author != latest.author and one.admitted != latest.admitted
        and every.objection(one.id) is None
        for one in tried
    )  # fmt: skip
    together = verifying.of((root,))
    decided = maybe(together.reads.get(root), AdmissionStatement)
    said = _claim(together, root)
    rows = [_row(every, lease) for lease in leases]
    return NodePage(
        file=file, together=together, root=root,
        claim=None if said is None else said[1].claim,
        decision=None if decided is None else decided.decision,
        terms=None if decided is None else decided.terms,
        node=None if said is None else _person(together, said[0]),
        own=together.verdict.statement(f"sha256:{root}").checks,
        leases=rows, earned=_earned(rows),
        market="" if latest is None else latest.author, contrary=contrary,
        admissions=[(one, HOLDS[every.objection(one.id)]) for one in tried],
        left_out=book.left_out.of("node", file.id)
        + sum(book.left_out.of("lease", lease.digest) for lease in leases),
    )  # fmt: skip


def _file(files: Sequence[NodeFile], verifying: Verifying, identity: str) -> NodeFile | None:
    """Return the node that an identity is: of several the first of which a decision on it holds."""
    if len(files) < 2:
        return next(iter(files), None)
    decided = [
        [one for one in _tried(file) if one.identity == identity][:_ADMISSIONS] for file in files
    ]
    every = verifying.of(tuple(dict.fromkeys(one.id for some in decided for one in some)))
    held = (
        file for file, some in zip(files, decided, strict=True)
        if any(every.objection(one.id) is None for one in some)
    )  # fmt: skip
    return next(held, files[0])


def _tried(file: NodeFile) -> list[Admitted]:
    """Return the decisions to verify, newest first: the latest, and of each market its latest.

    Of many markets those that spoke first: whoever comes later crowds nobody out.
    """
    every = list(file.admissions)[::-1]
    own = [one.latest for one in file.markets.values() if one.latest is not None][:_MARKETS]
    chosen = {one.id for one in (*every[:_ADMISSIONS], *own)}
    every += [one for one in own if one not in every]
    return [one for one in every if one.id in chosen]


def _lent(file: NodeFile, every: Together | None, tried: Sequence[Admitted]) -> list[Leased]:
    """Return the leases to verify, newest first: those of markets whose decision holds go first."""
    held = {one.author for one in tried if every is not None and every.objection(one.id) is None}
    leases = file.every_lease
    order = sorted(range(len(leases)), key=lambda place: not leases[place].authors & held)
    return [leases[place] for place in sorted(order[:_LEASES])]


def _claim(together: Together, root: str) -> tuple[Read, NodeStatement] | None:
    """Return the claim that an admission was made of, or the one that the root is."""
    read = together.reads.get(root)
    links = () if read is None else read.links
    named = [one.statement.hex() for one in links if one.role == "claim" and one.statement]
    for one in (*named, root):
        found = together.reads.get(one)
        said = maybe(found, NodeStatement)
        if found is not None and said is not None:
            return found, said
    return None


def _person(together: Together, read: Read) -> IdentityVerdict | None:
    name = "" if read.author is None else f"sha256:{read.author.hex()}"
    return next((one for one in together.verdict.identities if one.id == name), None)


def _ends(lease: Leased) -> list[Closed]:
    """Return the ends of a lease to verify: of whoever leased it first, and the newest first."""
    newest = lease.closings[::-1]
    newest.sort(key=lambda one: one.author not in lease.authors)
    return newest[:_ENDS]


def _row(every: Together, lease: Leased) -> LeaseRow:
    """Return a lease with its end: of several the first of ``_ends`` that holds, or the first.

    So too of several statements of the lease itself.
    """
    ends = _ends(lease)
    said = next((one for one in lease.statements if every.objection(one[0]) is None), None)
    if said is not None:
        lease = replace(lease, id=said[0], author=said[1])
    held = (end for end in ends if every.objection(end.id) is None)
    closed = next(held, ends[0] if ends else None)
    found = every.objection(lease.id if closed is None else closed.id)
    return LeaseRow(lease=lease, closed=closed, objection=found or every.objection(lease.id))


def _earned(rows: Sequence[LeaseRow]) -> Earned:
    totals: Counter[str] = Counter()
    renters: Counter[tuple[str, str]] = Counter()
    found = list(_paid(rows))
    for row, amount in found:
        totals[row.lease.asset] += amount
        renters[row.lease.renter, row.lease.asset] += amount
    return Earned(
        totals=sorted(totals.items()), leases=len(found),
        markets=list(dict.fromkeys(row.lease.author for row, _ in found)),
        renters=[(who, asset, amount) for (who, asset), amount in renters.most_common(10)],
    )  # fmt: skip


def _paid(rows: Sequence[LeaseRow]) -> Iterator[tuple[LeaseRow, int]]:
    for row in rows:
        if row.closed is None or row.objection is not None:
            continue
        try:
            amount = 0 if row.closed.paid == "0" else money(row.closed.paid, "paid")
        except Error:
            continue
        yield row, amount
