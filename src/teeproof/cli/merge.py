"""``teeproof merge``: put several proof files into one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import click

from teeproof.cli.log_export import export_bar, require_absent
from teeproof.cli.options import PATH, output_options
from teeproof.cli.screen import ColorChoice, standard

__all__ = ["command"]


@click.command("merge")
@click.argument("files", metavar="FILE.proof…", nargs=-1, required=True, type=PATH)
@click.option("-o", "--out", type=PATH, required=True, help="The proof file to write.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@output_options
def command(
    files: Sequence[Path], *, out: Path, force: bool, as_json: bool, color: ColorChoice
) -> int:
    """Put several proof files into one, in which what they share stands once.

    The order of the files does not matter, and nothing is checked: verify the result.

    \b
    Example
      teeproof merge monday.proof tuesday.proof -o week.proof
    """  # noqa: D301  click reads the \b
    from teeproof.proof.file import ProofFile, merge  # noqa: PLC0415  only to do it

    require_absent(out, force=force)
    with ExitStack() as opened, export_bar():
        proofs = [opened.enter_context(ProofFile.open(path)) for path in files]
        done = merge(proofs, out)
    screen = standard(color)
    if as_json:
        body = dict(zip(("statements", "identities", "blobs", "bytes"), done, strict=True))
        screen.json({"file": str(out)} | body)
        return 0
    screen.write(screen.paint(f"{out}", "bold"))
    screen.row("holds", f"{done.statements} statements, {done.identities} identities")
    screen.row("size", f"{done.bytes} bytes")
    return 0
