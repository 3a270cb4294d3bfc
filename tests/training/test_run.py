"""The training program on small models: the same each time, judged truly, read by others."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from teeproof.core.errors import Usage
from teeproof.core.weights import differences, digest_model
from teeproof.data.samples import sample_orders
from teeproof.training.curve import MOST_POINTS, Curve
from teeproof.training.lessons import PIECES, WORDS, Lesson, make_tokens, padded
from teeproof.training.muon import Muon
from teeproof.training.recipe import Recipe
from teeproof.training.run import Score, score, train

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")

SMALL = Recipe(epochs=2, batch=16, hidden=32, layers=2, heads=2, inner=48, every=3)
RECORDS = sample_orders(96, seed=1)
HELD_OUT = sample_orders(20, seed=2)


def trained(records=RECORDS, recipe=SMALL, **options):
    return train(records, held_out=HELD_OUT, recipe=recipe, **options)


def saved(folder, made):
    made.save(folder)
    return digest_model(folder)


@pytest.fixture(scope="module")
def made():
    return trained()


def test_the_same_records_and_recipe_give_the_same_weights_to_the_last_bit(made, tmp_path):
    first, again = saved(tmp_path / "1", made), trained()
    assert saved(tmp_path / "2", again) == first
    assert again.chain == made.chain
    assert again.summary["loss"] == made.summary["loss"]


@pytest.mark.parametrize(
    ("records", "recipe"),
    [
        pytest.param(RECORDS[:-1], SMALL, id="a record less"),
        pytest.param((*RECORDS[:-1], sample_orders(1, seed=9)[0]), SMALL, id="another record"),
        pytest.param(RECORDS[::-1], SMALL, id="another order"),
        pytest.param(RECORDS, Recipe.of(SMALL.parameters | {"seed": "1"}), id="another seed"),
        pytest.param(RECORDS, Recipe.of(SMALL.parameters | {"rate": "9"}), id="another rate"),
    ],
)
def test_anything_else_gives_other_weights_and_another_chain(made, records, recipe, tmp_path):
    other = trained(records, recipe)
    assert other.chain != made.chain
    found = differences(saved(tmp_path / "1", made), saved(tmp_path / "2", other))
    assert any(name.startswith("tensor ") for name in found)
    assert not any(name.startswith("file ") for name in found)


def test_how_often_a_link_is_made_changes_the_chain_and_not_the_weights(made, tmp_path):
    other = trained(recipe=Recipe.of(SMALL.parameters | {"every": "5"}))
    assert other.chain != made.chain
    assert saved(tmp_path / "1", made) == saved(tmp_path / "2", other)


def test_the_summary_has_what_training_programs_print(made):
    summary, steps = made.summary, 2 * 6
    assert summary["epoch"] == "2"
    assert summary["global_step"] == str(steps)
    assert 0 < float(summary["learning_rate"]) < SMALL.rate / 1000
    assert float(summary["grad_norm"]) > 0
    assert 0 < float(summary["loss"]) < 10
    tokens = make_tokens()
    seen = 2 * sum(Lesson.of(record, tokens).size for record in RECORDS)
    inner = sum(p.numel() for n, p in made.model.named_parameters() if "embed" not in n)
    assert int(summary["total_flos"]) == 6 * inner * seen


def test_rates_are_per_second_of_the_given_clock():
    times = iter([100.0, 104.0])
    summary = trained(clock=lambda: next(times)).summary
    assert summary["train_runtime"] == "4.00"
    assert summary["train_samples_per_second"] == "48.00"
    assert summary["train_steps_per_second"] == "3.00"


def test_each_step_is_told():
    told = []
    trained(progress=lambda *step: told.append(step))
    assert [step for step, _, _ in told] == list(range(1, 13))
    assert {steps for _, steps, _ in told} == {12}
    assert told[-1][2] < told[0][2]


def test_the_curve_has_each_loss_once_and_looks_change_no_weight(made, tmp_path):
    told = []
    again = trained(progress=lambda *step: told.append(step))
    assert again.curve.losses == made.curve.losses == [(at, loss) for at, _, loss in told]
    assert [step for step, _ in made.curve.held_out] == [3, 6, 9]
    blind = train(RECORDS, held_out=(), recipe=SMALL)
    assert saved(tmp_path / "1", blind) == saved(tmp_path / "2", made)


@pytest.mark.parametrize("steps", [1, 2, 3, 63, 64, 65, 400, 100_000])
def test_a_curve_is_bounded_and_its_means_weigh_each_step_alike(steps):
    curve = Curve(steps, lambda: 7)
    for step in range(1, steps + 1):
        curve.take(step, float(step))
    places = [step for step, _ in curve.losses]
    assert len(places) <= MOST_POINTS
    assert places[-1] == steps
    sizes = [b - a for a, b in pairwise([0, *places])]
    total = sum(size * loss for size, (_, loss) in zip(sizes, curve.losses, strict=True))
    assert total == pytest.approx(steps * (steps + 1) / 2)
    assert all(0 < step < steps for step, _ in curve.held_out)
    assert len(curve.held_out) == len({steps * k // 4 for k in (1, 2, 3)} - {0})


def test_there_is_nothing_to_learn_from_nothing():
    with pytest.raises(Usage) as refusal:
        trained(records=())
    assert refusal.value.code == "records_missing"
    assert Score(0, 0).share == 0


def test_a_score_is_what_greedy_answers_would_get():
    """With right tokens before each place, all are right exactly if the answer would be given."""
    recipe = Recipe(epochs=30, batch=8, hidden=64, layers=2, heads=2, inner=96)
    few = RECORDS[:24]
    made = train(few, held_out=few, recipe=recipe)
    tokens, right = made.tokens, 0
    for record in few:
        given = torch.tensor([tokens.encode(record.text + "\n").ids])
        answer = made.model.generate(
            given, attention_mask=torch.ones_like(given), max_new_tokens=60, do_sample=False
        )
        said = answer[0, given.shape[1] :].tolist()
        right += said[-1] == tokens.token_to_id("<eos>") and (
            tokens.decode(said) == record.order.text
        )
    assert made.after == Score(right, 24)
    assert right > 0
    assert score(made.model, [Lesson.of(record, tokens) for record in few]) == made.after
    assert made.before == Score(0, 24)


def test_other_libraries_read_the_folder(made, tmp_path):
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path / "model"
    made.save(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    ids = tokenizer("sell half my ETH below 2,000\n")["input_ids"]
    assert ids == made.tokens.encode("sell half my ETH below 2,000\n").ids
    messages = [{"role": "user", "content": "sell half my ETH below 2,000"}]
    shown = tokenizer.apply_chat_template(messages, tokenize=False)
    assert shown == "sell half my ETH below 2,000\n"
    with torch.inference_mode():
        ours = made.model.eval()(torch.tensor([ids])).logits
        assert torch.equal(model(torch.tensor([ids])).logits, ours)
    assert model.config.eos_token_id == tokenizer.eos_token_id == 1


def test_nothing_of_a_record_stands_in_the_folder(made, tmp_path):
    folder = tmp_path / "model"
    made.save(folder)
    for path in folder.iterdir():
        data = path.read_bytes()
        assert not any(record.text.encode() in data for record in RECORDS), path
    summary = json.loads((folder / "training_summary.json").read_text())
    assert summary["before"] == made.before.text


def test_every_text_survives_its_tokens():
    tokens = make_tokens()
    printable = "".join(map(chr, range(32, 127)))
    texts = [printable, printable[::-1], *(record.text for record in RECORDS)]
    texts += [f"{word} {word}s x{word} {word.upper()}, {word}" for word in WORDS]
    texts += [record.order.text for record in RECORDS]
    for text in texts:
        assert tokens.decode(tokens.encode(text + "\n").ids) == text + "\n"


def test_pieces_and_words_are_one_token_and_all_else_is_letters():
    tokens = make_tokens()
    assert tokens.encode("sell half my ETH below 2,000").tokens == [
        "sell", " half", " my", " ", "E", "T", "H", " below", " ", "2", ",", "0", "0", "0",
    ]  # fmt: skip
    assert tokens.encode("halfway").tokens == list("halfway")
    assert tokens.encode('{"sell":"ETH","part":0.5,"below":2000}').tokens == [
        PIECES[0], "E", "T", "H", PIECES[2], "0", ".", "5", PIECES[3], "2", "0", "0", "0", "}",
    ]  # fmt: skip
    assert tokens.encode("é").tokens == ["<unk>"]


def test_only_answers_are_learnt():
    tokens = make_tokens()
    lessons = [Lesson.of(record, tokens) for record in RECORDS[:3]]
    inputs, wanted = padded(lessons)
    for row, lesson in enumerate(lessons):
        whole = lesson.given + lesson.answer
        assert inputs[row, : len(whole) - 1].tolist() == whole[:-1]
        counted = wanted[row][wanted[row] >= 0].tolist()
        assert counted == lesson.answer
        assert int((wanted[row] >= 0).nonzero()[0]) == len(lesson.given) - 1


@pytest.mark.parametrize("shape", [(8, 8), (12, 5), (5, 12)])
def test_a_step_of_muon_is_nearly_orthogonal_whatever_the_gradient(shape):
    torch.manual_seed(1)
    matrices = [torch.nn.Parameter(torch.zeros(shape)) for _ in range(2)]
    muon = Muon(matrices, rate=1.0)
    for matrix in matrices:
        matrix.grad = torch.randn(shape) * 1e-3
    muon.step()
    for matrix in matrices:
        scale = max(1.0, shape[0] / shape[1]) ** 0.5
        values = torch.linalg.svdvals(matrix.detach() / scale)
        assert matrix.grad is None
        assert float(values.min()) > 0.4
        assert float(values.max()) < 1.4


def test_muon_goes_where_the_library_s_own_goes():
    torch.manual_seed(2)
    ours, theirs = (torch.nn.Parameter(torch.zeros(16, 16)) for _ in range(2))
    muon = Muon([ours], rate=0.1)
    library = torch.optim.Muon([theirs], lr=0.1, momentum=0.9, weight_decay=0.0)
    for _ in range(4):
        gradient = torch.randn(16, 16)
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        muon.step()
        library.step()
    ours_, theirs_ = ours.detach().flatten(), theirs.detach().flatten()
    assert float(torch.nn.functional.cosine_similarity(ours_, theirs_, dim=0)) > 0.99
