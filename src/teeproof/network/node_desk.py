"""What nodes ask of the market: a challenge, admission, a heartbeat, fresh evidence, an end.

One machine is one node, and so is one name, and one GPU. Who comes for what another node has is
refused while that one gives signs of life, and takes its place once it is silent.

Trusts: what ``gate`` verified.  Does not trust: nodes and their hosts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from teeproof.core.errors import Unavailable
from teeproof.network import events, gate
from teeproof.network.admission import Decision, Reason, decide, machine_of
from teeproof.network.answers import Admission, Challenge, Pulse
from teeproof.network.claim import NodeClaim
from teeproof.network.gpus import gpus_of
from teeproof.network.heartbeats import (
    Heartbeat,
    NodeClose,
    beat_digest,
    read_signed,
    require_signed,
)
from teeproof.network.leases import digest_of
from teeproof.network.market import Market
from teeproof.network.rules import (
    check_beat,
    check_renewal,
    living,
    moved,
    not_fresh,
    other_lease,
    taken_gpus,
)
from teeproof.network.state import Node
from teeproof.network.statements import AdmissionStatement, made_of
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.links import Material

__all__ = ["NodeDesk"]

Facts = Mapping[str, Any]


class NodeDesk:
    """The market, as nodes see it.

    Args:
        market: the market.
        random: the random source of challenges.
    """

    def __init__(self, market: Market, *, random: Callable[[int], bytes] = os.urandom) -> None:
        self._market = market
        self._challenges = gate.Challenges(seconds=market.terms.challenge, random=random)

    def challenge(self) -> Challenge:
        """Return a nonce to boot with; Unavailable if too many are open."""
        with self._market.lock:
            nonce, until = self._challenges.issue(self._market.time())
            return Challenge(challenge=nonce, until=until)

    def register(self, data: bytes) -> Admission:
        """Decide about a node, and say so in the log.

        Raises:
            Malformed, TooLarge: what was sent has not the form that it should.
            NotAuthentic, NotAllowed: a signature or the evidence does not hold, so nobody has
                claimed anything.
        """
        given: gate.Registration = gate.parse(data, gate.Registration, "registration")
        applicant = gate.read_applicant(given)
        record, claim = applicant.record, applicant.claim
        facts, against = self._verified(record, given.blobs)
        with self._market.lock:
            now = self._market.time()
            self._market.file(record.encode(), given.blobs, applicant.envelope)
            rivals = self._rivals(claim, facts)
            against += (
                *self._fresh(record, now),
                *living(rivals, claim, facts, terms=self._market.terms, now=now),
            )
            verdict = decide(claim, facts=facts, terms=self._market.terms, further=against)
            if verdict[0]:
                self._displace(rivals, now)
            decision = self._decision(record, claim, facts, verdict, node=record.name, now=now)
            name, envelope = self._say(decision, made_of("claim", applicant.statement))
            change: events.Change = events.Refused(at=now, identity=record.name)
            if decision.admitted:
                change = events.Admitted(
                    at=now, node=record.name, key=record.statement_key.hex(), claim=claim,
                    machine=decision.machine or "", tee=decision.tee, admission=name,
                    decision=digest_of(decision), until=decision.until,
                    replaces=tuple(rival.name for rival in rivals), gpus=decision.gpus,
                )  # fmt: skip
            return self._settled(change, decision, name, envelope)

    def attest(self, data: bytes) -> Admission:
        """Take a node's fresh evidence; raises as ``register``, Unavailable for no such node."""
        given: gate.Renewal = gate.parse(data, gate.Renewal, "renewal")
        with self._market.lock:
            self._market.time()
            node = self._node(given.node)
            before, key = node.identity, bytes.fromhex(node.key)
        applicant = gate.read_applicant(given)
        record = applicant.record
        gate.check_rotation(given, record, before=before, key=key)
        facts, against = self._verified(record, given.blobs)
        with self._market.lock:
            now = self._market.time()
            node = self._node(given.node)
            check_renewal(node, before, applicant.claim)
            self._market.file(
                record.encode(), given.blobs, bytes(given.rotation), applicant.envelope
            )
            state = self._market.state
            against += (
                *self._fresh(record, now), *moved(node, facts),
                *taken_gpus(node, facts, state.nodes, state.gpus),
            )  # fmt: skip
            verdict = decide(node.claim, facts=facts, terms=self._market.terms, further=against)
            decision = self._decision(record, node.claim, facts, verdict, node=node.name, now=now)
            name, envelope = self._say(decision, made_of("claim", applicant.statement))
            change: events.Change = events.Refused(at=now, identity=record.name)
            if decision.admitted:
                change = events.Renewed(
                    at=now, node=node.name, identity=record.name, key=record.statement_key.hex(),
                    admission=name, decision=digest_of(decision), until=decision.until,
                    gpus=decision.gpus,
                )  # fmt: skip
            return self._settled(change, decision, name, envelope)

    def heartbeat(self, data: bytes) -> Pulse:
        """Take a sign of life.

        Raises:
            Malformed, TooLarge: it is no heartbeat.
            NotAuthentic: the node's newest key did not sign it.
            NotAllowed: its counter does not rise, or it names a lease that is not the node's.
            Unavailable: there is no such node.
        """
        envelope, beat = read_signed(data, kind=Heartbeat, what="heartbeat")
        market = self._market
        with market.lock:
            now = market.time()
            node = self._node(beat.node)
            require_signed(envelope, key=bytes.fromhex(node.key), what="heartbeat")
            check_beat(beat, node, market.state.leases.get(beat.lease))
            counts = beat.lease if beat.lease == node.lease else ""
            market.commit(
                events.Beaten(
                    at=now, node=node.name, lease=counts, counter=beat.counter,
                    digest=beat_digest(envelope),
                )
            )  # fmt: skip
            running = market.state.leases.get(node.lease)
            if running is not None:
                market.watch(running)
                now = market.time()  # which closes it, if its deposit is spent
            market.show(node, now)
            return self._pulse(node, now)

    def close(self, data: bytes) -> str:
        """End a lease that a node works under; return the closing's statement, ``sha256:…``.

        Raises:
            As ``heartbeat``; NotAllowed also where the lease is not the node's.
        """
        envelope, wish = read_signed(data, kind=NodeClose, what="closing")
        market = self._market
        with market.lock:
            now = market.time()
            node = self._node(wish.node)
            require_signed(envelope, key=bytes.fromhex(node.key), what="closing")
            running = market.state.leases.get(wish.lease)
            if running is None or running.lease.node != node.name:
                raise other_lease(node.lease, wish.lease)
            if running.closing is None:
                market.end(running, "node_closed", now, running.meter.ended(now, market.terms))
            market.send()
            return running.closed

    def _verified(
        self, record: IdentityRecord, blobs: Mapping[str, bytes]
    ) -> tuple[Facts, tuple[Reason, ...]]:
        with self._market.lock:
            now = self._market.time()
        return gate.verified(record, blobs, policy=self._market.policy, now=now)

    def _decision(
        self, record: IdentityRecord, claim: NodeClaim, facts: Facts, verdict: Any, *, node: str,
        now: int,
    ) -> Decision:  # fmt: skip
        market = self._market
        admitted, label, reasons = verdict
        return Decision(
            claim=claim.digest_name, identity=record.name, node=node, admitted=admitted, tee=label,
            machine=machine_of(facts), gpus=gpus_of(facts),
            challenge=(record.claim.nonce or "")[:64], reasons=reasons,
            at=now, until=now + market.terms.attestation if admitted else now,
            sequence=market.number,
        )  # fmt: skip

    def _say(self, decision: Decision, material: Material) -> tuple[str, bytes]:
        market = self._market
        predicate = AdmissionStatement(
            author=market.identity.name, materials=(material,), decision=decision,
            terms=market.terms,
        )  # fmt: skip
        return market.sign(predicate, decision, name="admission")

    def _settled(
        self, change: events.Change, decision: Decision, name: str, envelope: bytes
    ) -> Admission:
        market = self._market
        market.commit(change, statements=[envelope])
        if decision.admitted:
            market.show(market.state.nodes[decision.node], decision.at)
        market.send()
        return Admission(decision=decision, statement=name)

    def _fresh(self, record: IdentityRecord, now: int) -> tuple[Reason, ...]:
        nonce = record.claim.nonce
        return () if self._challenges.take(nonce, now) else (not_fresh(nonce),)

    def _rivals(self, claim: NodeClaim, facts: Facts) -> list[Node]:
        state = self._market.state
        found = (
            state.machines.get(machine_of(facts) or ""), state.names.get(claim.name),
            *(state.gpus.get(gpu) for gpu in gpus_of(facts)),
        )  # fmt: skip
        return [state.nodes[name] for name in dict.fromkeys(found) if name is not None]

    def _displace(self, rivals: Iterable[Node], now: int) -> None:
        market = self._market
        for node in rivals:
            running = market.state.leases.get(node.lease)
            if running is not None:
                market.end(running, "node_replaced", now, running.meter)
            market.book.remove(node.name)

    def _node(self, name: str) -> Node:
        node = self._market.state.nodes.get(name)
        if node is None:
            raise Unavailable(
                "there is no such node: it was never admitted, or another one took its place",
                code="node_unknown",
                expected="a node that was admitted",
                got=name[:80],
            )
        return node

    def _pulse(self, node: Node, now: int) -> Pulse:
        terms = self._market.terms
        running = self._market.state.leases.get(node.lease)
        state = detail = ""
        if running is not None:
            standing = running.meter.standing(now, terms)
            state, detail = standing.state, standing.detail
        return Pulse(
            lease=node.lease, state=state, detail=detail, until=node.until, time=now,
            earned=0 if running is None else running.meter.earned, beat=terms.beat,
        )  # fmt: skip
