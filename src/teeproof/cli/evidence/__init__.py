"""``teeproof evidence``: ask for it, and pass on what came of it; each command in its own file."""

from __future__ import annotations

import click

from teeproof.cli.lazy import LazyGroup

__all__ = ["COMMANDS", "command"]

COMMANDS = {
    "collect": "Ask this machine's attester for fresh evidence.",
    "serve": "Verify evidence that comes over HTTP.",
    "read": "Check a verdict that another verifier signed (EAR or VSA).",
}


@click.command("evidence", cls=LazyGroup, lines=COMMANDS, prefix="evidence.")
def command() -> None:
    """Ask this machine for evidence of itself; serve verdicts; read those that others signed.

    teeproof doctor says which attesters this machine has.

    \b
    Examples
      teeproof evidence collect
      teeproof evidence collect --attester tsm --report-data HEX
      teeproof evidence serve --key verdict.key
      teeproof evidence read result.jwt --key verdict.pub
    """  # noqa: D301  click reads the \b
