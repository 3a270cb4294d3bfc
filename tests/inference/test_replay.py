"""Whoever has the weights computes an answer again, and trusts no machine for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from teeproof.inference.client import Answer
from teeproof.inference.engine.engine import Engine
from teeproof.inference.replay import replay
from tests.inference import models
from tests.inference.serving import NAME, Hosted
from tests.inference.test_checks import said, signed


@pytest.fixture(scope="module")
def engine(model: Path) -> Engine:
    return Engine.open(model)


def ask(host: Hosted, **more: Any) -> Answer:
    with host.connect() as service:
        return service.ask("sell half my ETH", model=NAME, **({"max_tokens": 20} | more))


def again(engine: Engine, answer: Answer, **changes: Any) -> tuple[str, str | None]:
    given = {"request": answer.request, "response": answer.response, "receipt": answer.receipt}
    check = replay(engine, **(given | changes))
    return check.state, check.code


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"stream": True},
        {"temperature": 1.2, "top_p": 0.9},
        {"temperature": 0.7, "seed": 11, "stream": True},
        {"stop": ["$"]},
        {"max_tokens": 239},
    ],
    ids=str,
)
def test_an_answer_is_computed_again(
    host: Hosted, engine: Engine, settings: dict[str, Any]
) -> None:
    assert again(engine, ask(host, **settings)) == ("passed", None)


def test_service_answers_with_what_the_model_did_not_say(host: Hosted, engine: Engine) -> None:
    answer = ask(host)
    first = answer.text[0]
    other = b"y" if first != "y" else b"z"
    changed = answer.response.replace(b'"content":"' + first.encode(), b'"content":"' + other, 1)
    assert changed != answer.response
    assert again(engine, answer, response=changed) == ("failed", "answer_not_reproduced")


def test_service_states_another_seed(host: Hosted, engine: Engine) -> None:
    answer = ask(host, temperature=1.5)
    events = answer.receipt.body["event_log"][1:]
    events = [e | {"seed": e["seed"] ^ 1} if e["type"] == "x.generation" else e for e in events]
    assert again(engine, answer, receipt=signed(events)) == ("failed", "answer_not_reproduced")
    honest = signed(answer.receipt.body["event_log"][1:])
    assert again(engine, answer, receipt=honest) == ("passed", None)


def test_another_model_is_no_witness(host: Hosted, tmp_path: Path) -> None:
    other = Engine.open(models.make(tmp_path / "m", seed=8))
    assert again(other, ask(host)) == ("failed", "replay_of_another")


def test_what_cannot_be_read_is_not_computed_again(host: Hosted, engine: Engine) -> None:
    answer = ask(host)
    for changes in ({"response": b"{}"}, {"request": b"{}"}):
        assert again(engine, answer, **changes) == ("failed", "replay_impossible")
    assert again(engine, answer, receipt=signed(said())) == ("failed", "replay_of_another")
