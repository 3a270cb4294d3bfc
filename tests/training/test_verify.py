"""What a stranger finds of a trainer that says something else than what happened.

The trainer's machine itself signs each false statement here: whoever could change its code could.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

import teeproof.cloud.verify
import teeproof.data.verify  # noqa: F401
from teeproof.cloud.job import Input
from teeproof.evidence.verdict import Check
from teeproof.proof.envelope import Envelope
from teeproof.proof.links import Material
from teeproof.proof.source import Read, read_record
from teeproof.proof.statement import Statement
from teeproof.training import workload
from teeproof.training.statements import Accuracy, LossAt, RightAt, Source, Training
from teeproof.training.verify import training_holds
from tests.training.school import SMALL, School

NAMES = (
    "training-job", "training-recipe", "training-data", "training-keys", "training-code",
    "training-curve", "training-weights",
)  # fmt: skip


def liar(school: School, name: str, monkeypatch: pytest.MonkeyPatch, **lies: Any) -> Statement:
    """The statement of a trainer whose code says something else in these fields."""

    def said(**fields: Any) -> Training:
        return Training(**fields | {k: v(fields) if callable(v) else v for k, v in lies.items()})

    with monkeypatch.context() as patch:
        patch.setattr(workload, "Training", said)
        return school.trained(name)[1]


def checks_of(school: School, statement: Statement) -> dict[str, Check]:
    verdict = school.verdict(statement)
    return {check.name: check for check in verdict.statement(statement.name).checks}


def other_job(fields: dict[str, Any]) -> Any:
    parameters = fields["job"].parameters | {"seed": "7"}
    return msgspec.structs.replace(fields["job"], parameters=parameters)


def without_files(job: Any) -> Any:
    return msgspec.structs.replace(job, files=())


def without_one_record(fields: dict[str, Any]) -> Any:
    first, *rest = fields["sources"]
    return (msgspec.structs.replace(first, records=first.records - 1), *rest)


def without_the_last_loss(fields: dict[str, Any]) -> Any:
    return fields["losses"][:-1]


def with_one_loss_twice(fields: dict[str, Any]) -> Any:
    first, *rest = fields["losses"]
    return (first, first, *rest)


def with_another_loss(fields: dict[str, Any]) -> Any:
    first, *rest = fields["losses"]
    return (msgspec.structs.replace(first, loss="better"), *rest)


def with_one_bit_of_a_tensor_turned(fields: dict[str, Any]) -> Any:
    first, *rest = fields["tensors"]
    turned = f"{int(first.sha256[0], 16) ^ 1:x}{first.sha256[1:]}"
    return (msgspec.structs.replace(first, sha256=turned), *rest)


def with_a_tensor_turned_round(fields: dict[str, Any]) -> Any:
    first, *rest = fields["tensors"]
    return (msgspec.structs.replace(first, shape=first.shape[::-1]), *rest)


def one_more_record(fields: dict[str, Any]) -> Any:
    first, second = fields["sources"]
    return (
        msgspec.structs.replace(first, records=first.records + 9),
        msgspec.structs.replace(second, records=second.records - 9),
    )


@pytest.mark.parametrize(
    ("lies", "check", "code"),
    [
        pytest.param({"job": other_job}, "training-job", "job_not_committed", id="job"),
        pytest.param({"challenge": "00" * 32}, "training-job", "job_not_committed", id="challenge"),
        pytest.param({"challenge": "no hex"}, "training-job", "challenge_malformed", id="no hex"),
        pytest.param({"payout": "0x" + "cd" * 20}, "training-recipe", "training_recipe_other",
                     id="account"),
        pytest.param({"parameters": SMALL.parameters | {"epochs": "99"}}, "training-recipe",
                     "training_recipe_other", id="recipe"),
        pytest.param({"after": Accuracy(61, 60)}, "training-recipe", "training_score_wrong",
                     id="score"),
        pytest.param({"sources": lambda f: f["sources"][:1]}, "training-data",
                     "training_sources_other", id="part left out"),
        pytest.param({"sources": lambda f: (*f["sources"], Source("ab" * 32, "cd" * 16, 1))},
                     "training-data", "training_sources_other", id="part added"),
        pytest.param({"sources": one_more_record}, "training-data", "training_sources_other",
                     id="record moved"),
        pytest.param({"sources": without_one_record}, "training-data",
                     "training_records_missing", id="record left out"),
        pytest.param({"sources": (), "left_out": 0, "job": lambda f: without_files(f["job"])},
                     "training-data", "training_sources_other", id="no part at all"),
        pytest.param({"left_out": -1, "sources": lambda f: f["sources"]}, "training-data",
                     "training_records_missing", id="less than none left out"),
        pytest.param({"losses": without_the_last_loss}, "training-curve", "training_curve_wrong",
                     id="bad end hidden"),
        pytest.param({"losses": with_one_loss_twice}, "training-curve", "training_curve_wrong",
                     id="loss twice"),
        pytest.param({"losses": with_another_loss}, "training-curve", "training_curve_wrong",
                     id="loss in words"),
        pytest.param({"losses": lambda _: tuple(LossAt(k + 1, "1.000000") for k in range(65))},
                     "training-curve", "training_curve_wrong", id="too many losses"),
        pytest.param({"looks": (RightAt(1, 61),)}, "training-curve", "training_curve_wrong",
                     id="more right than asked"),
        pytest.param({"looks": (RightAt(999, 1),)}, "training-curve", "training_curve_wrong",
                     id="a look after the end"),
        pytest.param({"tensors": with_one_bit_of_a_tensor_turned}, "training-weights",
                     "training_weights_other", id="bit of a tensor"),
        pytest.param({"tensors": with_a_tensor_turned_round}, "training-weights",
                     "training_weights_other", id="shape of a tensor"),
        pytest.param({"texts": {}}, "training-weights", "training_weights_other",
                     id="text beside the tensors"),
        pytest.param({"release": "sha256:" + "0" * 64}, "training-keys", "training_keys_other",
                     id="release"),
    ],
)  # fmt: skip
def test_host_makes_a_trainer_say_something_else(school, monkeypatch, request, lies, check, code):
    statement = liar(school, f"liar-{request.node.callspec.id}", monkeypatch, **lies)
    assert not school.verdict(statement).ok
    assert checks_of(school, statement)[check].code == code


def test_host_makes_a_trainer_name_another_held_out_file(school, monkeypatch):
    def moved(fields: dict[str, Any]) -> Any:
        dataset, held, keys = fields["materials"]
        other = Material(role="held-out", digest={"sha256": "0" * 64}, name=held.name)
        return (dataset, other, keys)

    statement = liar(school, "liar-held-out", monkeypatch, materials=moved)
    assert checks_of(school, statement)["training-data"].code == "training_data_other"


@pytest.mark.parametrize(
    ("role", "check", "code"),
    [
        ("dataset", "training-data", "training_data_unnamed"),
        ("keys", "training-keys", "training_keys_unnamed"),
    ],
)
def test_host_leaves_out_what_the_model_was_made_of(school, monkeypatch, role, check, code):
    def left_out(fields: dict[str, Any]) -> Any:
        return tuple(one for one in fields["materials"] if one.role != role)

    def unnamed(fields: dict[str, Any]) -> Any:
        return tuple(
            msgspec.structs.replace(one, statement=None) if one.role == role else one
            for one in fields["materials"]
        )

    for name, way in (("gone", left_out), ("unnamed", unnamed)):
        statement = liar(school, f"liar-{role}-{name}", monkeypatch, materials=way)
        assert checks_of(school, statement)[check].code == code
        assert not school.verdict(statement).ok


def test_host_trains_for_a_job_that_is_about_another_dataset(school, monkeypatch):
    def moved(fields: dict[str, Any]) -> Any:
        first, *rest = fields["job"].materials
        other = Input(role=first.role, digest="sha256:" + "0" * 64)
        return msgspec.structs.replace(fields["job"], materials=(other, *rest))

    statement = liar(school, "liar-dataset", monkeypatch, job=moved)
    found = checks_of(school, statement)
    assert found["training-job"].code == "job_not_committed"
    assert found["training-data"].code == "training_data_other"


class Scene:
    """The proof of one statement as a judge sees it, with some of it changed or gone."""

    def __init__(self, school: School, statement: Statement, **changes: Any) -> None:
        self.school, self.changes = school, changes
        self.read = self.statement(statement.name)
        assert self.read is not None

    def statement(self, name: str) -> Read | None:
        data = self.school.store.statement(bytes.fromhex(name.removeprefix("sha256:")))
        read = None if data is None else read_record(data)
        gone = read is not None and read.type in self.changes.get("gone", ())
        return None if gone else read

    def identity(self, digest: bytes) -> Any:
        from teeproof.proof.identity import IdentityRecord

        data = None if "identity" in self.changes else self.school.store.identity(digest)
        return None if data is None else IdentityRecord.parse(data)

    def author(self, name: str) -> bytes | None:
        read = self.statement(name)
        return None if read is None else read.author

    def facts(self, digest: bytes) -> Any:
        return {"application": {"compose_hash": self.changes.get("code")}}

    def checks(self) -> dict[str, Check]:
        return {check.name: check for check in training_holds(self.read, self)}


@pytest.fixture(scope="session")
def honest_one(school):
    return school.trained("honest")[1]


def test_all_of_it_is_found_of_an_honest_trainer(school, honest_one):
    code = school.trainer_code.compose_hash
    found = Scene(school, honest_one, code=code).checks()
    assert {name: check.state for name, check in found.items()} == dict.fromkeys(NAMES, "passed")


def test_host_trains_with_code_that_the_pool_does_not_list(school, honest_one):
    found = Scene(school, honest_one, code="ab" * 32).checks()["training-code"]
    assert (found.code, found.got) == ("trainer_not_listed", "ab" * 32)


def test_host_trains_on_a_machine_whose_evidence_names_no_code(school, honest_one):
    found = Scene(school, honest_one, code=None).checks()["training-code"]
    assert (found.code, found.got) == ("trainer_not_listed", "none")


@pytest.mark.parametrize(
    ("gone", "unchecked"),
    [
        ({"gone": ("urn:teeproof:dataset:v1",)}, {"training-data", "training-code"}),
        ({"gone": ("urn:teeproof:release:v1",)}, {"training-keys"}),
        ({"identity": None}, {"training-job"}),
    ],
)
def test_what_is_not_in_the_proof_is_not_checked_and_says_so(school, honest_one, gone, unchecked):
    changes = {"code": school.trainer_code.compose_hash} | gone
    found = Scene(school, honest_one, **changes).checks()
    states = {name for name, check in found.items() if check.state == "not_checked"}
    assert states == unchecked
    assert not [check for check in found.values() if check.state == "failed"]


def test_a_statement_is_its_envelope(school, honest_one):
    data = school.store.statement(honest_one.id)
    assert data is not None
    assert Statement.parse(Envelope.parse(data).payload) == honest_one
