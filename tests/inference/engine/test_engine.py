"""From messages to text: the same again, an end where it should be, and draws that repeat."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from teeproof.core.errors import Malformed
from teeproof.inference.engine.engine import PREFILL, Ask, Engine
from teeproof.inference.engine.sampling import Chooser, Sampling
from tests.inference import models

QUESTION = [{"role": "user", "content": "sell half my ETH"}]


@pytest.fixture(scope="module")
def engine(model: Path) -> Engine:
    return Engine.open(model)


def answer(engine: Engine, **more: object) -> tuple[str, str | None, int]:
    ask = Ask(engine.prompt(QUESTION), more.pop("most", 40), **more)  # type: ignore[arg-type]
    generation = engine.start(ask)
    steps = list(generation)
    return "".join(step.text for step in steps), steps[-1].finish, generation.count


def test_the_same_question_has_the_same_answer(engine: Engine) -> None:
    assert answer(engine) == answer(engine)
    assert answer(engine)[1:] == ("length", 40)


def test_a_prompt_longer_than_one_step_is_the_same_prompt(engine: Engine) -> None:
    prompt = engine.prompt([{"role": "user", "content": "x" * (PREFILL + 20)}])
    generation = engine.start(Ask(prompt, 3))
    steps = list(generation)
    assert [step.text for step in steps[:1]] == [""]
    assert (len(steps), generation.count) == (4, 3)


def test_an_answer_ends_at_a_token_of_the_end(tmp_path: Path, engine: Engine) -> None:
    said = engine.tokens.encode(answer(engine)[0])
    third = said[2]
    ends = Engine.open(models.make(tmp_path / "m", eos_token_id=[0, third]))
    text, finish, count = answer(ends)
    assert finish == "stop"
    assert count == said.index(third) + 1
    assert text == engine.tokens.decode(said[: said.index(third)])


def test_an_answer_ends_before_a_stop_text(engine: Engine) -> None:
    whole = answer(engine)[0]
    text, finish, count = answer(engine, stops=(whole[5:8],))
    assert whole.find(whole[5:8]) == len(text)
    assert (text, finish) == (whole[: len(text)], "stop")
    assert count == len(text) + 3


def test_a_stop_text_at_the_very_end_is_a_stop(engine: Engine) -> None:
    whole = answer(engine)[0]
    most = next(n for n in range(4, 40) if whole.find(whole[n - 2 : n]) == n - 2)
    assert answer(engine, most=most, stops=("nowhere",))[:2] == (whole[:most], "length")
    stops = (whole[most - 2 : most],)
    assert answer(engine, most=most, stops=stops)[:2] == (whole[: most - 2], "stop")


def test_prompt_and_answer_beyond_the_context_are_refused_with_both_counts(engine: Engine) -> None:
    with pytest.raises(Malformed) as refused:
        engine.start(Ask((5,) * 200, 57))
    assert refused.value.code == "context_length_exceeded"
    assert refused.value.got == "200 of the prompt and 57 of the answer"
    assert len(list(engine.start(Ask((5,) * 200, 56)))) == 57


def test_a_question_of_nothing_is_refused(tmp_path: Path) -> None:
    engine = Engine.open(models.make(tmp_path / "m", template="{{ messages[0].content }}"))
    with pytest.raises(Malformed) as refused:
        engine.prompt([{"role": "user", "content": ""}])
    assert refused.value.code == "prompt_empty"


def test_a_seed_determines_a_draw_and_another_seed_draws_otherwise(engine: Engine) -> None:
    one = [answer(engine, sampling=Sampling(1.0, 1.0, seed)) for seed in (1, 1, 2)]
    assert one[0] == one[1] != one[2]


def test_at_temperature_zero_nothing_is_drawn(engine: Engine) -> None:
    assert answer(engine, sampling=Sampling(0.0, 1.0, 1)) == answer(engine)


def draws(scores: list[float], sampling: Sampling, count: int = 4000) -> np.ndarray:
    chooser = Chooser(sampling)
    given = np.array(scores, np.float32)
    found = np.bincount([chooser.choose(given) for _ in range(count)], minlength=len(scores))
    return found / count


def test_draws_follow_the_shares_and_the_temperature() -> None:
    shares = np.array([0.5, 0.3, 0.15, 0.05])
    scores = list(np.log(shares))
    assert np.abs(draws(scores, Sampling(1.0, 1.0, 3)) - shares).max() < 0.03
    hotter = shares**0.5 / (shares**0.5).sum()
    assert np.abs(draws(scores, Sampling(2.0, 1.0, 3)) - hotter).max() < 0.03


def test_only_the_smallest_set_that_reaches_top_p_is_drawn_from() -> None:
    scores = list(np.log([0.5, 0.3, 0.15, 0.05]))
    assert draws(scores, Sampling(1.0, 0.4, 3))[0] == 1
    found = draws(scores, Sampling(1.0, 0.7, 3))
    assert np.abs(found - np.array([0.625, 0.375, 0, 0])).max() < 0.03
    assert draws(scores, Sampling(1.0, 1.0, 3)).min() > 0
