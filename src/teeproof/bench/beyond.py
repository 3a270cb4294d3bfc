"""Say where a prediction goes beyond what was measured: which quantity, and what its range was.

The tolls of the two Hopper machines come from a few models, one text at a time, on one GPU each.
Within those ranges the model was held against figures; outside it extrapolates, and says so. Of a
machine that somebody else measured or that was probed, one workload was run, and it says that.

Trusts: the ranges of the paper's own tables.  Does not trust: that a law holds where none looked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from teeproof.bench.paper import CELLS, GPUS, MODELS, Gpu

if TYPE_CHECKING:
    from teeproof.bench.platforms import Platform
    from teeproof.bench.predict import Workload

__all__ = ["beyond"]


def beyond(workload: Workload, platform: Platform, *, step_ms: float) -> tuple[str, ...]:
    """Return a sentence for each quantity that lies outside of what was measured.

    Args:
        workload: what is predicted.
        platform: where.
        step_ms: milliseconds of its step without a TEE, as the prediction takes it.
    """
    gpu = next((g for g in GPUS.values() if platform.name.startswith(g.name.lower())), None)
    found = [*_size(workload, platform, gpu, step_ms)]
    if gpu is None:
        found.append("extrapolates from one run of one decoder on this machine")
        return tuple(found)
    graphs = workload.execution == "graph"
    models = [model for model in MODELS.values() if model.graphs == graphs]
    layers = sorted({model.layers for model in models})
    if not layers[0] <= workload.layers <= layers[-1]:
        found.append(
            f"extrapolates to {workload.layers} layers: models of"
            f" {' and '.join(map(str, layers))} layers were measured {_how(graphs)}"
        )
    steps = [
        1e3 / cell.tokens_per_second.off
        for cell in CELLS
        if cell.gpu == gpu.name and MODELS[cell.model].graphs == graphs
    ]
    if not min(steps) <= step_ms <= max(steps):
        found.append(
            f"extrapolates to a step of {step_ms:.3g} ms: steps of {min(steps):.3g} to"
            f" {max(steps):.3g} ms were measured {_how(graphs)} on this machine"
        )
    if workload.batch > 1:
        found.append(
            f"extrapolates to {workload.batch} texts decoded together: tolls were fitted to one,"
            " and a step's is taken to stay the same"
        )
    return tuple(found)


def _how(graphs: bool) -> str:
    return "in CUDA graphs" if graphs else "without CUDA graphs"


def _size(
    workload: Workload, platform: Platform, gpu: Gpu | None, step_ms: float
) -> tuple[str, ...]:
    """Say what the GPU's own memory rules out for a model that lies in it whole."""
    found = []
    if gpu is not None and workload.weights_gb > gpu.memory_gb:
        found.append(
            f"extrapolates to {workload.weights_gb:.3g} GB of weights, which do not fit the"
            f" {gpu.memory_gb} GB of one {gpu.product}: several GPUs pay further tolls"
        )
    if platform.memory_gb_s is not None:
        least = 1e3 * workload.weights_gb / platform.memory_gb_s
        if step_ms < least:
            found.append(
                f"a step of {step_ms:.3g} ms is shorter than the {least:.3g} ms in which this"
                " GPU reads all the weights once: so it reads a part of them, or the time is wrong"
            )
    return tuple(found)
