"""The demo's two models, in full size: each is asked again, and does as its trainer said."""

from __future__ import annotations

import pytest

from teeproof.cli.demo_orders import SHOWN, held_out
from teeproof.training.lessons import Lesson, make_tokens
from teeproof.training.recipe import Recipe
from teeproof.training.run import Score, make_model, score


def asked_again(told, trainer, lessons):
    """Return the model that a trainer of the demo made, and how it does."""
    from transformers import LlamaForCausalLM

    folder = told.folder / "runs" / trainer / "out" / "model"
    model = LlamaForCausalLM.from_pretrained(folder, local_files_only=True)
    return model, score(model, lessons)


def untrained(tokens):
    import torch

    torch.manual_seed(Recipe().seed)
    return make_model(Recipe(), vocabulary=tokens.get_vocab_size())


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
def test_in_full_size_nearly_all_held_out_orders_are_right_and_each_contributor_counts(told):
    tokens = make_tokens()
    lessons = [Lesson.of(record, tokens) for record in held_out()]
    model, found = asked_again(told, "trainer", lessons)
    _, other = asked_again(told, "trainer-without-1", lessons)
    before = score(untrained(tokens), lessons)
    assert before.share <= 0.02
    assert found.share >= 0.95
    assert other.share <= found.share - 0.1
    assert score(model, [Lesson.of(SHOWN, tokens)]) == Score(1, 1)
    assert 600_000 < sum(p.numel() for p in model.parameters()) < 700_000
    facts = told.of("train")[1]["facts"]
    said = (facts["before"], facts["held_out"], facts["without_first"])
    assert said == (before.right, found.right, other.right)
    assert facts["of"] == found.of == len(lessons)
