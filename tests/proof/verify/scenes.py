"""Verdicts of many kinds, made once: one that accepts, and some that refuse."""

from __future__ import annotations

from functools import cache

from teeproof.proof.verify import ProofVerdict
from tests.proof.attacks import tools
from tests.proof.people import step, workload_named
from tests.proof.world import World, lifecycle


@cache
def whole() -> ProofVerdict:
    """The verdict on a whole lifecycle."""
    world, said = lifecycle()
    return world.verify(world.export(said["action"]))


@cache
def refused() -> tuple[ProofVerdict, ...]:
    """Verdicts that refuse: no evidence, no quorum, expired keys, a missing parent, no log."""
    return tuple(verdict() for verdict in (_no_evidence, _no_quorum, _expired, _no_parent))


def _scene() -> tuple[World, bytes]:
    author = workload_named("author")
    world = World()
    world.add(author)
    data = world.say(step(author, "collect", "data", of=[("raw", "raw", None)]), author)
    model = world.say(step(author, "train", "model", of=[("data", "data", data)]), author)
    world.publish()
    return world, world.export(model)


def _no_evidence() -> ProofVerdict:
    world, file = _scene()
    quote = workload_named("author").record.attachments["quote"].removeprefix("sha256:")
    return world.verify(tools.rewritten(file, {f"blobs/{quote}": None}))


def _no_quorum() -> ProofVerdict:
    world = World()
    author = workload_named("author")
    world.add(author)
    statement = world.say(step(author, "collect", "data"), author)
    world.publish(by=())
    return world.verify(world.export(statement))


def _expired() -> ProofVerdict:
    world, file = _scene()
    return world.verify(file, now=tools.NOW + 9 * tools.DAY, logs=None)


def _no_parent() -> ProofVerdict:
    author = workload_named("author")
    world = World()
    world.add(author)
    data = world.say(step(author, "collect", "data"), author)
    model = world.say(step(author, "train", "model", of=[("data", "data", data)]), author)
    world.publish()
    del world.source._statements[data.id]
    return world.verify(world.export(model, allow_missing=True))
