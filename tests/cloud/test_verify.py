"""What a stranger finds in a proof of the KMS's statements, whoever signed what was changed."""

from __future__ import annotations

import msgspec
import pytest

from teeproof.cloud import verify
from teeproof.cloud.kms.keeper import Refused
from teeproof.evidence.policy import parse_policy
from teeproof.proof.envelope import Envelope
from teeproof.proof.file import ProofFile
from teeproof.proof.links import Material, Subject
from teeproof.proof.sealing import Sealed
from teeproof.proof.statement import Statement
from teeproof.proof.verify import Trust, verify_proof
from teeproof.proof.verify.claims import judged_types
from tests.cloud.keeping import NOW, OTHER, job_of, machines

KNOWN = {}
TRUST = Trust(policy=parse_policy(machines()))


def test_the_judges_are_registered():
    assert verify.__all__
    kinds = {f"urn:teeproof:{name}:v1" for name in ("recipient", "release", "erasure")}
    assert kinds <= set(judged_types())


def judged(kms, envelope):
    """The checks of one statement of the KMS, by name; and of what it names."""
    sealed = Sealed(Statement.parse(envelope.payload), envelope, kms.store)
    with ProofFile.from_bytes(sealed.proof()) as proof:
        verdict = verify_proof(proof, now=NOW, trust=TRUST, known=KNOWN)
    root = next(one for one in verdict.statements if one.id == sealed.statement.name)
    return {check.name: (check.state, check.code) for check in root.checks}


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
    assert forged(kms, said, materials=())["erasure-recipient"] == OPEN


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
