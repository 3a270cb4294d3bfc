"""``teeproof log publish``: publish a log that nobody serves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from teeproof.cli.log_options import policy_of, warn, witness_options, witnesses_of
from teeproof.cli.options import PATH, output_options
from teeproof.cli.screen import ColorChoice, standard
from teeproof.core.errors import Unavailable
from teeproof.proof.log.http.asking import Witnesses
from teeproof.proof.log.http.publishing import Gathered
from teeproof.proof.log.storage.log import Log

__all__ = ["command"]


@click.command("publish")
@click.argument("directory", type=PATH)
@witness_options
@output_options
def command(
    directory: Path,
    *,
    witnesses: Sequence[str],
    policy_file: Path | None,
    as_json: bool,
    color: ColorChoice,
) -> int:
    """Publish what was appended to the log in DIRECTORY, and have witnesses cosign it.

    A log that is served publishes by itself. What to serve then lies in DIRECTORY/public: any
    server of static files will do.

    \b
    Example
      teeproof log publish my-log --logs witnesses.txt
    """  # noqa: D301  click reads the \b
    asked = witnesses_of(witnesses, policy_of(None, policy_file))
    screen = standard(color)
    with Log.open(directory) as log:
        warn(log)
        signed = log.publish()
        asking = Witnesses(asked, prove=log.consistency_proof)
        gathered = asking(signed) if asked else Gathered(())
        if gathered.lines:
            log.add_cosignatures(signed.checkpoint.size, gathered.lines)
    cosigners = [line.name for line in gathered.lines]
    if as_json:
        screen.json(
            {
                "ok": not gathered.complaints,
                "origin": signed.checkpoint.origin,
                "size": signed.checkpoint.size,
                "root": signed.checkpoint.root.hex(),
                "cosigned_by": cosigners,
                "complaints": list(gathered.complaints),
            }
        )
    else:
        screen.write(screen.paint("✓", "green", "bold") + f" {signed.checkpoint.size} entries")
        screen.copied("root", signed.checkpoint.root.hex())
        for name in cosigners:
            screen.row("cosigned by", name)
        for complaint in gathered.complaints:
            screen.row("not cosigned", complaint, mark=screen.paint("✗", "red", "bold"))
        screen.copied("serve", str(directory / "public"))
    return Unavailable.exit_code if gathered.complaints else 0
