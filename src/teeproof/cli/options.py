"""Options that several commands share, and what they mean."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from teeproof.core.clock import parse_time, wall_clock
from teeproof.core.errors import Usage

__all__ = [
    "PATH",
    "Nouns",
    "at_option",
    "output_options",
    "paths_argument",
    "policy_option",
    "port_option",
    "time_of",
    "trust_options",
]

_Function = TypeVar("_Function", bound=Callable[..., Any])


class _Name(click.Path):
    """The name of a file or directory; an empty one would mean the current directory."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("the name is empty: name a file or directory", param, ctx)
        return super().convert(value, param, ctx)


PATH = _Name(path_type=Path)
"""The type of every argument and option that names a file or directory."""


class Nouns(click.Group):
    """A group that lists its commands in reading order."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands as they were defined."""
        return list(self.commands)


def output_options(function: _Function) -> _Function:
    """Add ``--json`` and ``--color``."""
    color = click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        help="Colours; auto: on a terminal, unless NO_COLOR is set.",
    )
    as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    return as_json(color(function))


def at_option(meaning: str) -> Callable[[_Function], _Function]:
    """Add ``--at``, with what it means to the command."""
    return click.option("--at", metavar="TIME", help=meaning)


def policy_option(function: _Function) -> _Function:
    """Add ``--policy`` and ``--set``."""
    policy = click.option(
        "--policy",
        metavar="NAME|FILE",
        help="What you expect: a built-in policy or a TOML file. Default: standard, or sgx.",
    )
    changes = click.option(
        "--set",
        "changes",
        metavar="FIELD=VALUE",
        multiple=True,
        help="Expect something more, such as --set mrtd=HEX; may be repeated.",
    )
    return policy(changes(function))


def trust_options(function: _Function) -> _Function:
    """Add ``--policy`` and ``--logs``: whom a reader of statements trusts."""
    policy = click.option(
        "--policy",
        metavar="NAME|FILE",
        help="What you expect of every machine: a built-in policy or a TOML file.",
    )
    logs = click.option(
        "--logs",
        metavar="FILE",
        type=PATH,
        help="The logs and witnesses that you trust, as a C2SP tlog-policy.",
    )
    return policy(logs(function))


def port_option(function: _Function) -> _Function:
    """Add ``--port``: where the pages are."""
    return click.option(
        "--port",
        metavar="PORT",
        type=click.IntRange(0, 65535),
        default=8321,
        show_default=True,
        help="Where the pages are on this machine; 0 takes a free port.",
    )(function)


def paths_argument(function: _Function) -> _Function:
    """Add the files or directories that a command reads."""
    return click.argument("files", metavar="FILE…", nargs=-1, required=True, type=PATH)(function)


def time_of(text: str | None) -> datetime:
    """Return the time that ``--at`` names; without it, what the machine's clock says."""
    if text is None:
        return wall_clock()
    try:
        return parse_time(text)
    except Usage as error:
        raise Usage(
            f"--at: {error.detail}", code=error.code, expected=error.expected, got=error.got
        ) from None
