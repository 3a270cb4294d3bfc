"""Train a small model of orders, from the records to the folder: the whole program, top to bottom.

    trained = train(records, held_out=held, recipe=Recipe())
    trained.after.share                      how many held-out orders it gets wholly right
    trained.save(folder)                     config, weights, tokenizer, summary

The model is a Llama (``transformers``) of some 0.63 million parameters that reads common words and
single characters (``lessons``). It sees a line of English and continues with the order:

    sell half my ETH below 2,000⏎{"sell":"ETH","part":0.5,"below":2000}<eos>

Loss is counted on the answer only. The same records, recipe, library versions and kind of processor
give the same weights, to the last bit, with one thread.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from teeproof.core.digests import framed_sha256
from teeproof.core.errors import Usage
from teeproof.data.records import Record
from teeproof.training.curve import Curve
from teeproof.training.lessons import EOS, PAD, Lesson, make_tokens, padded
from teeproof.training.muon import Muon
from teeproof.training.recipe import Recipe

__all__ = ["Score", "Trained", "make_model", "score", "train"]

TEMPLATE: Final = "{{ messages[-1]['content'] }}{{ '\\n' }}"
_CONTEXT = 256
_CHUNK = 8  # batches whose records are sorted by length together, so that little is padding
_TOGETHER = 100  # held-out records that are judged at once

Progress = Callable[[int, int, float], None]
"""Told step, steps in all, and the loss."""


@dataclass(frozen=True, slots=True)
class Score:
    """How many held-out orders a model gets wholly right, greedily."""

    right: int
    of: int

    @property
    def share(self) -> float:
        """The same as a share."""
        return self.right / self.of if self.of else 0.0

    @property
    def text(self) -> str:
        """The share as decimal text, four digits behind the point."""
        return f"{self.share:.4f}"


@dataclass(frozen=True)
class Trained:
    """A model, and how it came about.

    Attributes:
        model: the ``LlamaForCausalLM``.
        tokens: its tokenizer.
        before: the score of the untrained model.
        after: the score of this one.
        summary: the fields that training programs print, as text.
        chain: 32 bytes, the last link of the checkpoint chain.
        curve: how it went.
    """

    model: Any
    tokens: Any
    before: Score
    after: Score
    summary: dict[str, str]
    chain: bytes
    curve: Curve

    def save(self, folder: Path) -> None:
        """Write the model folder; it must not be there yet."""
        from safetensors.torch import save_file  # noqa: PLC0415  needs torch

        folder.mkdir(parents=True)
        self.model.config.architectures = [type(self.model).__name__]
        self.model.config.save_pretrained(folder)
        weights = {  # the output matrix is the embedding, and stands there once
            name: tensor.contiguous()
            for name, tensor in self.model.state_dict().items()
            if name != "lm_head.weight"
        }
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        self.tokens.save(str(folder / "tokenizer.json"))
        said = {"chat_template": TEMPLATE, "eos_token": EOS, "pad_token": PAD}
        _write(folder / "tokenizer_config.json", said)
        summary = self.summary | {"before": self.before.text, "after": self.after.text}
        _write(folder / "training_summary.json", summary)


def train(
    records: Sequence[Record],
    *,
    held_out: Sequence[Record],
    recipe: Recipe,
    progress: Progress = lambda _step, _steps, _loss: None,
    clock: Callable[[], float] = time.monotonic,
) -> Trained:
    """Train a model on records and measure it on others.

    Raises:
        Usage: no records.
    """
    import torch  # noqa: PLC0415  seconds, and only training pays for it

    if not records:
        raise Usage("there is nothing to train on", code="records_missing")
    torch.set_num_threads(1)
    torch.manual_seed(recipe.seed)
    tokens = make_tokens()
    model = make_model(recipe, vocabulary=tokens.get_vocab_size())
    lessons = [Lesson.of(record, tokens) for record in records]
    tests = [Lesson.of(record, tokens) for record in held_out]
    before, begun = score(model, tests), clock()
    steps = recipe.epochs * math.ceil(len(lessons) / recipe.batch)
    curve = Curve(steps, lambda: score(model, tests).right)
    learned = _learn(model, lessons, recipe, progress, curve)
    summary = _summary(model, lessons, recipe, learned, seconds=max(clock() - begun, 1e-9))
    after = score(model, tests)
    return Trained(model, tokens, before, after, summary, learned.chain, curve)


@dataclass(frozen=True, slots=True)
class _Learned:
    """How the last step ended."""

    steps: int
    loss: float
    norm: float
    chain: bytes


def _learn(
    model: Any, lessons: list[Lesson], recipe: Recipe, progress: Progress, curve: Curve
) -> _Learned:
    """Take every step: AdamW moves embeddings and norms, Muon the matrices between them."""
    import torch  # noqa: PLC0415

    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    rest = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    muon = Muon(matrices, rate=0.0, products=recipe.products)
    adam = torch.optim.AdamW(rest, lr=0.0, betas=(0.9, 0.99), weight_decay=0.01)
    steps, chain, loss, norm = curve.steps, b"", math.nan, math.nan
    for step, batch in enumerate(_batches(lessons, recipe), 1):
        model.train()  # a look at the held-out orders leaves it judging
        pace = _pace(step, steps)
        muon.rate = recipe.matrix_rate / 1000 * pace
        adam.param_groups[0]["lr"] = recipe.rate / 1000 * pace
        inputs, wanted = padded(batch)
        found = _loss(model, inputs, wanted)
        found.backward()
        norm = float(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0))
        muon.step()
        adam.step()
        adam.zero_grad(set_to_none=True)
        loss = float(found.detach())
        if step % recipe.every == 0 or step == steps:
            chain = _link(chain, step, loss, model)
        curve.take(step, loss)
        progress(step, steps, loss)
    return _Learned(steps, loss, norm, chain)


def _summary(
    model: Any, lessons: list[Lesson], recipe: Recipe, learned: _Learned, *, seconds: float
) -> dict[str, str]:
    """Return the fields that training programs print; loss and gradient are the last step's.

    total_flos = 6 x parameters without the embedding x tokens seen, none of them padding: the
    formula by which ``transformers`` counts, which also counts padding.
    """
    count = sum(p.numel() for n, p in model.named_parameters() if "embed" not in n)
    seen = recipe.epochs * sum(lesson.size for lesson in lessons)
    return {
        "epoch": str(recipe.epochs),
        "global_step": str(learned.steps),
        "grad_norm": f"{learned.norm:.6f}",
        "learning_rate": f"{recipe.rate / 1000 * _pace(learned.steps, learned.steps):.3e}",
        "loss": f"{learned.loss:.6f}",
        "total_flos": str(6 * count * seen),
        "train_runtime": f"{seconds:.2f}",
        "train_samples_per_second": f"{recipe.epochs * len(lessons) / seconds:.2f}",
        "train_steps_per_second": f"{learned.steps / seconds:.2f}",
    }


def make_model(recipe: Recipe, *, vocabulary: int) -> Any:
    """Return the untrained model of a recipe; its weights follow from torch's seed."""
    from transformers import LlamaConfig, LlamaForCausalLM  # noqa: PLC0415  seconds

    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary, hidden_size=recipe.hidden, num_hidden_layers=recipe.layers,
            num_attention_heads=recipe.heads, num_key_value_heads=recipe.heads,
            intermediate_size=recipe.inner, max_position_embeddings=_CONTEXT,
            rope_theta=float(recipe.theta), tie_word_embeddings=True,
            bos_token_id=None, eos_token_id=1, pad_token_id=0,
        )
    )  # fmt: skip


def score(model: Any, tests: Sequence[Lesson]) -> Score:
    """Return how many answers a model gives wholly as they should be.

    Each token is judged with the right ones before it: all of them are right exactly if the greedy
    answer is.
    """
    import torch  # noqa: PLC0415

    model.eval()
    right = 0
    with torch.inference_mode():
        for at in range(0, len(tests), _TOGETHER):
            inputs, wanted = padded(tests[at : at + _TOGETHER])
            found = model(input_ids=inputs, use_cache=False).logits.argmax(-1)
            right += int(((found == wanted) | (wanted < 0)).all(1).sum())
    return Score(right, len(tests))


def _loss(model: Any, inputs: Any, wanted: Any) -> Any:
    """Return the mean loss over the tokens of answers; for others no logits are computed."""
    import torch  # noqa: PLC0415

    counted = wanted >= 0
    hidden = model.model(input_ids=inputs, use_cache=False).last_hidden_state[counted]
    return torch.nn.functional.cross_entropy(model.lm_head(hidden), wanted[counted])


def _batches(lessons: Sequence[Lesson], recipe: Recipe) -> Iterator[list[Lesson]]:
    """Yield every lesson once per epoch, as the seed decides; like lengths stand together."""
    rng = random.Random(recipe.seed)  # noqa: S311  reproducible, not secret
    for _ in range(recipe.epochs):
        order = list(lessons)
        rng.shuffle(order)
        size, found = recipe.batch, []
        for at in range(0, len(order), size * _CHUNK):
            chunk = sorted(order[at : at + size * _CHUNK], key=lambda lesson: lesson.size)
            found += [chunk[k : k + size] for k in range(0, len(chunk), size)]
        rng.shuffle(found)
        yield from found


def _pace(step: int, steps: int) -> float:
    """Return the share of the full rate: a rise over a twentieth, then half a cosine down."""
    rise = max(1, steps // 20)
    if step <= rise:
        return step / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / (steps - rise + 1)))


def _link(before: bytes, step: int, loss: float, model: Any) -> bytes:
    """Return the next link of the checkpoint chain: over last link, step, loss and weights."""
    parts = [before, str(step).encode(), f"{loss:.9e}".encode()]
    for name, tensor in sorted(model.state_dict().items()):
        parts += [name.encode(), tensor.contiguous().numpy().tobytes()]
    return framed_sha256("teeproof.training-chain.v1", *parts)


def _write(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n")
