"""Replay a market from what it said in its log: was every offer in the book when it matched?

One proof shows that a match follows from the offers that it lists. Whether it lists them all shows
only when all that the market said is put in order: who was admitted and when, who was leased and
when freed. From that each book follows anew, and a node that was left out of it is named.

    numbers     no number of the ledger was used twice: its host has put no older copy back
    lease       each lease is of the match with its number, and ends once
    gpus        no GPU is shown by two nodes that are admitted at the same time
    book        the offers that each match lists are the cheapest that there were

That a node was silent (``stale``) rests on heartbeats, which are not in the log: the market's word.

Trusts: that the statements were verified, and are all that the market said.
Does not trust: the market.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from teeproof.core.digests import named
from teeproof.evidence.verdict import Check, failed, passed
from teeproof.network.admission import Decision
from teeproof.network.checking import maybe
from teeproof.network.claim import NodeClaim
from teeproof.network.forms import money
from teeproof.network.leases import digest_of
from teeproof.network.matching import Match, listed
from teeproof.network.offers import Book, Offer
from teeproof.network.statements import (
    AdmissionStatement,
    ClosingStatement,
    LeaseStatement,
    MatchStatement,
    NodeStatement,
)
from teeproof.proof.source import Read

__all__ = ["audit"]

Said = AdmissionStatement | MatchStatement | LeaseStatement | ClosingStatement


def audit(reads: Iterable[Read]) -> tuple[Check, ...]:
    """Return what replaying a market finds: one check for each match, and for each contradiction.

    Args:
        reads: every statement of the market, and the claims of its nodes, in any order.
    """
    everything = list(reads)
    claims = {
        claim.claim.digest_name: claim.claim
        for read in everything
        if (claim := maybe(read, NodeStatement)) is not None
    }
    replay = _Replay(claims)
    told = [(_number(said), named(read.id), said) for read in everything for said in _said(read)]
    told.sort(key=lambda entry: (entry[0], isinstance(entry[2], LeaseStatement), entry[1]))
    found: list[Check] = []
    for number, name, said in told:
        found += replay.take(number, name, said)
    if not any(check.name == "numbers" for check in found):
        found.insert(0, passed("numbers", f"{len(told)} statements, no number of the ledger twice"))
    return tuple(found)


class _Replay:
    """The market as its statements so far make it."""

    def __init__(self, claims: dict[str, NodeClaim]) -> None:
        self._claims = claims
        self._book = Book()
        self._machines: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._gpus: dict[str, str] = {}
        self._shows: dict[str, tuple[str, ...]] = {}
        self._leases: dict[str, str] = {}  # open ones: the node of each
        self._matches: dict[int, Match] = {}
        self._last = 0

    def take(self, number: int, name: str, said: Said) -> Iterator[Check]:
        """Take in the next statement; yield what is wrong, and what of a match is right."""
        if not isinstance(said, LeaseStatement):
            if number <= self._last:
                yield failed(
                    "numbers", "number_used_twice",
                    f"the change {number} was made twice: an older ledger was put back, or two run"
                    " this market's code in one log",
                    expected=f"more than {self._last}", got=str(number),
                )  # fmt: skip
            self._last = max(self._last, number)
        if isinstance(said, AdmissionStatement):
            yield from self._admission(name, said)
        elif isinstance(said, MatchStatement):
            self._matches[number] = said.match
            yield self._match(said.match)
        elif isinstance(said, LeaseStatement):
            yield from self._lease(number, said)
        else:
            yield from self._closing(said)

    def _shown(self, decision: Decision) -> Iterator[Check]:
        """Take in which GPUs a node shows; one that an offer in the book shows too is relayed."""
        for gpu in decision.gpus:
            other = self._gpus.get(gpu, decision.node)
            if other != decision.node and self._book.get(other) is not None:
                yield failed(
                    "gpus", "gpu_listed_twice",
                    f"one GPU is shown by two nodes that are admitted: {decision.node} and {other}",
                    expected=other, got=decision.node,
                )  # fmt: skip
        for gpu in self._shows.pop(decision.node, ()):
            self._gpus.pop(gpu, None)
        self._shows[decision.node] = decision.gpus
        self._gpus |= dict.fromkeys(decision.gpus, decision.node)

    def _admission(self, name: str, said: AdmissionStatement) -> Iterator[Check]:
        decision, claim = said.decision, self._claims.get(said.decision.claim)
        if not decision.admitted or claim is None:
            return
        before = self._book.get(decision.node)
        machine = decision.machine or ""
        if before is not None:
            self._book.put(msgspec.structs.replace(before, admission=name))
            yield from self._shown(decision)
            return
        silent = (self._gpus.get(gpu) for gpu in decision.gpus)
        for rival in {self._machines.get(machine), self._names.get(claim.name), *silent} - {None}:
            self._book.remove(rival or "")
        yield from self._shown(decision)
        self._machines[machine] = self._names[claim.name] = decision.node
        self._book.put(
            Offer(
                node=decision.node, admission=name, price=money(claim.price, "price"),
                since=decision.sequence, tee=decision.tee, region=claim.region,
                hardware=claim.hardware, labels=claim.labels,
            )
        )  # fmt: skip

    def _match(self, match: Match) -> Check:
        where = f"match {match.sequence}"
        chosen = self._book.get(match.chosen) if match.chosen is not None else None
        due = {offer.node: offer for offer in listed(self._book, chosen)}
        told = {offer.node: offer for offer in match.offers}
        for node in due.keys() | told.keys():
            wanted, got = due.get(node), told.get(node)
            # Only the market knows who was silent; that is no reason to call a leased node free.
            silent = wanted is not None and not wanted.taken and got is not None
            if silent and got is not None and wanted is not None and got.taken == "stale":
                got = msgspec.structs.replace(got, taken="")
            if wanted != got:
                return failed(
                    "book", "book_differs",
                    f"{where}: the offers that were there are not those that it lists: {node}",
                    expected=_in_words(wanted), got=_in_words(got),
                )  # fmt: skip
        if len(self._book) - len(told) != match.unlisted:
            return failed(
                "book", "book_differs", f"{where}: there were more offers, or fewer",
                expected=str(len(self._book) - len(told)), got=str(match.unlisted),
            )  # fmt: skip
        return passed("book", f"{where}: its {len(told)} offers are the cheapest that there were")

    def _lease(self, number: int, said: LeaseStatement) -> Iterator[Check]:
        match, lease = self._matches.get(number), said.lease
        if match is None or (match.chosen, match.order.digest) != (lease.node, lease.order):
            yield failed(
                "lease", "lease_without_match", f"the lease {number} is of no match",
                expected="the match with its number", got=lease.node,
            )  # fmt: skip
        self._leases[digest_of(lease)] = lease.node
        self._book.mark(lease.node, "leased")

    def _closing(self, said: ClosingStatement) -> Iterator[Check]:
        node = self._leases.pop(said.closing.lease, None)
        if node is None:
            yield failed(
                "lease", "closed_twice", "a lease was closed that was not open",
                expected="an open lease", got=said.closing.lease,
            )  # fmt: skip
            return
        self._book.mark(node, "")


def _said(read: Read) -> Iterator[Said]:
    predicate = None if read.statement is None else read.statement.predicate
    if isinstance(predicate, Said):
        yield predicate


def _number(said: Said) -> int:
    if isinstance(said, AdmissionStatement):
        return said.decision.sequence
    if isinstance(said, MatchStatement):
        return said.match.sequence
    return said.lease.sequence if isinstance(said, LeaseStatement) else said.closing.sequence


def _in_words(offer: Offer | None) -> str:
    if offer is None:
        return "no such offer"
    return f"{offer.price} a second, {offer.taken or 'free'}, since {offer.since}"
