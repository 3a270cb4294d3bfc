"""Rotary positions: the frequencies of each kind, and the rotation of queries and keys.

Source: RoPE (Su and others, 2021), in the form with two halves that Llama checkpoints use; the
``linear`` and ``llama3`` scalings as the ``transformers`` library computes them.
"""

from __future__ import annotations

import math

from teeproof.inference.engine.arrays import Array
from teeproof.inference.engine.config import Rope

__all__ = ["frequencies", "interleave", "rotate", "turns"]


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


def turns(angles: Array, end: int) -> Array:
    """Return each position's rotation from 0 to ``end``, as complex numbers: one row a position."""
    import numpy as np  # noqa: PLC0415  as above

    turned = np.arange(end, dtype=np.float32)[:, None] * angles[None, :]
    return (np.cos(turned) + 1j * np.sin(turned)).astype(np.complex64)


def interleave(rows: Array, head: int) -> Array:
    """Return a projection whose heads' halves alternate: pairs that turn together lie together.

    Checkpoints keep the first numbers of all pairs before the second ones. The product of a query
    with a key does not depend on the order, if it is the same in both.

    Args:
        rows: weights or biases, one row per number of a head.
        head: the width of a head.
    """
    halves = rows.reshape(-1, 2, head // 2, *rows.shape[1:])
    return halves.swapaxes(1, 2).reshape(rows.shape)


def rotate(vectors: Array, turned: Array) -> Array:
    """Return interleaved vectors, turned by their positions.

    Args:
        vectors: positions, heads, width of a head.
        turned: positions, half the width: rows of ``turns``.
    """
    import numpy as np  # noqa: PLC0415  as above

    return (vectors.view(np.complex64) * turned[:, None, :]).view(np.float32)
