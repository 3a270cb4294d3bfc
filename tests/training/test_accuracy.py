"""The demo's model in full size: two minutes of one core, so all of it is one test."""

from __future__ import annotations

import time

import pytest

from teeproof.cli.demo_orders import SHOWN, contribution, held_out
from teeproof.training.lessons import Lesson
from teeproof.training.recipe import Recipe
from teeproof.training.run import Score, score, train


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
def test_in_full_size_nearly_all_held_out_orders_are_right_and_each_contributor_counts(capsys):
    parts, asked, lines = [contribution(number) for number in (1, 2, 3)], held_out(), []
    found = {}
    for name, sent in (("all three", parts), ("without contributor 1", parts[1:])):
        begun = time.process_time()
        made = train([r for part in sent for r in part], held_out=asked, recipe=Recipe())
        seconds = time.process_time() - begun
        found[name] = made
        lines.append(f"{name}: {made.after.text}, {seconds:.0f} s of one core")
    made, other = found["all three"], found["without contributor 1"]
    with capsys.disabled():
        print(f"\nheld-out, untrained: {made.before.text};", "; ".join(lines))
    assert made.before.share <= 0.02
    assert made.after.share >= 0.95
    assert other.after.share <= made.after.share - 0.1
    assert score(made.model, [Lesson.of(SHOWN, made.tokens)]) == Score(1, 1)
    assert 600_000 < sum(p.numel() for p in made.model.parameters()) < 700_000
