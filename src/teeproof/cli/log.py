"""``teeproof log``: keep, serve, fill and check a log; the group, each command in its own file.

The lines stand here, and not only in the commands' modules, so that ``teeproof log --help`` imports
none of them.
"""

from __future__ import annotations

from importlib import import_module

import click

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


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return _load(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group("log", cls=_Lazy)
def command() -> None:
    """Keep a log: append-only, public, and witnessed, so that nobody can deny what was said when.

    \b
    Examples
      teeproof log init my-log --origin log.example/main --logs-out trusted-logs
      teeproof log serve my-log
      teeproof log check https://log.example/main --logs trusted-logs
    """  # noqa: D301  click reads the \b


def _load(name: str) -> click.Command | None:
    """Import a command when it is called for: each costs only what it needs."""
    if name not in COMMANDS:
        return None
    found: click.Command = import_module(f"teeproof.cli.log_{name}").command
    return found
