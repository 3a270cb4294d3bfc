"""A model folder is read whole, and what does not fit is refused with the name of what."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from teeproof.core.errors import Malformed, Unavailable
from teeproof.core.weights import load_model
from teeproof.inference.engine.config import LlamaConfig, Rope
from teeproof.inference.engine.engine import Engine
from tests.inference import models


def config(**changes: Any) -> bytes:
    value = {name: one for name, one in (models.CONFIG | changes).items() if one != "absent"}
    return json.dumps(value).encode()


def test_both_forms_of_rope_settings_say_the_same() -> None:
    new = config(rope_parameters={"rope_type": "linear", "factor": 2.0, "rope_theta": 500.0})
    old = config(
        rope_parameters="absent", rope_theta=500.0, rope_scaling={"type": "linear", "factor": 2}
    )
    assert LlamaConfig.parse(new) == LlamaConfig.parse(old)
    assert LlamaConfig.parse(old).rope == Rope("linear", 500.0, {"factor": 2.0})
    assert LlamaConfig.parse(config(rope_parameters="absent")).rope == Rope()


def test_what_is_left_out_has_its_default() -> None:
    read = LlamaConfig.parse(
        config(num_key_value_heads="absent", head_dim="absent", tie_word_embeddings="absent")
    )
    assert (read.kv_heads, read.head, read.tied) == (4, 8, False)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"model_type": "gpt2"}, "config_unsupported"),
        ({"hidden_act": "gelu"}, "config_unsupported"),
        ({"quantization_config": {"bits": 4}}, "config_unsupported"),
        ({"rope_parameters": {"rope_type": "yarn", "factor": 2.0}}, "config_unsupported"),
        ({"rope_parameters": {"partial_rotary_factor": 0.5}}, "config_unsupported"),
        ({"rope_parameters": {"rope_type": "linear"}}, "config_malformed"),
        ({"rope_parameters": {"rope_type": "linear", "factor": 0}}, "config_malformed"),
        ({"rope_parameters": 7}, "config_malformed"),
        ({"vocab_size": "absent"}, "config_malformed"),
        ({"vocab_size": True}, "config_malformed"),
        ({"hidden_size": 1 << 40}, "config_malformed"),
        ({"num_key_value_heads": 3}, "config_malformed"),
        ({"head_dim": 7}, "config_malformed"),
        ({"attention_bias": 1}, "config_malformed"),
        ({"eos_token_id": 98}, "config_malformed"),
        ({"eos_token_id": "x"}, "config_malformed"),
        ({"rms_norm_eps": "x"}, "config_malformed"),
    ],
    ids=str,
)
def test_what_the_engine_does_not_do_is_refused_and_not_ignored(
    changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(Malformed) as refused:
        LlamaConfig.parse(config(**changes))
    assert refused.value.code == code


def test_a_folder_opens_and_knows_where_an_answer_ends(model: Path) -> None:
    engine = Engine.open(model)
    assert engine.ends == {0}
    assert engine.digest == load_model(model).digest


def test_the_end_tokens_of_the_generation_settings_count_too(tmp_path: Path) -> None:
    folder = models.make(tmp_path / "m", eos_token_id=[0, 5])
    (folder / "generation_config.json").write_text('{"eos_token_id": 9}')
    assert Engine.open(folder).ends == {0, 5, 9}


def change(folder: Path, **tensors: np.ndarray | None) -> None:
    held = load_file(folder / "model.safetensors")
    for name, value in tensors.items():
        if value is None:
            del held[name]
        else:
            held[name] = value
    save_file(held, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("name", "value", "got"),
    [
        ("model.norm.weight", None, "no such tensor"),
        ("model.norm.weight", np.zeros(31, np.float32), "shape (31,)"),
        ("model.norm.weight", np.zeros(32, np.int32), "I32"),
        ("model.norm.weight", np.full(32, np.nan, np.float32), "infinity or NaN"),
        ("model.layers.2.mlp.up_proj.weight", np.zeros((48, 32), np.float32), "one more"),
        ("lm_head.weight", np.zeros((98, 32), np.float32), "another"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_tensor_that_does_not_fit_is_named(
    tmp_path: Path, name: str, value: np.ndarray | None, got: str
) -> None:
    folder = models.make(tmp_path / "m")
    change(folder, **{name: value})
    with pytest.raises(Malformed) as refused:
        Engine.open(folder)
    assert refused.value.code == "tensor_unfit"
    assert name in refused.value.detail
    assert refused.value.got == got


def test_an_output_matrix_that_repeats_the_embedding_is_no_harm(tmp_path: Path) -> None:
    folder = models.make(tmp_path / "m")
    held = load_file(folder / "model.safetensors")
    change(folder, **{"lm_head.weight": held["model.embed_tokens.weight"].copy()})
    Engine.open(folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_a_folder_that_lacks_a_file_says_which(tmp_path: Path, name: str) -> None:
    folder = models.make(tmp_path / "m")
    (folder / name).unlink()
    with pytest.raises(Malformed) as refused:
        Engine.open(folder)
    assert (refused.value.code, refused.value.expected) == ("model_incomplete", name)


def test_a_tokenizer_with_more_tokens_than_the_model_is_refused(tmp_path: Path) -> None:
    folder = models.make(tmp_path / "m", vocab_size=90)
    with pytest.raises(Malformed) as refused:
        Engine.open(folder)
    assert refused.value.code == "tokenizer_malformed"


def test_a_file_that_is_no_tokenizer_is_refused(tmp_path: Path) -> None:
    folder = models.make(tmp_path / "m")
    for content in (b"{}", b"\xff", b'{"model": 7}'):
        (folder / "tokenizer.json").write_bytes(content)
        with pytest.raises(Malformed) as refused:
            Engine.open(folder)
        assert refused.value.code == "tokenizer_malformed"


def test_a_model_without_a_template_is_told_what_it_lacks(tmp_path: Path) -> None:
    folder = models.make(tmp_path / "m", template=None)
    with pytest.raises(Malformed) as refused:
        Engine.open(folder)
    assert refused.value.code == "template_missing"
    (folder / "chat_template.jinja").write_text(models.TEMPLATE)
    engine = Engine.open(folder)
    assert engine.tokens.decode(engine.prompt([{"role": "user", "content": "hi"}])) == "hi\n"


def test_host_flips_one_bit_of_one_weight(tmp_path: Path, model: Path) -> None:
    folder = models.make(tmp_path / "m")
    assert Engine.open(folder).digest.root == Engine.open(model).digest.root
    file = folder / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[-3] ^= 1
    file.write_bytes(data)
    assert Engine.open(folder).digest.root != Engine.open(model).digest.root


@pytest.mark.parametrize("library", ["numpy", "tokenizers", "jinja2"])
def test_a_library_that_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, model: Path, library: str
) -> None:
    loaded = load_model(model)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(Unavailable) as refused:
        Engine(loaded)
    assert refused.value.code == "extra_missing"
    assert library in str(refused.value.got)
