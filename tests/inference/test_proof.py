"""A receipt is a statement: it exports with the training behind it, and anyone verifies that."""

from __future__ import annotations

from pathlib import Path

import pytest

import teeproof as tp
from teeproof.core.clock import wall_clock
from teeproof.inference import verify as _judges  # noqa: F401  it registers the judge of receipts
from teeproof.proof.file import ProofFile, export
from teeproof.proof.memory import MemorySource
from teeproof.proof.receipt import Receipt, model_event
from teeproof.proof.verify import ProofVerdict
from tests.inference import models
from tests.inference.serving import NAME, Hosted, people, policy
from tests.inference.test_checks import SERVER, edited, said, signed


def proof_of(host: Hosted, receipt_id: bytes, target: Path) -> ProofVerdict:
    export(host.store, [receipt_id], target)
    return tp.verify(target, policy=policy(), now=wall_clock())


def test_a_receipt_exports_with_training_and_lease_and_verifies(
    host: Hosted, tmp_path: Path
) -> None:
    with host.connect() as service:
        answer = service.ask("sell half my ETH", model=NAME, max_tokens=12)
    verdict = proof_of(host, answer.receipt.id, tmp_path / "answer.proof")
    assert verdict.ok
    assert verdict.level == "simulated"
    found = verdict.statement(answer.receipt.name)
    assert set(found.inputs) == {host.training.name, host.lease.name}
    assert found.title == "answer of orders"
    names = {check.name: check.state for check in found.checks}
    for name in ("answer-model", "answer-usage", "answer-ending", "answer-time"):
        assert names[name] == "passed"
    with ProofFile.open(tmp_path / "answer.proof") as proof:
        assert proof.roots == (answer.receipt.id,)


def test_who_asked_can_prove_it_from_what_they_keep(host: Hosted, tmp_path: Path) -> None:
    mine = MemorySource()
    trainer, market = people()
    with host.connect() as service:
        answer = service.ask("sell half my ETH", model=NAME, max_tokens=12)
        assert answer.keep(mine) == answer.receipt.id
    for person, statement in ((trainer, host.training), (market, host.lease)):
        mine.add_identity(person.record.encode(), person.blobs)
        mine.add_statement(person.sign(statement).encode())
    export(mine, [answer.receipt.id], tmp_path / "mine.proof")
    assert tp.verify(tmp_path / "mine.proof", policy=policy(), now=wall_clock()).ok


def test_a_proof_of_a_cut_answer_says_who_cut_it(tmp_path: Path) -> None:
    receipt = signed(said(b"data: {}\n\n", cut_by="client"))
    verdict = judged(receipt, tmp_path)
    ending = [c for c in verdict.statement(receipt.name).checks if c.name == "answer-ending"]
    assert [check.detail for check in ending] == ["the answer was cut by the client after 1 events"]


def judged(receipt: Receipt, folder: Path) -> ProofVerdict:
    store = MemorySource()
    store.add_identity(SERVER.record.encode(), SERVER.blobs)
    store.add_statement(receipt.encode())
    export(store, [receipt.id], folder / "x.proof", allow_missing=True)
    return tp.verify(folder / "x.proof", policy=policy(), now=wall_clock())


def test_service_signs_a_usage_that_does_not_add_up(tmp_path: Path) -> None:
    receipt = signed(edited(1, shares={"node": 10_001, "x": -1}))
    assert "answer_usage" in [c.code for c in judged(receipt, tmp_path).failures]
    assert "answer_usage" not in [c.code for c in judged(signed(said()), tmp_path).failures]


def test_service_dates_an_answer_before_its_keys(tmp_path: Path) -> None:
    receipt = signed(said(), served_at=SERVER.record.keys.not_before - 1)
    assert "answer_outside_keys" in [c.code for c in judged(receipt, tmp_path).failures]


def test_host_names_a_training_of_other_weights(tmp_path: Path, model: Path) -> None:
    """Past the workload's own check, the edge in the proof does not hold."""
    host = Hosted(tmp_path / "h", model)
    other = Hosted(tmp_path / "o", models.make(tmp_path / "m", seed=9))
    events = said()
    events[0] = model_event(other.root.name, statement=host.training.id)
    receipt = signed(events)
    host.store.add_identity(SERVER.record.encode(), SERVER.blobs)
    host.store.add_statement(receipt.encode())
    verdict = proof_of(host, receipt.id, tmp_path / "x.proof")
    assert not verdict.ok
    events[0] = model_event(host.root.name, statement=host.training.id)
    honest = signed(events)
    host.store.add_statement(honest.encode())
    assert proof_of(host, honest.id, tmp_path / "y.proof").ok


@pytest.mark.parametrize("policy_name", ["standard", "strict"])
def test_simulated_answers_satisfy_no_policy_for_hardware(
    host: Hosted, tmp_path: Path, policy_name: str
) -> None:
    with host.connect() as service:
        answer = service.ask("x", model=NAME, max_tokens=3)
    export(host.store, [answer.receipt.id], tmp_path / "a.proof")
    assert not tp.verify(tmp_path / "a.proof", policy=policy_name, now=wall_clock()).ok
