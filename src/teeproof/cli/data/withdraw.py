"""``teeproof data withdraw``: have a contribution's key erased, with two receipts."""

from __future__ import annotations

from pathlib import Path

import click

from teeproof.cli.joining import join
from teeproof.cli.options import PATH, output_options
from teeproof.cli.screen import ColorChoice, standard

__all__ = ["command"]


@click.command("withdraw")
@click.argument("contribution")
@click.option("--owner", type=PATH, help="The key that it was contributed with.")
@click.option(
    "--demo", "folder", type=PATH, help="Folder of a running demo or stack, if not yours."
)
@output_options
def command(
    contribution: str,
    *,
    owner: Path | None,
    folder: Path | None,
    as_json: bool,
    color: ColorChoice,
) -> int:
    """Take CONTRIBUTION back, named by the id that contribute printed.

    Its key is erased, so nobody can open it again, and no later dataset has it. What was trained on
    it before cannot be untrained.

    \b
    Examples
      teeproof data withdraw 3f2a9c1b… --owner owner.key
    """  # noqa: D301  click reads the \b
    from teeproof.cli.contributing import take_back  # noqa: PLC0415  only here

    taken = take_back(join(folder), contribution, owner=owner)
    screen = standard(color)
    erasure, receipt = taken.erasure.statement.name, taken.receipt.statement.name
    if as_json:
        screen.json({"ok": True, "erasure": erasure, "receipt": receipt})
        return 0
    screen.text("✓ withdrawn: the key is erased", "green", "bold")
    screen.copied("by the KMS", erasure)
    screen.copied("by the pool", receipt)
    return 0
