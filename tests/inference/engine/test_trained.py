"""What the trainer writes is what the engine runs: tokens, template, end and answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from teeproof.data.samples import sample_orders
from teeproof.inference.engine.engine import Ask, Engine
from teeproof.training.lessons import Lesson, make_tokens
from teeproof.training.recipe import Recipe
from teeproof.training.run import train


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
def test_a_trained_folder_answers_as_the_trained_model(tmp_path: Path) -> None:
    import torch

    records = sample_orders(160, seed=3)
    recipe = Recipe(hidden=32, layers=2, heads=2, inner=64, epochs=4, batch=8)
    trained = train(records, held_out=records[:4], recipe=recipe)
    trained.save(tmp_path / "model")
    engine, tokens = Engine.open(tmp_path / "model"), make_tokens()
    assert engine.ends == {tokens.token_to_id("<eos>")}
    finished = []
    for record in records[:12]:
        lesson = Lesson.of(record, tokens)
        prompt = engine.prompt([{"role": "user", "content": record.text}])
        assert list(prompt) == lesson.given
        given = torch.tensor([lesson.given])
        made = trained.model.generate(
            given, attention_mask=torch.ones_like(given), max_new_tokens=60, do_sample=False
        )
        said = made[0, len(prompt) :].tolist()
        steps = list(engine.start(Ask(prompt, 60)))
        assert "".join(step.text for step in steps) == tokens.decode(said)
        finished.append(steps[-1].finish)
    assert "stop" in finished
