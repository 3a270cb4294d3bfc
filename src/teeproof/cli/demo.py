"""``teeproof demo``: the whole lifecycle in one command. What ``make demo`` runs."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from teeproof.cli.options import PATH, output_options
from teeproof.cli.screen import ColorChoice

__all__ = ["command"]


@click.command("demo")
@click.option("--once", is_flag=True, help="End when the story is told; without it, stay up.")
@click.option("--short", is_flag=True, help="A proof and evidence only: seconds, base install.")
@click.option("--keep", metavar="DIR", type=PATH, help="Put everything into a new DIR.")
@output_options
def command(
    *, once: bool, short: bool, keep: Path | None, as_json: bool, color: ColorChoice
) -> int:
    """Run the whole lifecycle, for real: data, training, answers, an agent, money, proofs.

    Machines are simulated, all else is real: processes in sandboxes, keys, a log with witnesses, a
    chain. It takes some three minutes, most of them training. Nothing is sent anywhere. The files
    stay in TEEPROOF_HOME/demo until the next demo. --json prints what was told; only --once ends it
    then.

    \b
    Examples
      teeproof demo
      teeproof demo --once --json
      teeproof demo --short --keep demo
    """  # noqa: D301  click reads the \b
    if short:
        from teeproof.cli.demo_run import run as run_short  # noqa: PLC0415  it needs much

        return run_short(keep=keep, as_json=as_json, color=color)
    from teeproof.cli.story.running import run  # noqa: PLC0415  as above

    return run(keep=keep, once=once, as_json=as_json, color=color)


if __name__ == "__main__":
    from teeproof.cli import main

    sys.exit(main(["demo", *sys.argv[1:]]))
