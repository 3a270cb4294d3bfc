"""``teeproof bench predict``: what a TEE will cost a model, with an interval."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from teeproof.bench.paper import Model
from teeproof.bench.platforms import NAMES, Platform, find_platform
from teeproof.bench.predict import Prediction, Range, Workload, find_model, predict
from teeproof.bench.probes import MAX_FINDING_BYTES, Finding, calibrated, parse_finding
from teeproof.bench.tolls import LAUNCHES_PER_LAYER, launches_of
from teeproof.cli.options import PATH, output_options
from teeproof.cli.screen import ColorChoice, Screen, standard
from teeproof.core.errors import Usage
from teeproof.core.reading import read_bounded

__all__ = ["command", "read_finding"]

_COLUMN = 22


@click.command("predict")
@click.argument("model", metavar="[MODEL]", required=False)
@click.option("--on", "platform", metavar="MACHINE", help=f"Where: {', '.join(NAMES)}.")
@click.option(
    "--probes", metavar="OFF ON", nargs=2, type=PATH,
    help="Two findings of teeproof bench gpu, without and with the TEE, instead of --on.",
)  # fmt: skip
@click.option("--layers", type=int, help="Transformer layers.")
@click.option("--parameters", type=float, help="How many, such as 8e9.")
@click.option("--bits", type=int, help="Bits of one weight. Default: 16.")
@click.option("--eager", is_flag=True, help="The engine launches each kernel; no CUDA graphs.")
@click.option("--batch", type=int, default=1, help="Texts decoded together. Default: 1.")
@click.option("--step-ms", type=float, help="Time of one decoding step without a TEE, measured.")
@click.option("--first-token-ms", type=float, help="Time to the first token without a TEE.")
@click.option(
    "--launches", type=int,
    help=f"Kernels of one layer. Default: the model's, else {LAUNCHES_PER_LAYER}.",
)  # fmt: skip
@output_options
def command(
    model: str | None, *, platform: str | None, probes: tuple[Path, Path] | None, as_json: bool,
    color: ColorChoice, **shape: Any,
) -> int:  # fmt: skip
    """Predict what a TEE will cost a model: tokens, first token, loading.

    MODEL is llama-3.1-8b, phi-3-14b or llama-3.1-70b; of any other, give --layers and
    --parameters. With --step-ms the prediction rests on your own measurement.

    \b
    Examples
      teeproof bench predict llama-3.1-8b --on h200-tdx
      teeproof bench predict --layers 64 --parameters 32e9 --step-ms 21 --on h100-snp
    """  # noqa: D301  click reads the \b
    found = predict(_workload(model, shape), _machine(platform, probes))
    screen = standard(color)
    if as_json:
        screen.json(_json(found))
    else:
        _write(screen, found)
    return 0


def read_finding(path: Path) -> Finding:
    """Return the finding in a file; raises what ``parse_finding`` raises."""
    data = read_bounded(path, limit=MAX_FINDING_BYTES, what="finding of probes")
    return parse_finding(data, name=path.name)


def _machine(name: str | None, probes: tuple[Path, Path] | None) -> Platform:
    if (name is None) == (probes is None):
        raise Usage(
            "name one machine: --on MACHINE, or --probes OFF ON",
            code="platform_missing",
            expected=", ".join(NAMES),
        )
    if probes:
        return calibrated(*(read_finding(path) for path in probes))
    assert name is not None
    return find_platform(name)


def _workload(name: str | None, shape: dict[str, Any]) -> Workload:
    known = find_model(name) if name else None
    if name and known is None and not (shape["layers"] and shape["parameters"]):
        raise Usage(
            "the shape of this model is not known: give --layers and --parameters",
            code="model_unknown",
            expected="llama-3.1-8b, phi-3-14b, llama-3.1-70b, or a shape",
            got=name[:80],
        )
    layers = shape["layers"] or (known and known.layers)
    parameters = shape["parameters"] or (known and known.parameters)
    if not layers or not parameters:
        raise Usage("name a model, or give --layers and --parameters", code="model_missing")
    bits = shape["bits"] or (known.bits if known else 16)
    return Workload(
        name=known.name if known else name or "a model",
        layers=layers, parameters=parameters, bits=bits,
        execution="eager" if shape["eager"] or (known and not known.graphs) else "graph",
        batch=shape["batch"], step_ms=shape["step_ms"], first_token_ms=shape["first_token_ms"],
        launches_per_layer=_launches(shape["launches"], known),
    )  # fmt: skip


def _launches(given: int | None, known: Model | None) -> int:
    if given is not None:
        return given
    return LAUNCHES_PER_LAYER if known is None else launches_of(known)


def _write(screen: Screen, found: Prediction) -> None:
    work = found.workload
    how = "in CUDA graphs" if work.execution == "graph" else "kernel by kernel"
    screen.sides(work.name, found.platform.words, "bold")
    screen.text(f"{work.layers} layers, {work.parameters / 1e9:g} billion parameters of"
                f" {work.bits} bits, batch {work.batch}, {how}", "dim")  # fmt: skip
    screen.write()
    known = {"given": "as given", "the paper": "the paper's", "bounded by memory": "estimated"}
    _row(screen, "step, no TEE", _range(found.step_off_ms, "ms"), known[found.step_known])
    _row(screen, "toll per step", _range(found.toll_ms, "ms"), "longer with the TEE")
    off, on = found.tokens_per_second
    _row(screen, "tokens per second", f"{off:.1f} -> {on:.1f}", "no TEE -> TEE")
    _row(screen, "loss of throughput", _range(found.tokens_lost, "%"), "(off - on) / off")
    _row(screen, "more time per step", _range(found.step_longer, "%"), "(on - off) / off")
    _row(screen, "first token", "+" + _range(found.first_token_toll_ms, "ms"),
         "every kernel of the prefill is launched")  # fmt: skip
    if found.first_token_longer:
        _row(screen, "", "+" + _range(found.first_token_longer, "%"), "(on - off) / off")
    before, after = found.load_s
    _row(screen, "load the weights", f"{before:.2g} s -> {after:.2g} s",
         f"{work.weights_gb:.3g} GB at {found.platform.copies.off:g} -> "
         f"{found.platform.copies.on:g} GB/s")  # fmt: skip
    screen.write()
    for remark in found.remarks:
        screen.row("note", remark, "yellow")
    screen.row("tolls from", "; ".join(_sources(found)))


def _row(screen: Screen, label: str, text: str, meaning: str) -> None:
    screen.row(label, f"{text.ljust(24)} {meaning}", column=_COLUMN)


def _range(value: Range, unit: str) -> str:
    if value.low == value.high:
        return f"{value.value:.2f} {unit}"
    low, value_, high = (round(v, 2) + 0.0 for v in (value.low, value.value, value.high))
    return f"{value_:.2f} {unit} ({low:.2f} to {high:.2f})"


def _sources(found: Prediction) -> list[str]:
    where = found.platform
    eager = found.workload.execution == "eager"
    step = (where.eager_layer if eager else where.graph_layer or where.graph_kernel) or where.launch
    return list(dict.fromkeys([step.source, where.launch.source, where.copies.source]))


def _json(found: Prediction) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.to_builtins(found)
    off, on = found.tokens_per_second
    return body | {"tokens_per_second": {"off": off, "on": on}, "sources": _sources(found)}
