"""How fast the engine runs beside its bare matrix products, and what a receipt adds to an answer.

Two models with random weights: one of the shape that the demo trains (0.6 million parameters) and
one of 13 million. The limit of a token is the products that no engine can leave out, with nothing
around them; the limit of an answer with its receipt is the same answer from the engine alone.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy reads it

import numpy as np

from bench.measure import Figure, Row, beside, rate
from teeproof.inference.engine.engine import Ask, Engine
from teeproof.inference.engine.llama import Cache
from tests.inference import models
from tests.inference.serving import NAME, Hosted

TOKENS = 48
PROMPT = 30
SMALL = 4  # layers
SHAPES: dict[str, dict[str, Any]] = {
    "0.6 M parameters": {
        "hidden_size": 128, "intermediate_size": 352, "num_hidden_layers": 3,
        "num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": 32,
    },
    "13 M parameters": {
        "hidden_size": 384, "intermediate_size": 1024, "num_hidden_layers": 7,
        "num_attention_heads": 6, "num_key_value_heads": 6, "head_dim": 64,
    },
}  # fmt: skip


def rows() -> Iterator[Row]:
    """Yield the rows."""
    with tempfile.TemporaryDirectory() as name:
        for number, (size, shape) in enumerate(SHAPES.items()):
            folder = models.make(
                Path(name) / f"m{number}", vocab_size=104, eos_token_id=None, **shape
            )
            yield from _engine(size, Engine.open(folder))
            yield _receipt(size, Hosted(Path(name) / f"h{number}", folder))


def _engine(size: str, engine: Engine) -> Iterator[Row]:
    prompt = tuple(2 + n % 90 for n in range(PROMPT))
    llama, weights = engine._llama, engine._llama._weights
    first = llama.scores(prompt, Cache(engine.config))
    assert np.isfinite(first).all()

    def ours() -> None:
        for _ in engine.start(Ask(prompt, TOKENS)):
            pass

    matrices = [m for one in weights.layers for m in (one.qkv, one.out, one.gate_up, one.down)]
    matrices.append(weights.head.T)
    found, limit = beside(ours, _products(matrices, engine.config.head, engine.config.kv_heads))
    what = "its matrix products alone, prompt and tokens"
    # Small matrices cost less than the calls around them: a goal there is one for Python.
    goal = 0.6 if engine.config.layers > SMALL else None
    yield Row(
        f"tokens, {size}", rate(found, TOKENS), rate(limit, TOKENS), what, goal=goal, unit="1/s"
    )


def _products(matrices: list[np.ndarray], head: int, heads: int) -> Callable[[], None]:
    """Return the products of one answer: weights with the prompt and each token, keys and values.

    The engine keeps weights as (in, out); so do these.
    """
    layers = len(matrices) // 4
    prompts = [np.ones((PROMPT, matrix.shape[0]), np.float32) for matrix in matrices]
    singles = [np.ones((1, matrix.shape[0]), np.float32) for matrix in matrices]
    keys = np.ones((heads, PROMPT + TOKENS, head), np.float32)
    queries = np.ones((heads, 1, head), np.float32)

    def run() -> None:
        for given, matrix in zip(prompts[:-1], matrices[:-1], strict=True):
            given @ matrix
        for token in range(TOKENS - 1):
            for given, matrix in zip(singles, matrices, strict=True):
                given @ matrix
            there = keys[:, : PROMPT + token]
            for _ in range(layers):
                (queries @ there.swapaxes(1, 2)) @ there

    return run


def _receipt(size: str, host: Hosted) -> Row:
    """Measure one answer, from the last byte of the question to the last of the answer."""
    service, store = host.service()
    question = "x" * (PROMPT - 1)
    body = json.dumps(
        {
            "model": NAME,
            "messages": [{"role": "user", "content": question}],
            "max_tokens": TOKENS,
            "stream": True,
        }
    ).encode()
    loop = asyncio.new_event_loop()
    engine = service._engine
    prompt = engine.prompt([{"role": "user", "content": question}])

    def ours() -> None:
        status, answer = loop.run_until_complete(host.talk(service, body))
        assert status == 200
        assert answer.endswith(b"[DONE]\n\n")

    def alone() -> None:
        for _ in engine.start(Ask(prompt, TOKENS)):
            pass

    found, limit = beside(ours, alone)
    loop.close()
    service.close()
    store.close()
    return Row(
        f"question to receipt, {TOKENS} tokens streamed, {size}",
        Figure(found.value, found.noise),
        limit,
        "the engine alone",
        goal=0.6,
    )
