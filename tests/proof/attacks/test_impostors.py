"""Somebody wants to speak as a machine that is not theirs, or with keys that are not theirs."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from teeproof.core.errors import Malformed
from teeproof.evidence.collect.simulated import SimulatedAttester
from teeproof.evidence.endorsements import Collateral
from teeproof.proof.envelope import Envelope, Signature, pae
from teeproof.proof.file import ProofFile
from teeproof.proof.identity import Rotation
from teeproof.proof.keyring import Keyring
from teeproof.proof.links import Subject
from teeproof.proof.statement import Statement
from teeproof.proof.workload import Identity
from tests.proof.attacks import tools
from tests.proof.attacks.tools import booted, document, impostor
from tests.proof.file.scenes import members
from tests.proof.people import NOW, attester, platform, step, workload_named
from tests.proof.world import World, failures

VICTIM = workload_named("victim", "receipt", "chain", "tls")


def said_by(*people: Identity, word: str = "train") -> tuple[World, Statement]:
    """The first of these says something, with all of them known and logged."""
    world = World()
    world.add(*people)
    statement = world.say(step(people[0], word, "model"), people[0])
    world.publish()
    return world, statement


def verdict_on(*people: Identity) -> set[tools.Found]:
    world, statement = said_by(*people)
    return tools.found(world.verify(world.export(statement)))


def test_keys_that_their_own_evidence_commits_to_hold() -> None:
    world, statement = said_by(VICTIM)
    assert tools.holds(world.verify(world.export(statement)))


def test_a_thief_of_evidence_who_puts_it_beside_its_own_keys_is_caught() -> None:
    ring = Keyring.new(("statement",))
    thief = impostor(document(*ring.public()), ring, evidence_of=VICTIM)
    assert verdict_on(thief) == {
        ("identity", "key-binding", "key_binding_mismatch", "authenticity")
    }


def test_evidence_serves_one_key_document_even_of_one_workload() -> None:
    keys = document(*VICTIM.keyring.public(), life=8 * tools.DAY)
    second = impostor(keys, VICTIM.keyring, evidence_of=VICTIM)
    assert verdict_on(second) == {
        ("identity", "key-binding", "key_binding_mismatch", "authenticity")
    }


def test_a_workload_that_binds_no_nonce_cannot_claim_one_later() -> None:
    again = impostor(VICTIM.record.keys, VICTIM.keyring, evidence_of=VICTIM, nonce="challenge")
    assert verdict_on(again) == {
        ("identity", "key-binding", "key_binding_mismatch", "authenticity")
    }


def test_a_prover_who_lists_anothers_public_key_has_not_proved_to_hold_it() -> None:
    stolen = next(key for key in VICTIM.keyring.public() if key.role == "receipt")
    ring = Keyring.new(("statement",))
    thief = impostor(document(*ring.public(), stolen), ring, evidence_of=VICTIM)
    assert ("identity", "possession", "possession_unproven", "authenticity") in verdict_on(thief)


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_a_key_that_did_not_sign_the_identity_statement_refuses_it(kept: int) -> None:
    envelope = VICTIM.record.envelope
    one = impostor(
        VICTIM.record.keys, VICTIM.keyring, evidence_of=VICTIM,
        signatures=envelope.signatures[: kept + 1],
    )  # fmt: skip
    expected = (
        set() if kept == 3 else {("identity", "possession", "possession_count", "authenticity")}
    )
    assert verdict_on(one) == expected


def test_a_prover_who_signs_for_all_keys_with_one_of_them_is_caught() -> None:
    keys = VICTIM.record.keys
    (place,) = (i for i, key in enumerate(keys.signing) if key.role == "statement")
    first = VICTIM.record.envelope.signatures[place]
    one = impostor(
        keys, VICTIM.keyring, evidence_of=VICTIM, signatures=(first,) * len(keys.signing)
    )
    assert verdict_on(one) == {("identity", "possession", "possession_unproven", "authenticity")}


def test_an_identity_statement_signed_as_another_kind_of_payload_is_caught() -> None:
    other = impostor(
        VICTIM.record.keys, VICTIM.keyring, evidence_of=VICTIM, kind="application/octet-stream"
    )
    assert verdict_on(other) == {
        ("identity", "identity-statement", "payload_type_wrong", "authenticity")
    }


def test_a_prover_who_swaps_the_key_document_under_an_identity_changes_its_name() -> None:
    world, statement = said_by(VICTIM)
    ring = Keyring.new(("statement",))
    thief = impostor(document(*ring.public()), ring, evidence_of=VICTIM)
    swapped = {tools.identity_member(VICTIM): thief.record.encode()}
    with pytest.raises(Malformed) as refused:
        ProofFile.from_bytes(tools.rewritten(world.export(statement), swapped))
    assert refused.value.code == "member_mismatch"


def with_quote(one: Identity, quote: bytes) -> tuple[World, bytes]:
    """The proof of something said by a workload, with another quote beside its identity."""
    record = tools.with_attachments(one, quote=tools.name_of(quote))
    changed = Identity(
        record, blobs=one.blobs | {tools.name_of(quote): quote}, keyring=one.keyring,
        store=one.store, now=lambda: NOW,
    )  # fmt: skip
    world, statement = said_by(changed)
    return world, world.export(statement)


def quote_of(one: Identity) -> bytes:
    return one.blobs[one.record.attachments["quote"]]


def test_a_twin_of_the_evidence_is_the_same_evidence() -> None:
    world, file = with_quote(VICTIM, quote_of(VICTIM) + bytes(16))
    verdict = world.verify(file)
    assert tools.holds(verdict)
    assert quote_of(VICTIM) not in members(file).values()


def test_evidence_of_another_machine_under_an_identity_is_caught() -> None:
    other = workload_named("another machine")
    world, file = with_quote(VICTIM, quote_of(other))
    assert tools.found(world.verify(file)) == {
        ("identity", "evidence-name", "evidence_of_another", "authenticity"),
        ("identity", "key-binding", "key_binding_mismatch", "authenticity"),
    }


def test_one_byte_of_the_quote_is_another_quote() -> None:
    quote = bytearray(quote_of(VICTIM))
    quote[60] ^= 1
    world, file = with_quote(VICTIM, bytes(quote))
    found = tools.found(world.verify(file))
    assert ("identity", "evidence-name", "evidence_of_another", "authenticity") in found
    assert {code for where, _, code, _ in found if where == "evidence"}


def test_what_is_no_quote_at_all_is_no_machine() -> None:
    world, file = with_quote(VICTIM, b"believe me")
    assert tools.found(world.verify(file)) == {
        ("identity", "machine", "quote_malformed", "authenticity")
    }
    assert world.verify(file).level is None


@pytest.mark.parametrize("part", ["quote", "collateral", "event_log"])
def test_a_prover_who_leaves_out_evidence_cannot_be_judged(part: str) -> None:
    world, statement = said_by(VICTIM)
    name = "blobs/" + VICTIM.record.attachments[part].removeprefix("sha256:")
    verdict = world.verify(tools.rewritten(world.export(statement), {name: None}))
    assert tools.found(verdict) == {("identity", "machine", "evidence_missing", "availability")}
    assert (verdict.exit_code, verdict.level, verdict.confidential) == (3, None, False)


def test_a_prover_who_swaps_bytes_of_the_evidence_is_caught() -> None:
    world, statement = said_by(VICTIM)
    name = "blobs/" + VICTIM.record.attachments["quote"].removeprefix("sha256:")
    other = quote_of(workload_named("another machine"))
    verdict = world.verify(tools.rewritten(world.export(statement), {name: other}))
    assert tools.found(verdict) == {("identity", "machine", "member_mismatch", "authenticity")}


def test_a_prover_who_names_no_quote_has_no_machine() -> None:
    attachments = {"event_log": VICTIM.record.attachments["event_log"]}
    record = msgspec.structs.replace(VICTIM.record, attachments=attachments)
    bare = Identity(
        record, blobs=VICTIM.blobs, keyring=VICTIM.keyring, store=VICTIM.store, now=lambda: NOW
    )
    assert verdict_on(bare) == {("identity", "machine", "identity_malformed", "authenticity")}


def test_a_vendor_that_nobody_pinned_vouches_for_nothing() -> None:
    own = SimulatedAttester(platform("impostor"), now=lambda: NOW)
    made = Identity.boot(own, now=lambda: NOW)
    assert verdict_on(made) == {
        ("evidence", "simulated-root", "simulated_root_not_accepted", "policy")
    }


def test_a_simulator_is_not_accepted_where_nobody_opted_in() -> None:
    world, statement = said_by(VICTIM)
    verdict = world.verify(world.export(statement), policy=None)
    assert verdict.exit_code in (2, 4)
    assert {f.where for f in verdict.faults} == {"evidence"}
    assert not verdict.ok
    assert not verdict.authentic


def test_old_collateral_beside_new_evidence_is_caught() -> None:
    old = workload_named("old", at=NOW - timedelta(days=400))
    data = old.blobs[old.record.attachments["collateral"]]
    Collateral.parse(data)
    record = tools.with_attachments(VICTIM, collateral=tools.name_of(data))
    aged = Identity(
        record, blobs={**VICTIM.blobs, tools.name_of(data): data}, keyring=VICTIM.keyring,
        store=VICTIM.store, now=lambda: NOW,
    )  # fmt: skip
    found = verdict_on(aged)
    assert found
    assert {where for where, *_ in found} == {"evidence"}


def test_a_second_workload_that_claims_to_follow_another_inherits_nothing() -> None:
    claimant = booted(previous=VICTIM.digest)
    world, statement = said_by(claimant, VICTIM)
    verdict = world.verify(world.export(statement))
    rotation = next(check for check in verdict.checks if check.name == "rotation")
    assert rotation.state == "not_checked"
    assert claimant.name[:19] in (rotation.got or "")


def test_a_rotation_that_both_sides_signed_is_confirmed() -> None:
    world = World()
    old = booted(store=world.source)
    new = old.rotate(attester())
    statement = world.say(step(new, "train", "model"), new)
    world.publish()
    verdict = world.verify(world.export(statement))
    rotation = next(check for check in verdict.checks if check.name == "rotation")
    assert tools.holds(verdict)
    assert rotation.state == "passed"


def test_a_workload_that_hands_over_twice_is_called_out() -> None:
    """Nothing is inherited, so it is told and refuses nothing; each alone looks well."""
    world = World()
    old = booted(store=world.source)
    first, second = old.rotate(attester()), old.rotate(attester())
    model = world.say(step(first, "train", "model"), first)
    report = world.say(step(second, "test", "report", of=[("model", "model", model)]), second)
    world.publish()
    for root, state in ((model, "passed"), (report, "not_checked")):
        verdict = world.verify(world.export(root))
        rotation = next(check for check in verdict.checks if check.name == "rotation")
        assert tools.holds(verdict)
        assert rotation.state == state
    assert "handed over twice" in rotation.detail
    for one in (first, second, old):
        assert one.name[:19] in (rotation.got or "")


def test_a_second_workload_cannot_sign_the_rotation_itself() -> None:
    claimant = booted(previous=VICTIM.digest)
    subjects = (Subject({"sha256": claimant.digest.hex()}),)
    own = Statement.of(Rotation(author=claimant.name, reason="update"), subjects=subjects)
    stolen = Statement.of(Rotation(author=VICTIM.name, reason="update"), subjects=subjects)
    for statement, state, faults in (
        (own, "not_checked", {}),
        (stolen, "not_checked", {"signature": "signature_mismatch"}),
    ):
        world = World()
        world.add(claimant, VICTIM)
        signed = Signature("", claimant.keyring.sign(pae(statement.payload)))
        world.put(Envelope(statement.payload, (signed,)))
        said = world.say(step(claimant, "train", "model"), claimant)
        world.publish()
        verdict = world.verify(world.export(said))
        rotation = next(check for check in verdict.checks if check.name == "rotation")
        assert (rotation.state, failures(verdict)) == (state, faults)
