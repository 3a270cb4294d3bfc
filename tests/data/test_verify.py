"""What a stranger finds in a pool's proof: every number that was changed, whoever signed it."""

from __future__ import annotations

import io
from typing import Any

import msgspec
import pytest

from teeproof.cloud.local import LocalInside
from teeproof.cloud.manifest import Manifest
from teeproof.core.errors import Malformed
from teeproof.data import verify
from teeproof.data.history import Spoken
from teeproof.data.statements import Contribution, Dataset, LineFault
from teeproof.proof.file import ProofFile, export
from teeproof.proof.links import Material, Subject
from teeproof.proof.sealing import Sealed
from teeproof.proof.source import read_record
from teeproof.proof.statement import Statement
from teeproof.proof.verify import ProofVerdict, Trust, verify_proof
from teeproof.proof.verify.claims import judged_types
from teeproof.proof.workload import Identity
from tests.data.scenes import (
    ALICE,
    BOB,
    CAROL,
    EVE,
    NOW,
    Place,
    honest,
    order,
    payout,
    send,
    submission,
    terms,
    validator,
)
from tests.proof.people import platform, policy

KNOWN: dict[Any, Any] = {}


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path)
    yield made
    made.close()


@pytest.fixture
def pool(place):
    made = place.open()
    for number, owner in enumerate((ALICE, BOB, CAROL), 1):
        send(made, submission(honest(number), owner))
    send(made, submission(honest(1), EVE))
    send(made, submission(b"rubbish", EVE))
    return made


def judged(data: bytes) -> ProofVerdict:
    with ProofFile.from_bytes(data) as proof:
        return verify_proof(proof, now=NOW, trust=Trust(policy=policy()), known=KNOWN)


def found(verdict: ProofVerdict) -> dict[str, str]:
    return {fault.check.name: fault.check.code or "" for fault in verdict.faults}


def forged(
    place: Place, statement: Statement, *, subjects: Any = None, by: Identity | None = None,
    **changes: Any,
) -> dict[str, str]:  # fmt: skip
    """The faults of a statement that was changed and signed again, by the pool's key or another."""
    who = by or validator()
    place.store.add_identity(who.record.encode(), who.blobs)
    predicate = msgspec.structs.replace(statement.predicate, author=who.name, **changes)
    made = Statement.of(predicate, subjects=subjects or statement.subjects)
    envelope = who.sign(made)
    place.store.add_statement(envelope.encode())
    return found(judged(Sealed(made, envelope, place.store).proof()))


def proof(pool, spoken: Spoken) -> bytes:
    return pool.proof(spoken)


def test_the_judges_are_registered():
    assert {
        "urn:teeproof:contribution:v1",
        "urn:teeproof:dataset:v1",
        "urn:teeproof:withdrawn:v1",
    } <= set(judged_types())
    assert len(verify.__all__) == 3  # fmt: skip


def test_all_that_an_honest_pool_says_holds(pool):
    for entry in pool.entries:
        verdict = judged(proof(pool, entry.decided))
        assert verdict.ok, found(verdict)
    verdict = judged(proof(pool, pool.dataset()))
    assert verdict.ok, found(verdict)
    (said,) = [s for s in verdict.statements if s.type == "urn:teeproof:dataset:v1"]
    states = {check.name: check.state for check in said.checks}
    for name in ("dataset-parts", "dataset-root", "dataset-sums", "pool-code"):
        assert states[name] == "passed"
    assert len(verdict.statements) == 4  # the dataset and its three parts


def test_a_withdrawal_holds(pool):
    sent = submission(honest(7), BOB)
    send(pool, sent)
    spoken = pool.withdraw(sent.consent.contribution, *order(sent, BOB))
    verdict = judged(proof(pool, spoken))
    assert verdict.ok, found(verdict)
    (said,) = [s for s in verdict.statements if s.type == "urn:teeproof:withdrawn:v1"]
    assert {c.name: c.state for c in said.checks}["withdrawal-order"] == "passed"


def test_operator_inflates_a_weight(place, pool):
    entry = pool.entries[0]
    said, weight = entry.decided.statement, entry.said.weight
    assert forged(place, said) == {}
    assert forged(place, said, weight=weight + 1) == {"weight": "weight_mismatch"}
    scores = entry.said.scores
    for field in ("new", "confirmed", "records", "novelty", "evidence", "value"):
        changed = msgspec.structs.replace(scores, **{field: getattr(scores, field) - 1})
        codes = forged(place, said, scores=changed)
        assert codes["weight"] in ("weight_mismatch", "scores_inconsistent"), field
    many = msgspec.structs.replace(scores, new=scores.records + 1)
    assert forged(place, said, scores=many) == {"weight": "scores_inconsistent"}
    over = msgspec.structs.replace(scores, value=2_000_000)
    assert forged(place, said, scores=over) == {"weight": "scores_inconsistent"}


def test_operator_pays_a_copy(place, pool):
    said = pool.entries[3].decided.statement
    assert forged(place, said, weight=5) == {"weight": "weight_mismatch"}
    assert "decision" in forged(place, said, copy_of=())
    assert "decision" in forged(place, said, decision="accepted")


def test_operator_takes_a_refused_file(place, pool):
    said = pool.entries[4].decided.statement
    assert forged(place, said, decision="accepted") == {"decision": "decision_inconsistent"}
    assert "decision" in forged(place, said, reasons=())
    assert "decision" in forged(place, pool.entries[0].decided.statement, decision="refused")
    more = (LineFault(1, "text_side"),)
    assert "decision" in forged(place, pool.entries[0].decided.statement, reasons=more)
    assert "decision" in forged(place, said, decision="welcome")


def test_operator_pays_another_account(place, pool):
    said = pool.entries[0].decided.statement
    assert forged(place, said, payout=payout(EVE)) == {"owner-consent": "consent_other_payout"}
    consent = msgspec.structs.replace(pool.entries[0].consent, payout=payout(EVE))
    codes = forged(place, said, payout=payout(EVE), consent=consent)
    assert codes == {"owner-consent": "owner_signature"}
    short = msgspec.structs.replace(consent, payout="0x00")
    assert forged(place, said, consent=short) == {"owner-consent": "consent_malformed"}


def test_operator_takes_a_consent_for_another_pool_or_another_file(place, pool):
    said = pool.entries[0].decided.statement
    other = terms(name="another pool")
    assert forged(place, said, terms=other) == {"owner-consent": "consent_other_pool"}
    subjects = (Subject({"sha256": "00" * 32}, name="sealed file"), *said.subjects[1:])
    assert forged(place, said, subjects=subjects) == {"owner-consent": "consent_other_file"}
    codes = forged(place, said, contribution="00" * 32)
    assert codes == {"owner-consent": "consent_other_contribution"}


def test_operator_runs_other_code_as_the_pool(place, pool, tmp_path):
    """The very same words, on a machine that is genuine, from code that the terms do not name."""
    other = LocalInside(
        tmp_path / "other", manifest=Manifest("other", "teeproof.data.workload"),
        platform=platform(), now=lambda: NOW,
    ).boot()  # fmt: skip
    said = pool.entries[0].decided.statement
    assert forged(place, said, by=other) == {"pool-code": "pool_code_other"}
    assert forged(place, pool.dataset().statement, by=other) == {"pool-code": "pool_code_other"}


def test_operator_edits_a_dataset(place, pool):
    said = pool.dataset().statement
    data: Dataset = said.predicate
    first, second, third = data.parts
    for field, value in (
        ("contribution", "00" * 32), ("sequence", 2), ("owner", EVE.public),
        ("payout", payout(EVE)), ("file", "00" * 16), ("ciphertext", "00" * 32),
        ("root", "00" * 32), ("records", 1), ("weight", first.weight + 1),
    ):  # fmt: skip
        edited = msgspec.structs.replace(first, **{field: value})
        codes = forged(place, said, parts=(edited, second, third))
        assert codes["dataset-parts"] == "parts_mismatch", field
    assert forged(place, said, weight=data.weight + 1) == {"dataset-sums": "dataset_sums_mismatch"}
    assert forged(place, said, records=1) == {"dataset-sums": "dataset_sums_mismatch"}
    assert forged(place, said, copies=0) == {"dataset-sums": "dataset_sums_mismatch"}
    assert forged(place, said, through=4) == {"dataset-sums": "dataset_sums_mismatch"}
    subjects = (Subject({"sha256": "00" * 32}, name="dataset"),)
    assert forged(place, said, subjects=subjects) == {"dataset-root": "dataset_root_mismatch"}


def test_operator_leaves_a_part_out_or_counts_one_twice(place, pool):
    said = pool.dataset().statement
    data: Dataset = said.predicate
    codes = forged(place, said, parts=data.parts[:2], materials=data.materials[:2])
    assert {"dataset-root", "dataset-sums"} <= set(codes)
    assert "dataset-parts" in forged(place, said, parts=data.parts[:2])
    twice = forged(
        place, said, parts=(*data.parts, data.parts[0]),
        materials=(*data.materials, data.materials[0]),
    )  # fmt: skip
    assert twice["dataset-sums"] == "dataset_sums_mismatch"


def test_operator_puts_a_copy_or_a_foreign_statement_into_a_dataset(place, pool):
    said, copy = pool.dataset().statement, pool.entries[3].decided.statement
    data: Dataset = said.predicate
    root = copy.subjects[1].digest["sha256"]
    material = Material(digest={"sha256": root}, role="contribution", statement=copy.name)
    part = msgspec.structs.replace(
        data.parts[2], contribution=copy.predicate.contribution, sequence=4, owner=EVE.public,
        payout=payout(EVE), weight=0, root=root, records=120,
        file=copy.predicate.consent.file, ciphertext=copy.predicate.consent.ciphertext[7:],
    )  # fmt: skip
    codes = forged(
        place, said, parts=(*data.parts[:2], part), materials=(*data.materials[:2], material)
    )
    assert codes["dataset-parts"] == "parts_mismatch"
    bare = Material(digest=data.materials[0].digest, role="contribution")
    codes = forged(place, said, materials=(bare, *data.materials[1:]))
    assert codes["dataset-parts"] == "part_unproven"
    # A dataset that is named as a contribution.
    wrong = Material(digest=said.subjects[0].digest, role="contribution", statement=said.name)
    codes = forged(place, said, materials=(wrong, *data.materials[1:]))
    assert codes["dataset-parts"] == "part_unproven"


def hidden(place: Place, monkeypatch: pytest.MonkeyPatch, gone: Statement, data: bytes) -> Any:
    """The verdict on the proof of a statement, from which another one was left out."""
    there = place.store.statement
    with monkeypatch.context() as patch:
        patch.setattr(place.store, "statement", lambda one: None if one == gone.id else there(one))
        target, root = io.BytesIO(), read_record(data).id
        export(place.store, [root], target, allow_missing=True)
    return judged(target.getvalue())


def states_of(verdict: ProofVerdict, kind: str) -> dict[str, str]:
    (said,) = [one for one in verdict.statements if one.type == f"urn:teeproof:{kind}:v1"]
    return {check.name: check.state for check in said.checks}


def test_operator_leaves_a_contribution_out_of_the_file(place, pool, monkeypatch):
    spoken, gone = pool.dataset(), pool.entries[0].decided.statement
    data = place.store.statement(spoken.statement.id)
    verdict = hidden(place, monkeypatch, gone, data)
    assert states_of(verdict, "dataset")["dataset-parts"] == "not_checked"
    assert (found(verdict), verdict.exit_code) == ({"inputs": "parent_missing"}, 3)
    # A part that is wrong is found all the same.
    said: Dataset = spoken.statement.predicate
    edited = msgspec.structs.replace(said.parts[1], weight=said.parts[1].weight + 1)
    lie = msgspec.structs.replace(said, parts=(said.parts[0], edited, said.parts[2]))
    made = Statement.of(lie, subjects=spoken.statement.subjects)
    envelope = validator().sign(made).encode()
    place.store.add_statement(envelope)
    codes = found(hidden(place, monkeypatch, gone, envelope))
    assert codes["dataset-parts"] == "parts_mismatch"


def test_operator_forges_a_withdrawal_and_leaves_the_contribution_out(place, pool, monkeypatch):
    sent = submission(honest(7), BOB)
    entry = send(pool, sent)
    said = pool.withdraw(sent.consent.contribution, *order(sent, BOB)).statement
    mine, signature = order(sent, EVE)
    lie = msgspec.structs.replace(said.predicate, signature=signature, owner=EVE.public, order=mine)
    envelope = validator().sign(Statement.of(lie, subjects=said.subjects)).encode()
    place.store.add_statement(envelope)
    verdict = hidden(place, monkeypatch, entry.decided.statement, envelope)
    assert states_of(verdict, "withdrawn")["withdrawal-order"] == "not_checked"
    assert (found(verdict), verdict.exit_code) == ({"inputs": "parent_missing"}, 3)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("contribution", "no hex"), ("contribution", ""), ("root", "zz" * 32), ("root", "00" * 31),
        ("file", "00"), ("ciphertext", "AB" * 32), ("root", "00" * 32 + "\n"),
        ("records", -1), ("records", 1 << 32),
    ],
)  # fmt: skip
def test_operator_writes_a_part_that_has_no_place_in_a_root(place, pool, field, value):
    said = pool.dataset().statement
    first, *rest = said.predicate.parts
    with pytest.raises(Malformed) as refused:
        forged(place, said, parts=(msgspec.structs.replace(first, **{field: value}), *rest))
    assert refused.value.code == "statement_malformed"


def test_operator_scores_a_file_without_records(place, pool):
    entry = pool.entries[0]
    for changes in ({"records": 0, "new": 0, "confirmed": 0}, {"records": 0}, {"records": -1}):
        scores = msgspec.structs.replace(entry.said.scores, **changes)
        codes = forged(place, entry.decided.statement, scores=scores)
        assert codes == {"weight": "scores_inconsistent"}


def test_operator_names_the_ciphertext_where_the_records_belong(place, pool):
    """Both are subjects of the contribution; only one is the root over its records."""
    said = pool.dataset().statement
    data: Dataset = said.predicate
    first = data.parts[0]
    part = msgspec.structs.replace(first, root=first.ciphertext)
    material = msgspec.structs.replace(data.materials[0], digest={"sha256": first.ciphertext})
    codes = forged(
        place, said, parts=(part, *data.parts[1:]), materials=(material, *data.materials[1:])
    )
    assert codes["dataset-parts"] == "parts_mismatch"


def test_operator_forges_a_withdrawal(place, pool):
    sent = submission(honest(7), BOB)
    send(pool, sent)
    said = pool.withdraw(sent.consent.contribution, *order(sent, BOB)).statement
    mine, signature = order(sent, EVE)
    assert forged(place, said) == {}
    codes = forged(place, said, signature=signature)
    assert codes == {"withdrawal-order": "owner_signature"}
    codes = forged(place, said, signature=signature, owner=EVE.public, order=mine)
    assert codes == {"withdrawal-order": "withdrawal_of_another"}
    codes = forged(place, said, contribution="00" * 32)
    assert codes == {"withdrawal-order": "withdrawal_of_another"}
    bare = (Material(digest={"sha256": "00" * 32}, role="contribution"),)
    for none in (bare, ()):  # nothing to hold it against
        codes = forged(place, said, materials=none)
        assert codes == {"withdrawal-order": "withdrawal_unfounded"}


def test_without_a_machine_that_holds_nothing_is_said_about_its_code(pool):
    with ProofFile.from_bytes(proof(pool, pool.entries[0].decided)) as file:
        verdict = verify_proof(file, now=NOW, trust=Trust())
    (said,) = verdict.statements
    assert {c.name: c.state for c in said.checks}["pool-code"] == "not_checked"
    assert not verdict.ok


def test_predicates_have_no_place_for_text_of_records():
    """Whatever a statement holds beside digests, ids and accounts is a number or a fixed word."""
    assert set(Contribution.__struct_fields__) == {
        "author", "cosigners", "materials", "contribution", "sequence", "terms", "consent",
        "signature", "decision", "weight", "payout", "previous", "reasons", "faults", "copy_of",
        "scores",
    }  # fmt: skip
