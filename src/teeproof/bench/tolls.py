"""What each crossing between CPU and GPU costs in a TEE, fitted to the paper's tables.

One number per machine: with a TEE, each step of decoding takes longer by a fixed toll per layer.
Of four laws that were tried on the 16 cells of the 8B and 14B models (a toll per layer, one that
grows with the root of the time, one per token, a constant share), the toll per layer errs least.
Two models per machine do not prove it.

The 70B model ran without CUDA graphs, where each kernel is launched by itself: its toll is a
multiple of the other, one for both machines.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from teeproof.bench.overhead import loss_of_throughput
from teeproof.bench.paper import CELLS, MODELS, ROWS, Cell, GpuName, Model

__all__ = [
    "LAUNCHES_PER_LAYER",
    "PREFILLS_MERGED",
    "Toll",
    "eager_factor",
    "eager_toll",
    "launch_toll",
    "launches_of",
    "layer_toll",
    "measured_loss",
    "predicted_cell",
    "predicted_loss",
    "rmse",
]

LAUNCHES_PER_LAYER = 12  # of the 8B model's prefill
_UNFUSED = 17  # where the rotary embedding is not fused, as in Phi-3
PREFILLS_MERGED = 2.83  # prefills that vLLM 0.5.4 ran together at the largest batch, fitted once
_T_90 = 1.895  # Student's t, 7 degrees of freedom, two-sided 90 %


@dataclass(frozen=True, slots=True)
class Toll:
    """A toll in microseconds, and within which bounds a new cell's toll lies.

    Attributes:
        us: the best value.
        low, high: 90 % bounds if it was fitted, else the range that its source gives.
        source: where it comes from.
    """

    us: float
    low: float
    high: float
    source: str


def predicted_loss(*, off_s: float, toll_s: float) -> float:
    """Return the loss of throughput, in percent, of a step that takes ``off_s`` without a TEE."""
    return loss_of_throughput(on=1 / (off_s + toll_s), off=1 / off_s)


@lru_cache(maxsize=8)
def layer_toll(gpu: GpuName) -> Toll:
    """Return the toll per layer and step, in CUDA graphs, fitted to the 8B and 14B models."""
    cells = [c for c in CELLS if c.gpu == gpu and MODELS[c.model].graphs]
    best = _least(lambda us: rmse((c, us) for c in cells), 0.0, 100.0)
    each = [_measured_toll(cell) for cell in cells]
    mean = sum(each) / len(each)
    spread = math.sqrt(sum((one - mean) ** 2 for one in each) / (len(each) - 1))
    reach = _T_90 * spread * math.sqrt(1 + 1 / len(each))
    return Toll(best, best - reach, best + reach, f"fitted to {len(cells)} cells of the paper")


@lru_cache(maxsize=1)
def eager_factor() -> float:
    """Return how many times the toll per layer is without CUDA graphs, fitted to the 70B model."""
    cells = [c for c in CELLS if not MODELS[c.model].graphs and c.length == "all"]
    return _least(lambda k: rmse((c, k * layer_toll(c.gpu).us) for c in cells), 1.0, 10.0)


def eager_toll(gpu: GpuName) -> Toll:
    """Return the toll per layer and step without CUDA graphs, from the 70B model.

    The two machines disagree: one pays 68 to 72 µs, the other nothing that stands out of the noise.
    The best value is the one factor for both; the bounds are what was measured.
    """
    cells = [c for c in CELLS if not MODELS[c.model].graphs]
    most = max(_measured_toll(cell) for cell in cells)
    us = eager_factor() * layer_toll(gpu).us
    return Toll(us, 0.0, most, "the paper's 70B model on both machines")


@lru_cache(maxsize=8)
def launch_toll(gpu: GpuName) -> Toll:
    """Return the toll of one launch, from the first token of the 8B model.

    A prefill is launched kernel by kernel, so its extra time is launches times toll. The paper
    gives seconds with four decimals: half a digit is the bound.
    """
    row = next(r for r in ROWS if r.gpu == gpu and r.model == "Llama-3.1-8B")
    launches = LAUNCHES_PER_LAYER * MODELS[row.model].layers
    extra = row.first_token_s.on - row.first_token_s.off
    us, reach = 1e6 * extra / launches, 1e6 * 1e-4 / launches
    return Toll(us, us - reach, us + reach, "the paper's first token of the 8B model")


def launches_of(model: Model) -> int:
    """Return how many kernels a layer of the model's prefill launches."""
    return LAUNCHES_PER_LAYER if model.fused else _UNFUSED


def rmse(pairs: Iterable[tuple[Cell, float]]) -> float:
    """Return the root mean square error, in points, of tolls per layer (µs) on cells."""
    errors = [predicted_cell(cell, us) - measured_loss(cell) for cell, us in pairs]
    return math.sqrt(sum(error * error for error in errors) / len(errors))


def measured_loss(cell: Cell) -> float:
    """Return the loss of throughput that the paper measured in a cell, in percent."""
    return loss_of_throughput(on=cell.tokens_per_second.on, off=cell.tokens_per_second.off)


def predicted_cell(cell: Cell, us: float) -> float:
    """Return the loss of throughput, in percent, by a toll of so many µs per layer."""
    toll = us * 1e-6 * MODELS[cell.model].layers
    return predicted_loss(off_s=1 / cell.tokens_per_second.off, toll_s=toll)


def _measured_toll(cell: Cell) -> float:
    pair = cell.tokens_per_second
    return 1e6 * (1 / pair.on - 1 / pair.off) / MODELS[cell.model].layers


def _least(error: Callable[[float], float], low: float, high: float) -> float:
    """Return where an error with one minimum is least, by golden sections."""
    golden = (math.sqrt(5) - 1) / 2
    a, b = high - golden * (high - low), low + golden * (high - low)
    while high - low > 1e-6:
        if error(a) < error(b):
            high, b = b, a
            a = high - golden * (high - low)
        else:
            low, a = a, b
            b = low + golden * (high - low)
    return (low + high) / 2
