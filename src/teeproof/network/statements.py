"""What is said in the log about the network: claims of nodes, and what the market decided on them.

    node            a node's claim                    by the node
    admission       admitted or refused, and why      by the market, of a node's claim
    match           an order and every offer          by the market, of the chosen node's admission
    lease           what was agreed                   by the market, of the match
    lease-closing   why it ended, who got what        by the market, of the lease

Each statement's subject is the digest of the document in it, so the next one can be made of it.
"""

from __future__ import annotations

from typing import Any, Final

from teeproof.core.digests import parse_named
from teeproof.network.admission import Decision
from teeproof.network.claim import NodeClaim
from teeproof.network.leases import Closing, Lease, digest_of
from teeproof.network.matching import Match
from teeproof.network.terms import Terms
from teeproof.proof.links import Material, Subject
from teeproof.proof.statement import Predicate, Statement, predicate_type

__all__ = [
    "ADMISSION",
    "CLOSING",
    "LEASE",
    "MATCH",
    "NODE",
    "AdmissionStatement",
    "ClosingStatement",
    "LeaseStatement",
    "MatchStatement",
    "NodeStatement",
    "made_of",
    "say",
]

NODE: Final = "urn:teeproof:node:v1"
ADMISSION: Final = "urn:teeproof:admission:v1"
MATCH: Final = "urn:teeproof:match:v1"
LEASE: Final = "urn:teeproof:lease:v1"
CLOSING: Final = "urn:teeproof:lease-closing:v1"


@predicate_type(NODE)
class NodeStatement(Predicate, frozen=True, kw_only=True):
    """A node says what it has and what it costs.

    Attributes:
        claim: the claim.
        payout: the address on the chain that is paid: the claim's.
    """

    claim: NodeClaim
    payout: str


@predicate_type(ADMISSION)
class AdmissionStatement(Predicate, frozen=True, kw_only=True):
    """The market says whether a node is admitted.

    Attributes:
        decision: what it decided, and why.
        terms: by which terms.
    """

    decision: Decision
    terms: Terms


@predicate_type(MATCH)
class MatchStatement(Predicate, frozen=True, kw_only=True):
    """The market says what came of an order.

    Attributes:
        match: the order, the offers, the choice, and a reason for each other offer.
        terms: by which terms.
    """

    match: Match
    terms: Terms


@predicate_type(LEASE)
class LeaseStatement(Predicate, frozen=True, kw_only=True):
    """The market says what renter and node have agreed on.

    Attributes:
        lease: the lease.
        payout: the address on the chain that is paid: the lease's.
    """

    lease: Lease
    payout: str


@predicate_type(CLOSING)
class ClosingStatement(Predicate, frozen=True, kw_only=True):
    """The market says why a lease ended, and who got what.

    Attributes:
        closing: the reason and the amounts.
    """

    closing: Closing


def say(predicate: Predicate, document: Any, *, name: str) -> Statement:
    """Return the statement with a predicate, whose subject is a document in it."""
    digest = parse_named(digest_of(document))
    return Statement.of(predicate, subjects=(Subject({"sha256": digest.hex()}, name=name),))


def made_of(role: str, statement: Statement) -> Material:
    """Return the only output of a statement, as the material of another."""
    (subject,) = statement.subjects
    return Material(role=role, digest=subject.digest, name=subject.name, statement=statement.name)
