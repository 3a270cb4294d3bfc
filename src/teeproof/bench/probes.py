"""What probes found on one machine, and the tolls between two such findings.

A probe measures a crossing by itself: a launch, a wait, a copy, a kernel in a CUDA graph. One
finding with the TEE off and one with it on give the tolls of that machine; nothing else is fitted.

Trusts: whoever ran the probes.  Does not trust: a file's form.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import msgspec

from teeproof.bench.platforms import Copies, Platform
from teeproof.bench.tolls import Toll
from teeproof.core import strictjson
from teeproof.core.clock import parse_time
from teeproof.core.errors import Malformed, Usage

__all__ = [
    "MAX_FINDING_BYTES",
    "NO_GPU",
    "Copy",
    "Finding",
    "Timing",
    "Workmark",
    "calibrated",
    "parse_finding",
]

MAX_FINDING_BYTES = 1 << 16
NO_GPU = "cpu"
"""The device of a finding that was made without a GPU: it tells nothing of a crossing."""

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Timing(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A time in microseconds.

    Attributes:
        us: the median of all repeats.
        low, high: between these all repeats lie but the fastest and the slowest.
    """

    us: float
    low: float
    high: float

    def over(self, change: Callable[[float], float]) -> Timing:
        """Return a monotone function of the time and of its bounds."""
        a, b = change(self.low), change(self.high)
        return Timing(us=change(self.us), low=min(a, b), high=max(a, b))

    def beyond(self, less: Timing) -> Timing:
        """Return what this is more than another time; its bounds are the furthest apart."""
        return Timing(us=self.us - less.us, low=self.low - less.high, high=self.high - less.low)


class Copy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Copies of one size from host to GPU.

    Attributes:
        bytes: of one copy.
        pinned: whether the host's memory was pinned.
        time: of one copy.
    """

    bytes: int
    pinned: bool
    time: Timing

    @property
    def gb_per_s(self) -> Timing:
        """The speed in GB/s (10⁹ bytes), with its bounds."""
        return self.time.over(lambda us: self.bytes / us / 1e3)


class Workmark(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A decoder with random weights, one step at a time.

    Attributes:
        layers, width, batch: its shape.
        parameters: how many.
        eager: of one step, launched kernel by kernel.
        graph: the same step as a CUDA graph; None where there are none.
    """

    layers: int
    width: int
    batch: int
    parameters: int
    eager: Timing
    graph: Timing | None


class Finding(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the probes found on one machine.

    Attributes:
        type: always ``urn:teeproof:gpu-probes:v2``.
        tee: whether the machine was in its TEE, as whoever ran the probes said.
        taken: when, by that machine's clock, RFC 3339.
        device: the GPU's name as its driver gives it; ``NO_GPU`` where the probes ran without one.
        host: the CPU's name as the kernel gives it.
        driver: the version of CUDA that the library was built for.
        torch: the library's version.
        repeats: of each probe.
        launch: of one launch among many that are not waited for.
        wait: of one launch and the wait for it.
        graph_kernel: of one kernel in a CUDA graph; None where there are none.
        copies: from host to GPU.
        workmark: one workload.
    """

    type: Literal["urn:teeproof:gpu-probes:v2"] = "urn:teeproof:gpu-probes:v2"
    tee: bool
    taken: _Name
    device: _Name
    host: _Name
    driver: _Name
    torch: _Name
    repeats: int
    launch: Timing
    wait: Timing
    graph_kernel: Timing | None
    copies: Annotated[tuple[Copy, ...], msgspec.Meta(min_length=1, max_length=64)]
    workmark: Workmark

    @property
    def copied(self) -> Copy:
        """The largest copies; of pinned memory where there are any."""
        return max(self.copies, key=lambda copy: (copy.pinned, copy.bytes))

    def to_json(self) -> bytes:
        """Return the document that ``parse_finding`` reads."""
        return msgspec.json.format(msgspec.json.encode(self)) + b"\n"


def parse_finding(data: bytes, *, name: str) -> Finding:
    """Return what a file of ``teeproof bench gpu`` says.

    Raises:
        Malformed: it is no such file, or holds a figure that no machine has.
        TooLarge: more than ``MAX_FINDING_BYTES``.
    """
    value = strictjson.loads(data, limit=MAX_FINDING_BYTES, what=name)
    try:
        finding = msgspec.convert(value, Finding, strict=True)
        parse_time(finding.taken)
    except msgspec.ValidationError as error:
        raise _malformed(name, str(error)) from None
    except Usage:
        raise _malformed(name, f"taken at {finding.taken[:60]}") from None
    work = finding.workmark
    timings = [finding.launch, finding.wait, work.eager, *(c.time for c in finding.copies)]
    timings += [one for one in (finding.graph_kernel, work.graph) if one is not None]
    counts = [finding.repeats, work.layers, work.width, work.batch, work.parameters]
    counts += [copy.bytes for copy in finding.copies]
    if not all(0 < t.low <= t.us <= t.high < 1e12 for t in timings):
        raise _malformed(name, "a time that is not positive, or not within its bounds")
    if not all(0 < count < 1 << 53 for count in counts):
        raise _malformed(name, "a count that is not positive")
    return finding


def calibrated(off: Finding, on: Finding) -> Platform:
    """Return the machine that two findings describe.

    Raises:
        Usage: they are not one with the TEE off and one with it on, of the same kind of GPU.
    """
    if off.tee or not on.tee:
        raise Usage(
            "tolls need one finding without a TEE and one within: run the probes in both",
            code="probes_do_not_pair",
            expected="first tee: false, then tee: true",
            got=f"tee: {str(off.tee).lower()}, then tee: {str(on.tee).lower()}",
        )
    if NO_GPU in (off.device, on.device):
        raise Usage(
            "these probes ran on a CPU, where nothing crosses over to a GPU: run them on a GPU",
            code="probes_without_gpu",
            expected="the name of a GPU",
            got=NO_GPU,
        )
    if off.device != on.device:
        raise Usage(
            "the two findings are of different GPUs, so their difference is no toll",
            code="probes_do_not_pair",
            expected=off.device[:80],
            got=on.device[:80],
        )
    source = "your own probes"
    graph = None
    if on.graph_kernel is not None and off.graph_kernel is not None:
        graph = _toll(on.graph_kernel.beyond(off.graph_kernel), source)
    return Platform(
        name="probed", words=f"{on.device}, by your own probes", memory_gb_s=None,
        graph_layer=None, graph_kernel=graph, eager_layer=None,
        launch=_toll(on.launch.beyond(off.launch), source),
        copies=Copies(off.copied.gb_per_s.us, on.copied.gb_per_s.us, source),
    )  # fmt: skip


def _toll(more: Timing, source: str) -> Toll:
    return Toll(max(0.0, more.us), max(0.0, more.low), max(0.0, more.high), source)


def _malformed(name: str, got: str) -> Malformed:
    return Malformed(
        f"{name} is not a finding of probes: make one with teeproof bench gpu",
        code="probes_malformed",
        expected="urn:teeproof:gpu-probes:v2",
        got=got,
    )
