"""``teeproof endorsements fetch``: ask the vendors for what evidence needs, and keep it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from teeproof.cli.endorsing import ARCHIVE
from teeproof.cli.incoming import on_disk
from teeproof.cli.options import PATH, output_options, paths_argument
from teeproof.cli.screen import ColorChoice, Screen, short, standard
from teeproof.core.clock import format_time, to_epoch, wall_clock
from teeproof.core.errors import Error
from teeproof.core.home import data_directory
from teeproof.evidence.fetch.services import load_services, with_options
from teeproof.evidence.files.bundles import Bundle, gather

__all__ = ["command"]


class _Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of evidence: what was got for it, or why not."""

    name: str
    got: tuple[Any, ...] = ()
    error: Error | None = None


@click.command("fetch")
@paths_argument
@click.option("--fresh", is_flag=True, help="Fetch also what the archive has in force.")
@click.option(
    "--update",
    type=click.Choice(["standard", "early"]),
    help="Of Intel's collateral: the standard edition, or the early one.",
)
@click.option(
    "--number",
    type=int,
    metavar="N",
    help="Of Intel's collateral: the edition with this evaluation number.",
)
@click.option(
    "--product",
    type=click.Choice(["Milan", "Genoa", "Turin"]),
    help="Of AMD's processor, for a report of version 2, which does not name it.",
)
@click.option(
    "--service",
    "services",
    metavar="NAME=URL",
    multiple=True,
    help="Ask another server: pcs, pcs-certificates, pccs, kds, rim or ocsp; may be repeated.",
)
@click.option(
    "--ca-file",
    type=PATH,
    metavar="FILE",
    help="PEM certificates that servers which are not the vendors' own must chain to.",
)
@click.option("--offline", is_flag=True, help="Ask nobody: say what is missing.")
@output_options
def command(
    files: Sequence[Path],
    *,
    fresh: bool,
    update: Any,
    number: int | None,
    product: Any,
    services: Sequence[str],
    ca_file: Path | None,
    offline: bool,
    as_json: bool,
    color: ColorChoice,
) -> int:
    """Fetch what evidence needs of its vendor, verify it, and keep it.

    FILE is evidence, as for verify. Asked are the vendors' own servers, or those in services.toml
    in your data directory; no address in the evidence is ever followed. What the archive has in
    force is not fetched again.

    \b
    Examples
      teeproof endorsements fetch quote.bin
      teeproof endorsements fetch evidence/ --service pccs=https://localhost:8081 --ca-file pccs.pem
    """  # noqa: D301  click reads the \b
    from teeproof.evidence.fetch.asking import Asking  # noqa: PLC0415  only who fetches pays for it
    from teeproof.evidence.fetch.intel import Edition  # noqa: PLC0415
    from teeproof.evidence.fetch.web import Web  # noqa: PLC0415

    configured = with_options(load_services(os.environ), services, ca_file=ca_file, offline=offline)
    asking = Asking(
        directory=data_directory(os.environ) / ARCHIVE,
        web=Web(configured, told=_tell),
        now=to_epoch(wall_clock()),
        fresh=fresh,
        product=product,
        edition=Edition(update=update, number=number) if update or number is not None else None,
    )
    with on_disk(files) as paths:
        bundles = gather(paths)
    outcomes = [_outcome(bundle, asking) for bundle in bundles]
    screen = standard(color)
    if as_json:
        screen.json([_json(outcome) for outcome in outcomes])
    else:
        for outcome in outcomes:
            _write(screen, outcome)
        if any(outcome.got for outcome in outcomes):
            screen.row("kept in", str(asking.directory))
    return next((each.error.exit_code for each in outcomes if each.error), 0)


def _outcome(bundle: Bundle, asking: Any) -> _Outcome:
    from teeproof.evidence.fetch.wanted import fetch_for  # noqa: PLC0415  as above

    got = []
    try:
        for each in fetch_for(bundle.evidence, asking):
            got.append(each)
    except Error as error:
        return _Outcome(name=bundle.name, got=tuple(got), error=error)
    return _Outcome(name=bundle.name, got=tuple(got))


def _tell(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()


def _write(screen: Screen, outcome: _Outcome) -> None:
    error = outcome.error
    mark = screen.paint("✗", "red", "bold") if error else screen.paint("✓", "green", "bold")
    screen.write(f"{mark} {screen.paint(outcome.name, 'bold')}")
    for got in outcome.got:
        where = "fetched" if got.source == "fetched" else "in archive"
        until = format_time(got.ends + 1)[:10]
        screen.row(where, f"{got.what}, in force until {until}, {short(got.id)}")
    if error:
        screen.row("error", error.detail, "red")
        for label, text in (("expected", error.expected), ("got", error.got)):
            if text:
                screen.row(label, text)


def _json(outcome: _Outcome) -> dict[str, Any]:
    error = outcome.error
    return {
        "name": outcome.name,
        "endorsements": [
            msgspec.to_builtins(got) | {"ends": format_time(got.ends)} for got in outcome.got
        ],
        "error": error.to_json() if error else None,
    }
