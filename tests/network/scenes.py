"""A small market for the tests: real evidence of simulated machines, a clock that stands still."""

from __future__ import annotations

import itertools
import threading
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from teeproof.cloud.local import LocalInside
from teeproof.cloud.manifest import Manifest
from teeproof.cloud.owner import OwnerKey
from teeproof.evidence.collect.simulated import (
    Guest,
    Processor,
    SimulatedAttester,
    SimulatedPlatform,
    app_compose,
    opt_in_policy,
)
from teeproof.evidence.policy import Policy, parse_policy
from teeproof.network.answers import Admission, Matched, Pulse
from teeproof.network.claim import Gpus, Hardware, NodeClaim
from teeproof.network.gate import Registration, Renewal
from teeproof.network.heartbeats import Heartbeat, NodeClose, sign_as_node
from teeproof.network.ledger import Ledger
from teeproof.network.market import Market
from teeproof.network.node_desk import NodeDesk
from teeproof.network.orders import CloseRequest, Need, Order
from teeproof.network.renter_desk import RenterDesk
from teeproof.network.statements import NodeStatement, say
from teeproof.network.terms import Terms
from teeproof.proof.envelope import Envelope
from teeproof.proof.memory import MemorySource
from teeproof.proof.sealing import Sealed
from teeproof.proof.workload import Identity

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
GRANT = 1_000_000
PAYOUT = "0x" + "ab" * 20
ANY = Need(tee=("sim",))
_numbers = itertools.count(1)


@cache
def platform() -> SimulatedPlatform:
    return SimulatedPlatform(bytes(range(32)))


@cache
def policy() -> Policy:
    return parse_policy(opt_in_policy(platform()))


def terms(**changes: Any) -> Terms:
    given: dict[str, Any] = {"market": "bazaar", "grant": str(GRANT), "least": 10}
    return Terms.of(policy(), **(given | changes))


class Clock:
    """A clock that goes on only when it is told to."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time

    def wait(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@cache
def processor(name: str) -> Processor:
    return Processor(name=name)


def attester(machine: str, clock: Clock, *, code: str = "node", gpus: int = 0) -> SimulatedAttester:
    guest = Guest(compose=app_compose(code))
    built = platform().machine(processor=processor(machine), guest=guest)
    return SimulatedAttester(platform(), now=clock, machine=built, gpus=gpus)


def claim(name: str = "one", **changes: Any) -> NodeClaim:
    given: dict[str, Any] = {
        "name": name,
        "hardware": Hardware(cpus=8, memory_mib=32_768),
        "price": "10",
        "region": "eu-west",
        "payout": PAYOUT,
    }
    return NodeClaim(**(given | changes))


def gpus(count: int = 1, model: str = "H100") -> Hardware:
    return Hardware(cpus=8, memory_mib=32_768, gpus=(Gpus(model=model, count=count),))


class Scene:
    """A market, its clock and its log; ``restart`` is what follows a kill."""

    def __init__(self, folder: Path, *, store: MemorySource | None = None, **changes: Any) -> None:
        self.clock = Clock()
        self.terms = terms(**changes)
        self.folder, self.store = folder, store or MemorySource()
        self.attester = attester("market", self.clock, code="market")
        self.start()

    def start(self) -> None:
        self.ledger = Ledger.open(self.folder / "market.sqlite", key=b"\7" * 32)
        self.identity = Identity.boot(self.attester, store=self.store, now=self.clock)
        self.market = Market(
            self.identity, ledger=self.ledger, policy=policy(), terms=self.terms, now=self.clock
        )
        self.market.send()
        self.nodes, self.renters = NodeDesk(self.market), RenterDesk(self.market)

    def restart(self) -> None:
        self.ledger.close()
        self.start()

    def node(self, name: str = "one", **changes: Any) -> Node:
        """A node that was admitted."""
        node = Node(self, name, **changes)
        admission = node.register()
        assert admission.admitted, admission.reason
        return node

    def order(self, owner: OwnerKey, **changes: Any) -> Matched:
        return self.renters.order(self.signed(owner, **changes).encode())

    def signed(self, owner: OwnerKey, **changes: Any) -> Envelope:
        return owner.sign(self.asked(owner, **changes))

    def asked(self, owner: OwnerKey, **changes: Any) -> Order:
        given: dict[str, Any] = {
            "id": f"order-{next(_numbers):06}",
            "market": self.terms.digest,
            "renter": owner.public,
            "need": ANY,
            "greatest_price": "100",
            "deposit": "10000",
            "not_after": int(self.clock().timestamp()) + 600,
        }
        return Order(**(given | changes))

    def close(self, owner: OwnerKey, lease: str) -> Any:
        return self.renters.close(owner.sign(CloseRequest(lease=lease)).encode())

    def leased(self, node: Node, owner: OwnerKey | None = None, **changes: Any) -> str:
        """A lease that runs on this node: it has sent its first heartbeat."""
        matched = self.order(owner or OwnerKey.new(), **changes)
        assert matched.node == node.name
        node.lease = matched.lease or ""
        node.beat()
        return node.lease

    def accounts(self) -> dict[str, int]:
        found = dict(self.market.state.accounts)
        assert sum(found.values()) == 0, "money was made or lost"
        assert all(amount >= 0 for name, amount in found.items() if name != "issued")
        return found


class Node:
    """A node's side, without a network in between."""

    def __init__(
        self, scene: Scene, name: str = "one", *, machine: str | None = None, **changes: Any
    ) -> None:
        self.scene = scene
        self.claim = claim(name, **changes)
        self.attester = attester(machine or name, scene.clock)
        self.counter, self.lease = 0, ""
        self.identity: Identity
        self.name = ""

    def boot(self, nonce: str | None = None) -> Identity:
        given = self.scene.nodes.challenge().challenge if nonce is None else nonce
        self.identity = Identity.boot(self.attester, nonce=given, now=self.scene.clock)
        return self.identity

    def seal(self) -> Sealed:
        author = self.identity
        said = NodeStatement(author=author.name, claim=self.claim, payout=self.claim.payout)
        return author.keep(say(said, self.claim, name=self.claim.name))

    def registration(self, **changes: Any) -> Registration:
        given: dict[str, Any] = {
            "identity": msgspec.Raw(self.identity.record.encode()),
            "blobs": self.identity.blobs,
            "claim": msgspec.Raw(self.seal().envelope.encode()),
        }
        return Registration(**(given | changes))

    def register(self, *, nonce: str | None = None, **changes: Any) -> Admission:
        self.boot(nonce)
        return self.send(self.registration(**changes))

    def send(self, given: Registration) -> Admission:
        admission = self.scene.nodes.register(wire(given))
        self.name = admission.decision.node
        return admission

    def beat(self, **changes: Any) -> Pulse:
        self.counter += 1
        return self.scene.nodes.heartbeat(self.heartbeat(**changes))

    def heartbeat(self, **changes: Any) -> bytes:
        given: dict[str, Any] = {
            "node": self.name,
            "identity": self.identity.name,
            "lease": self.lease,
            "counter": self.counter,
        }
        return sign_as_node(self.identity, Heartbeat(**(given | changes))).encode()

    def work(self, seconds: int, *, every: int = 5) -> None:
        """Let time pass, with a heartbeat now and then."""
        for _ in range(seconds // every):
            self.scene.clock.wait(every)
            self.beat()

    def renewal(self, *, nonce: str | None = None) -> Renewal:
        given = self.scene.nodes.challenge().challenge if nonce is None else nonce
        before = self.identity
        self.identity = before.rotate(nonce=given, reason="attestation")
        (said,) = before.store.producers(self.identity.name)
        return Renewal(
            node=self.name,
            identity=msgspec.Raw(self.identity.record.encode()),
            blobs=self.identity.blobs,
            claim=msgspec.Raw(self.seal().envelope.encode()),
            rotation=msgspec.Raw(before.store.statement(said) or b""),
        )

    def attest(self) -> Admission:
        return self.scene.nodes.attest(wire(self.renewal()))

    def leave(self) -> str:
        wish = NodeClose(node=self.name, lease=self.lease)
        return self.scene.nodes.close(sign_as_node(self.identity, wish).encode())


def wire(given: Any) -> bytes:
    return msgspec.json.encode(given, order="sorted")


class Served:
    """A market workload that serves in a thread."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        from teeproof.network.workload import main

        manifest = Manifest(
            "bazaar",
            "teeproof.network.workload",
            environment={
                "NODE_POLICY": opt_in_policy(platform()),
                "MARKET_TERMS": terms(**changes).encode().decode(),
            },
        )
        self.inside = LocalInside(folder, manifest=manifest, platform=platform())
        self._thread = threading.Thread(target=main, args=(self.inside,), daemon=True)
        self._thread.start()
        self.url = self.inside.wait_address()

    def stop(self) -> None:
        self.inside.stop()
        self._thread.join(120)


def node_inside(folder: Path, url: str, *, machine: str) -> LocalInside:
    """The world of a node workload on a machine of its own."""
    manifest = Manifest("node", "teeproof.network.node")
    inside = LocalInside(folder, manifest=manifest, platform=platform(), peers={"market": url})
    guest = Guest(compose=manifest.compose())
    inside._machine = platform().machine(processor=processor(machine), guest=guest)
    return inside
