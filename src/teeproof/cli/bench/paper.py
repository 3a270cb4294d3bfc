"""``teeproof bench paper``: the published tables, the model and own probes side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from teeproof.bench.compare import Compared, compare, compare_own, error_of
from teeproof.cli.bench.predict import read_finding
from teeproof.cli.options import PATH, output_options
from teeproof.cli.screen import ColorChoice, Screen, standard
from teeproof.explorer.report.claims import Claim, claims

__all__ = ["command"]

_WIDTHS = (28, 11, 11, 9, 9, 7)


@click.command("paper")
@click.option(
    "--probes", metavar="OFF ON", nargs=2, type=PATH,
    help="Two findings of teeproof bench gpu, without and with the TEE.",
)  # fmt: skip
@output_options
def command(*, probes: tuple[Path, Path] | None, as_json: bool, color: ColorChoice) -> int:
    """Show the tables of arXiv 2409.03992 beside the model and your own probes.

    Every quantity has its right name: a rate's overhead is a loss, (off - on) / off; a time's is
    more time, (on - off) / off. What the paper calls ITL is the time of a whole answer.

    \b
    Example
      teeproof bench paper
    """  # noqa: D301  click reads the \b
    rows = compare()
    own = compare_own(*(read_finding(path) for path in probes)) if probes else ()
    screen = standard(color)
    if as_json:
        screen.json(_json(rows, own))
        return 0
    for gpu, model in dict.fromkeys((row.gpu, row.model) for row in rows):
        _write(screen, f"{model} on {gpu}", [r for r in rows if (r.gpu, r.model) == (gpu, model)])
    screen.write()
    screen.text("measured and model: of a rate the loss, (off - on) / off; of a time what it takes"
                " more, (on - off) / off", "dim", indent=2)  # fmt: skip
    screen.text("tokens per second (TPS) are of one text at a time, requests per second (QPS) of"
                " the largest batch; first token is TTFT; answer is what the paper calls ITL, and"
                " is no time between two tokens", "dim", indent=2)  # fmt: skip
    for label, some in _groups(rows).items():
        screen.row(label, f"error {error_of(some):.2f} points (root mean square)", column=32)
    screen.title("The report's sentences on these tables")
    for claim in _claims():
        screen.row("", claim.claim, "bold", column=0)
        screen.row("", claim.sentence, column=0, indent=6)
    screen.write()
    if own:
        _write(screen, f"a decoder on {own[0].gpu}, by your probes", own)
    else:
        screen.row("your own GPU", "not measured: see teeproof bench gpu", "dim", column=32)
    return 0


def _claims() -> tuple[Claim, ...]:
    """Return the claims of the report that these tables answer."""
    return tuple(c for c in claims() if c.figure and c.command == "teeproof bench paper")


def _write(screen: Screen, title: str, rows: Any) -> None:
    screen.title(title)
    head = ("", "TEE", "no TEE", "measured", "model", "error")
    screen.write("  " + screen.paint(_line(head), "dim"))
    for row in rows:
        screen.write("  " + screen.paint(_line(_cells(row))))


def _line(cells: Any) -> str:
    first, *rest = (
        f"{c:>{w}}" if i else c.ljust(w)
        for i, (c, w) in enumerate(zip(cells, _WIDTHS, strict=True))
    )
    return first + "".join(rest)


def _cells(row: Compared) -> tuple[str, ...]:
    unit = "" if row.unit == "1/s" else " " + row.unit
    error = "" if row.error is None else f"{row.error:+.2f}"
    return (
        row.quantity, f"{row.on:.4g}{unit}", f"{row.off:.4g}{unit}", f"{row.overhead:+.2f} %",
        "-" if row.predicted is None else f"{row.predicted:+.2f} %", error,
    )  # fmt: skip


def _groups(rows: tuple[Compared, ...]) -> dict[str, list[Compared]]:
    tokens = [row for row in rows if row.quantity.startswith("tokens")]
    slow = "Llama-3.1-70B"
    return {
        "tokens, 8B and 14B": [row for row in tokens if row.model != slow],
        "tokens, 70B": [row for row in tokens if row.model == slow],
        "requests, 8B and 14B": [
            row for row in rows if row.quantity.startswith("requests") and row.model != slow
        ],
    }


def _json(rows: tuple[Compared, ...], own: tuple[Compared, ...]) -> dict[str, Any]:
    errors = {label: error_of(some) for label, some in _groups(rows).items()}
    return {
        "source": "arXiv 2409.03992v4",
        "rows": [_row(row) for row in rows],
        "root_mean_square_error": errors,
        "own": [_row(row) for row in own],
    }


def _row(row: Compared) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.to_builtins(row)
    return body | {"error": row.error}
