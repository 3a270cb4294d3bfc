"""``teeproof bench gpu``: probes of launch, wait and copy, and a decoder, on this machine's GPU."""

from __future__ import annotations

import json
from pathlib import Path

import click

from teeproof.bench.gpu import probe
from teeproof.bench.probes import Finding, Timing
from teeproof.cli.options import PATH, output_options
from teeproof.cli.screen import ColorChoice, Screen, standard
from teeproof.core.clock import wall_clock
from teeproof.core.writing import require_writable, write_file

__all__ = ["command"]


@click.command("gpu")
@click.option("--tee/--no-tee", "tee", required=True, help="Whether this machine is in its TEE.")
@click.option("--out", metavar="FILE", type=PATH, help="Keep the finding here.")
@click.option(
    "--device", type=click.Choice(["cuda", "cpu"]), default="cuda",
    help="cpu runs the probes without a GPU, which says nothing of a TEE.",
)  # fmt: skip
@output_options
def command(*, tee: bool, out: Path | None, device: str, as_json: bool, color: ColorChoice) -> int:
    """Run launch, copy and wait probes on this machine's GPU, and a small decoder.

    Run it once with the TEE off and once with it on: the two findings are what
    teeproof bench predict --probes, teeproof bench paper --probes and teeproof explorer
    --measurements take.

    \b
    Example
      teeproof bench gpu --no-tee --out off.json
    """  # noqa: D301  click reads the \b
    if out:
        require_writable(out, overwrite=False)
    found = probe(tee=tee, now=wall_clock(), device=device)
    if out:
        write_file(out, found.to_json(), overwrite=False)
    screen = standard(color)
    if as_json:
        screen.json(json.loads(found.to_json()))
    else:
        _write(screen, found, out)
    return 0


def _write(screen: Screen, found: Finding, out: Path | None) -> None:
    screen.sides(found.device, "in its TEE, as you said" if found.tee else "no TEE", "bold")
    rows = [
        ("launch", _us(found.launch) + ", not waited for"),
        ("launch and wait", _us(found.wait)),
    ]
    if found.graph_kernel is not None:
        rows.append(("kernel in a graph", _us(found.graph_kernel)))
    for copy in found.copies:
        kind = "pinned" if copy.pinned else "pageable"
        speed = copy.gb_per_s.us
        rows.append((f"copy {copy.bytes >> 10} KiB", f"{_us(copy.time)}, {speed:.2f} GB/s, {kind}"))
    work = found.workmark
    rows.append(("decoder step", f"{_ms(work.eager)} kernel by kernel"))
    if work.graph is not None:
        rows.append(("", f"{_ms(work.graph)} as a CUDA graph"))
    rows.append(
        ("of", f"{found.repeats} repeats the median, and all of them but the two outermost")
    )
    for label, text in rows:
        screen.row(label, text, column=18)
    if out:
        screen.copied("kept as", str(out))


def _us(time: Timing) -> str:
    return f"{time.us:.2f} µs ({time.low:.2f} to {time.high:.2f})"


def _ms(time: Timing) -> str:
    ms = time.over(lambda us: us / 1e3)
    return f"{ms.us:.2f} ms ({ms.low:.2f} to {ms.high:.2f})"
