"""What is computed of the report's figures: each line from numbers that anyone can look up.

The numbers of the training log stand in the report's section 3.4, those of the overhead in the
tables of the paper (``teeproof.bench.paper``). Nothing here is a conclusion typed by hand.
"""

from __future__ import annotations

from collections.abc import Callable

from teeproof.bench.compare import compare, error_of
from teeproof.bench.overhead import loss_of_throughput
from teeproof.bench.paper import CELLS, ROWS, Cell
from teeproof.bench.tolls import layer_toll

__all__ = ["FIGURES", "figure"]

# The report, section 3.4, "Run summary".
_RUNTIME_S = 7373.5492
_SAMPLES_PER_SECOND = 0.347
_TOTAL_FLOS = 3688820574781440.0
_EPOCHS = _STEPS = 20
_STEPS_PER_SECOND = 0.003
_CONFIG_HASH = "6ea9aea26d4225fd3b1b96a22698237e"


def figure(name: str) -> tuple[str, ...]:
    """Return the lines of a figure; KeyError if there is none of this name."""
    return FIGURES[name]()


def _training_log() -> tuple[str, ...]:
    samples = _SAMPLES_PER_SECOND * _RUNTIME_S
    return (
        f"{_SAMPLES_PER_SECOND} samples/s for {_RUNTIME_S} s are {samples:,.0f} samples:"
        f" {_EPOCHS} epochs of {samples / _EPOCHS:.0f} fingerprints",
        f"{_STEPS} steps in that time are {_STEPS / _RUNTIME_S:.4f} a second, which the log rounds"
        f" to {_STEPS_PER_SECOND}: one step is one epoch",
        f"{_TOTAL_FLOS:.3g} floating-point operations in that time are"
        f" {_TOTAL_FLOS / _RUNTIME_S / 1e12:.2f} TFLOP/s, of some 800 that the GPU is good for",
        "no run without a TEE stands beside it, so it says nothing about overhead",
    )


def _training_time() -> tuple[str, ...]:
    hours = _RUNTIME_S / 3600
    longer = hours * 30 / _EPOCHS
    return (
        f"the log's train_runtime is {_RUNTIME_S} s = {hours:.2f} h;"
        f" the text beside it says 0.5 h, {hours / 0.5:.1f} times less",
        f"30 epochs at the log's rate take {longer:.2f} h, and the text says 1 h: that is"
        " 10 epochs more in the time of the first 20",
    )


def _fingerprints() -> tuple[str, ...]:
    lines = []
    for epochs, share in ((20, 67.97), (30, 98.44)):
        count = round(share * 128 / 100)
        lines.append(f"{share} % after {epochs} epochs are {count} of 128 fingerprints"
                     f" ({100 * count / 128:.2f} %): one more or less is 0.78 points")  # fmt: skip
    return tuple(lines)


def _config_hash() -> tuple[str, ...]:
    return (
        f'the "config hash of the final model" has {4 * len(_CONFIG_HASH)} bits, the length of MD5,'
        " and names the folder that the model was saved in",
        "a name of the settings is the same whatever the weights became; teeproof's digest is of"
        " every tensor, by SHA-256 and BLAKE3",
    )


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
        f"by the other models: {min(fast):.2f} to {max(fast):.2f} %",
    )


def _length() -> tuple[str, ...]:
    lines = []
    for gpu, model in dict.fromkeys((c.gpu, c.model) for c in CELLS):
        of = {c.length: _loss(c) for c in CELLS if (c.gpu, c.model) == (gpu, model)}
        way = "falls" if of["short"] > of["long"] else "rises"
        lines.append(
            f"{model} on {gpu}: {of['short']:.2f} % short, {of['medium']:.2f} % medium,"
            f" {of['long']:.2f} % long: {way}"
        )
    return tuple(lines)


def _large_and_long() -> tuple[str, ...]:
    return tuple(
        f"{cell.model} on {cell.gpu}: {_loss(cell):.2f} % of long texts, at"
        f" {1e3 / cell.tokens_per_second.off:.1f} ms per token"
        for cell in CELLS
        if cell.length == "long"
    )


def _model_size() -> tuple[str, ...]:
    return tuple(
        f"{gpu}: {layer_toll(gpu).us:.1f} µs per layer and step fit both the 8B and the 14B model;"
        " only the step's own time differs"
        for gpu in ("H100", "H200")
    )


def _below_7() -> tuple[str, ...]:
    above = [cell for cell in CELLS if _loss(cell) >= 7]
    worst = max(CELLS, key=_loss)
    return (
        f"{len(above)} of {len(CELLS)} cells of tokens per second lose 7 % or more, up to"
        f" {_loss(worst):.2f} % ({worst.model} on {worst.gpu}, {worst.length})",
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


def _loss(cell: Cell) -> float:
    pair = cell.tokens_per_second
    return loss_of_throughput(on=pair.on, off=pair.off)


FIGURES: dict[str, Callable[[], tuple[str, ...]]] = {
    "training-log": _training_log,
    "training-time": _training_time,
    "fingerprints": _fingerprints,
    "config-hash": _config_hash,
    "best-efficiency": _best_efficiency,
    "length": _length,
    "model-size": _model_size,
    "large-and-long": _large_and_long,
    "below-7": _below_7,
    "fit": _fit,
    "first-token": _first_token,
}
"""What can be computed, by name."""
