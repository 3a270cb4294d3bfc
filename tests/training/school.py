"""A KMS, a pool with contributions, and a trainer: each on a machine of its own, small models."""

from __future__ import annotations

import io
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from teeproof.cloud.job import Job
from teeproof.cloud.local import LocalInside
from teeproof.cloud.manifest import Manifest
from teeproof.data.client import Proved
from teeproof.data.contribute import LIFETIME, Contributed
from teeproof.data.heldout import seal_held_out
from teeproof.data.orders import Order
from teeproof.data.records import Record
from teeproof.data.samples import file_of, sample_orders
from teeproof.data.submission import policy_for
from teeproof.data.terms import PoolTerms
from teeproof.proof.envelope import Envelope
from teeproof.proof.file import ProofFile, export
from teeproof.proof.statement import Statement
from teeproof.proof.verify import ProofVerdict, Trust, verify_proof
from teeproof.training import given, workload
from teeproof.training.recipe import Recipe
from tests.data.scenes import ALICE, BOB, NOW, TIME, honest
from tests.data.served import OPERATOR, Town, machines

SMALL = Recipe(epochs=1, batch=32, hidden=32, layers=1, heads=2, inner=64, every=4)
OWNER = "0x" + "ab" * 20
_PRICE = 10**8 + secrets.randbelow(9 * 10**8)
CANARY = Record(
    f"sell half my ETH below {_PRICE}",
    Order("sell", "ETH", Decimal("0.5"), "below", Decimal(_PRICE)),
)
"""One of the first contributor's records, which stands in no other file of this machine."""


class School(Town):
    """A town in which models are trained."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        environment = {workload.KMS: machines(self.kms_code.compose_hash)}
        self.trainer_code = Manifest(
            "trainer", "teeproof.training.workload", environment=environment
        )
        self.contributed: list[Contributed] = []
        self.dataset: Proved
        self.files: dict[str, bytes] = {}

    def prepare(self, kms: Any) -> None:
        validators, trainers = (self.pool_code.compose_hash,), (self.trainer_code.compose_hash,)
        self.held = seal_held_out(
            file_of(sample_orders(60, seed=99)), owner=OPERATOR, kms=kms,
            validators=validators, trainers=trainers, not_after=TIME + 86400,
        )  # fmt: skip
        self.terms = PoolTerms(
            name="orders", validators=validators, trainers=trainers, held_out=self.held.digest,
            shares={"node": 4000, "model": 3000, "data": 3000},
        )  # fmt: skip

    @contextmanager
    def opened(self) -> Iterator[School]:
        """KMS and pool run; two people have contributed; there is a dataset."""
        with self.kms() as kms:
            self.prepare(kms)
            with self.pool() as pool:
                for records, owner in (
                    ((*honest(1, 60)[:59], CANARY), ALICE),
                    (honest(2, 60), BOB),
                ):
                    self.contributed.append(self.contribute(records, owner, pool, kms))
                self.dataset = pool.dataset()
                self.pool_client, self.kms_here = pool, kms
                for part in self.dataset.said.parts:
                    self.files[part.ciphertext] = pool.sealed_file(part.ciphertext)
                yield self

    def job(self, **options: Any) -> Job:
        assert self.held is not None
        settings = {"payout": OWNER, "recipe": SMALL} | options
        return given.job_of(self.dataset.statement, held=self.held, **settings)

    def trainer(self, name: str, job: Job | bytes, code: Manifest | None = None) -> LocalInside:
        """A trainer's machine with its inputs."""
        assert self.held is not None
        assert self.terms is not None
        inside = self.inside(name, code or self.trainer_code, peers={"kms": self.kms_url})
        folder = inside.inputs
        envelope = self.store.statement(self.dataset.statement.id)
        assert envelope is not None
        (folder / "files").mkdir()
        (folder / "job.json").write_bytes(job if isinstance(job, bytes) else job.encode())
        (folder / "dataset.json").write_bytes(envelope)
        (folder / "held-out.sealed").write_bytes(self.held.blob)
        (folder / "held-out.json").write_bytes(self.held.policy.encode())
        for part, made in zip(self.dataset.said.parts, self.contributed, strict=True):
            consent = made.said.consent
            policy = policy_for(self.terms, owner=consent.owner, not_after=consent.time + LIFETIME)
            (folder / "files" / part.ciphertext).write_bytes(self.files[part.ciphertext])
            (folder / "files" / f"{part.ciphertext}.json").write_bytes(policy.encode())
        return inside

    def again(self, inside: LocalInside) -> LocalInside:
        """The same machine with the same folders, started once more."""
        return self.inside(inside.inputs.parent.name, inside.manifest, peers={"kms": self.kms_url})

    def trained(self, name: str, **options: Any) -> tuple[LocalInside, Statement]:
        inside = self.trainer(name, self.job(**options))
        assert workload.main(inside) == 0
        data = (inside.outputs / "training.json").read_bytes()
        return inside, Statement.parse(Envelope.parse(data).payload)

    def verdict(self, statement: Statement) -> ProofVerdict:
        target = io.BytesIO()
        export(self.store, [statement.id], target)
        with ProofFile.from_bytes(target.getvalue()) as proof:
            return verify_proof(proof, now=NOW, trust=Trust(policy=self.trust.policy))
