"""``teeproof data``: contribute to a pool, see what came of it, take it back."""

from __future__ import annotations

import click

from teeproof.cli.lazy import LazyGroup

__all__ = ["COMMANDS", "command"]

COMMANDS = {
    "contribute": "Seal a file on this machine, and send it to a pool.",
    "withdraw": "Take a contribution back: its key is erased.",
}


@click.group("data", cls=LazyGroup, lines=COMMANDS, prefix="data.")
def command() -> None:
    """Contribute data that only attested code opens, and that earns what it is worth.

    \b
    Examples
      teeproof data contribute orders.jsonl
      teeproof data withdraw 3f2a9c1b…
    """  # noqa: D301  click reads the \b
