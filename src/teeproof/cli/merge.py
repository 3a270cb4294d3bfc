"""``teeproof merge``: put several proof files into one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import click

from teeproof.cli.incoming import on_disk
from teeproof.cli.log.export import export_bar, write_exported
from teeproof.cli.options import PATH, output_options
from teeproof.cli.outgoing import is_standard_output, outgoing, require_out
from teeproof.cli.screen import ColorChoice, standard

__all__ = ["command"]


@click.command("merge")
@click.argument("files", metavar="FILE.proof…", nargs=-1, required=True, type=PATH)
@click.option(
    "-o", "--out", type=PATH, required=True, help="The proof file to write; -: standard output."
)
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

    require_out(out, force=force, as_json=as_json)
    with ExitStack() as opened, export_bar() as progress:
        paths = opened.enter_context(on_disk(files))
        proofs = [opened.enter_context(ProofFile.open(path)) for path in paths]
        with outgoing(out, force=force) as file:
            done = merge(proofs, file, progress=progress)
    if is_standard_output(out):
        return 0
    screen = standard(color)
    if as_json:
        body = dict(zip(("statements", "identities", "blobs", "bytes"), done, strict=True))
        screen.json({"file": str(out)} | body)
        return 0
    write_exported(screen, out, done)
    return 0
