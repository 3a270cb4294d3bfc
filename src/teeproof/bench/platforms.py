"""The machines that something is known of: GPU, TEE beside it, tolls and copies, with sources.

What nobody published stays None, and no prediction rests on it. Speeds of copies are from host to
GPU: in a TEE each byte is encrypted on its way, on Hopper by one core of the CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from teeproof.bench.paper import GPUS, GpuName
from teeproof.bench.tolls import Toll, eager_toll, launch_toll, layer_toll
from teeproof.core.errors import Usage

__all__ = ["NAMES", "Copies", "Platform", "find_platform"]

_EIGHT_B200 = "arXiv 2608.26575, eight B200 with TDX"
_TINFOIL = "Tinfoil's measurements of 2026-06-23"


@dataclass(frozen=True, slots=True)
class Copies:
    """Speeds of copies from host to GPU, in GB/s, without and with a TEE."""

    off: float
    on: float
    source: str


@dataclass(frozen=True, slots=True)
class Platform:
    """A machine.

    Attributes:
        name: what a person types.
        words: GPU and TEE.
        memory_gb_s: bandwidth of the GPU's memory, GB/s; None if nobody said.
        graph_layer: toll per layer and step in CUDA graphs; None if only ``graph_kernel`` is known.
        graph_kernel: toll per kernel in a CUDA graph.
        eager_layer: toll per layer and step without CUDA graphs; None if only ``launch`` is known.
        launch: toll of one launch.
        copies: of pinned memory.
    """

    name: str
    words: str
    memory_gb_s: float | None
    graph_layer: Toll | None
    graph_kernel: Toll | None
    eager_layer: Toll | None
    launch: Toll
    copies: Copies


def _hopper(name: str, words: str, gpu: GpuName) -> Platform:
    return Platform(
        name, words, GPUS[gpu].bandwidth_gb, layer_toll(gpu), None, eager_toll(gpu),
        launch_toll(gpu), Copies(55, 4, _TINFOIL),
    )  # fmt: skip


def _blackwell_b200() -> Platform:
    # A step of 181 kernels: 2,500 -> 2,589 µs as a graph, 2,644 -> 6,358 µs launched one by one;
    # a launch alone: 3.45 -> 15.7 µs. Copies: 9.4 to 9.6 GB/s from 16 MB on. One run, no repeats.
    kernel = (2589 - 2500) / 181
    return Platform(
        "b200-tdx", "B200 beside Intel TDX", 8000,
        None, Toll(kernel, kernel, kernel, _EIGHT_B200),
        None, Toll(15.7 - 3.45, 15.7 - 3.45, (6358 - 2644) / 181, _EIGHT_B200),
        Copies(55, 9.5, _EIGHT_B200),
    )  # fmt: skip


_MADE: dict[str, Callable[[], Platform]] = {
    "h100-snp": lambda: _hopper("h100-snp", "H100 NVL beside AMD SEV-SNP", "H100"),
    "h200-tdx": lambda: _hopper("h200-tdx", "H200 NVL beside Intel TDX", "H200"),
    "b200-tdx": _blackwell_b200,
}
NAMES = tuple(_MADE)
"""What a person can name."""


def find_platform(name: str) -> Platform:
    """Return a machine by its name.

    Raises:
        Usage: nothing is known of a machine of this name.
    """
    if name not in _MADE:
        raise Usage(
            "nothing is known of this machine: name another, or calibrate one with your own probes",
            code="platform_unknown",
            expected=", ".join(NAMES),
            got=name[:60],
        )
    return _MADE[name]()
