"""What a TEE will cost a model: per step, per token, until the first token, while it loads.

    time with a TEE = time without + crossings times their tolls

A step of decoding crosses once per layer in CUDA graphs, or launches each kernel by itself; a
prefill launches each kernel; loading copies every weight once. What a step takes without a TEE
comes from the person, from the paper, or is bounded by the GPU's memory; only the first two are
measurements. The arithmetic inside the GPU is not taxed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from teeproof.bench.beyond import beyond
from teeproof.bench.overhead import loss_of_throughput, more_time
from teeproof.bench.paper import MODELS, NOISE_POINTS, ROWS, Model
from teeproof.bench.platforms import Platform
from teeproof.bench.tolls import LAUNCHES_PER_LAYER, Toll
from teeproof.core.errors import Usage

__all__ = ["Execution", "Prediction", "Range", "Workload", "find_model", "predict"]

Execution = Literal["graph", "eager"]
Known = Literal["given", "the paper", "bounded by memory"]

# The paper's engine takes 1.8 to 2.4 times as long as the GPU needs to read the weights once; new
# engines come close to 1.2. A step whose time is not known lies between.
_FASTEST, _USUAL, _SLOWEST = 1.2, 1.8, 2.4


@dataclass(frozen=True, slots=True)
class Range:
    """A value and the bounds between which it lies."""

    value: float
    low: float
    high: float

    def over(self, change: Callable[[float], float]) -> Range:
        """Return the range of a monotone function of the value."""
        a, b = change(self.low), change(self.high)
        return Range(change(self.value), min(a, b), max(a, b))


@dataclass(frozen=True, slots=True)
class Workload:
    """A model and how it is run.

    Attributes:
        name: what to call it.
        layers: transformer layers.
        parameters: how many.
        bits: of one weight.
        execution: in CUDA graphs, or kernel by kernel.
        batch: how many texts are decoded together.
        step_ms: milliseconds of one step of decoding without a TEE; None if nobody measured it.
        first_token_ms: milliseconds until the first token without a TEE, likewise.
        launches_per_layer: kernels of one layer.
    """

    name: str
    layers: int
    parameters: float
    bits: int = 16
    execution: Execution = "graph"
    batch: int = 1
    step_ms: float | None = None
    first_token_ms: float | None = None
    launches_per_layer: int = LAUNCHES_PER_LAYER

    def __post_init__(self) -> None:
        """Raise Usage for what no model can be."""
        for name, value, most in (
            ("layers", self.layers, 10_000),
            ("parameters", self.parameters, 1e14),
            ("bits", self.bits, 64),
            ("batch", self.batch, 100_000),
            ("launches_per_layer", self.launches_per_layer, 10_000),
            ("step_ms", self.step_ms, 1e6),
            ("first_token_ms", self.first_token_ms, 1e7),
        ):
            if value is not None and not 0 < value <= most:
                raise Usage(
                    f"{name} is out of range",
                    code="workload_impossible",
                    expected=f"more than 0, at most {most:g}",
                    got=f"{value:g}",
                )

    @property
    def weights_gb(self) -> float:
        """What its weights take, in GB of 10⁹ bytes."""
        return self.parameters * self.bits / 8 / 1e9


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a TEE will cost; every range is of 90 % where it was fitted.

    Attributes:
        workload, platform: of what.
        step_off_ms: one step without a TEE, and ``step_known`` says from where.
        toll_ms: what a step takes longer.
        tokens_lost: (off - on) / off of tokens per second, percent.
        step_longer: (on - off) / off of a step's time, percent.
        first_token_toll_ms: what the first token takes longer; ``first_token_longer`` in percent,
            if its time without a TEE is known.
        load_s: seconds to copy the weights to the GPU, without and with a TEE, at copying speed.
        remarks: what this does not rest on a measurement of, and where it extrapolates.
    """

    workload: Workload
    platform: Platform
    step_off_ms: Range
    step_known: Known
    toll_ms: Range
    tokens_lost: Range
    step_longer: Range
    first_token_toll_ms: Range
    first_token_longer: Range | None
    load_s: tuple[float, float]
    remarks: tuple[str, ...]

    @property
    def tokens_per_second(self) -> tuple[float, float]:
        """Tokens per second of the whole batch, without and with a TEE."""
        off = self.step_off_ms.value
        batch = self.workload.batch
        return 1e3 * batch / off, 1e3 * batch / (off + self.toll_ms.value)


def find_model(name: str) -> Model | None:
    """Return a model of the paper by its name, in any case; None if it has none of this name."""
    wanted = name.casefold()
    return next((m for m in MODELS.values() if m.name.casefold() == wanted), None)


def predict(workload: Workload, platform: Platform) -> Prediction:
    """Return what a TEE on this machine will cost this workload.

    Raises:
        Usage: nothing tells what a step takes, or what a step in CUDA graphs pays on this machine.
    """
    step, known, remarks = _step(workload, platform)
    toll, why = _step_toll(workload, platform)
    first, hidden = _first_token(workload, platform)
    first_off = workload.first_token_ms
    load = (
        workload.weights_gb / platform.copies.off,
        workload.weights_gb / platform.copies.on,
    )
    return Prediction(
        workload=workload,
        platform=platform,
        step_off_ms=step,
        step_known=known,
        toll_ms=toll,
        tokens_lost=_percent(toll, step, _lost),
        step_longer=_percent(toll, step, _longer),
        first_token_toll_ms=first,
        first_token_longer=None
        if first_off is None
        else first.over(lambda ms: more_time(on=first_off + ms, off=first_off)),
        load_s=load,
        remarks=(*remarks, *beyond(workload, platform, step_ms=step.value), *why, *hidden),
    )


def _step(workload: Workload, platform: Platform) -> tuple[Range, Known, tuple[str, ...]]:
    if workload.step_ms is not None:
        return Range(*[workload.step_ms] * 3), "given", ()
    for row in ROWS:
        known = MODELS[row.model]
        same = (known.layers, known.parameters, known.bits, known.graphs) == (
            workload.layers, workload.parameters, workload.bits, workload.execution == "graph"
        )  # fmt: skip
        if same and workload.batch == 1 and platform.name.startswith(row.gpu.lower()):
            ms = 1e3 / row.tokens_per_second.off
            return Range(ms, ms, ms), "the paper", ()
    if platform.memory_gb_s is None:
        raise Usage(
            "nobody measured a step of this workload without a TEE: give its time",
            code="step_unknown",
            expected="milliseconds of one step",
        )
    least = 1e3 * workload.weights_gb / platform.memory_gb_s
    why = "no time of a step is known: it is put at 1.2 to 2.4 times what reading the weights takes"
    batch = "" if workload.batch == 1 else "; a batch makes steps longer, so it loses less"
    return (
        Range(least * _USUAL, least * _FASTEST, least * _SLOWEST),
        "bounded by memory",
        (f"{why}{batch}: measure one and give it",),
    )


def _first_token(workload: Workload, platform: Platform) -> tuple[Range, tuple[str, ...]]:
    """Return what the launches of a prefill cost; unpacking small weights may hide all of it."""
    found = _range(platform.launch, workload.layers * workload.launches_per_layer)
    if workload.bits >= 16:
        return found, ()
    return Range(found.value, 0.0, found.high), (
        "weights of fewer bits are unpacked first, which may hide the launches: the first token"
        " is later by anything up to this",
    )


def _step_toll(workload: Workload, platform: Platform) -> tuple[Range, tuple[str, ...]]:
    kernels = workload.layers * workload.launches_per_layer
    if workload.execution == "graph":
        if platform.graph_layer:
            return _range(platform.graph_layer, workload.layers), ()
        if platform.graph_kernel is None:
            raise Usage(
                "what a kernel in a CUDA graph pays on this machine is not known",
                code="toll_unknown",
                expected="probes that found it, or execution kernel by kernel",
            )
        return _range(platform.graph_kernel, kernels), ()
    if platform.eager_layer:
        return _range(platform.eager_layer, workload.layers), (
            "the toll without CUDA graphs is known from one slow model: a fast one may pay more",
        )
    whole = _range(platform.launch, kernels)
    return Range(whole.value, 0.0, whole.high), (
        "launches that the GPU need not wait for cost nothing: the toll lies between none and all",
    )


def _range(toll: Toll, times: float) -> Range:
    return Range(*(max(0.0, us) * times / 1e3 for us in (toll.us, toll.low, toll.high)))


def _percent(toll: Range, step: Range, of: Callable[[float, float], float]) -> Range:
    low, high = of(toll.low, step.high), of(toll.high, step.low)
    value = of(toll.value, step.value)
    # the paper's figures are no better known than this, and the tolls come from them
    return Range(
        value,
        value - ((value - low) ** 2 + NOISE_POINTS**2) ** 0.5,
        value + ((high - value) ** 2 + NOISE_POINTS**2) ** 0.5,
    )


def _lost(toll: float, step: float) -> float:
    return loss_of_throughput(on=1 / (step + toll), off=1 / step)


def _longer(toll: float, step: float) -> float:
    return more_time(on=step + toll, off=step)
