"""``teeproof demo``: see it all in a few seconds. What ``make demo`` runs."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from teeproof.cli.options import PATH, output_options
from teeproof.cli.screen import ColorChoice

__all__ = ["command"]


@click.command("demo")
@click.option("--keep", metavar="DIR", type=PATH, help="Keep the proof and its log in a new DIR.")
@output_options
def command(*, keep: Path | None, as_json: bool, color: ColorChoice) -> int:
    """See it all in a few seconds: a proof, real evidence, refusals, simulated evidence.

    Real evidence is verified if some is on this machine (teeproof samples). Nothing is left behind
    without --keep, and nothing is sent anywhere.

    \b
    Examples
      teeproof demo
      teeproof demo --keep demo
    """  # noqa: D301  click reads the \b
    from teeproof.cli.demo_run import run  # noqa: PLC0415  it needs nearly everything

    return run(keep=keep, as_json=as_json, color=color)


if __name__ == "__main__":
    from teeproof.cli import main

    sys.exit(main(["demo", *sys.argv[1:]]))
