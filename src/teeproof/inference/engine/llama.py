"""A Llama in NumPy: the next token's scores from those before, with what was computed kept.

Nothing is random here and nothing depends on other requests: the same weights and tokens give the
same scores on the same machine.

Source: the Llama architecture (Touvron and others, 2023) with grouped queries (Ainslie and others,
2023), as the ``transformers`` library computes it in float32.
"""

from __future__ import annotations

from collections.abc import Sequence

from teeproof.core.errors import Malformed
from teeproof.inference.engine.arrays import Array
from teeproof.inference.engine.config import LlamaConfig
from teeproof.inference.engine.rope import frequencies, rotate, turns
from teeproof.inference.engine.tensors import Layer, Matrices

__all__ = ["Cache", "Llama"]

_FIRST_ROOM = 64  # positions; doubled when they are full


class Cache:
    """Keys and values of one sequence so far.

    Attributes:
        length: how many tokens are in it.
    """

    def __init__(self, config: LlamaConfig) -> None:
        import numpy as np  # noqa: PLC0415  only who runs a model pays for it

        self.length = 0
        self._context = config.context
        self._shape = (config.layers, 2, config.kv_heads)
        self._head = config.head
        self._room = min(_FIRST_ROOM, config.context)
        self._kept: Array = np.empty((*self._shape, self._room, config.head), np.float32)

    def reserve(self, count: int) -> None:
        """Make room for more tokens; Malformed beyond the model's context."""
        import numpy as np  # noqa: PLC0415  as above

        needed = self.length + count
        if needed > self._context:
            raise Malformed(
                "the model's context is full: ask for less",
                code="context_length_exceeded",
                expected=f"at most {self._context} tokens",
                got=f"{needed} tokens",
            )
        if needed > self._room:
            self._room = min(max(2 * self._room, needed), self._context)
            larger: Array = np.empty((*self._shape, self._room, self._head), np.float32)
            larger[:, :, :, : self.length] = self._kept[:, :, :, : self.length]
            self._kept = larger

    def put(self, layer: int, keys: Array, values: Array) -> tuple[Array, Array]:
        """Keep a layer's new keys and values; return all of both: kv heads, positions, width."""
        end = self.length + keys.shape[1]
        kept = self._kept[layer]
        kept[0, :, self.length : end] = keys
        kept[1, :, self.length : end] = values
        return kept[0, :, :end], kept[1, :, :end]


class Llama:
    """One model, ready to run.

    Args:
        config: its shape.
        weights: its matrices.
    """

    def __init__(self, config: LlamaConfig, weights: Matrices) -> None:
        import numpy as np  # noqa: PLC0415  only who runs a model pays for it

        self.config = config
        self._weights = weights
        self._epsilon = np.float32(config.epsilon)
        self._angles = frequencies(config.rope, config.head)
        self._turns = turns(self._angles, 0)

    def scores(self, tokens: Sequence[int], cache: Cache) -> Array:
        """Return one number per token of the vocabulary for what follows ``tokens``.

        Args:
            tokens: at least one; they come after what the cache holds, and are added to it.
            cache: of this sequence.

        Raises:
            Malformed: the context is full, or a token is none.
        """
        import numpy as np  # noqa: PLC0415  only who runs a model pays for it

        _require_tokens(tokens, self.config.vocab)
        cache.reserve(len(tokens))
        stream = self._weights.embedding[np.asarray(tokens, np.int64)]
        turned = self._positions(cache.length, cache.length + len(tokens))
        with np.errstate(over="ignore"):  # exp of a large number is infinite, and a gate then 0
            for number, layer in enumerate(self._weights.layers):
                stream = stream + self._attend(number, layer, stream, turned, cache)
                stream = stream + self._feed(layer, stream)
        cache.length += len(tokens)
        last = self._norm(stream[-1:], self._weights.norm)[0]
        found: Array = self._weights.head @ last
        return found

    def _positions(self, start: int, end: int) -> Array:
        if end > len(self._turns):  # in one assignment: other threads see the old or the new
            self._turns = turns(self._angles, min(max(2 * end, _FIRST_ROOM), self.config.context))
        return self._turns[start:end]

    def _attend(
        self, number: int, layer: Layer, stream: Array, turned: Array, cache: Cache
    ) -> Array:
        config, count = self.config, len(stream)
        width, groups = config.head, config.heads // config.kv_heads
        at, to = config.heads, config.heads + config.kv_heads
        mixed = _linear(self._norm(stream, layer.attention_norm), layer.qkv, layer.qkv_bias)
        heads = mixed.reshape(count, -1, width)
        both = rotate(heads[:, :to], turned)
        keys, values = cache.put(number, both[:, at:].swapaxes(0, 1), heads[:, to:].swapaxes(0, 1))
        # Each key head serves a group of query heads that stand beside each other.
        queries = both[:, :at].reshape(count, config.kv_heads, groups, width) * width**-0.5
        queries = queries.transpose(1, 2, 0, 3).reshape(config.kv_heads, groups * count, width)
        shares = queries @ keys.swapaxes(1, 2)
        if count > 1:
            shares = _hide_later(shares.reshape(config.heads, count, -1)).reshape(shares.shape)
        found = _softmax(shares) @ values
        found = found.reshape(config.heads, count, width).swapaxes(0, 1).reshape(count, -1)
        return _linear(found, layer.out, layer.out_bias)

    def _feed(self, layer: Layer, stream: Array) -> Array:
        import numpy as np  # noqa: PLC0415  as above

        both = _linear(self._norm(stream, layer.mlp_norm), layer.gate_up, layer.gate_up_bias)
        gate, up = both[:, : self.config.inner], both[:, self.config.inner :]
        return _linear(gate / (1 + np.exp(-gate)) * up, layer.down, layer.down_bias)

    def _norm(self, stream: Array, weights: Array) -> Array:
        import numpy as np  # noqa: PLC0415  as above

        squares = np.einsum("ij,ij->i", stream, stream)[:, None]
        scale = 1 / np.sqrt(squares / np.float32(self.config.hidden) + self._epsilon)
        found: Array = stream * scale * weights
        return found


def _linear(stream: Array, matrix: Array, bias: Array | None) -> Array:
    found: Array = stream @ matrix
    return found if bias is None else found + bias


def _hide_later(shares: Array) -> Array:
    """Return scores in which no position sees what comes after it."""
    import numpy as np  # noqa: PLC0415  as above

    asking, there = shares.shape[-2:]
    later = np.arange(there)[None, :] > np.arange(there - asking, there)[:, None]
    return np.where(later, np.float32(-np.inf), shares)


def _softmax(shares: Array) -> Array:
    """Return shares that sum to 1."""
    import numpy as np  # noqa: PLC0415  as above

    exponents = np.exp(shares - np.maximum.reduce(shares, axis=-1, keepdims=True))
    found: Array = exponents / np.add.reduce(exponents, axis=-1, keepdims=True)
    return found


def _require_tokens(tokens: Sequence[int], vocab: int) -> None:
    if not len(tokens) or min(tokens) < 0 or max(tokens) >= vocab:
        raise Malformed(
            "these are not tokens of the model: its tokenizer and its weights do not fit together",
            code="token_unknown",
            expected=f"at least one, each from 0 to {vocab - 1}",
            got=f"{min(tokens, default='none')} to {max(tokens, default='none')}",
        )
