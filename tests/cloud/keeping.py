"""A KMS in this process, owners and their sealed files, machines in any state."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from teeproof.cloud.inside import Peer
from teeproof.cloud.job import Job
from teeproof.cloud.kms.journal import Journal
from teeproof.cloud.kms.keeper import Granted, Keeper
from teeproof.cloud.kms.policy import Permission, ReleasePolicy, Withdrawal
from teeproof.cloud.kms.requests import Asked, ReleaseRequest, write_request
from teeproof.cloud.kms.workload import MACHINES, open_kms
from teeproof.cloud.local import LocalInside
from teeproof.cloud.manifest import Manifest
from teeproof.cloud.owner import OwnerKey
from teeproof.core.sealed import (
    DataKey,
    Grant,
    Header,
    PrivateRecipient,
    Recipient,
    open_stream,
    seal,
    unwrap_grant,
)
from teeproof.core.sealed.recipients import X25519
from teeproof.evidence.binding import job_nonce
from teeproof.evidence.collect.simulated import (
    Guest,
    SimulatedAttester,
    SimulatedPlatform,
    application_policy,
)
from teeproof.proof.envelope import Envelope
from teeproof.proof.memory import MemorySource
from teeproof.proof.statement import Statement
from teeproof.proof.workload import Identity
from tests.cloud.scenes import platform

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
YEAR = int((NOW + timedelta(days=365)).timestamp())
OWNER, OTHER = OwnerKey(b"owner".ljust(32, b".")), OwnerKey(b"other".ljust(32, b"."))
TRAINER = Manifest("trainer", "teeproof.training.workload", ("--epochs", "3"), {"SEED": "7"})
VALIDATOR = Manifest("validator", "teeproof.data.workload")


@cache
def machines(compose_hash: str = "") -> str:
    """A policy (TOML) for the vendor's machines in order; for one application, if it is named."""
    return application_policy(platform(), compose_hash=[compose_hash] * bool(compose_hash))


KMS = Manifest("kms", "teeproof.cloud.kms.workload", environment={MACHINES: machines()})


@dataclass
class Clock:
    """A clock that a test sets."""

    time: datetime = NOW

    def __call__(self) -> datetime:
        return self.time

    def pass_(self, **delta: float) -> None:
        self.time += timedelta(**delta)


@dataclass
class Vaulted:
    """A sealed file of somebody's."""

    header: Header
    policy: ReleasePolicy
    recipient: Recipient
    data: bytes

    @property
    def id(self) -> str:
        return self.header.file_id.hex()

    def read(self, key: DataKey) -> bytes:
        plain = io.BytesIO()
        open_stream(io.BytesIO(self.data), plain, key=key)
        return plain.getvalue()


class Kept(MemorySource):
    """Memory that remembers what it was told, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[bytes] = []

    def add_statement(self, data: bytes) -> bytes:
        self.said.append(data)
        return super().add_statement(data)


@dataclass
class Kms:
    """A KMS in this process; ``restart`` makes another one over the same folder."""

    folder: Path
    clock: Clock = field(default_factory=Clock)
    peers: dict[str, str | Peer] = field(default_factory=dict)
    manifest: Manifest = KMS
    store: Kept = field(default_factory=Kept)
    keeper: Keeper = None  # type: ignore[assignment]
    journal: Journal = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        self.restart()

    def close(self) -> None:
        if self.journal is not None:
            self.journal.close()

    def restart(self) -> None:
        self.close()
        self.journal = None  # type: ignore[assignment]
        self.inside = LocalInside(
            self.folder, manifest=self.manifest, platform=platform(), now=self.clock,
            peers=self.peers, store=self.store,
        )  # fmt: skip
        self.keeper, self.journal = open_kms(self.inside)

    @property
    def state(self) -> Path:
        return self.folder / "state" / "kms.sqlite"

    def file(
        self, plain: bytes = b"orders", *, policy: ReleasePolicy | None = None, owner: Any = OWNER
    ) -> Vaulted:
        """Seal a file for a fresh recipient of this KMS."""
        policy = policy or release_policy(owner=owner)
        text, _ = self.keeper.recipient(policy, owner.sign_text(policy))
        recipient, sealed = Recipient.parse(text), io.BytesIO()
        header = seal(
            io.BytesIO(plain), sealed, recipients=[recipient], policy_digest=policy.digest
        )
        return Vaulted(header, policy, recipient, sealed.getvalue())

    def answer(
        self, job: Job, *, manifest: Manifest = TRAINER, **machine: Any
    ) -> tuple[Identity, bytes]:
        """Ask for a challenge, and boot a workload that answers it."""
        challenge, _ = self.keeper.challenge()
        return boot(job, challenge, manifest=manifest, now=self.clock, **machine), challenge

    def ask(self, me: Identity, challenge: bytes, job: Job, *files: Vaulted, **changes: Any) -> Any:
        return self.keeper.release(asked(me, challenge, job, *files, **changes))

    def train(self, *files: Vaulted, **machine: Any) -> dict[str, DataKey]:
        """Do all that an honest trainer does; return its keys."""
        job = job_of(*files)
        me, challenge = self.answer(job, **machine)
        return unwrapped(self.ask(me, challenge, job, *files), me, job, files)

    def withdraw(self, file: Vaulted, *, owner: OwnerKey = OWNER) -> Any:
        order = withdrawal(file, self.clock())
        return self.keeper.withdraw(order, owner.sign_text(order))

    def said(self) -> list[Any]:
        """The predicates of all statements so far, in order of the state."""
        found = [Statement.parse(Envelope.parse(data).payload) for data in self.store.said]
        mine = [one.predicate for one in found if hasattr(one.predicate, "state")]
        return sorted(mine, key=lambda predicate: predicate.state)


def release_policy(*, owner: OwnerKey = OWNER, not_after: int = YEAR) -> ReleasePolicy:
    return ReleasePolicy(
        owner=owner.public,
        grants=(
            Permission(purpose="validate", compose_hash=(VALIDATOR.compose_hash,), standing=True),
            Permission(purpose="train", compose_hash=(TRAINER.compose_hash,)),
        ),
        not_after=not_after,
    )


def job_of(*files: Vaulted, purpose: str = "train") -> Job:
    return Job(purpose=purpose, files=tuple(sorted(file.id for file in files)))


def withdrawal(file: Vaulted, now: datetime = NOW) -> Withdrawal:
    digest = file.recipient.digest.hex()
    return Withdrawal(recipient=digest, file=file.id, time=int(now.timestamp()))


def boot(
    job: Job,
    challenge: bytes,
    *,
    manifest: Manifest = TRAINER,
    now: Callable[[], datetime] = lambda: NOW,
    vendor: SimulatedPlatform | None = None,
    roles: Sequence[Any] = ("seal",),
    nonce: str | None = None,
    **machine: Any,
) -> Identity:
    """A workload on a machine; ``machine`` are options of ``SimulatedPlatform.machine``."""
    vendor = vendor or platform()
    made = vendor.machine(guest=Guest(compose=manifest.compose()), **machine)
    return Identity.boot(
        SimulatedAttester(vendor, now=now, machine=made),
        roles=roles,
        nonce=nonce or job_nonce(job.digest, nonce=challenge),
        now=now,
    )


def request_of(
    me: Identity, challenge: bytes, job: Job, *files: Vaulted, **changes: Any
) -> ReleaseRequest:
    """What a client sends; ``changes`` replace fields of it."""
    policies = {file.policy.digest: file.policy for file in files}
    made = ReleaseRequest(
        challenge=challenge.hex(),
        job=job,
        identity=msgspec.Raw(me.record.encode()),
        blobs=me.blobs,
        policies=tuple(policies.values()),
        headers=tuple(file.header.encode() for file in files),
    )
    return msgspec.structs.replace(made, **changes)


def asked(me: Identity, challenge: bytes, job: Job, *files: Vaulted, **changes: Any) -> Asked:
    return Asked.parse(write_request(request_of(me, challenge, job, *files, **changes)))


def unwrapped(
    granted: Granted, me: Identity, job: Job, files: Iterable[Vaulted]
) -> dict[str, DataKey]:
    """The data keys in grants, opened as a workload does."""
    key = PrivateRecipient(X25519, me.keyring.secret("seal"))
    return {
        file.id: unwrap_grant(
            Grant.parse(granted.grants[file.id]),
            key=key, header=file.header, expected_job_digest=job.digest,
        )
        for file in files
    }  # fmt: skip


def changed(manifest: Manifest, **fields: Any) -> Manifest:
    return replace(manifest, **fields)
