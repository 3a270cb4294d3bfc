"""``teeproof log init``: make a log."""

from __future__ import annotations

from pathlib import Path

import click

from teeproof.cli.options import PATH, output_options
from teeproof.cli.screen import ColorChoice, standard
from teeproof.proof.log.storage.log import Log

__all__ = ["command"]


@click.command("init")
@click.argument("directory", type=PATH)
@click.option(
    "--origin",
    metavar="NAME",
    required=True,
    help="The log's name; by convention the address at which it will be served, without https://.",
)
@output_options
def command(directory: Path, *, origin: str, as_json: bool, color: ColorChoice) -> int:
    """Make a log in a new DIRECTORY, with a key of its own.

    Who holds the file key in it can sign for the log: keep it where nobody else reads.

    \b
    Example
      teeproof log init my-log --origin log.example/main
    """  # noqa: D301  click reads the \b
    with Log.create(directory, origin=origin) as log:
        key = log.verifier.text()
    screen = standard(color)
    if as_json:
        screen.json(
            {"directory": str(directory), "origin": origin, "vkey": key, "policy": f"log {key}"}
        )
        return 0
    screen.write(screen.paint("✓", "green", "bold") + screen.paint(f" {origin}", "bold"))
    screen.row("directory", str(directory))
    screen.row("key", key)
    screen.row("for policies", f"log {key}")
    screen.row("next", f"teeproof log serve {directory}", "bold")
    return 0
