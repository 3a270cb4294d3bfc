"""The demo's own log on the pages of models, answers and pools: real numbers, real bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

import teeproof.cli.chapters  # noqa: F401  every kind of statement, and its judge
from teeproof.core.digests import parse_named
from teeproof.evidence.policy import parse_policy
from teeproof.explorer.app import make_app
from teeproof.explorer.log.content import Book
from teeproof.proof.log.formats.policy import TlogPolicy
from teeproof.proof.verify import Trust
from tests.explorer.conftest import ask
from tests.story.conftest import Told


@dataclass
class Shown:
    """The explorer over the demo's log."""

    app: Any
    book: Book

    def json(self, path: str) -> Any:
        found = ask(self.app, "GET", f"{path}.json")
        assert found.status_code == 200, found.text
        return found.json()

    def post(self, path: str, **bodies: bytes) -> httpx.Response:
        files = {f"{name}_file": ("body", data) for name, data in bodies.items()}
        return ask(self.app, "POST", path, files=files)


@pytest.fixture(scope="module")
def shown(told: Told) -> Shown:
    trust = Trust(
        policy=parse_policy((told.folder / "policy.toml").read_bytes()),
        logs=TlogPolicy.parse((told.folder / "trusted-logs").read_bytes()),
    )
    book = Book(told.folder / "log", trust=trust)
    return Shown(make_app(book, command=str), book)


def test_the_demos_model_is_shown_with_the_curve_that_its_trainer_told(told, shown) -> None:
    facts = told.of("train")[1]["facts"]
    model = shown.json(f"/model/{facts['model'].removeprefix('sha256:')}")
    assert model["standing"]["exit_code"] == 0
    assert model["trained_no_later_than"] is not None
    assert (model["held_out"]["after"], model["held_out"]["of"]) == (facts["held_out"], facts["of"])
    losses = [float(loss) for _, loss in model["losses"]]
    assert 32 <= len(losses) <= 64
    assert losses[-1] < losses[0] / 20  # it learnt
    assert [step for step, _ in model["losses"]][-1] == int(facts["summary"]["global_step"])
    looks = [right for _, right in model["looks"]]
    assert len(looks) == 3
    assert max(looks) > facts["before"]
    assert sum(one["bytes"] for one in model["tensors"]) > 2_000_000
    assert [one["right"] for one in model["others"]] == [facts["without_first"]]
    assert [one["sequence"] for one in model["parts"]] == [1, 2, 3]
    assert sum(one["share_millionths"] for one in model["parts"]) in range(999_990, 1_000_001)


def test_the_contributor_who_left_is_told_on_the_model_and_on_the_pool(told, shown) -> None:
    facts = told.of("train")[1]["facts"]
    model = shown.json(f"/model/{facts['model'].removeprefix('sha256:')}")
    gone = [one for one in model["parts"] if one["withdrawn"] is not None]
    assert [(one["sequence"], one["withdrawn"]["standing"]["exit_code"]) for one in gone] == [
        (2, 0)
    ]
    pool = shown.json(f"/pool/{model['pool'].removeprefix('sha256:')}")
    first = pool["contributions"]["latest"][-4:]  # other tests contribute after the story
    assert [one["decision"] for one in first] == ["copy", "accepted", "accepted", "accepted"]
    assert pool["datasets"][-1]["withdrawn_since"] == [gone[0]["contribution"]]
    weights = [one["weight"] for one in first[:0:-1]]
    assert weights == told.of("data")[0]["facts"]["weights"]


def test_what_the_agent_asked_and_got_are_the_bytes_that_were_signed(told, shown) -> None:
    for line in told.of("agent"):
        read = next(
            read for read in shown.book.reads([parse_named(one) for one in line["ids"]])
            if read.type == "urn:teeproof:action:v1"
        )  # fmt: skip
        given = read.statement.predicate.intent.answer
        request, response = given.request.encode(), given.response.encode()
        path = f"/answer/{given.receipt.removeprefix('sha256:')}"
        page = shown.post(path, request=request, response=response).text
        assert "This is the request that was signed" in page
        assert "This is the response that was signed" in page
        assert f'href="/p/{read.id.hex()}"' in page  # the action that used it
        near = shown.post(f"{path}.json", request=request[:-1] + b" ", response=response[1:]).json()
        assert [one["same"] for one in near["compared"]] == [False, False]


def test_what_an_answer_owes_is_what_the_demo_paid(told, shown) -> None:
    (line,) = told.of("paid")
    fee = shown.json(f"/answer/{line['ids'][0].removeprefix('sha256:')}")["fee"]
    paid = {role: sorted(round(float(part) * 10**6) for part in parts)
            for role, parts in line["facts"]["parts"].items()}  # fmt: skip
    owed: dict[str, list[int]] = {}
    for one in fee["payees"]:
        owed.setdefault(one["role"], []).append(int(one["amount"]))
    assert {role: sorted(parts) for role, parts in owed.items()} == paid
    assert re.fullmatch(r"0x[0-9a-f]{40}", fee["token"])
