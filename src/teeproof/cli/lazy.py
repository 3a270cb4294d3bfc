"""A group of commands that imports a command when it is called for: each costs what it needs.

The names and lines of the commands stand in the group's own module, so that ``--help`` imports none
of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

__all__ = ["LazyGroup"]


class LazyGroup(click.Group):
    """A group over modules, each of which has a ``command``.

    Args:
        lines: one line for each command, in reading order.
        prefix: the folder of the commands in ``teeproof.cli``, with a dot behind it.
        options: click's own.
    """

    def __init__(self, *, lines: Mapping[str, str], prefix: str = "", **options: Any) -> None:
        super().__init__(**options)
        self._lines = lines
        self._prefix = prefix

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in reading order."""
        return list(self._lines)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None if there is none of this name."""
        if cmd_name not in self._lines:
            return None
        found: click.Command = import_module(f"teeproof.cli.{self._prefix}{cmd_name}").command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands with their lines."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._lines.items()))
