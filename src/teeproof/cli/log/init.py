"""``teeproof log init``: make a log."""

from __future__ import annotations

from pathlib import Path

import click

from teeproof.cli.log.options import logs_out_option, write_policy
from teeproof.cli.options import PATH, output_options
from teeproof.cli.quoting import shell
from teeproof.cli.screen import ColorChoice, standard
from teeproof.core.writing import require_writable
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
@logs_out_option
@output_options
def command(
    directory: Path,
    *,
    origin: str,
    logs_out: Path | None,
    force: bool,
    as_json: bool,
    color: ColorChoice,
) -> int:
    """Make a log in a new DIRECTORY, with a key of its own.

    Who holds the file key in it can sign for the log: keep it where nobody else reads.

    \b
    Example
      teeproof log init my-log --origin log.example/main --logs-out trusted-logs
    """  # noqa: D301  click reads the \b
    if logs_out:
        require_writable(logs_out, overwrite=force)
    with Log.create(directory, origin=origin) as log:
        key = log.verifier.text()
        if logs_out:
            write_policy(logs_out, log.verifier, force=force)
    screen = standard(color)
    if as_json:
        screen.json(
            {"directory": str(directory), "origin": origin, "vkey": key, "policy": f"log {key}"}
        )
        return 0
    screen.write(screen.paint("✓", "green", "bold") + screen.paint(f" {origin}", "bold"))
    screen.copied("directory", str(directory))
    screen.copied("key", key)
    screen.copied("for policies", f"log {key}")
    if logs_out:
        screen.copied("policy", str(logs_out))
    screen.copied("next", shell("teeproof", "log", "serve", directory), "bold")
    return 0
