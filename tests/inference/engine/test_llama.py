"""The engine computes what transformers computes: the same greedy tokens, the same scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from teeproof.core.errors import Malformed
from teeproof.core.weights import load_model
from teeproof.inference.engine.config import LlamaConfig
from teeproof.inference.engine.llama import Cache, Llama
from teeproof.inference.engine.tensors import matrices
from tests.inference import models

PROMPTS = [[5], [7, 9, 60, 13, 2], list(range(2, 97))]
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
VARIANTS: dict[str, dict[str, Any]] = {
    "grouped queries, tied": {},
    "a key head per query head, untied": {"num_key_value_heads": 4, "tie_word_embeddings": False},
    "one key head, biases": {"num_key_value_heads": 1, "attention_bias": True, "mlp_bias": True},
    "wide heads": {"head_dim": 24, "rms_norm_eps": 1e-5},
    "linear rope": {"rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 500.0}},
    "llama3 rope": {"rope_parameters": LLAMA3},
}


def reference(folder: Path, **changes: Any) -> Any:
    """A random model of transformers, saved to a folder."""
    import torch
    from transformers import LlamaConfig as Config
    from transformers import LlamaForCausalLM

    torch.manual_seed(3)
    settings = models.CONFIG | {"initializer_range": 0.3, "eos_token_id": None} | changes
    made = LlamaForCausalLM(Config(**settings)).eval()
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if name.endswith(".bias") or "norm" in name:  # not zeros and ones: they must count
                parameter.normal_(1 if "norm" in name else 0, 0.2)
    made.save_pretrained(folder)
    return made


def opened(folder: Path) -> Llama:
    loaded = load_model(folder)
    config = LlamaConfig.parse(loaded.files["config.json"])
    return Llama(config, matrices(config, loaded.tensors))


def greedy(llama: Llama, prompt: list[int], count: int) -> list[int]:
    cache = Cache(llama.config)
    scores, found = llama.scores(prompt, cache), []
    for _ in range(count):
        found.append(int(scores.argmax()))
        scores = llama.scores(found[-1:], cache)
    return found


@pytest.fixture(scope="module", params=VARIANTS.values(), ids=list(VARIANTS))
def pair(request: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Llama]:
    folder = tmp_path_factory.mktemp("reference")
    theirs = reference(folder, **request.param)
    return theirs, opened(folder)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
def test_greedy_tokens_are_those_of_transformers(pair: tuple[Any, Llama]) -> None:
    import torch

    theirs, ours = pair
    for prompt in PROMPTS:
        given = torch.tensor([prompt])
        made = theirs.generate(
            given, attention_mask=torch.ones_like(given), max_new_tokens=60, do_sample=False,
            pad_token_id=0,
        )  # fmt: skip
        assert greedy(ours, prompt, 60) == made[0, len(prompt) :].tolist()


def test_scores_are_those_of_transformers_to_the_last_digits(pair: tuple[Any, Llama]) -> None:
    import torch

    theirs, ours = pair
    with torch.no_grad():
        wanted = theirs(torch.tensor([PROMPTS[2]])).logits[0, -1].numpy()
    found = ours.scores(PROMPTS[2], Cache(ours.config))
    assert np.abs(found - wanted).max() < 1e-4 * np.abs(wanted).max()


def test_what_is_kept_gives_what_computing_all_again_gives(pair: tuple[Any, Llama]) -> None:
    _, ours = pair
    tokens = PROMPTS[2] + PROMPTS[1] * 8
    whole = ours.scores(tokens, Cache(ours.config))
    kept = Cache(ours.config)
    for at, size in ((0, 1), (1, 70), (71, 1), (72, len(tokens) - 72)):
        pieces = ours.scores(tokens[at : at + size], kept)
    assert kept.length == len(tokens)
    assert np.abs(pieces - whole).max() < 1e-4 * np.abs(whole).max()


def test_the_order_of_tokens_counts(pair: tuple[Any, Llama]) -> None:
    _, ours = pair
    one = ours.scores([5, 6, 7], Cache(ours.config))
    other = ours.scores([6, 5, 7], Cache(ours.config))
    assert np.abs(one - other).max() > 1e-3


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_half_precision_files_are_read_as_what_they_say(tmp_path: Path, kind: str) -> None:
    import torch

    made = reference(tmp_path / "whole")
    made.to(getattr(torch, kind)).save_pretrained(tmp_path / "half")
    made.to(torch.float32).save_pretrained(tmp_path / "rounded")
    half, rounded = opened(tmp_path / "half"), opened(tmp_path / "rounded")
    assert greedy(half, PROMPTS[1], 30) == greedy(rounded, PROMPTS[1], 30)


def test_a_full_context_is_said_and_not_run_over(model: Path) -> None:
    llama = opened(model)
    cache = Cache(llama.config)
    llama.scores([5] * 256, cache)
    with pytest.raises(Malformed) as refused:
        llama.scores([5], cache)
    assert refused.value.code == "context_length_exceeded"
    assert (refused.value.expected, refused.value.got) == ("at most 256 tokens", "257 tokens")


@pytest.mark.parametrize("tokens", [[], [-1], [98], [5, 98]])
def test_tokens_that_the_model_does_not_have_are_refused(model: Path, tokens: list[int]) -> None:
    llama = opened(model)
    with pytest.raises(Malformed) as refused:
        llama.scores(tokens, Cache(llama.config))
    assert refused.value.code == "token_unknown"
