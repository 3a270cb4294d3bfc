"""What was found before is not believed for another proof, policy, time or piece of evidence."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from teeproof.evidence.policy import parse_policy
from teeproof.proof.envelope import Envelope, Signature
from teeproof.proof.statement import Statement
from tests.proof.attacks import tools
from tests.proof.attacks.tools import found, holds
from tests.proof.people import platform, policy, step, workload_named
from tests.proof.world import LATER, World

AUTHOR = workload_named("cached")
Told = tuple[World, Statement, bytes, dict[Any, Any]]


@pytest.fixture
def told() -> Told:
    """A proof that was verified once, and what the verifier remembers."""
    world = World()
    world.add(AUTHOR)
    statement = world.say(step(AUTHOR, "train", "model"), AUTHOR)
    world.publish()
    file = world.export(statement)
    known: dict[Any, Any] = {}
    assert holds(world.verify(file, known=known))
    assert len(known) == 1
    return world, statement, file, known


def strict(*lines: str) -> Any:
    root = f'roots = []\nsimulated_roots = ["{platform().root_fingerprint}"]'
    return parse_policy("\n".join([root, *lines]))


def test_the_same_proof_is_answered_from_memory_and_alike(told: Told) -> None:
    world, _, file, known = told
    first = world.verify(file)
    assert world.verify(file, known=known) == first
    assert len(known) == 1


def test_a_verdict_under_another_policy_is_made_anew(told: Told) -> None:
    world, _, file, known = told
    other = strict(f'mrtd = ["{"ab" * 48}"]')
    assert found(world.verify(file, known=known, policy=other)) == {
        ("evidence", "mrtd", "mrtd_mismatch", "policy")
    }
    assert holds(world.verify(file, known=known))


def test_expectations_of_the_author_are_another_policy(told: Told) -> None:
    world, _, file, known = told
    other = strict(f'mrtd = ["{"ab" * 48}"]')
    verdict = world.verify(file, known=known, author_policy=other)
    assert found(verdict) == {("identity", "author-policy", "mrtd_mismatch", "policy")}
    assert verdict.exit_code == 4
    assert holds(world.verify(file, known=known, author_policy=policy()))


def test_a_verdict_as_of_another_time_is_made_anew(told: Told) -> None:
    world, _, file, known = told
    late = LATER + 400 * tools.DAY
    without = world.verify(file, known=known, logs=None, now=late)
    assert ("statement", "key-expiry", "keys_expired", "authenticity") in found(without)
    assert {f.where for f in without.faults} >= {"evidence"}
    assert holds(world.verify(file, known=known, now=late))


def test_a_second_verifier_that_was_not_asked_is_not_remembered_as_asked(told: Told) -> None:
    world, _, file, known = told
    one = world.verify(file, known=known, both_paths=False)
    both = world.verify(file, known=known)
    paths = [
        {c.state for c in v.identities[0].evidence.checks if c.name.startswith("second-path")}
        for v in (one, both)
        if v.identities[0].evidence is not None
    ]
    assert paths[0] == {"not_checked"}
    assert paths[1] == {"passed"}


def test_other_attachments_are_judged_anew(told: Told) -> None:
    world, _, file, known = told
    other = workload_named("another")
    attachment = other.record.attachments["quote"]
    record = tools.with_attachments(AUTHOR, quote=attachment)
    blobs: dict[str, bytes | None] = {
        "blobs/" + AUTHOR.record.attachments["quote"][7:]: None,
        "blobs/" + attachment[7:]: other.blobs[attachment],
    }
    swapped = tools.rewritten(file, blobs | {tools.identity_member(AUTHOR): record.encode()})
    codes = {code for _, _, code, _ in found(world.verify(swapped, known=known))}
    assert "evidence_of_another" in codes


def test_other_signatures_of_possession_are_judged_anew(told: Told) -> None:
    world, _, file, known = told
    envelope = AUTHOR.record.envelope
    forged = Envelope(envelope.payload, (Signature("", bytes(64)),))
    record = msgspec.structs.replace(AUTHOR.record, envelope=forged)
    changed = tools.rewritten(file, {tools.identity_member(AUTHOR): record.encode()})
    assert found(world.verify(changed, known=known)) == {
        ("identity", "possession", "possession_unproven", "authenticity"),
        ("log", "inclusion", "inclusion_mismatch", "authenticity"),
    }


def test_a_proof_without_the_evidence_is_not_saved_by_one_that_had_it(told: Told) -> None:
    world, _, file, known = told
    name = "blobs/" + AUTHOR.record.attachments["quote"].removeprefix("sha256:")
    bare = tools.rewritten(file, {name: None})
    expected = {("identity", "machine", "evidence_missing", "availability")}
    assert found(world.verify(bare, known=known)) == expected
    fresh: dict[Any, Any] = {}
    assert found(world.verify(bare, known=fresh)) == expected
    assert fresh == {}
    assert holds(world.verify(file, known=fresh))


def test_the_key_of_a_verdict_names_proof_trust_and_time(told: Told) -> None:
    world, statement, file, known = told
    keys = {
        world.verify(file).key,
        world.verify(file, now=LATER + tools.DAY).key,
        world.verify(file, author_policy=policy()).key,
        world.verify(file, logs=None).key,
        world.verify(file, both_paths=False).key,
        world.verify(world.export(statement, attach=()), policy=strict()).key,
    }
    assert len(keys) == 6
    assert world.verify(file, known=known).key in keys
