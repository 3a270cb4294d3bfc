"""The paper, the model and own measurements side by side, each quantity under its right name.

Trusts: the tables as printed.  Does not trust: that a figure without repeats is exact.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from teeproof.bench.overhead import loss_of_throughput, more_time
from teeproof.bench.paper import CELLS, GPUS, MODELS, ROWS, GpuName, ModelName, Pair
from teeproof.bench.predict import Execution, Workload, predict
from teeproof.bench.probes import Finding, Timing, calibrated
from teeproof.bench.tolls import (
    PREFILLS_MERGED,
    eager_factor,
    launch_toll,
    launches_of,
    layer_toll,
    measured_loss,
    predicted_cell,
    predicted_loss,
)

__all__ = ["Compared", "compare", "compare_own", "error_of"]

_TOGETHER = 256  # sequences that the engine decodes together at most, by its default


@dataclass(frozen=True, slots=True)
class Compared:
    """One quantity of one model on one GPU.

    Attributes:
        gpu, model: which.
        quantity: ``tokens per second, <length>``, ``requests per second``, ``first token`` or
            ``answer``.
        unit: ``1/s`` or ``s``.
        on, off: the paper's figures.
        overhead: of them in percent: loss of throughput of a rate, more time of a time.
        predicted: the same by the model; None where it says nothing.
        fitted: whether the model's constants were fitted to this very figure.
        bounds: of the overhead, where it was measured often enough to have any.
    """

    gpu: str
    model: str
    quantity: str
    unit: str
    on: float
    off: float
    overhead: float
    predicted: float | None
    fitted: bool
    bounds: tuple[float, float] | None = None

    @property
    def error(self) -> float | None:
        """Predicted minus measured, in points."""
        return None if self.predicted is None else self.predicted - self.overhead


def compare() -> tuple[Compared, ...]:
    """Return every figure of the paper's tables 2 to 4 beside what the model says."""
    found: list[Compared] = []
    for gpu in GPUS:
        for model in MODELS:
            found += _rates(gpu, model)
            found += _times(gpu, model)
    return tuple(found)


def error_of(rows: Sequence[Compared]) -> float:
    """Return the root mean square error of predictions, in points.

    Raises:
        ValueError: no row has a prediction.
    """
    errors = [row.error for row in rows if row.error is not None]
    return math.sqrt(sum(error * error for error in errors) / len(errors))


def _rates(gpu: GpuName, model: ModelName) -> list[Compared]:
    toll = _toll(gpu, model)
    cells = [c for c in CELLS if (c.gpu, c.model) == (gpu, model)]
    rows = [
        Compared(
            gpu, model, f"tokens per second, {cell.length}", "1/s", cell.tokens_per_second.on,
            cell.tokens_per_second.off, measured_loss(cell), predicted_cell(cell, toll),
            fitted=MODELS[model].graphs or cell.length == "all",
        )
        for cell in cells
    ]  # fmt: skip
    row = next(r for r in ROWS if (r.gpu, r.model) == (gpu, model))
    pair = row.requests_per_second
    rows.append(
        Compared(
            gpu, model, "requests per second", "1/s", pair.on, pair.off,
            loss_of_throughput(on=pair.on, off=pair.off), _requests(gpu, model), fitted=False,
        )
    )  # fmt: skip
    return rows


def _times(gpu: GpuName, model: ModelName) -> list[Compared]:
    row = next(r for r in ROWS if (r.gpu, r.model) == (gpu, model))
    first, answer = row.first_token_s, row.answer_s
    first_toll = _first_toll(gpu, model)
    step = row.tokens_per_second.off
    longer = 100 * _toll(gpu, model) * 1e-6 * MODELS[model].layers * step
    return [
        _time(gpu, model, "first token", first,
              None if first_toll is None else 100 * first_toll / first.off,
              fitted=model == "Llama-3.1-8B"),
        _time(gpu, model, "answer", answer, longer, fitted=False),
    ]  # fmt: skip


def _time(
    gpu: GpuName,
    model: ModelName,
    quantity: str,
    pair: Pair,
    predicted: float | None,
    *,
    fitted: bool,
) -> Compared:
    overhead = more_time(on=pair.on, off=pair.off)
    return Compared(gpu, model, quantity, "s", pair.on, pair.off, overhead, predicted, fitted)


def _toll(gpu: GpuName, model: ModelName) -> float:
    return layer_toll(gpu).us * (1.0 if MODELS[model].graphs else eager_factor())


def _first_toll(gpu: GpuName, model: ModelName) -> float | None:
    """Return the toll until the first token, in seconds; of the 70B model's prefill none is known.

    Its weights are unpacked layer by layer, which takes far longer than the launches: they hide.
    """
    if not MODELS[model].graphs:
        return None
    return launch_toll(gpu).us * 1e-6 * launches_of(MODELS[model]) * MODELS[model].layers


def _requests(gpu: GpuName, model: ModelName) -> float | None:
    first = _first_toll(gpu, model)
    if first is None:
        return None
    row = next(r for r in ROWS if (r.gpu, r.model) == (gpu, model))
    tokens = row.answer_s.off * row.tokens_per_second.off
    decode = _toll(gpu, model) * 1e-6 * MODELS[model].layers * tokens / _TOGETHER
    toll = decode + first / PREFILLS_MERGED
    return predicted_loss(off_s=1 / row.requests_per_second.off, toll_s=toll)


def compare_own(off: Finding, on: Finding) -> tuple[Compared, ...]:
    """Return the decoder's steps of two findings beside what their own probes predict.

    Raises:
        Usage: the findings are no pair.
    """
    machine = calibrated(off, on)
    before, after = off.workmark, on.workmark
    rows = []
    pairs: tuple[tuple[str, Execution, Timing | None, Timing | None], ...] = (
        ("step, kernel by kernel", "eager", before.eager, after.eager),
        ("step, CUDA graph", "graph", before.graph, after.graph),
    )
    for quantity, execution, without, within in pairs:
        if without is None or within is None:
            continue
        work = Workload(
            name="decoder", layers=before.layers, parameters=before.parameters,
            execution=execution, step_ms=without.us / 1e3,
        )  # fmt: skip
        rows.append(
            Compared(
                off.device, "decoder", quantity, "s", within.us / 1e6, without.us / 1e6,
                more_time(on=within.us, off=without.us), predict(work, machine).step_longer.value,
                fitted=False,
                bounds=(more_time(on=within.low, off=without.high),
                        more_time(on=within.high, off=without.low)),
            )
        )  # fmt: skip
    return tuple(rows)
