"""``teeproof network``: what a stranger can check of a market that lets machines."""

from __future__ import annotations

import click

from teeproof.cli.lazy import LazyGroup

__all__ = ["COMMANDS", "command"]

COMMANDS = {
    "audit": "Make each decision of a market again, and replay all that it said.",
}


@click.group("network", cls=LazyGroup, lines=COMMANDS, prefix="network.")
def command() -> None:
    """Check a market that lets machines, from what it said in its log.

    \b
    Examples
      teeproof network audit log/ --policy mine.toml --logs trusted-logs
    """  # noqa: D301  click reads the \b
