"""``teeproof evidence``: what this machine says of itself."""

from __future__ import annotations

import click

from teeproof.cli.lazy import LazyGroup

__all__ = ["COMMANDS", "command"]

COMMANDS = {
    "collect": "Ask this machine's attester for fresh evidence.",
}


@click.command("evidence", cls=LazyGroup, lines=COMMANDS, prefix="evidence_")
def command() -> None:
    """Ask this machine for evidence of itself.

    teeproof doctor says which attesters it has.

    \b
    Examples
      teeproof evidence collect
      teeproof evidence collect --attester tsm --report-data HEX
    """  # noqa: D301  click reads the \b
