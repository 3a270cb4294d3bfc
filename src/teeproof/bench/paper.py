"""The tables of "Confidential Computing on NVIDIA Hopper GPUs", as data.

Source: arXiv 2409.03992, version 4 of 2024-11-06, tables 1 to 4. vLLM 0.5.4, lengths as in
ShareGPT; tokens per second at batch 1, requests per second at the largest batch that fits. The 70B
model was quantized to 4 bits by bitsandbytes, which cannot run in CUDA graphs.

The paper has no repeats and no intervals. Where it finds a TEE faster than none, that is noise: the
largest such figure, 0.39 %, bounds from below what its figures are uncertain by.

Its "ITL" is not the time between two tokens: times the tokens per second it gives 206 to 252
tokens, a whole answer. Here it is called the time of an answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "CELLS",
    "GPUS",
    "MODELS",
    "NOISE_POINTS",
    "PRINTED",
    "ROWS",
    "Cell",
    "Gpu",
    "Model",
    "Pair",
    "Row",
]

GpuName = Literal["H100", "H200"]
ModelName = Literal["Llama-3.1-8B", "Phi-3-14B", "Llama-3.1-70B"]
Length = Literal["all", "short", "medium", "long"]

NOISE_POINTS = 0.5  # no figure of the paper is better known than this, in percentage points


@dataclass(frozen=True, slots=True)
class Gpu:
    """A machine of the paper, table 1.

    Attributes:
        name: as the paper calls it.
        product: the GPU; ``memory_gb`` and ``bandwidth_gb`` (per second) are its own.
        tee: the TEE of the CPU beside it.
    """

    name: GpuName
    product: str
    memory_gb: int
    bandwidth_gb: int
    tee: str


@dataclass(frozen=True, slots=True)
class Model:
    """A model of the paper.

    Attributes:
        name: its name.
        layers: transformer layers, from the model's published configuration.
        parameters: how many.
        bits: of one weight, as it was run.
        graphs: whether the engine ran it in CUDA graphs.
        fused: whether its rotary embedding is one kernel; else its prefill launches several.
    """

    name: ModelName
    layers: int
    parameters: float
    bits: int
    graphs: bool
    fused: bool = True


@dataclass(frozen=True, slots=True)
class Pair:
    """One quantity, measured with the TEE on and off."""

    on: float
    off: float


@dataclass(frozen=True, slots=True)
class Row:
    """A row of tables 2 and 3.

    Attributes:
        gpu, model: which.
        tokens_per_second: at batch 1.
        requests_per_second: at the largest batch.
        first_token_s: seconds until the first token.
        answer_s: seconds of decoding a whole answer; the paper calls it "ITL".
    """

    gpu: GpuName
    model: ModelName
    tokens_per_second: Pair
    requests_per_second: Pair
    first_token_s: Pair
    answer_s: Pair


@dataclass(frozen=True, slots=True)
class Cell:
    """Tokens per second at batch 1 of one class of lengths: table 4, and table 2 for ``all``.

    A text is short up to 100 tokens of question and answer, medium up to 500, long up to 1,500.
    """

    gpu: GpuName
    model: ModelName
    length: Length
    tokens_per_second: Pair


GPUS: dict[GpuName, Gpu] = {
    "H100": Gpu("H100", "H100 NVL", 94, 3900, "AMD EPYC 9V84 with SEV-SNP"),
    "H200": Gpu("H200", "H200 NVL", 141, 4800, "Intel Xeon Platinum 8558 with TDX"),
}
MODELS: dict[ModelName, Model] = {
    "Llama-3.1-8B": Model("Llama-3.1-8B", 32, 8.03e9, 16, graphs=True),
    "Phi-3-14B": Model("Phi-3-14B", 40, 13.96e9, 16, graphs=True, fused=False),
    "Llama-3.1-70B": Model("Llama-3.1-70B", 80, 70.55e9, 4, graphs=False),
}


def _row(gpu: GpuName, model: ModelName, *pairs: tuple[float, float]) -> Row:
    return Row(gpu, model, *(Pair(on, off) for on, off in pairs))


# fmt: off
ROWS: tuple[Row, ...] = (
    _row("H100", "Llama-3.1-8B",
         (123.2985, 132.3618), (18.2141, 18.8208), (0.0288, 0.0242), (1.6743, 1.5549)),
    _row("H100", "Phi-3-14B",
         (66.5845, 69.7787), (7.1760, 7.3456), (0.0546, 0.0463), (3.7676, 3.5784)),
    _row("H100", "Llama-3.1-70B",
         (2.4822, 2.4789), (0.8325, 0.8295), (0.5108, 0.5129), (94.8714, 95.2395)),
    _row("H200", "Llama-3.1-8B",
         (121.0412, 132.7830), (29.5973, 32.0134), (0.0364, 0.0301), (1.7158, 1.5552)),
    _row("H200", "Phi-3-14B",
         (68.4287, 72.9825), (12.8294, 13.8558), (0.0524, 0.0417), (3.6975, 3.4599)),
    _row("H200", "Llama-3.1-70B",
         (4.0797, 4.1753), (2.1874, 2.2011), (0.4362, 0.4204), (57.3855, 55.9771)),
)
_TABLE_4: tuple[tuple[GpuName, ModelName, tuple[tuple[float, float], ...]], ...] = (
    ("H100", "Llama-3.1-8B", ((127.0310, 136.8282), (122.9356, 132.0464), (122.9705, 131.7333))),
    ("H100", "Phi-3-14B", ((70.9799, 74.7556), (66.1690, 69.3104), (66.2987, 69.4176))),
    ("H100", "Llama-3.1-70B", ((2.5983, 2.6073), (2.4413, 2.4374), (2.5245, 2.5168))),
    ("H200", "Llama-3.1-8B", ((124.1744, 136.2283), (120.4250, 132.2366), (121.3849, 132.9002))),
    ("H200", "Phi-3-14B", ((71.8940, 76.2754), (67.8290, 72.3372), (68.5863, 73.2384))),
    ("H200", "Llama-3.1-70B", ((4.2261, 4.3295), (4.0425, 4.1386), (4.0947, 4.1886))),
)
# fmt: on
_LENGTHS: tuple[Length, ...] = ("short", "medium", "long")

CELLS: tuple[Cell, ...] = tuple(
    cell
    for row, (gpu, model, classes) in zip(ROWS, _TABLE_4, strict=True)
    for cell in (
        Cell(gpu, model, "all", row.tokens_per_second),
        *(
            Cell(gpu, model, length, Pair(on, off))
            for length, (on, off) in zip(_LENGTHS, classes, strict=True)
        ),
    )
)
"""All cells of tokens per second, model by model."""

# fmt: off
PRINTED: dict[tuple[GpuName, ModelName], tuple[float, ...]] = {
    ("H100", "Llama-3.1-8B"): (6.85, 3.22, 19.03, 7.67, 7.16, 6.90, 6.65),
    ("H100", "Phi-3-14B"): (4.58, 2.31, 18.02, 5.29, 5.05, 4.53, 4.49),
    ("H100", "Llama-3.1-70B"): (-0.13, -0.36, -0.41, -0.39, 0.34, -0.16, -0.30),
    ("H200", "Llama-3.1-8B"): (8.84, 7.55, 20.95, 10.33, 8.85, 8.93, 8.66),
    ("H200", "Phi-3-14B"): (6.24, 7.41, 25.60, 6.87, 5.74, 6.23, 6.35),
    ("H200", "Llama-3.1-70B"): (2.29, 0.63, 3.75, 2.52, 2.39, 2.32, 2.24),
}
# fmt: on
"""The overheads as printed, percent: of tokens and requests per second (table 2), the first token
and a whole answer (table 3), then tokens per second of short, medium and long texts (table 4)."""
