"""The trainer's way: job, keys, plaintext in memory, model, statement; and who tries to bend it."""

from __future__ import annotations

import json

import msgspec
import pytest

import teeproof.cloud.verify
import teeproof.data.verify
import teeproof.training.verify  # noqa: F401
from teeproof.cloud.manifest import Manifest
from teeproof.core.errors import Error, Malformed, NotAllowed, NotAuthentic, Unavailable
from teeproof.core.weights import differences, digest_model
from teeproof.data.contribute import withdraw
from teeproof.proof import canonical
from teeproof.proof.statement import Statement
from teeproof.training import given, workload
from teeproof.training.recipe import Recipe
from teeproof.training.statements import Training
from tests.data.scenes import ALICE, honest
from tests.training.school import OWNER, SMALL, School


@pytest.fixture(scope="session")
def first(school):
    return school.trained("first")


def test_a_model_is_made_and_said_of_what(school, first):
    inside, statement = first
    said = statement.predicate
    assert isinstance(said, Training)
    model = digest_model(inside.outputs / "model")
    assert statement.subjects[0].digest["sha256"] == model.root.hex()
    assert said.payout == OWNER
    assert sum(source.records for source in said.sources) + said.left_out == 120
    assert said.after.of == 60
    assert set(said.summary) >= {"epoch", "global_step", "grad_norm", "learning_rate", "loss",
                                 "total_flos", "train_runtime", "train_samples_per_second",
                                 "train_steps_per_second"}  # fmt: skip
    steps = int(said.summary["global_step"])
    assert [one.step for one in said.losses] == list(range(1, steps + 1))  # few enough for all
    assert said.losses[-1].loss == said.summary["loss"]
    assert [one.step for one in said.looks] == sorted({steps * k // 4 for k in (1, 2, 3)})
    assert [one.name for one in said.tensors] == [one.name for one in model.tensors]
    names = {subject.name for subject in statement.subjects}
    assert {"model", "config.json", "model.safetensors", "tokenizer.json"} <= names


def test_a_stranger_finds_that_the_machine_had_committed_to_the_job(school, first):
    verdict = school.verdict(first[1])
    assert verdict.ok, verdict.faults
    checks = {check.name: check for check in verdict.statement(first[1].name).checks}
    for name in ("training-job", "training-data", "training-keys", "training-code",
                 "training-curve", "training-weights"):  # fmt: skip
        assert checks[name].state == "passed", checks[name]


def test_the_same_job_makes_the_same_weights(school, first):
    _inside, statement = school.trained("again")
    assert statement.subjects[0] == first[1].subjects[0]
    assert statement.predicate.chain == first[1].predicate.chain


def test_a_part_that_the_job_leaves_out_is_not_trained_on(school):
    without = frozenset([school.contributed[0].contribution])
    _inside, statement = school.trained("without", without=without)
    said = statement.predicate
    assert [source.contribution for source in said.sources] == [school.contributed[1].contribution]
    verdict = school.verdict(statement)
    assert verdict.ok
    checks = {check.name: check.detail for check in verdict.statement(statement.name).checks}
    assert "1 parts of the dataset were not used" in checks["training-data"]


def test_host_swaps_the_job_after_the_machine_committed_to_another(school, first, monkeypatch):
    other = school.job(recipe=Recipe(epochs=2, hidden=32, layers=1, heads=2, inner=64))
    inside = school.trainer("swapped-nonce", school.job())
    boot = inside.boot
    monkeypatch.setattr(
        inside, "boot",
        lambda **options: boot(**options | {"nonce": workload.job_nonce(other.digest, nonce=b"x")}),
    )  # fmt: skip
    with pytest.raises(Error) as refused:
        workload.main(inside)
    assert refused.value.code == "job_nonce_mismatch"


def test_host_gives_a_job_of_another_dataset(school):
    job = school.job()
    swapped = msgspec.structs.replace(
        job, materials=(msgspec.structs.replace(job.materials[0], digest="sha256:" + "0" * 64),
                        *job.materials[1:]),
    )  # fmt: skip
    with pytest.raises(NotAuthentic) as refused:
        workload.main(school.trainer("other-dataset", swapped))
    assert refused.value.code == "job_other"


def test_host_leaves_a_sealed_file_out(school):
    inside = school.trainer("missing-file", school.job())
    (inside.inputs / "files" / school.dataset.said.parts[0].ciphertext).unlink()
    with pytest.raises(Unavailable):
        workload.main(inside)
    assert not (inside.outputs / "model").exists()


def test_host_changes_a_sealed_file(school):
    inside = school.trainer("changed-file", school.job())
    path = inside.inputs / "files" / school.dataset.said.parts[0].ciphertext
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(NotAuthentic) as refused:
        workload.main(inside)
    assert refused.value.code == "file_other"


def test_host_runs_other_code_as_the_trainer(school):
    code = Manifest("trainer", "teeproof.training.workload", ("--leak",),
                    school.trainer_code.environment)  # fmt: skip
    with pytest.raises(NotAllowed) as refused:
        workload.main(school.trainer("other-code", school.job(), code))
    assert refused.value.code == "code_not_granted"


def test_host_changes_one_weight(first, tmp_path):
    import shutil

    inside, statement = first
    shutil.copytree(inside.outputs / "model", tmp_path / "model")
    path = tmp_path / "model" / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    before, after = digest_model(inside.outputs / "model"), digest_model(tmp_path / "model")
    assert after.root.hex() not in {subject.digest["sha256"] for subject in statement.subjects}
    assert len(differences(before, after)) == 1


def test_trainer_gets_a_job_with_unknown_keys(school):
    body = json.loads(school.job().encode()) | {"admin": True}
    with pytest.raises(Malformed):
        workload.main(school.trainer("unknown-key", canonical.encode(body)))


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"learning": "1"}, "recipe_unknown"),
        ({"epochs": "1.5"}, "recipe_malformed"),
        ({"epochs": "-1"}, "recipe_malformed"),
        ({"epochs": "0"}, "recipe_malformed"),
        ({"epochs": "007"}, "recipe_malformed"),
        ({"hidden": "33", "heads": "2"}, "recipe_malformed"),
    ],
)
def test_a_recipe_that_the_program_would_not_obey_is_refused(parameters, code):
    with pytest.raises(Malformed) as refused:
        Recipe.of(parameters)
    assert refused.value.code == code


def test_a_recipe_is_the_same_after_it_was_written_as_text():
    assert Recipe.of(SMALL.parameters) == SMALL


def test_a_job_without_an_account_for_the_owner_is_refused(school):
    with pytest.raises(Malformed) as refused:
        workload.main(school.trainer("no-payout", school.job(payout="")))
    assert refused.value.code == "payout_malformed"


def test_what_is_held_out_is_left_out_of_training_and_counted(school, monkeypatch):
    leaked = honest(1, 60)[:5]
    inside = school.trainer("leaked", school.job())
    monkeypatch.setattr(given, "open_held_out", lambda *_a, **_k: leaked)
    assert workload.main(inside) == 0
    from teeproof.proof.envelope import Envelope

    said = Statement.parse(
        Envelope.parse((inside.outputs / "training.json").read_bytes()).payload
    ).predicate
    assert said.left_out == 5
    assert said.sources[0].records == 55


def test_a_withdrawn_contribution_trains_nothing_any_more(tmp_path):
    with School(tmp_path).opened() as school:
        job = school.job()
        gone = school.contributed[0]
        withdraw(gone.contribution, owner=ALICE, pool=school.pool_client, kms=school.kms_here)
        with pytest.raises(NotAllowed) as refused:
            workload.main(school.trainer("after", job))
        assert refused.value.code == "withdrawn"
