"""Part 3 of the demo: two trainers get keys for their jobs, one of them without contributor 1."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from teeproof.cli.story.data import Pooled, trainer_manifest
from teeproof.cli.story.telling import Teller
from teeproof.cli.story.world import World
from teeproof.cloud.kms.policy import ReleasePolicy
from teeproof.core.errors import Unavailable
from teeproof.core.sealed import read_header
from teeproof.core.writing import write_file
from teeproof.data.contribute import LIFETIME
from teeproof.data.statements import Contribution
from teeproof.data.submission import policy_for
from teeproof.proof.envelope import Envelope
from teeproof.proof.statement import Statement
from teeproof.training.given import job_of
from teeproof.training.recipe import Recipe
from teeproof.training.statements import Training

__all__ = ["Model", "prepare", "start", "tell"]

_PAUSE = 0.1


@dataclass(frozen=True)
class Model:
    """A model that was trained.

    Attributes:
        folder: where it lies.
        statement: the trainer's.
        envelope: the same with its signature.
    """

    folder: Path
    statement: Statement
    envelope: bytes

    @property
    def said(self) -> Training:
        """What the trainer said."""
        said: Training = self.statement.predicate
        return said

    @property
    def root(self) -> str:
        """The model's digest, ``sha256:…``."""
        return self.statement.subjects[0].sha256


def tell(world: World, say: Teller, pooled: Pooled, *, recipe: Recipe) -> Model:
    """Train on everything, and beside it without contributor 1; tell how both do."""
    say.step("train", "3 Train")
    pooled = _newest(pooled, say)
    first = pooled.contributed[0].contribution
    begun = time.monotonic()
    say.now("two trainers boot, and ask for the keys of the sealed files")
    start(world, pooled, "trainer", recipe=recipe)
    start(world, pooled, "trainer-without-1", recipe=recipe, without=frozenset([first]))
    _watch(world, say, "trainer")
    world.finished("trainer")
    took = time.monotonic() - begun
    say.now("the second model, without contributor 1, is finished")
    world.finished("trainer-without-1")
    model, other = _model(world, "trainer"), _model(world, "trainer-without-1")
    said = model.said
    say.line(
        f"only the trainer that proved its code gets the keys of {len(said.job.files)} files",
        ids=[said.release],
        files=len(said.job.files),
    )
    say.line(
        f"trained in {took:.0f} s: it gets {_share(said.after)} of unseen orders right"
        f" (before: {_share(said.before)}; without contributor 1: {_share(other.said.after)})",
        ids=[model.statement.name, other.statement.name],
        seconds=round(took, 1),
        held_out=said.after.right,
        of=said.after.of,
        before=said.before.right,
        without_first=other.said.after.right,
        summary=said.summary,
        model=model.root,
    )
    return model


def start(
    world: World,
    pooled: Pooled,
    name: str,
    *,
    recipe: Recipe,
    without: frozenset[str] = frozenset(),
    **options: Any,
) -> None:
    """Start a trainer on the pool's dataset."""
    inputs = prepare(world, pooled, name, recipe=recipe, without=without)
    manifest = trainer_manifest(world)
    world.run(manifest, name=name, peers=["kms"], inputs=inputs, **options)


def prepare(
    world: World,
    pooled: Pooled,
    name: str,
    *,
    recipe: Recipe,
    without: frozenset[str] = frozenset(),
) -> Path:
    """Write a trainer's inputs: the job, the dataset's statement, the sealed files.

    A part whose file is sealed under another policy than the pool asks for is left out: nobody can
    have its key for this job.
    """
    inputs = world.folder / "runs" / name / "in"
    (inputs / "files").mkdir(parents=True)
    dataset, owner = pooled.dataset, world.account("model-owner")
    files = {
        "dataset.json": world.envelope(dataset.statement.name),
        "held-out.sealed": pooled.held.blob,
        "held-out.json": pooled.held.policy.encode(),
    }
    for part in dataset.said.parts:
        blob, policy = pooled.pool.sealed_file(part.ciphertext), _policy(pooled, part.contribution)
        if read_header(io.BytesIO(blob)).policy_digest != policy.digest:
            without |= {part.contribution}
            continue
        files[f"files/{part.ciphertext}"] = blob
        files[f"files/{part.ciphertext}.json"] = policy.encode()
    job = job_of(
        dataset.statement, held=pooled.held, payout=owner.address, recipe=recipe, without=without
    )
    files["job.json"] = job.encode()
    for place, data in files.items():
        write_file(inputs / place, data, overwrite=False)
    return inputs


def _policy(pooled: Pooled, contribution: str) -> ReleasePolicy:
    """Return the policy that a contribution's consent leads to; its file's header has a digest."""
    said = pooled.pool.contribution(contribution).statement
    if said is None or not isinstance(said.predicate, Contribution):
        raise Unavailable(
            "the pool does not say who consented to a part of its dataset", code="part_unknown",
            got=contribution,
        )  # fmt: skip
    consent = said.predicate.consent
    return policy_for(pooled.terms, owner=consent.owner, not_after=consent.time + LIFETIME)


def _newest(pooled: Pooled, say: Teller) -> Pooled:
    """Return the pool's dataset as it is now, and tell it where others have contributed since."""
    dataset = pooled.pool.dataset()
    if dataset.statement.name == pooled.dataset.statement.name:
        return pooled
    parts = {part.contribution for part in dataset.said.parts}
    before = {part.contribution for part in pooled.dataset.said.parts}
    say.line(
        f"the pool has changed since: {len(parts - before)} more, {len(before - parts)} taken back;"
        f" a new dataset of {dataset.said.records:,} orders",
        ids=[dataset.statement.name],
        records=dataset.said.records,
        more=sorted(parts - before),
        fewer=sorted(before - parts),
    )
    return replace(pooled, dataset=dataset)


def _watch(world: World, say: Teller, name: str) -> None:
    running = world.running[name]
    with say.bar("3 Train", 100) as show:
        while running.returncode is None:
            said = running.progress() or {}
            if said.get("event") == "step":
                done = 100 * int(said["step"]) // int(said["steps"])
                show(done, f"step {said['step']} of {said['steps']}, loss {said['loss']}")
            time.sleep(_PAUSE)


def _model(world: World, name: str) -> Model:
    outputs = world.folder / "runs" / name / "out"
    data = (outputs / "training.json").read_bytes()
    return Model(outputs / "model", Statement.parse(Envelope.parse(data).payload), data)


def _share(found: Any) -> str:
    return f"{100 * found.right / found.of:.1f} %"
