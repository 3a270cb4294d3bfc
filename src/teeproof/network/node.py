"""A node as a workload: it proves itself to a market, then works, beats, and proves itself again.

What it offers it reads from ``node.json`` in its inputs: name, price, region, payout, labels, GPUs.
Cores and memory it counts itself, so its code vouches for them; the file may only say less. GPUs
that it claims it asks through the driver, for the nonce that its machine's own evidence determines.

Trusts: its own machine, the driver's library.
Does not trust: the market, beyond the challenge that it gives.
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import msgspec

from teeproof.cloud.inside import Inside
from teeproof.core.errors import Malformed, NotAllowed, NotAuthentic, Unavailable
from teeproof.core.reading import read_bounded
from teeproof.evidence.collect import Attester
from teeproof.network.answers import Admission, Pulse
from teeproof.network.claim import Gpus, Hardware, NodeClaim
from teeproof.network.client import MarketClient
from teeproof.network.statements import NodeStatement, say
from teeproof.proof.sealing import Sealed
from teeproof.proof.workload import Identity

__all__ = ["Config", "Worker", "attester_of", "claim_of", "main", "read_config"]

CONFIG = "node.json"
MAX_CONFIG = 64 << 10
MARKET = "market"


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the node's owner decides; fields as of ``NodeClaim``.

    Attributes:
        cpus: how many cores to offer; all of them, if not given.
        memory_mib: likewise.
        gpu_reports: files beside this one with a report of each GPU, which markets refuse: nothing
            ties them to this machine. Without them, the driver is asked.
    """

    name: str
    price: str
    region: str
    payout: str
    labels: dict[str, str] = {}
    gpus: tuple[Gpus, ...] = ()
    cpus: int | None = None
    memory_mib: int | None = None
    gpu_reports: tuple[str, ...] = ()


class Worker:
    """A node at work.

    Args:
        inside: its world.
        client: of the market.
        claim: what it offers.
        gpu_reports: those that the claim names.
        attester: makes its evidence; None for its machine's own alone.
    """

    def __init__(
        self,
        inside: Inside,
        client: MarketClient,
        claim: NodeClaim,
        *,
        gpu_reports: tuple[bytes, ...] = (),
        attester: Attester | None = None,
    ) -> None:
        self._attester = attester
        self._inside, self._client, self.claim = inside, client, claim
        self._reports = gpu_reports
        self.identity: Identity | None = None
        self.node = self.lease = ""
        self._counter = 0
        self._lifetime = 0
        self._following: Identity | None = None  # handed in, and not answered yet

    def register(self) -> Admission:
        """Boot for the market's challenge, seal the claim, and ask to be admitted."""
        challenge = self._client.challenge()
        self.identity = self._inside.boot(nonce=challenge.challenge, attester=self._attester)
        admission = self._client.register(
            self.identity, self._sealed(self.identity), gpu_reports=self._reports
        )
        decision = admission.decision
        self.node, self.lease, self._counter = decision.node, "", 0
        self._lifetime = decision.until - decision.at
        return admission

    def beat(self) -> Pulse:
        """Send one heartbeat; learn the lease from it, and beat for that at once if it is new."""
        pulse = self._beat_once()
        if pulse.lease and pulse.lease != self.lease:
            self.lease = pulse.lease
            return self._beat_once()
        self.lease = pulse.lease
        return pulse

    def should_attest(self, pulse: Pulse) -> bool:
        """Return whether it is time for fresh evidence: a third of its life is left, or less."""
        return pulse.state == "paused" or pulse.time > pulse.until - self._lifetime // 3

    def attest(self) -> Admission:
        """Prove this machine anew, under a new identity that follows the old one."""
        before = self._booted()
        challenge = self._client.challenge()
        following = before.rotate(nonce=challenge.challenge, reason="attestation")
        self._following = following
        admission = self._client.attest(
            self.node, following, self._sealed(following),
            rotation=_rotation(before, following), gpu_reports=self._reports,
        )  # fmt: skip
        self._following = None
        if admission.admitted:
            self.identity = following
        return admission

    def leave(self) -> None:
        """End the lease that it works under, if there is one."""
        if self.lease:
            self._client.leave(self._booted(), node=self.node, lease=self.lease)

    def _beat_once(self) -> Pulse:
        if self._following is not None:  # the answer was lost: one of the two identities counts
            following, self._following = self._following, None
            try:
                pulse = self._beat_as(following)
            except (NotAllowed, NotAuthentic):
                return self._beat_as(self._booted())
            self.identity = following
            return pulse
        return self._beat_as(self._booted())

    def _beat_as(self, identity: Identity) -> Pulse:
        self._counter += 1
        return self._client.heartbeat(
            identity, node=self.node, lease=self.lease, counter=self._counter
        )

    def _sealed(self, identity: Identity) -> Sealed:
        predicate = NodeStatement(
            author=identity.name, claim=self.claim, payout=self.claim.payout
        )  # fmt: skip
        return identity.keep(say(predicate, self.claim, name=self.claim.name))

    def _booted(self) -> Identity:
        if self.identity is None:
            raise NotAllowed("the node was not admitted yet: register first", code="not_registered")
        return self.identity


def main(inside: Inside) -> int:
    """Work until the host says that it is enough (SIGTERM); 4 if the market refuses the node."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    config = read_config(inside.inputs)
    reports = tuple(
        read_bounded(inside.inputs / Path(name).name, limit=64 << 10, what="GPU report")
        for name in config.gpu_reports
    )
    with MarketClient(inside.url(MARKET)) as client:
        claim = claim_of(config, reports)
        worker = Worker(
            inside, client, claim, gpu_reports=reports, attester=attester_of(inside, claim)
        )
        admission = worker.register()
        _report(inside, worker, admission)
        if not admission.admitted:
            return 4
        _work(inside, worker, stop)
    return 0


def read_config(folder: Path) -> Config:
    """Return what the node's owner decided; Malformed if it has not the form that it should."""
    data = read_bounded(folder / CONFIG, limit=MAX_CONFIG, what="node's settings")
    try:
        return msgspec.json.decode(data, type=Config)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Malformed(
            f"{CONFIG} does not have the form that it should",
            code="node_settings_malformed",
            expected="name, price, region, payout; labels, gpus, cpus, memory_mib, gpu_reports",
            got=str(error)[:200],
        ) from None


def claim_of(config: Config, reports: tuple[bytes, ...] = ()) -> NodeClaim:
    """Return the claim of this machine; Malformed if it offers more than it has."""
    from teeproof.core.digests import named, sha256  # noqa: PLC0415

    cpus, memory = _counted()
    claim = NodeClaim(
        name=config.name,
        hardware=Hardware(
            cpus=_at_most(config.cpus, cpus, "cores"),
            memory_mib=_at_most(config.memory_mib, memory, "MiB of memory"),
            gpus=config.gpus,
        ),
        price=config.price, region=config.region, payout=config.payout, labels=config.labels,
        gpu_reports=tuple(named(sha256(report)) for report in reports),
    )  # fmt: skip
    claim.check()
    return claim


def attester_of(inside: Inside, claim: NodeClaim) -> Attester | None:
    """Return what makes evidence of machine and GPUs; None where none is claimed, or none is here.

    A claim of GPUs that cannot be asked is made all the same, and the owner is told why they were
    not: it is the market's to refuse. The measured variable ``TEEPROOF_NVML`` names the library.
    """
    if not claim.hardware.gpus or claim.gpu_reports:
        return None
    from teeproof.evidence.collect.kinds import LIBRARY_VARIABLE  # noqa: PLC0415  few have GPUs
    from teeproof.evidence.collect.nvml import LIBRARY, NvmlAttester, probe  # noqa: PLC0415
    from teeproof.evidence.collect.with_gpus import WithGpus  # noqa: PLC0415

    library = inside.environment.get(LIBRARY_VARIABLE, LIBRARY)
    here = probe(library)
    if not here.present:
        inside.say(gpus="not asked", why=here.detail)
        return None
    return WithGpus(inside.attester(), NvmlAttester(library))


def _work(inside: Inside, worker: Worker, stop: threading.Event) -> None:
    pause = 1.0
    while not stop.is_set():
        try:
            pulse = worker.beat()
            if worker.should_attest(pulse):
                worker.attest()
                pulse = worker.beat()
            pause = float(pulse.beat)
            inside.say(
                node=worker.node, lease=pulse.lease, state=pulse.state, earned=pulse.earned,
                until=pulse.until,
            )  # fmt: skip
        except Unavailable as error:  # the market restarts, or the network fails: beat again
            inside.say(node=worker.node, error=error.code)
            if error.code == "node_unknown":  # it was silent for too long, and was replaced
                _report(inside, worker, worker.register())
        stop.wait(pause)
    worker.leave()


def _report(inside: Inside, worker: Worker, admission: Admission) -> None:
    decision = admission.decision
    inside.say(
        node=worker.node, name=worker.claim.name, admitted=decision.admitted, tee=decision.tee,
        statement=admission.statement,
        reasons=[msgspec.to_builtins(reason) for reason in decision.reasons],
    )  # fmt: skip


def _counted() -> tuple[int, int]:
    """Return cores and MiB of memory of the machine that this runs on."""
    pages: Any = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return len(os.sched_getaffinity(0)), int(pages) >> 20


def _at_most(wanted: int | None, there: int, what: str) -> int:
    if wanted is not None and wanted > there:
        raise Malformed(
            f"the settings offer more {what} than this machine has",
            code="node_settings_malformed",
            expected=f"at most {there}",
            got=str(wanted),
        )
    return there if wanted is None else wanted


def _rotation(before: Identity, following: Identity) -> bytes:
    """Return the old identity's statement that another follows it."""
    for one in before.store.producers(following.name):
        found = before.store.statement(one)
        if found is not None:
            return found
    raise Unavailable("the rotation's statement is not in the store", code="rotation_missing")
