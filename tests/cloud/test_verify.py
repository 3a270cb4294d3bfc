"""What a stranger finds in a proof of the KMS's statements, whoever signed what was changed."""

from __future__ import annotations

import io

import msgspec
import pytest

from teeproof.cloud import verify
from teeproof.cloud.kms.keeper import Refused
from teeproof.core.errors import Malformed
from teeproof.evidence.policy import parse_policy
from teeproof.proof.envelope import Envelope
from teeproof.proof.file import ProofFile, export
from teeproof.proof.links import Material, Subject
from teeproof.proof.statement import Statement
from teeproof.proof.verify import Trust, verify_proof
from teeproof.proof.verify.claims import judged_types
from tests.cloud.keeping import NOW, OTHER, OWNER, job_of, machines

KNOWN = {}
TRUST = Trust(policy=parse_policy(machines()))


def test_the_judges_are_registered():
    assert verify.__all__
    kinds = {f"urn:teeproof:{name}:v1" for name in ("recipient", "release", "erasure")}
    assert kinds <= set(judged_types())


def judged(kms, envelope):
    """The checks of one statement of the KMS, by name; and of what it names."""
    checks = checks_of(kms, envelope)
    return {check.name: (check.state, check.code) for check in checks}


def checks_of(kms, envelope):
    statement, target = Statement.parse(envelope.payload), io.BytesIO()
    export(kms.store, [statement.id], target, allow_missing=True)
    with ProofFile.from_bytes(target.getvalue()) as proof:
        verdict = verify_proof(proof, now=NOW, trust=TRUST, known=KNOWN)
    root = next(one for one in verdict.statements if one.id == statement.name)
    return root.checks


def detail_of(kms, envelope, name):
    return next(check.detail for check in checks_of(kms, envelope) if check.name == name)


def forged(kms, envelope, *, subjects=None, **changes):
    """The same, of a statement that the KMS itself signs although it is not true."""
    statement = Statement.parse(envelope.payload)
    predicate = msgspec.structs.replace(statement.predicate, **changes)
    made = Statement.of(predicate, subjects=subjects or statement.subjects)
    lie = kms.journal.me.sign(made)
    kms.store.add_statement(lie.encode())
    return judged(kms, lie)


def said_last(kms):
    return Envelope.parse(kms.store.said[-1])


PASSED, OPEN = ("passed", None), ("not_checked", None)


def test_a_recipients_policy_is_signed_by_its_owner(kms):
    file = kms.file()
    said = said_last(kms)
    checks = judged(kms, said)
    assert (checks["recipient-key"], checks["recipient-owner"]) == (PASSED, PASSED)
    assert detail_of(kms, said, "recipient-owner") == "the owner signed the policy"
    others = msgspec.structs.replace(file.policy, not_after=file.policy.not_after + 1)
    assert forged(kms, said, policy=others)["recipient-owner"] == ("failed", "owner_signature")
    other = kms.file()
    text = other.recipient.text
    assert forged(kms, said, recipient=text)["recipient-key"] == ("failed", "recipient_other")


def test_an_erasure_was_ordered_by_the_owner_for_whom_the_key_was_made(kms):
    file = kms.file()
    said = kms.withdraw(file)
    checks = judged(kms, said)
    names = ("erasure-key", "erasure-owner", "erasure-recipient")
    assert [checks[name] for name in names] == [PASSED] * 3
    order = Statement.parse(said.payload).predicate.order
    lie = forged(kms, said, owner=OTHER.public, signature=OTHER.sign_text(order))
    assert lie["erasure-owner"] == PASSED  # somebody signed it, and not whose file it was
    assert lie["erasure-recipient"] == ("failed", "erasure_owner_other")
    assert forged(kms, said, owner=OTHER.public)["erasure-owner"] == ("failed", "owner_signature")
    late = msgspec.structs.replace(order, time=order.time + 1)
    assert forged(kms, said, order=late)["erasure-owner"] == ("failed", "owner_signature")
    two = (Subject({"sha256": "ab" * 32}, name="recipient"),)
    assert forged(kms, said, subjects=two)["erasure-key"] == ("failed", "recipient_other")


@pytest.mark.parametrize("owner", [OWNER, OTHER])
def test_owner_orders_the_erasure_of_somebody_elses_key(kms, owner):
    """He names the statement on a key of his own, and signs; or another of the same owner's."""
    mine, victim = kms.file(owner=owner), kms.file()
    made = Statement.parse(Envelope.parse(kms.store.said[-2]).payload)
    assert made.predicate.recipient == mine.recipient.text
    said = kms.withdraw(victim)
    order = Statement.parse(said.payload).predicate.order
    own = Material({"sha256": mine.recipient.digest.hex()}, role="recipient", statement=made.name)
    lie = forged(
        kms, said, owner=owner.public, signature=owner.sign_text(order), materials=(own,)
    )  # fmt: skip
    assert (lie["erasure-key"], lie["erasure-owner"], lie["inputs"]) == (PASSED,) * 3
    assert lie["erasure-recipient"] == ("failed", "erasure_key_other")


def test_owner_orders_an_erasure_and_names_no_statement(kms):
    """Whoever need not name what made the key could erase any."""
    file = kms.file()
    said = kms.withdraw(file)
    key = {"sha256": file.recipient.digest.hex()}
    other = Statement.parse(said.payload)
    for materials in (
        (),
        (Material(key, role="recipient"),),
        (Material(key, role="recipient", statement=other.name),),  # an erasure, which makes no key
    ):
        lie = forged(kms, said, materials=materials)
        assert lie["erasure-recipient"] == ("failed", "erasure_unfounded")
        assert "claim" not in lie


def test_kms_makes_a_recipient_that_is_no_key_and_erases_it(kms):
    said = kms.withdraw(kms.file())
    made = Statement.parse(Envelope.parse(kms.store.said[0]).payload)
    none = msgspec.structs.replace(made.predicate, recipient="no key")
    lie = Statement.of(none, subjects=made.subjects)
    kms.store.add_statement(kms.journal.me.sign(lie).encode())
    assert judged(kms, kms.journal.me.sign(lie))["claim"] == ("failed", "claim_unreadable")
    material = msgspec.structs.replace(
        Statement.parse(said.payload).predicate.materials[0], statement=lie.name
    )
    checks = forged(kms, said, materials=(material,))
    assert checks["erasure-recipient"] == ("failed", "erasure_key_other")


def test_an_erasure_without_its_recipients_statement_is_open_and_the_proof_is_not_good(kms):
    file = kms.file()
    said = kms.withdraw(file)
    order = Statement.parse(said.payload).predicate.order
    gone = Material({"sha256": file.recipient.digest.hex()}, role="recipient",
                    statement=f"sha256:{'0' * 64}")  # fmt: skip
    lie = forged(kms, said, materials=(gone,), owner=OTHER.public, signature=OTHER.sign_text(order))
    assert lie["erasure-recipient"] == OPEN
    assert lie["inputs"] == ("failed", "parent_missing")


def test_a_release_went_to_a_machine_that_had_committed_to_its_job(kms):
    file = kms.file()
    job = job_of(file)
    me, challenge = kms.answer(job)
    said = kms.ask(me, challenge, job, file).statement
    assert (judged(kms, said)["release-job"], judged(kms, said)["release-code"]) == (OPEN, OPEN)
    known = with_workload(kms, me)
    checks = forged(kms, said, materials=known)
    assert (checks["release-job"], checks["release-code"]) == (PASSED, PASSED)
    other = msgspec.structs.replace(job, parameters={"seed": "8"})
    lie = forged(kms, said, materials=known, job=other)
    assert lie["release-job"] == ("failed", "release_job_other")
    lie = forged(kms, said, materials=known, challenge="00" * 32)
    assert lie["release-job"] == ("failed", "release_job_other")
    for none in ("no hex", "", "00" * 31, "AB" * 32):
        lie = forged(kms, said, materials=known, challenge=none)
        assert lie["release-job"] == ("failed", "challenge_malformed")
        assert lie["release-code"] == PASSED
    lie = forged(kms, said, materials=known, compose_hash="ab" * 32)
    assert lie["release-code"] == ("failed", "release_code_other")


def with_workload(kms, me):
    """A material that brings the workload's identity into the proof: something that it said."""
    kms.store.add_identity(me.record.encode(), me.blobs)
    me.store = kms.store
    made = me.seal("train", outputs={"model": b"weights"})
    digest = made.statement.subjects[0].digest
    return (Material(digest, role="model", statement=made.statement.name),)


def test_a_refusal_is_a_decision_too(kms):
    file = kms.file()
    kms.withdraw(file)
    with pytest.raises(Refused) as refused:
        kms.train(file)
    checks = judged(kms, refused.value.statement)
    assert checks["release-decision"] == PASSED


def test_kms_decides_in_a_word_that_is_neither(kms):
    """Whatever was not "released" passed for a refusal, so the grant was hidden."""
    file = kms.file()
    kms.train(file)
    said = said_last(kms)
    assert Statement.parse(said.payload).predicate.decision == "released"
    for word in ("Released", "granted", "released ", ""):
        with pytest.raises(Malformed) as refused:
            forged(kms, said, decision=word)
        assert refused.value.code == "statement_malformed"
