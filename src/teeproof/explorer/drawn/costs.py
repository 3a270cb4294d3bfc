"""What is drawn of costs: the paper's figures beside the model, and own steps beside theirs.

Each quantity has its own name, for a loss of throughput and more time are two things.
"""

from __future__ import annotations

from collections.abc import Sequence

from teeproof.bench.compare import Compared
from teeproof.bench.own import Pair
from teeproof.explorer.drawn.plots import Bar, Group, bars

__all__ = ["by_model", "by_step", "own_steps"]

_WORDS = {
    "tokens per second, all": "tokens per second at batch 1 (TPS): loss",
    "tokens per second, short": "of short texts, up to 100 tokens",
    "tokens per second, medium": "of medium texts, up to 500",
    "tokens per second, long": "of long texts, up to 1,500",
    "requests per second": "requests per second at full batch (QPS): loss",
    "first token": "time to the first token (TTFT): longer by",
    "answer": "a whole answer (the paper's “ITL”): longer by",
}


def by_step(rows: Sequence[Compared]) -> str:
    """Return the loss of tokens per second of each model, the fastest step first."""
    tokens = [row for row in rows if row.quantity == "tokens per second, all"]
    groups = [
        Group(f"{row.model} on {row.gpu}: {1e3 / row.off:.3g} ms per token", _bars(row))
        for row in sorted(tokens, key=lambda row: row.off, reverse=True)
    ]
    return bars(
        groups, title="What a TEE takes of the tokens per second, the fastest model first",
        axis="tokens per second lost with a TEE, percent",
    )  # fmt: skip


def by_model(rows: Sequence[Compared]) -> list[tuple[str, str]]:
    """Return the name of each model on each GPU, and all its quantities over one axis."""
    top = max(max(row.overhead, row.predicted or 0.0) for row in rows)
    drawn = []
    for gpu, model in dict.fromkeys((row.gpu, row.model) for row in rows):
        name = f"{model} on {gpu}"
        groups = [
            Group(_WORDS[row.quantity], _bars(row))
            for row in rows
            if (row.gpu, row.model) == (gpu, model)
        ]
        axis = "percent lost of a rate, or more of a time"
        drawn.append((name, bars(groups, title=f"What a TEE costs {name}", axis=axis, top=top)))
    return drawn


def own_steps(pair: Pair) -> str:
    """Return a decoder's steps as measured here, with bounds, beside the model; may be empty."""
    groups = [
        Group(row.quantity, (
            Bar("own", row.own.us, (row.own.low, row.own.high)), Bar("model", row.model),
        ))
        for row in pair.rows
        if row.unit == "%"
    ]  # fmt: skip
    if not groups:
        return ""
    return bars(groups, title="Steps of a decoder", axis="longer with the TEE, percent")


def _bars(row: Compared) -> tuple[Bar, Bar]:
    remark = "fitted" if row.fitted else ""
    return Bar("paper", row.overhead), Bar("model", row.predicted, remark=remark)
