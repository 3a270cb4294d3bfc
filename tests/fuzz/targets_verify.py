"""Fuzz targets for the verifier: whatever a proof file says, there is a verdict or one refusal."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import cache
from typing import Any

from teeproof.core.errors import Malformed
from teeproof.proof.file import ProofFile
from teeproof.proof.links import Link
from teeproof.proof.verify import ProofVerdict, verify_proof
from teeproof.proof.verify.structure import edges_of, order, paths
from tests.proof.attacks.tools import receipt, rewritten
from tests.proof.file.scenes import members, ordered, pack
from tests.proof.people import step, workload_named
from tests.proof.world import LATER, World, lifecycle

CUT = b"\0member\0"  # between the members of a seed: the archive around them is made anew
_known: dict[Any, Any] = {}


@cache
def scene() -> tuple[World, bytes]:
    """A world, and the proof of something said in it."""
    world, said = lifecycle()
    return world, world.export(said["action"])


def judged(file: bytes) -> ProofVerdict | None:
    with suppress(Malformed), ProofFile.from_bytes(file) as proof:
        return verify_proof(proof, now=LATER, trust=scene()[0].trust(), known=_known)
    return None


def fuzz_verified_proof(data: bytes) -> None:
    """A file that is not the genuine one is refused, or holds what the genuine one holds."""
    verdict = judged(data)
    if verdict is not None:
        consistent(verdict)


def fuzz_verify_members(data: bytes) -> None:
    """As above, with an archive that is in order, so that what lies in it is reached."""
    content: dict[str, bytes] = {}
    for part in data.split(CUT):
        name, _, body = part.partition(b"\n")
        content[name.decode("ascii", "replace")[:300]] = body
    with suppress(Malformed, UnicodeEncodeError):
        verdict = judged(pack(ordered(content)))
        if verdict is not None:
            consistent(verdict)


def consistent(verdict: ProofVerdict) -> None:
    json.dumps(verdict.to_json())
    assert verdict.ok is (not verdict.faults)
    assert verdict.ok is (verdict.exit_code == 0)
    if verdict.ok:
        # Nobody but the workloads can say something new in their names.
        said = set(members(scene()[1])) | set(members(other()))
        assert {f"statements/{one.id[7:]}.json" for one in verdict.statements} <= said


def fuzz_structure(data: bytes) -> None:
    """Any graph has an order; each input that is not on a cycle comes before its user."""
    ids = [bytes([number]) * 32 for number in range(8)]
    links: dict[bytes, list[Link]] = {one: [] for one in ids}
    outputs: dict[bytes, set[str]] = {one: set() for one in ids}
    for at in range(0, len(data) - 2, 3):
        kind, user, used = data[at] % 3, ids[data[at + 1] % 8], data[at + 2] % 8
        if kind == 0:
            links[user].append(Link("x", "none", ids[used], None))
        elif kind == 1:
            links[user].append(Link("x", f"data {used}", None, None))
        else:
            outputs[user].add(f"data {used}")

    def made(digest: str) -> list[bytes]:
        return [one for one in ids if digest in outputs[one]]

    edges = edges_of(links, outputs, made)
    found = order(edges)
    assert sorted(found.ids) == ids
    place = {one: index for index, one in enumerate(found.ids)}
    below = {
        one: {
            maker
            for link in links[one]
            for maker in ([link.statement] if link.statement else made(link.digest))
            if link.statement or maker != one
        }
        for one in ids
    }
    if not found.cyclic:
        assert all(place[under] < place[one] for one in ids for under in below[one])
    for one in ids:
        assert (one in found.cyclic) <= bool(below[one])
    reached = paths(ids[:1], edges)
    for one, user in reached.items():
        assert user is None or one in below[user]


def other() -> bytes:
    """The proof of a receipt, in the same world."""
    return _other()


@cache
def _other() -> bytes:
    world, said = lifecycle()
    server = workload_named("answering", "receipt")
    world.add(server)
    link = ("model", said["model"].subjects[0].sha256, said["model"])

    class Root:
        id = world.source.add_statement(receipt(server, "hello", of=(link,)))

    joint = step(server, "confirm", "both", cosigners=(workload_named("agent").name,))
    world.say(joint, server, workload_named("agent"))
    world.publish()
    return world.export(Root, joint)  # type: ignore[arg-type]


def _flat(file: bytes) -> bytes:
    return CUT.join(name.encode() + b"\n" + body for name, body in members(file).items())


def _without_blobs() -> bytes:
    file = scene()[1]
    return rewritten(file, {name: None for name in members(file) if name.startswith("blobs/")})


SEEDS = {
    "fuzz_verified_proof": lambda: [scene()[1], other(), _without_blobs()],
    "fuzz_verify_members": lambda: [_flat(scene()[1]), _flat(other()), _flat(_without_blobs())],
    "fuzz_structure": lambda: [bytes([2, 0, 1, 1, 1, 1, 2, 1, 1]), bytes(range(48)), bytes(9)],
}
