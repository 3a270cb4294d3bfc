"""What is computed of overheads, from the tables of the paper (``teeproof.bench.paper``) alone.

Each line says what a person would find with the tables and a calculator. A rate's overhead is a
loss, (off - on) / off; a time's is what it takes more, (on - off) / off.
"""

from __future__ import annotations

from collections.abc import Callable

from teeproof.bench.compare import compare, error_of
from teeproof.bench.overhead import loss_of_throughput, more_time
from teeproof.bench.paper import CELLS, MODELS, PRINTED, ROWS, Pair, Row
from teeproof.bench.tolls import layer_toll

__all__ = ["OVERHEADS"]

_ZKLLM_MINUTES = 15  # zkLLM, arXiv 2404.16109, abstract: a model of 13 billion parameters, at most


def _best_efficiency() -> tuple[str, ...]:
    best = max(ROWS, key=lambda row: row.tokens_per_second.on / row.tokens_per_second.off)
    kept = [
        (row, 100 * row.tokens_per_second.on / row.tokens_per_second.off) for row in ROWS
    ]  # fmt: skip
    fast = [share for row, share in kept if row.model != best.model]
    slow = [(row, share) for row, share in kept if row.model == best.model]
    return (
        "tokens per second kept by the 70B model: "
        + ", ".join(f"{share:.2f} % on an {row.gpu}" for row, share in slow)
        + f"; it took {1e3 / slow[0][0].tokens_per_second.off:.0f} and"
        f" {1e3 / slow[1][0].tokens_per_second.off:.0f} ms per token",
        f"by the other models: {min(fast):.2f} % to {max(fast):.2f} %",
    )


def _length() -> tuple[str, ...]:
    lines = []
    for row in ROWS:
        short, medium, long = _by_length(row)
        way = f"gains {short - long:.2f}" if short > long else f"loses {long - short:.2f}"
        lines.append(f"{row.model} on {row.gpu}: {short:.2f} % short, {medium:.2f} % medium,"
                     f" {long:.2f} % long: {way} points")  # fmt: skip
    return tuple(lines)


def _growth() -> tuple[str, ...]:
    lines = []
    for gpu in ("H100", "H200"):
        gains = []
        for row in (row for row in ROWS if row.gpu == gpu):
            short, _, long = _by_length(row)
            gains.append(f"{short - long:+.2f} ({row.model})")
        lines.append(f"points of efficiency from short to long texts on {gpu}: {', '.join(gains)}")
    return tuple(lines)


def _by_length(row: Row) -> tuple[float, ...]:
    """Return what a model loses of short, medium and long texts, in percent."""
    cells = [c for c in CELLS if (c.gpu, c.model) == (row.gpu, row.model) and c.length != "all"]
    return tuple(_loss(cell.tokens_per_second) for cell in cells)


def _large_and_long() -> tuple[str, ...]:
    return tuple(
        f"{cell.model} on {cell.gpu}: {_loss(cell.tokens_per_second):.2f} % of long texts, at"
        f" {1e3 / cell.tokens_per_second.off:.1f} ms per token"
        for cell in CELLS
        if cell.length == "long"
    )


def _size_tokens() -> tuple[str, ...]:
    return tuple(
        f"tokens per second lost on {gpu}: "
        + ", ".join(
            f"{_loss(row.tokens_per_second):.2f} % ({row.model},"
            f" {1e3 / row.tokens_per_second.off:.0f} ms a token)"
            for row in ROWS
            if row.gpu == gpu
        )
        for gpu in ("H100", "H200")
    )


def _model_size() -> tuple[str, ...]:
    return _first_token_rows() + tuple(
        f"{gpu}: {layer_toll(gpu).us:.1f} µs per layer and step fit both the 8B and the 14B model;"
        " only the step's own time differs"
        for gpu in ("H100", "H200")
    )


def _below_7() -> tuple[str, ...]:
    above = [cell for cell in CELLS if _loss(cell.tokens_per_second) >= 7]
    worst = max(CELLS, key=lambda cell: _loss(cell.tokens_per_second))
    slow = sum(not MODELS[cell.model].graphs for cell in CELLS if _loss(cell.tokens_per_second) < 7)
    return (
        f"{len(above)} of {len(CELLS)} cells of tokens per second lose 7 % or more, up to"
        f" {_loss(worst.tokens_per_second):.2f} % ({worst.model} on {worst.gpu}, {worst.length}):"
        f" {len(CELLS) - len(above)} lose less, {slow} of them of the 70B model",
        ", ".join(
            f"{_loss(c.tokens_per_second):.2f} % ({c.model} on {c.gpu}, {c.length})" for c in above
        ),
    )


def _fit() -> tuple[str, ...]:
    rows = [r for r in compare() if r.quantity.startswith("tokens") and r.model != "Llama-3.1-70B"]
    return (
        f"two tolls give these {len(rows)} cells to {error_of(rows):.2f} points (root mean square)",
    )


def _first_token() -> tuple[str, ...]:
    fast = [r for r in compare() if r.model != "Llama-3.1-70B"]
    first = [r.overhead for r in fast if r.quantity == "first token"]
    tokens = [r.overhead for r in fast if r.quantity == "tokens per second, all"]
    return (
        f"the 8B and 14B models lose {min(tokens):.1f} to {max(tokens):.1f} % of their tokens, and"
        f" take {min(first):.0f} to {max(first):.0f} % longer to the first",
    )


def _first_token_rows() -> tuple[str, ...]:
    return tuple(
        f"first token of {row.model} on {row.gpu}:"
        f" {more_time(on=row.first_token_s.on, off=row.first_token_s.off):.2f} % later;"
        f" requests per second: {_loss(row.requests_per_second):.2f} % lost"
        for row in ROWS
    )


def _flat_toll() -> tuple[str, ...]:
    lines = []
    for row in (row for row in ROWS if MODELS[row.model].graphs):
        more = [
            _added_ms(cell.tokens_per_second)
            for cell in CELLS
            if (cell.gpu, cell.model) == (row.gpu, row.model) and cell.length != "all"
        ]
        layers = MODELS[row.model].layers
        lines.append(
            f"{row.model} on {row.gpu}: {more[0]:.3f}, {more[1]:.3f} and {more[2]:.3f} ms more a"
            f" token of short, medium and long texts, {1e3 * sum(more) / 3 / layers:.1f} µs a layer"
        )
    return tuple(lines)


def _printed() -> tuple[str, ...]:
    found = compare()
    apart = []
    for (gpu, model), printed in PRINTED.items():
        of = {r.quantity: r.overhead for r in found if (r.gpu, r.model) == (gpu, model)}
        names = ("tokens per second, all", "requests per second", "first token", "answer",
                 "tokens per second, short", "tokens per second, medium",
                 "tokens per second, long")  # fmt: skip
        apart += [abs(of[name] - value) for name, value in zip(names, printed, strict=True)]
    exact = sum(gap < 0.0151 for gap in apart)
    return (
        f"{exact} of {len(apart)} printed overheads follow from the figures beside them to 0.01"
        f" points; the others, of first tokens printed in 0.1 ms, to {max(apart):.2f}",
    )


def _zkp() -> tuple[str, ...]:
    (row,) = (row for row in ROWS if (row.gpu, row.model) == ("H100", "Phi-3-14B"))
    token = _added_ms(row.tokens_per_second)
    first = 1e3 * (row.first_token_s.on - row.first_token_s.off)
    return (
        f"zkLLM says under {_ZKLLM_MINUTES} minutes for the proof of one run of a model of 13"
        " billion parameters",
        f"a TEE adds {token:.2f} ms to each token and {first:.1f} ms to the first, of the 14B model"
        " on an H100",
    )


def _loss(pair: Pair) -> float:
    """Return what a TEE takes of a rate, in percent."""
    return loss_of_throughput(on=pair.on, off=pair.off)


def _added_ms(rate: Pair) -> float:
    """Return the milliseconds that a TEE adds to each token, by the tokens per second."""
    return 1e3 / rate.on - 1e3 / rate.off


OVERHEADS: dict[str, Callable[[], tuple[str, ...]]] = {
    "best-efficiency": _best_efficiency,
    "length": _length,
    "growth": _growth,
    "size-tokens": _size_tokens,
    "model-size": _model_size,
    "large-and-long": _large_and_long,
    "below-7": _below_7,
    "first-token-rows": _first_token_rows,
    "flat-toll": _flat_toll,
    "printed": _printed,
    "fit": _fit,
    "first-token": _first_token,
    "zkp": _zkp,
}
"""What can be computed of the paper, by name."""
