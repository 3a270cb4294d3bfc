"""A real KMS and a real pool, each served from a machine of its own, for contributors over HTTP."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from teeproof.cloud.kms import workload as kms_workload
from teeproof.cloud.kms.client import KmsClient
from teeproof.cloud.local import LocalInside
from teeproof.cloud.manifest import Manifest
from teeproof.cloud.owner import OwnerKey
from teeproof.data import workload
from teeproof.data.client import PoolClient
from teeproof.data.contribute import Contributed, contribute
from teeproof.data.heldout import SealedHeldOut, seal_held_out
from teeproof.data.records import Record
from teeproof.data.samples import file_of, sample_orders
from teeproof.data.terms import PoolTerms
from teeproof.evidence.collect.simulated import application_policy
from teeproof.evidence.policy import parse_policy
from teeproof.proof.memory import MemorySource
from teeproof.proof.verify import Trust
from tests.data.scenes import NOW, TIME, payout
from tests.proof.people import platform

OPERATOR = OwnerKey(b"o" * 32)
TRAINER = Manifest("trainer", "teeproof.training.workload")


@cache
def machines(compose_hash: str = "") -> str:
    """A policy (TOML) for the simulator's machines with its guest; one application if named."""
    return application_policy(platform(), compose_hash=[compose_hash] * bool(compose_hash))


class Town:
    """Everything that runs, and where."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = MemorySource()
        environment = {kms_workload.MACHINES: machines()}
        self.kms_code = Manifest("kms", "teeproof.cloud.kms.workload", environment=environment)
        kms_policy = machines(self.kms_code.compose_hash)
        environment = {workload.KMS: kms_policy}
        self.pool_code = Manifest("pool", "teeproof.data.workload", environment=environment)
        self.kms_policy = parse_policy(kms_policy)
        self.trust = Trust(policy=parse_policy(machines()))
        self.held: SealedHeldOut | None = None
        self.terms: PoolTerms | None = None
        self.kms_url = self.pool_url = ""

    def inside(self, name: str, code: Manifest, **options: Any) -> LocalInside:
        return LocalInside(
            self.folder / name, manifest=code, platform=platform(), store=self.store,
            now=lambda: NOW, **options,
        )  # fmt: skip

    @contextlib.contextmanager
    def running(self, inside: LocalInside, main: Any) -> Iterator[str]:
        failed: list[BaseException] = []

        def work() -> None:
            try:
                main(inside)
            except BaseException as error:
                failed.append(error)
                inside._ready("")

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            address = inside.wait_address()
            if failed:
                raise failed[0]
            yield address
        finally:
            inside.stop()
            thread.join()

    @contextlib.contextmanager
    def kms(self) -> Iterator[KmsClient]:
        with self.running(self.inside("kms", self.kms_code), kms_workload.main) as url:
            self.kms_url = url
            client = KmsClient(url, policy=self.kms_policy, now=lambda: NOW)
            with contextlib.closing(client):
                yield client

    def prepare(self, kms: KmsClient) -> None:
        """The pool's operator seals the held-out file and writes the terms."""
        validators, trainers = (self.pool_code.compose_hash,), (TRAINER.compose_hash,)
        self.held = seal_held_out(
            file_of(sample_orders(400, seed=99)), owner=OPERATOR, kms=kms,
            validators=validators, trainers=trainers, not_after=TIME + 86400,
        )  # fmt: skip
        self.terms = PoolTerms(
            name="orders", validators=validators, trainers=trainers, held_out=self.held.digest,
            shares={"node": 4000, "model": 3000, "data": 3000},
        )  # fmt: skip

    def pool_inside(self, code: Manifest | None = None, name: str = "pool") -> LocalInside:
        assert self.held is not None
        assert self.terms is not None
        inside = self.inside(name, code or self.pool_code, peers={"kms": self.kms_url})
        (inside.inputs / workload.TERMS).write_bytes(self.terms.encode())
        (inside.inputs / workload.HELD_OUT).write_bytes(self.held.blob)
        (inside.inputs / workload.HELD_OUT_POLICY).write_bytes(self.held.policy.encode())
        return inside

    @contextlib.contextmanager
    def pool(self, inside: LocalInside | None = None) -> Iterator[PoolClient]:
        with self.running(inside or self.pool_inside(), workload.main) as url:
            self.pool_url = url
            with contextlib.closing(self.client_of()) as client:
                yield client

    def client_of(self, trust: Trust | None = None) -> PoolClient:
        return PoolClient(self.pool_url, trust=trust or self.trust, now=lambda: NOW)

    def contribute(
        self, records: tuple[Record, ...], owner: OwnerKey, pool: PoolClient, kms: KmsClient
    ) -> Contributed:
        assert self.terms is not None
        path = self.folder / "orders.jsonl"
        path.write_bytes(file_of(records))
        return contribute(
            path, owner=owner, pool=pool, kms=kms, terms=self.terms, payout=payout(owner),
            now=lambda: NOW,
        )  # fmt: skip
