"""``teeproof up``: bring the whole stack up on this machine, and start its parts one by one."""

from __future__ import annotations

from pathlib import Path

import click

from teeproof.cli.options import PATH, output_options, port_option
from teeproof.cli.screen import ColorChoice
from teeproof.core.errors import Usage
from teeproof.explorer.console.stage import NAMES

__all__ = ["command"]


@click.command("up")
@port_option
@click.option("--keep", metavar="DIR", type=PATH, help="Put everything into DIR.")
@click.option(
    "--through", metavar="PART", type=click.Choice(NAMES), help="Run PART and all that it needs."
)
@click.option("--all", "every", is_flag=True, help="Run every part.")
@output_options
def command(
    *,
    port: int,
    keep: Path | None,
    through: str | None,
    every: bool,
    as_json: bool,
    color: ColorChoice,
) -> int:
    """Bring up a chain, a log with witnesses, and pages; then start what you want to see.

    The parts are network, data, train, answer, agent, paid, proof, broken and withdraw. None runs
    until you start it: on the console's page, whose address is printed with its token, or with
    --through. Machines are simulated, all else is real. What the last one left in
    TEEPROOF_HOME/up is moved aside. --json prints addresses and parts once those that were asked
    for have ended. Ctrl-C or a SIGTERM ends it.

    \b
    Examples
      teeproof up
      teeproof up --through data --port 0
    """  # noqa: D301  click reads the \b
    if every and through:
        raise Usage(
            "--all runs every part, and --through those up to one: say one of them",
            code="through_or_all", got=f"--all --through {through}",
        )  # fmt: skip
    from teeproof.cli.story.up import run  # noqa: PLC0415  it needs much

    wanted = NAMES if every else (through,) if through else ()
    return run(keep=keep, port=port, wanted=wanted, as_json=as_json, color=color)
