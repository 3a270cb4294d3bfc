"""Rules about nodes that only the market can apply, since they rest on what it knows.

Trusts: the market's state.  Does not trust: nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from teeproof.core.errors import NotAllowed
from teeproof.network.admission import Reason, machine_of
from teeproof.network.claim import NodeClaim
from teeproof.network.gpus import gpus_of
from teeproof.network.heartbeats import Heartbeat
from teeproof.network.state import Node, Running
from teeproof.network.terms import Terms

__all__ = [
    "check_beat",
    "check_renewal",
    "living",
    "moved",
    "not_fresh",
    "other_lease",
    "taken_gpus",
]


def not_fresh(nonce: str | None) -> Reason:
    """Return the reason against evidence that answers no open challenge."""
    return Reason(
        code="challenge_unknown",
        detail="the evidence answers no open challenge of this market: it is old, or was made for"
        " somebody else",
        expected="evidence for a challenge that was handed out not long ago and was not used yet",
        got=(nonce or "no challenge")[:64],
    )


def living(
    rivals: Iterable[Node], claim: NodeClaim, facts: Mapping[str, Any], *, terms: Terms, now: int
) -> tuple[Reason, ...]:
    """Return the reasons against a claim that others with its machine, name or GPUs give."""
    machine = machine_of(facts)
    return tuple(
        _rivalry(node, claim, machine, terms, now) for node in rivals if node.is_alive(now, terms)
    )


def _rivalry(node: Node, claim: NodeClaim, machine: str | None, terms: Terms, now: int) -> Reason:
    code, detail = "gpu_listed", _relayed(node)
    if node.claim.name == claim.name:
        code, detail = "name_listed", "a node with this name is listed already"
    elif node.machine == machine:
        code = "machine_listed"
        detail = f"this machine is listed already, as {node.claim.name}: one machine is one node"
    return Reason(
        code=code,
        detail=detail,
        expected=f"that it has been silent for more than {terms.pause_after} s",
        got=f"a sign of life {now - node.beat} s ago",
    )


def _relayed(node: Node) -> str:
    return (
        f"a GPU that its evidence shows is listed already, by {node.claim.name}: one chip is in one"
        " machine, so one of the two relays the other's reports"
    )


def taken_gpus(node: Node, facts: Mapping[str, Any], nodes: Mapping[str, Node],
               holders: Mapping[str, str]) -> tuple[Reason, ...]:  # fmt: skip
    """Return the reason against fresh evidence that shows a GPU of another node."""
    for gpu in gpus_of(facts):
        other = nodes.get(holders.get(gpu, ""))
        if other is not None and other.name != node.name:
            return (
                Reason(code="gpu_listed", detail=_relayed(other),
                       expected="GPUs that no other node shows", got=gpu),
            )  # fmt: skip
    return ()


def check_beat(beat: Heartbeat, node: Node, running: Running | None) -> None:
    """Raise NotAllowed unless a heartbeat is the node's next one, under a lease of its own if any.

    A lease of its own may have ended: the node learns that from the answer.
    """
    if beat.lease and (running is None or running.lease.node != node.name):
        raise other_lease(node.lease, beat.lease)
    if beat.identity != node.identity:
        raise superseded(node.identity, beat.identity)
    if beat.counter <= node.counter:
        raise NotAllowed(
            "this heartbeat was sent before, or its counter was turned back: count on",
            code="counter_not_rising",
            expected=f"more than {node.counter}",
            got=str(beat.counter),
        )


def check_renewal(node: Node, before: str, claim: NodeClaim) -> None:
    """Raise NotAllowed unless a node renews its newest evidence, and claims what it has claimed."""
    if node.identity != before:
        raise superseded(node.identity, before)
    if claim != node.claim:
        raise NotAllowed(
            "the claim is another than the one that was admitted: register anew with it",
            code="claim_changed",
            expected=node.claim.digest_name,
            got=claim.digest_name,
        )


def moved(node: Node, facts: Mapping[str, Any]) -> tuple[Reason, ...]:
    """Return the reason against fresh evidence that comes from another machine."""
    found = machine_of(facts)
    if found == node.machine:
        return ()
    detail = "the node has moved to another machine: register there"
    return (
        Reason(code="machine_changed", detail=detail, expected=node.machine, got=found or "none"),
    )


def superseded(newest: str, got: str) -> NotAllowed:
    """Return the refusal of an identity that another one has followed."""
    return NotAllowed(
        "this is not the node's newest identity: use the one that was admitted last",
        code="identity_superseded",
        expected=newest,
        got=got[:80],
    )


def other_lease(own: str, got: str) -> NotAllowed:
    """Return the refusal of a lease that is not the node's."""
    return NotAllowed(
        "this is not the node's lease: a heartbeat counts for the lease that the market gave it",
        code="lease_of_another",
        expected=own or "no lease",
        got=got[:80],
    )
