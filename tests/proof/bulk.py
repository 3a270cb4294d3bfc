"""Many statements by a few workloads, in one log: for tests and benchmarks of size."""

from __future__ import annotations

import io
import random

from teeproof.core.clock import to_epoch
from teeproof.core.digests import named, sha256
from teeproof.proof.envelope import Envelope, Signature, pae
from teeproof.proof.file import export
from teeproof.proof.links import Material, Subject
from teeproof.proof.statement import Statement, Step
from teeproof.proof.workload import Identity
from tests.proof.people import NOW, workload_named
from tests.proof.world import ONE, TWO, World

BRANCH = 8  # inputs of a statement that joins others


def many(count: int, *, people: int = 50) -> tuple[World, Statement]:
    """A tree of ``count`` statements, each made of up to eight others, by workloads in turn."""
    drawn = random.Random(count)
    authors = [workload_named(f"worker {number}") for number in range(min(people, count))]
    world = World()
    world.add(*authors)
    waiting: list[Statement] = []
    last = None
    for number in range(count):
        author = authors[number % len(authors)]
        left = count - number
        joins = BRANCH if len(waiting) >= BRANCH * max(1, left // BRANCH) else 0
        if left == 1:
            joins = min(len(waiting), 1000)
        last = said(author, number, waiting[:joins], drawn)
        del waiting[:joins]
        waiting.append(last)
        world.source.add_statement(signed(author, last).encode())
    world.publish(by=(ONE, TWO))
    assert last is not None
    assert len(waiting) == 1, len(waiting)
    return world, last


def said(author: Identity, number: int, of: list[Statement], drawn: random.Random) -> Statement:
    materials = tuple(
        Material(role="part", digest=dict(made.subjects[0].digest), statement=made.name)
        for made in of
    )
    output = Subject({"sha256": drawn.randbytes(32).hex()}, name=f"output-{number}")
    predicate = Step(author=author.name, step="make", materials=materials)
    return Statement.of(predicate, subjects=(output,))


def signed(author: Identity, statement: Statement) -> Envelope:
    signature = author.keyring.sign(pae(statement.payload))
    return Envelope(statement.payload, (Signature(author.name, signature),))


def file_of(world: World, *roots: Statement) -> bytes:
    target = io.BytesIO()
    export(world.source, [root.id for root in roots], target)
    return target.getvalue()


def name_of(text: str) -> str:
    return named(sha256(text.encode()))


__all__ = ["NOW", "file_of", "many", "name_of", "said", "signed", "to_epoch"]
