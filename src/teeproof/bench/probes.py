"""What probes found on one machine, and the tolls between two such findings.

A probe measures a crossing by itself: a launch, a wait, a copy, a kernel in a CUDA graph. One
finding with the TEE off and one with it on give the tolls of that machine; nothing else is fitted.

Trusts: whoever ran the probes.  Does not trust: a file's form.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from teeproof.bench.platforms import Copies, Platform
from teeproof.bench.tolls import Toll
from teeproof.core import strictjson
from teeproof.core.errors import Malformed, Usage

__all__ = ["MAX_FINDING_BYTES", "Copy", "Finding", "Workmark", "calibrated", "parse_finding"]

MAX_FINDING_BYTES = 1 << 16


class Copy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Copies of one size from host to GPU.

    Attributes:
        bytes: of one copy.
        pinned: whether the host's memory was pinned.
        us: of one copy, the median.
    """

    bytes: int
    pinned: bool
    us: float


class Workmark(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A decoder with random weights, one step at a time.

    Attributes:
        layers, width, batch: its shape.
        parameters: how many.
        eager_ms: of one step, launched kernel by kernel; the median.
        graph_ms: the same step as a CUDA graph; None where there are none.
    """

    layers: int
    width: int
    batch: int
    parameters: int
    eager_ms: float
    graph_ms: float | None


class Finding(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the probes found on one machine; times in microseconds, medians.

    Attributes:
        type: always ``urn:teeproof:gpu-probes:v1``.
        tee: whether the machine was in its TEE, as whoever ran the probes said.
        device: the GPU's name as its driver gives it.
        driver: the version of CUDA that the library was built for.
        launch_us: of one launch among many that are not waited for.
        wait_us: of one launch and the wait for it.
        graph_kernel_us: of one kernel in a CUDA graph; None where there are none.
        copies: from host to GPU.
        workmark: one workload.
    """

    type: Literal["urn:teeproof:gpu-probes:v1"] = "urn:teeproof:gpu-probes:v1"
    tee: bool
    device: str
    driver: str
    launch_us: float
    wait_us: float
    graph_kernel_us: float | None
    copies: tuple[Copy, ...]
    workmark: Workmark

    @property
    def gb_per_s(self) -> float:
        """Speed of the largest copies, GB/s; of pinned memory where there are any."""
        largest = max(self.copies, key=lambda copy: (copy.pinned, copy.bytes))
        return largest.bytes / largest.us / 1e3

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
    except msgspec.ValidationError as error:
        raise _malformed(name, str(error)) from None
    figures = [finding.launch_us, finding.wait_us, *(c.us for c in finding.copies)]
    figures += [finding.workmark.eager_ms, finding.workmark.graph_ms or 1.0]
    figures += [finding.graph_kernel_us or 1.0, *(float(c.bytes) for c in finding.copies)]
    if not all(0 < figure < 1e12 for figure in figures):
        raise _malformed(name, "a figure that is not positive")
    if not finding.copies:
        raise _malformed(name, "no copies")
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
    if off.device != on.device:
        raise Usage(
            "the two findings are of different GPUs, so their difference is no toll",
            code="probes_do_not_pair",
            expected=off.device[:80],
            got=on.device[:80],
        )
    source = "your own probes"
    launch = _toll(on.launch_us - off.launch_us, source)
    graph = None
    if on.graph_kernel_us is not None and off.graph_kernel_us is not None:
        graph = _toll(on.graph_kernel_us - off.graph_kernel_us, source)
    return Platform(
        name="probed", words=f"{on.device}, by your own probes", memory_gb_s=None,
        graph_layer=None, graph_kernel=graph, eager_layer=None, launch=launch,
        copies=Copies(off.gb_per_s, on.gb_per_s, source),
    )  # fmt: skip


def _toll(us: float, source: str) -> Toll:
    return Toll(max(0.0, us), max(0.0, us), max(0.0, us), source)


def _malformed(name: str, got: str) -> Malformed:
    return Malformed(
        f"{name} is not a finding of probes: make one with teeproof bench gpu",
        code="probes_malformed",
        expected="urn:teeproof:gpu-probes:v1",
        got=got,
    )
