"""The demo's WITHDRAW: contributor 2 leaves, and no later training gets the key."""

from __future__ import annotations

import json

from teeproof.cli.story.data import Pooled, trainer_manifest
from teeproof.cli.story.telling import Teller
from teeproof.cli.story.world import World
from teeproof.core.digests import parse_named
from teeproof.data.contribute import withdraw
from teeproof.proof.graph import Graph
from teeproof.proof.log.contents import Contents
from teeproof.proof.log.storage.log import Log
from teeproof.proof.source import read_record
from teeproof.training.statements import Training

__all__ = ["models_that_saw", "tell"]

_PATIENCE = 60.0


def tell(world: World, say: Teller, pooled: Pooled, *, models: list[str]) -> None:
    """Withdraw contribution 2, try to train with it again, and name the models that saw it."""
    say.step("withdraw", "WITHDRAW")
    leaving = pooled.contributed[1]
    say.now("the key service erases the key, and the pool leaves the file out")
    taken = withdraw(leaving.contribution, owner=pooled.owners[1], pool=pooled.pool, kms=pooled.kms)
    say.line(
        "contributor 2 leaves: the key is erased, with a receipt",
        ids=[taken.erasure.statement.name, taken.receipt.statement.name],
        contribution=leaving.contribution,
    )
    # The host has kept the sealed file and the job; what it lacks is the key.
    kept = world.folder / "runs" / "trainer" / "in"
    say.now("the same training asks for the keys again")
    manifest = trainer_manifest(world)
    world.run(manifest, name="trainer-after", peers=["kms"], inputs=kept)
    running = world.running.pop("trainer-after")
    code = running.wait(_PATIENCE)
    words = running.last_words().splitlines()
    said = json.loads(words[-1]) if code and words else {}
    if "error" not in said:
        raise AssertionError(f"a training with a withdrawn file ended with code {code}")
    seen = models_that_saw(world, leaving.proof.statement.name, leaving.contribution, models)
    say.line(
        f"the next training is refused its key ({said['error']}); models that saw it: {len(seen)}",
        ids=seen,
        code=said["error"],
        models=seen,
    )


def models_that_saw(
    world: World, statement: str, contribution: str, models: list[str]
) -> list[str]:
    """Return the training statements below a contribution that say they used it."""
    with Log.open(world.notary.directory, read_only=True) as log:
        contents = Contents(log)
        graph = Graph.of(contents, roots=[parse_named(one) for one in models])
        below = set(graph.descendants(parse_named(statement)))
        found = []
        for name in models:
            data = contents.statement(parse_named(name))
            read = None if data is None else read_record(data)
            said = read.statement.predicate if read is not None and read.statement else None
            used = isinstance(said, Training) and any(
                source.contribution == contribution for source in said.sources
            )
            if used and parse_named(name) in below:
                found.append(name)
    return found
