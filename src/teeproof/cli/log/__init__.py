"""``teeproof log``: keep, serve, fill and check a log; the group, each command in its own file."""

from __future__ import annotations

import click

from teeproof.cli.lazy import LazyGroup

__all__ = ["COMMANDS", "command"]

COMMANDS = {
    "init": "Make a log.",
    "serve": "Serve a log over HTTP, and have it witnessed.",
    "show": "Show a log: its key, its sizes, who cosigned it.",
    "append": "Append statements, receipts, identities; whole proof files.",
    "publish": "Publish a log that nobody serves.",
    "prove": "Write the proof that a statement is in a log.",
    "export": "Write a proof file of statements in a log.",
    "check": "Walk a whole log: every tile, entry and signature.",
    "witness": "Cosign other people's logs, as far as they only grow.",
    "monitor": "Follow a log; prove it where it contradicts itself.",
}


@click.group("log", cls=LazyGroup, lines=COMMANDS, prefix="log.")
def command() -> None:
    """Keep a log: append-only, public, and witnessed, so that nobody can deny what was said when.

    \b
    Examples
      teeproof log init my-log --origin log.example/main --logs-out trusted-logs
      teeproof log serve my-log
      teeproof log check https://log.example/main --logs trusted-logs
    """  # noqa: D301  click reads the \b
