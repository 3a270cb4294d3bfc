"""The tensors of a model folder as the matrices that the engine multiplies with, each checked.

Every tensor that the configuration asks for must be there with its shape, and no other may be: what
is not used is not served under the model's digest.

Trusts: ``core.weights`` to have hashed what it returns.  Does not trust: whoever wrote the folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from teeproof.core.errors import Malformed
from teeproof.core.weights import Tensor
from teeproof.inference.engine.arrays import Array
from teeproof.inference.engine.config import LlamaConfig
from teeproof.inference.engine.rope import interleave

__all__ = ["Layer", "Matrices", "matrices"]


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer; matrices are (in, out), what is used together stands in one, side by side.

    Queries and keys are interleaved, see ``rope``.

    Attributes:
        attention_norm: weights of the norm before attention.
        qkv: queries, keys and values.
        qkv_bias: of these; None without biases.
        out: of the attention.
        out_bias: None without.
        mlp_norm: weights of the norm before the feed-forward part.
        gate_up: gate and up.
        gate_up_bias: None without.
        down: back to the residual stream.
        down_bias: None without.
    """

    attention_norm: Array
    qkv: Array
    qkv_bias: Array | None
    out: Array
    out_bias: Array | None
    mlp_norm: Array
    gate_up: Array
    gate_up_bias: Array | None
    down: Array
    down_bias: Array | None


@dataclass(frozen=True, slots=True)
class Matrices:
    """A whole model.

    Attributes:
        embedding: one row per token.
        layers: in order.
        norm: weights of the last norm.
        head: from the residual stream to one number per token, one row per token.
    """

    embedding: Array
    layers: tuple[Layer, ...]
    norm: Array
    head: Array


def matrices(config: LlamaConfig, tensors: Mapping[str, Tensor]) -> Matrices:
    """Return a model's matrices in float32.

    Raises:
        Malformed: a tensor is missing, has another shape or type, or is one too many.
    """
    reader = _Reader(tensors)
    embedding = reader.take("model.embed_tokens.weight", (config.vocab, config.hidden))
    layers = tuple(_layer(reader, config, number) for number in range(config.layers))
    norm = reader.take("model.norm.weight", (config.hidden,))
    head = embedding
    if not config.tied:
        head = reader.take("lm_head.weight", (config.vocab, config.hidden))
    elif "lm_head.weight" in tensors:  # some writers repeat what is tied
        again = reader.take("lm_head.weight", (config.vocab, config.hidden))
        if not (again == embedding).all():
            raise _malformed("lm_head.weight", "the embedding, to which it is tied", "another")
    reader.require_all_taken()
    return Matrices(embedding, layers, norm, head)


def _layer(reader: _Reader, config: LlamaConfig, number: int) -> Layer:
    hidden, prefix = config.hidden, f"model.layers.{number}"
    qkv, qkv_bias = _qkv(reader, config, f"{prefix}.self_attn")
    gate_up, gate_up_bias = _gate_up(reader, config, f"{prefix}.mlp")
    out, out_bias = reader.linear(
        f"{prefix}.self_attn.o_proj", hidden, config.heads * config.head, config.attention_bias
    )
    down, down_bias = reader.linear(
        f"{prefix}.mlp.down_proj", hidden, config.inner, config.mlp_bias
    )
    return Layer(
        attention_norm=reader.take(f"{prefix}.input_layernorm.weight", (hidden,)),
        qkv=qkv,
        qkv_bias=qkv_bias,
        out=_turned(out),
        out_bias=out_bias,
        mlp_norm=reader.take(f"{prefix}.post_attention_layernorm.weight", (hidden,)),
        gate_up=gate_up,
        gate_up_bias=gate_up_bias,
        down=_turned(down),
        down_bias=down_bias,
    )


def _qkv(reader: _Reader, config: LlamaConfig, prefix: str) -> tuple[Array, Array | None]:
    sizes = {"q": config.heads, "k": config.kv_heads, "v": config.kv_heads}
    weights, biases = [], []
    for name, heads in sizes.items():
        weight, bias = reader.linear(
            f"{prefix}.{name}_proj", heads * config.head, config.hidden, config.attention_bias
        )
        turns = name != "v"
        weights.append(interleave(weight, config.head) if turns else weight)
        if bias is not None:
            biases.append(interleave(bias, config.head) if turns else bias)
    return _joined(weights), _joined(biases) if biases else None


def _gate_up(reader: _Reader, config: LlamaConfig, prefix: str) -> tuple[Array, Array | None]:
    given = [
        reader.linear(f"{prefix}.{name}_proj", config.inner, config.hidden, config.mlp_bias)
        for name in ("gate", "up")
    ]
    biases = [bias for _, bias in given if bias is not None]
    return _joined([weight for weight, _ in given]), _joined(biases) if biases else None


def _joined(parts: list[Array]) -> Array:
    import numpy as np  # noqa: PLC0415  only who runs a model pays for it

    return _turned(np.concatenate(parts))


def _turned(weights: Array) -> Array:
    """Return weights as (in, out), each row in one piece: the faster way to multiply with them."""
    import numpy as np  # noqa: PLC0415  as above

    return np.ascontiguousarray(weights.T)


class _Reader:
    """Hands out each tensor once."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._tensors = tensors
        self._left = set(tensors)

    def take(self, name: str, shape: tuple[int, ...]) -> Array:
        tensor = self._tensors.get(name)
        if tensor is None:
            raise _malformed(name, f"shape {shape}", "no such tensor")
        if tensor.shape != shape:
            raise _malformed(name, f"shape {shape}", f"shape {tensor.shape}")
        self._left.discard(name)
        return _floats(name, tensor)

    def linear(self, name: str, size: int, width: int, biased: bool) -> tuple[Array, Array | None]:
        """Return weights as (out, in), and the biases if there are any."""
        weight = self.take(f"{name}.weight", (size, width))
        return weight, self.take(f"{name}.bias", (size,)) if biased else None

    def require_all_taken(self) -> None:
        if self._left:
            raise _malformed(min(self._left), "tensors that the configuration names", "one more")


def _floats(name: str, tensor: Tensor) -> Array:
    import numpy as np  # noqa: PLC0415  as above

    if tensor.dtype == "BF16":  # the upper half of a float32
        raw = np.frombuffer(tensor.data, dtype="<u2").astype(np.uint32) << 16
        found = raw.view(np.float32)
    elif tensor.dtype in ("F32", "F16"):
        kind = {"F32": "<f4", "F16": "<f2"}[tensor.dtype]
        found = np.frombuffer(tensor.data, dtype=kind).astype(np.float32)
    else:
        raise _malformed(name, "F32, F16 or BF16", tensor.dtype)
    if not np.isfinite(found).all():
        raise _malformed(name, "numbers", "infinity or NaN")
    return found.reshape(tensor.shape)


def _malformed(name: str, expected: str, got: str) -> Malformed:
    return Malformed(
        f"the tensor {name[:100]} does not fit the model's configuration",
        code="tensor_unfit",
        expected=expected,
        got=got,
    )
