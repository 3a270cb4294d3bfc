"""Part 2 of the demo: three people seal their orders, a fourth sends a copy, nobody reads them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from teeproof.cli import demo_orders
from teeproof.cli.story.telling import Teller
from teeproof.cli.story.world import World
from teeproof.cloud.kms.client import KmsClient
from teeproof.cloud.manifest import Manifest
from teeproof.cloud.owner import OwnerKey
from teeproof.core.writing import write_file
from teeproof.data.client import PoolClient, Proved
from teeproof.data.contribute import Contributed, contribute
from teeproof.data.heldout import SealedHeldOut, seal_held_out
from teeproof.data.records import Record
from teeproof.data.terms import PoolTerms
from teeproof.evidence.collect.simulated import application_policy
from teeproof.evidence.policy import parse_policy
from teeproof.proof.log.formats.policy import TlogPolicy
from teeproof.proof.verify import Trust

__all__ = ["SHARES", "TRAINER", "Pooled", "tell", "trainer_manifest", "trust_of"]

TRAINER = "teeproof.training.workload"
SHARES = {"node": 4000, "model": 3000, "data": 3000}
_LIFETIME = 30 * 86_400  # seconds for which the held-out file may be opened
_WHOLE = 1_000_000  # weights are millionths of a record


@dataclass(frozen=True)
class Pooled:
    """What came of it.

    Attributes:
        terms: the pool's.
        held: the held-out file, sealed.
        owners: contributors' keys, 1 to 3.
        contributed: what became of their files, in the same order.
        copy: what became of the copy.
        dataset: the pool's snapshot.
        kms: the key-release service.
        pool: the pool.
    """

    terms: PoolTerms
    held: SealedHeldOut
    owners: tuple[OwnerKey, ...]
    contributed: tuple[Contributed, ...]
    copy: Contributed
    dataset: Proved
    kms: KmsClient
    pool: PoolClient


def tell(world: World, say: Teller) -> Pooled:
    """Open a KMS and a pool, contribute, and have a dataset made."""
    say.step("data", "2 Data")
    say.now("a key service boots")
    kms = _open_kms(world)
    say.now("a pool boots, with a sealed file that no contributor sees")
    terms, held = _open_pool(world, kms)
    pool = PoolClient(world.urls["pool"], trust=trust_of(world))
    world.keep(pool.close)
    say.now("three contributors seal their orders and send them; the pool weighs each")
    owners = tuple(_owner(world, f"contributor-{number}") for number in (1, 2, 3))
    sent = [demo_orders.contribution(number) for number in (1, 2, 3)]
    contributed = tuple(
        contribute(
            _file(world, f"contributor-{number}", records), owner=owner, pool=pool, kms=kms,
            terms=terms, payout=world.account(f"contributor-{number}").address,
        )
        for number, (owner, records) in enumerate(zip(owners, sent, strict=True), 1)
    )  # fmt: skip
    weights = ", ".join(_weight(one.weight) for one in contributed)
    say.line(
        f"3 people seal {sum(map(len, sent)):,} orders on their own side;"
        f" the pool weighs what is new and helps: {weights} records",
        ids=[one.proof.statement.name for one in contributed],
        orders=sum(map(len, sent)),
        weights=[one.weight for one in contributed],
    )
    say.now("a fourth sends a copy with small changes")
    copy = _send_a_copy(world, sent[0], pool=pool, kms=kms, terms=terms)
    say.line(
        f"a fourth file is a {copy.decision} with small changes, and weighs {copy.weight}",
        ids=[copy.proof.statement.name],
        decision=copy.decision,
        weight=copy.weight,
    )
    say.now("the pool makes a dataset")
    dataset = pool.dataset()
    _require_no_plaintext(world, sent)
    said = dataset.said
    say.line(
        f"a dataset of {said.records:,} orders in {len(said.parts)} parts, {said.copies} copy left"
        " out; nobody read them",
        ids=[dataset.statement.name],
        records=said.records,
        root=dataset.statement.subjects[0].sha256,
    )
    return Pooled(terms, held, owners, contributed, copy, dataset, kms, pool)


def trust_of(world: World) -> Trust:
    """Return whom the story's reader believes: this vendor, these codes, this log."""
    return Trust(policy=world.policy, logs=TlogPolicy.parse(world.notary.policy.encode()))


def trainer_manifest(world: World) -> Manifest:
    """Return what trains: the pool's terms list its code, so it is the same for every run."""
    return world.manifest("trainer", TRAINER, TEEPROOF_KMS=world.kms_policy)


def _open_kms(world: World) -> KmsClient:
    machines = application_policy(world.platform, compose_hash=[])
    manifest = world.manifest("kms", "teeproof.cloud.kms.workload", TEEPROOF_MACHINES=machines)
    world.run(manifest, serve=True).ready()
    kms = KmsClient(world.urls["kms"], policy=parse_policy(world.kms_policy))
    world.keep(kms.close)
    return kms


def _open_pool(world: World, kms: KmsClient) -> tuple[PoolTerms, SealedHeldOut]:
    manifest = world.manifest("pool", "teeproof.data.workload", TEEPROOF_KMS=world.kms_policy)
    validators, trainers = [manifest.compose_hash], [trainer_manifest(world).compose_hash]
    held = seal_held_out(
        _lines(demo_orders.held_out()), owner=_owner(world, "pool-owner"), kms=kms,
        validators=validators, trainers=trainers, not_after=int(time.time()) + _LIFETIME,
    )  # fmt: skip
    terms = PoolTerms(
        name="orders", validators=tuple(validators), trainers=tuple(trainers),
        held_out=held.digest, shares=SHARES,
    )  # fmt: skip
    inputs = world.folder / "pool"
    inputs.mkdir()
    for name, data in (
        ("terms.json", terms.encode()),
        ("held-out.sealed", held.blob),
        ("held-out.json", held.policy.encode()),
    ):
        write_file(inputs / name, data, overwrite=False)
    world.run(manifest, peers=["kms"], inputs=inputs, serve=True).ready()
    return terms, held


def _owner(world: World, name: str) -> OwnerKey:
    folder = world.folder / "people"
    folder.mkdir(exist_ok=True)
    return OwnerKey.open(folder / f"{name}.owner")


def _file(world: World, name: str, records: Sequence[Record]) -> Path:
    """Write a contributor's own file, which stays on the contributor's side."""
    path = world.folder / "people" / f"{name}.jsonl"
    write_file(path, _lines(records), overwrite=True)  # the same, where this part begins again
    return path


def _lines(records: Sequence[Record]) -> bytes:
    return b"".join(record.encode() + b"\n" for record in records)


def _send_a_copy(
    world: World, records: Sequence[Record], *, pool: PoolClient, kms: KmsClient, terms: PoolTerms
) -> Contributed:
    path = _file(world, "copyist", demo_orders.near_copy(records))
    return contribute(
        path, owner=_owner(world, "copyist"), pool=pool, kms=kms, terms=terms,
        payout=world.account("copyist").address,
    )  # fmt: skip


def _require_no_plaintext(world: World, sent: Sequence[Sequence[Record]]) -> None:
    """Look for the contributors' words in everything that the host can read but their own files."""
    needles = [records[len(records) // 2].text.encode() for records in sent]
    own = world.folder / "people"
    for path in world.folder.rglob("*"):
        if path.is_file() and not path.is_relative_to(own):
            data = path.read_bytes()
            for needle in needles:
                if needle in data:
                    raise AssertionError(f"plaintext of a contribution lies in {path}")


def _weight(weight: int) -> str:
    return f"{weight / _WHOLE:.0f}"
