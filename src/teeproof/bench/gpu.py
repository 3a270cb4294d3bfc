"""Run the probes and a small decoder on a GPU: about ten seconds, nothing is downloaded.

A launch is an addition to one number, so what is timed is the crossing and not the work. Medians
over repeats, with the bounds between which all lie but two; the first repeats warm up.

Trusts: the driver's clock of the host.  Does not trust: anything about a TEE.
"""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from teeproof.bench.probes import NO_GPU, Copy, Finding, Timing, Workmark
from teeproof.core.clock import format_time
from teeproof.core.errors import Unavailable

__all__ = ["probe"]

_SIZES = (1 << 12, 1 << 16, 1 << 20, 1 << 24, 1 << 26)
_LAUNCHES, _WAITS = 2000, 200
_KERNELS = 180  # about as many as a step of a small model
_REPEATS, _WARM = 15, 3


def probe(
    *, tee: bool, now: datetime, device: str = "cuda", layers: int = 24, width: int = 2048
) -> Finding:
    """Return what the probes find.

    Args:
        tee: whether this machine is in its TEE, for the record.
        now: the time, likewise.
        device: of torch; ``cpu`` runs the same probes where there is no GPU to cross over to, which
            says nothing about a TEE.
        layers: of the decoder, whose batch is 1.
        width: of the decoder.

    Raises:
        Unavailable: torch is not installed, or finds no such device.
    """
    torch = _torch(device)
    cuda = device != NO_GPU
    wait = torch.cuda.synchronize if cuda else _nothing
    one = torch.ones(1, device=device)
    graph = _graph(torch, lambda: _add(one, _KERNELS)) if cuda else None
    return Finding(
        tee=tee,
        taken=format_time(now),
        device=torch.cuda.get_device_name() if cuda else NO_GPU,
        host=_host(),
        driver=str(torch.version.cuda or "none"),
        torch=str(torch.__version__),
        repeats=_REPEATS,
        launch=_timed(lambda: _launches(one, wait), times=_LAUNCHES),
        wait=_timed(lambda: _waits(one, wait), times=_WAITS),
        graph_kernel=_timed(_and_wait(graph, wait), times=_KERNELS) if graph else None,
        copies=tuple(
            _copy(torch, size, pinned=pinned, device=device, wait=wait)
            for size in _SIZES
            for pinned in ((True, False) if cuda else (False,))
        ),
        workmark=_workmark(torch, device, wait, layers=layers, width=width),
    )


def _host() -> str:
    """Return the CPU's name as the kernel gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (names[0] if names else platform.machine())[:200] or "unknown"


def _torch(device: str) -> Any:
    try:
        import torch  # noqa: PLC0415  the extra "train"
    except ImportError:
        raise Unavailable(
            "the probes need torch: install teeproof[train]", code="torch_missing"
        ) from None
    if device != NO_GPU and not torch.cuda.is_available():
        raise Unavailable(
            "torch finds no GPU here: run the probes on a machine that has one, "
            "with a torch that was built for CUDA",
            code="gpu_missing",
            expected="a CUDA device",
            got=f"torch {torch.__version__}",
        )
    return torch


def _copy(torch: Any, size: int, *, pinned: bool, device: str, wait: Callable[[], None]) -> Copy:
    host = torch.empty(size, dtype=torch.uint8, pin_memory=pinned)
    there = torch.empty(size, dtype=torch.uint8, device=device)

    def once() -> None:
        there.copy_(host, non_blocking=pinned)
        wait()

    return Copy(bytes=size, pinned=pinned, time=_timed(once))


def _workmark(
    torch: Any, device: str, wait: Callable[[], None], *, layers: int, width: int
) -> Workmark:
    """Time one step of a decoder: projections, attention over 512 positions, two-layer MLP."""
    generator = torch.Generator(device="cpu").manual_seed(7)
    kind = torch.bfloat16 if device != NO_GPU else torch.float32
    heads = width // 64

    def weights(rows: int, columns: int) -> Any:
        made = torch.randn(rows, columns, generator=generator) * columns**-0.5
        return made.to(device=device, dtype=kind)

    stack = [
        (weights(3 * width, width), weights(width, width), weights(4 * width, width),
         weights(width, 4 * width), torch.zeros(2, 1, heads, 512, 64, device=device, dtype=kind))
        for _ in range(layers)
    ]  # fmt: skip
    state = torch.ones(1, width, device=device, dtype=kind)
    functional = torch.nn.functional

    def step() -> Any:
        x = state
        for joint, out, up, down, past in stack:
            q, k, v = (functional.rms_norm(x, (width,)) @ joint.T).view(3, 1, heads, 1, 64)
            past[0, :, :, 511:] = k
            past[1, :, :, 511:] = v
            seen = functional.scaled_dot_product_attention(q, past[0], past[1])
            x = x + seen.reshape(1, width) @ out.T
            x = x + functional.silu(functional.rms_norm(x, (width,)) @ up.T) @ down.T
        return x

    with torch.inference_mode():
        eager = _timed(_and_wait(step, wait))
        graph = _graph(torch, step) if device != NO_GPU else None
        replayed = _timed(_and_wait(graph, wait)) if graph else None
    return Workmark(
        layers=layers, width=width, batch=1,
        parameters=sum(w.numel() for layer in stack for w in layer[:4]),
        eager=eager, graph=replayed,
    )  # fmt: skip


def _graph(torch: Any, work: Callable[[], Any]) -> Callable[[], None]:
    """Return a function that replays the work as one CUDA graph."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # CUDA asks for a warm-up beside the stream that is captured
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    replay: Callable[[], None] = graph.replay
    return replay


def _launches(one: Any, wait: Callable[[], None]) -> None:
    _add(one, _LAUNCHES)
    wait()


def _waits(one: Any, wait: Callable[[], None]) -> None:
    for _ in range(_WAITS):
        one.add_(1)
        wait()


def _add(one: Any, times: int) -> None:
    for _ in range(times):
        one.add_(1)


def _and_wait(work: Callable[[], Any], wait: Callable[[], None]) -> Callable[[], None]:
    def both() -> None:
        work()
        wait()

    return both


def _timed(work: Callable[[], None], *, times: int = 1) -> Timing:
    """Return how long a call takes, or one of so many that it makes."""
    found = []
    for repeat in range(_WARM + _REPEATS):
        begun = time.perf_counter_ns()
        work()
        if repeat >= _WARM:
            found.append((time.perf_counter_ns() - begun) / 1e3 / times)
    found.sort()
    return Timing(us=statistics.median(found), low=found[1], high=found[-2])


def _nothing() -> None:
    """Wait for a device that works while one asks: there is nothing to wait for."""
