"""Own measurements beside what was published of such a machine and what the model says.

A toll is the difference of two findings, one without the TEE and one within. Where the published
number is another quantity (a toll per layer is no toll per kernel), nothing stands beside it.

Trusts: whoever ran the probes.  Does not trust: a finding without a GPU; it is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from teeproof.bench.compare import compare_own
from teeproof.bench.platforms import Platform, find_platform
from teeproof.bench.probes import NO_GPU, Finding, Timing
from teeproof.bench.tolls import Toll
from teeproof.core.clock import parse_time
from teeproof.core.errors import Usage

__all__ = ["Measured", "Pair", "pairs", "require_gpu"]

_PUBLISHED = {"H100": "h100-snp", "H200": "h200-tdx", "B200": "b200-tdx"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One quantity of a pair of findings.

    Attributes:
        quantity: its name.
        unit: ``µs``, ``GB/s`` or ``%``.
        published: of such a machine, as printed or as fitted to what was; None if it was not.
        source: of that; empty without.
        model: what the model says, fed with this pair's own tolls; None where it says nothing.
        own: as measured here, between its bounds.
    """

    quantity: str
    unit: Literal["µs", "GB/s", "%"]
    published: float | None
    source: str
    model: float | None
    own: Timing


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A finding without the TEE, one within, and what they say together.

    Attributes:
        off, on: the findings.
        published: GPU and TEE of which something was published; None if nothing of such a GPU was.
        rows: what they say.
    """

    off: Finding
    on: Finding
    published: str | None
    rows: tuple[Measured, ...]


def require_gpu(finding: Finding, *, name: str) -> Finding:
    """Return a finding that was made on a GPU; Usage (``probes_without_gpu``) for any other."""
    if finding.device == NO_GPU:
        raise Usage(
            f"{name} was measured on a CPU, where nothing crosses over to a GPU: it is no"
            " measurement of a TEE's cost; run teeproof bench gpu on a GPU",
            code="probes_without_gpu", expected="the name of a GPU", got=NO_GPU,
        )  # fmt: skip
    return finding


def pairs(findings: Iterable[Finding]) -> tuple[Pair, ...]:
    """Return the latest finding without a TEE beside the latest within, for each kind of GPU."""
    latest: dict[tuple[str, bool], Finding] = {}
    for one in sorted(findings, key=lambda one: parse_time(one.taken)):
        latest[one.device, one.tee] = one
    devices = dict.fromkeys(device for device, _ in latest)
    both = ((latest.get((name, False)), latest.get((name, True))) for name in devices)
    return tuple(_pair(off, on) for off, on in both if off is not None and on is not None)


def _pair(off: Finding, on: Finding) -> Pair:
    known = next((find_platform(to) for part, to in _PUBLISHED.items() if part in on.device), None)
    return Pair(
        off=off, on=on, published=None if known is None else known.words,
        rows=(*_tolls(off, on, known), *_steps(off, on)),
    )  # fmt: skip


def _tolls(off: Finding, on: Finding, known: Platform | None) -> list[Measured]:
    launch = known.launch if known else None
    kernel = known.graph_kernel if known else None
    rows = [
        _toll("toll of a launch", launch, on.launch.beyond(off.launch)),
        _toll("toll of a launch that is waited for", None, on.wait.beyond(off.wait)),
    ]
    if on.graph_kernel is not None and off.graph_kernel is not None:
        more = on.graph_kernel.beyond(off.graph_kernel)
        rows.append(_toll("toll of a kernel in a CUDA graph", kernel, more))
    for finding, where in ((off, "off"), (on, "on")):
        kind = "pinned" if finding.copied.pinned else "pageable"
        rows.append(Measured(
            quantity=f"copies of {kind} memory, TEE {where}", unit="GB/s",
            published=None if known is None else getattr(known.copies, where),
            source="" if known is None else known.copies.source,
            model=None, own=finding.copied.gb_per_s,
        ))  # fmt: skip
    return rows


def _toll(quantity: str, known: Toll | None, own: Timing) -> Measured:
    return Measured(
        quantity=quantity, unit="µs", published=None if known is None else known.us,
        source="" if known is None else known.source, model=None, own=own,
    )  # fmt: skip


def _steps(off: Finding, on: Finding) -> list[Measured]:
    """Return what a decoder's step takes longer, in percent of its time without a TEE."""
    rows = []
    for row in compare_own(off, on):
        low, high = row.bounds or (row.overhead, row.overhead)
        rows.append(Measured(
            quantity=f"decoder {row.quantity}: longer by", unit="%", published=None, source="",
            model=row.predicted, own=Timing(us=row.overhead, low=low, high=high),
        ))  # fmt: skip
    return rows
