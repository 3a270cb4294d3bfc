"""Rotary positions: the frequencies of each kind, and the rotation of queries and keys.

Source: RoPE (Su and others, 2021), in the form with two halves that Llama checkpoints use; the
``linear`` and ``llama3`` scalings as the ``transformers`` library computes them.
"""

from __future__ import annotations

import math

from teeproof.inference.engine.arrays import Array
from teeproof.inference.engine.config import Rope

__all__ = ["frequencies", "rotate", "table"]


def frequencies(rope: Rope, head: int) -> Array:
    """Return the angle per position of each pair, ``head // 2`` numbers."""
    import numpy as np  # noqa: PLC0415  only who runs a model pays for it

    exponents = np.arange(0, head, 2, dtype=np.float32) / np.float32(head)
    found = np.float32(1) / np.float32(rope.theta) ** exponents
    if rope.kind == "linear":
        return found / np.float32(rope.settings["factor"])
    if rope.kind == "llama3":
        return _llama3(found, **rope.settings)
    return found


def _llama3(
    found: Array,
    *,
    factor: float,
    low_freq_factor: float,
    high_freq_factor: float,
    original_max_position_embeddings: float,
) -> Array:
    """Stretch long waves by ``factor``, leave short ones, and go over between the two."""
    import numpy as np  # noqa: PLC0415  as above

    turns = original_max_position_embeddings * found / np.float32(2 * math.pi)
    smooth = (turns - low_freq_factor) / (high_freq_factor - low_freq_factor)
    smooth = np.clip(smooth, 0, 1)
    return ((1 - smooth) * found / factor + smooth * found).astype(np.float32)


def table(angles: Array, start: int, end: int) -> tuple[Array, Array]:
    """Return cosine and sine for positions ``start`` to ``end``: one row per position."""
    import numpy as np  # noqa: PLC0415  as above

    turned = np.arange(start, end, dtype=np.float32)[:, None] * angles[None, :]
    return np.cos(turned), np.sin(turned)


def rotate(vectors: Array, cosine: Array, sine: Array) -> Array:
    """Return vectors turned by their positions.

    Args:
        vectors: heads, positions, width of a head.
        cosine: positions, half the width.
        sine: as ``cosine``.
    """
    import numpy as np  # noqa: PLC0415  as above

    half = vectors.shape[-1] // 2
    first, second = vectors[..., :half], vectors[..., half:]
    return np.concatenate((first * cosine - second * sine, second * cosine + first * sine), axis=-1)
