"""From a statement to the pages of the things that it speaks of: a model, a machine, an agent.

A page of a thing is about more than one statement; the page of each of them leads there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from urllib.parse import quote

from teeproof.agents.acted import agent_of, did_of
from teeproof.explorer.made.listing import led_to
from teeproof.network.statements import (
    AdmissionStatement,
    LeaseStatement,
    MatchStatement,
    NodeStatement,
)
from teeproof.proof.source import Read

__all__ = ["PLACES", "Place", "places_of"]

_MOST = 8  # of one family


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A page: where it is, and what it is in words that follow "It speaks of"."""

    href: str
    words: str


def _identities(read: Read) -> Iterable[Place]:
    """The identity that said it, and the one that it names as its successor."""
    author = read.author.hex() if read.author else (read.keyset or "").removeprefix("sha256:")
    if author:
        yield Place(href=f"/identity/{author}", words=f"its author, identity {author[:8]}")
    if read.type == "urn:teeproof:rotation:v1":
        for subject in read.subjects[:1]:
            found = subject.sha256.removeprefix("sha256:")
            yield Place(href=f"/identity/{found}", words=f"the next identity, {found[:8]}")


def _made(read: Read) -> Iterable[Place]:
    """Models, answers, pools."""
    return (Place(href=href, words=words) for href, words in islice(led_to(read), _MOST))


_TX = re.compile(r"0x[0-9a-f]{64}", re.ASCII)


def _agent(read: Read) -> Iterable[Place]:
    """Yield the agent whose action a statement is, and its transaction."""
    did = did_of(read)
    if did is not None:
        address = did.action.intent.agent
        yield Place(href=f"/agent/{agent_of(did.action)[7:]}", words=f"the agent {address[:10]}…")
        effect = did.action.ending.effect
        if effect is not None and effect.tx is not None and _TX.fullmatch(effect.tx):
            yield Place(href=f"/chain/tx/{effect.tx}", words=f"the transaction {effect.tx[:10]}…")


def _nodes(read: Read) -> Iterable[Place]:
    """The node of a market that a claim, a decision, a match or a lease is about."""
    said = None if read.statement is None else read.statement.predicate
    if isinstance(said, NodeStatement) and read.author:
        yield _node(read.author.hex(), said.claim.name)
    elif isinstance(said, AdmissionStatement):
        yield _node(said.decision.node)
    elif isinstance(said, MatchStatement) and said.match.chosen:
        yield _node(said.match.chosen)
    elif isinstance(said, LeaseStatement):
        yield _node(said.lease.node)


def _node(name: str, called: str = "") -> Place:
    one = name.removeprefix("sha256:")[:64]
    words = f"the node “{called[:60]}”" if called else f"the node {one[:8]}"
    return Place(href=f"/node/{quote(one, safe='')}", words=words)


PLACES: Sequence[Callable[[Read], Iterable[Place]]] = (_agent, _identities, _nodes, _made)
"""One for each family of things; each yields none where a statement speaks of no such thing."""


def places_of(read: Read) -> list[Place]:
    """Return the pages that a statement leads to, each once."""
    found = [place for family in PLACES for place in family(read)]
    return list({place.href: place for place in found}.values())
