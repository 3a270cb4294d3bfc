"""``teeproof bench gpu``: probes of launch, wait and copy, and a decoder, on this machine's GPU."""

from __future__ import annotations

import json
from pathlib import Path

import click

from teeproof.bench.gpu import probe
from teeproof.bench.probes import Finding
from teeproof.cli.options import PATH, output_options
from teeproof.cli.screen import ColorChoice, Screen, standard
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
    teeproof bench predict --probes and teeproof bench paper --probes take.

    \b
    Example
      teeproof bench gpu --no-tee --out off.json
    """  # noqa: D301  click reads the \b
    if out:
        require_writable(out, overwrite=False)
    found = probe(tee=tee, device=device)
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
    screen.row("launch", f"{found.launch_us:.2f} µs, not waited for", column=18)
    screen.row("launch and wait", f"{found.wait_us:.2f} µs", column=18)
    if found.graph_kernel_us is not None:
        screen.row("kernel in a graph", f"{found.graph_kernel_us:.2f} µs", column=18)
    for copy in found.copies:
        kind = "pinned" if copy.pinned else "pageable"
        speed = copy.bytes / copy.us / 1e3
        screen.row(
            f"copy {copy.bytes >> 10} KiB", f"{copy.us:.1f} µs, {speed:.2f} GB/s, {kind}", column=18
        )
    work = found.workmark
    graph = "" if work.graph_ms is None else f", {work.graph_ms:.2f} ms as a CUDA graph"
    screen.row("decoder step", f"{work.eager_ms:.2f} ms kernel by kernel{graph}", column=18)
    if out:
        screen.copied("kept as", str(out))
