"""What a Llama's ``config.json`` says, as far as it changes an answer; anything unknown is refused.

Both forms are read: ``rope_parameters`` of newer writers, ``rope_theta`` and ``rope_scaling`` of
older ones. A setting that this engine would not honour is an error, never ignored.

Source: the configuration of Llama models as the ``transformers`` library writes it.

Trusts: nothing.  Does not trust: whoever wrote the folder.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from teeproof.core import strictjson
from teeproof.core.errors import Malformed

__all__ = ["MAX_CONFIG_BYTES", "LlamaConfig", "Rope"]

MAX_CONFIG_BYTES = 1 << 20
_MOST = {
    "vocab_size": 1 << 20,
    "hidden_size": 1 << 16,
    "intermediate_size": 1 << 18,
    "num_hidden_layers": 256,
    "num_attention_heads": 512,
    "max_position_embeddings": 1 << 20,
}
_REQUIRED = tuple(_MOST)
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Rope:
    """How positions turn a head's vectors.

    Attributes:
        kind: ``default``, ``linear`` or ``llama3``.
        theta: the base of the frequencies.
        settings: what the kind needs besides, by name.
    """

    kind: str = "default"
    theta: float = 10000.0
    settings: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LlamaConfig:
    """The shape of one model.

    Attributes:
        vocab: how many tokens there are.
        hidden: the width of the residual stream.
        inner: the width of the feed-forward layers.
        layers: how many.
        heads: of the queries.
        kv_heads: of keys and values; it divides ``heads``.
        head: the width of one head, an even number.
        context: the greatest number of tokens, prompt and answer together.
        epsilon: of the RMS norms.
        rope: the rotation by position.
        attention_bias: whether q, k, v and o have biases.
        mlp_bias: whether gate, up and down have.
        tied: whether the output matrix is the embedding.
        eos: tokens that end an answer.
    """

    vocab: int
    hidden: int
    inner: int
    layers: int
    heads: int
    kv_heads: int
    head: int
    context: int
    epsilon: float
    rope: Rope
    attention_bias: bool
    mlp_bias: bool
    tied: bool
    eos: tuple[int, ...]

    @classmethod
    def parse(cls, data: bytes) -> LlamaConfig:
        """Return the configuration.

        Raises:
            TooLarge: more than ``MAX_CONFIG_BYTES``.
            Malformed: no JSON object, sizes that do not fit together, or something that this engine
                does not do (``config_unsupported``).
        """
        given = strictjson.loads(data, limit=MAX_CONFIG_BYTES, what="model configuration")
        if not isinstance(given, dict):
            raise _malformed("a JSON object", type(given).__name__)
        _require("model_type", given.get("model_type"), "llama")
        _require("hidden_act", given.get("hidden_act", "silu"), "silu")
        _require("quantization_config", given.get("quantization_config"), None)
        sizes = {name: _size(given, name, most=_MOST[name]) for name in _REQUIRED}
        heads, hidden = sizes["num_attention_heads"], sizes["hidden_size"]
        kv_heads = _size(given, "num_key_value_heads", most=heads, default=heads)
        head = _size(given, "head_dim", most=1 << 12, default=hidden // heads)
        if heads % kv_heads or head % 2:
            raise _malformed(
                "heads that kv_heads divides, and an even head_dim", f"{heads}, {kv_heads}, {head}"
            )
        return cls(
            vocab=sizes["vocab_size"],
            hidden=hidden,
            inner=sizes["intermediate_size"],
            layers=sizes["num_hidden_layers"],
            heads=heads,
            kv_heads=kv_heads,
            head=head,
            context=sizes["max_position_embeddings"],
            epsilon=_number(given, "rms_norm_eps", default=1e-6),
            rope=_rope(given),
            attention_bias=_flag(given, "attention_bias"),
            mlp_bias=_flag(given, "mlp_bias"),
            tied=_flag(given, "tie_word_embeddings"),
            eos=_tokens(given.get("eos_token_id"), sizes["vocab_size"]),
        )


_SETTINGS: dict[str, tuple[str, ...]] = {
    "default": (),
    "linear": ("factor",),
    "llama3": (
        "factor",
        "high_freq_factor",
        "low_freq_factor",
        "original_max_position_embeddings",
    ),
}


def _rope(given: dict[str, Any]) -> Rope:
    inside = given.get("rope_parameters")
    if inside is None:
        inside = given.get("rope_scaling") or {}
    if not isinstance(inside, dict):
        raise _malformed("rope settings by name", type(inside).__name__)
    kind = inside.get("rope_type", inside.get("type", "default"))
    if not isinstance(kind, str) or kind not in _SETTINGS:
        raise _unsupported("rope_type", ", ".join(_SETTINGS), kind)
    _require("partial_rotary_factor", inside.get("partial_rotary_factor", 1.0), 1.0)
    theta = _number(inside, "rope_theta", default=_number(given, "rope_theta", default=10000.0))
    settings = {name: _number(inside, name) for name in _SETTINGS[kind]}
    if theta <= 1 or any(value <= 0 for value in settings.values()):
        raise _malformed("rope settings above zero", str(inside))
    if kind == "llama3" and settings["high_freq_factor"] <= settings["low_freq_factor"]:
        raise _malformed("high_freq_factor above low_freq_factor", str(inside))
    return Rope(kind, theta, settings)


def _size(given: dict[str, Any], name: str, *, most: int, default: int | None = None) -> int:
    value = given.get(name)
    value = default if value is None else value
    if type(value) is not int or not 1 <= value <= most:
        raise _malformed(f"{name} from 1 to {most}", repr(value))
    return value


def _number(given: dict[str, Any], name: str, *, default: Any = _ABSENT) -> float:
    value = given.get(name, default)
    if type(value) not in (int, float):
        raise _malformed(f"the number {name}", "nothing" if value is _ABSENT else repr(value))
    return float(value)


def _flag(given: dict[str, Any], name: str) -> bool:
    value = given.get(name, False)
    if type(value) is not bool:
        raise _malformed(f"{name} as true or false", repr(value))
    return value


def _tokens(value: Any, vocab: int) -> tuple[int, ...]:
    several = [] if value is None else value if isinstance(value, list) else [value]
    if len(several) > 64 or not all(type(one) is int and 0 <= one < vocab for one in several):
        raise _malformed("eos_token_id as tokens of the vocabulary", repr(value))
    return tuple(several)


def _require(name: str, value: Any, only: Any) -> None:
    if value != only:
        raise _unsupported(name, repr(only), value)


def _unsupported(name: str, expected: str, got: Any) -> Malformed:
    return Malformed(
        f"this engine does not do {name} other than it should be: serve the model with another",
        code="config_unsupported",
        expected=expected,
        got=repr(got)[:100],
    )


def _malformed(expected: str, got: str) -> Malformed:
    return Malformed(
        "this is not the configuration of a Llama",
        code="config_malformed",
        expected=expected,
        got=got[:200],
    )
