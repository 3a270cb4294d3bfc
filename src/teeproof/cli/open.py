"""``teeproof open``: decrypt a sealed file with a key that it is sealed for."""

from __future__ import annotations

from pathlib import Path

import click

from teeproof.cli.incoming import is_standard_input
from teeproof.cli.options import PATH, output_options
from teeproof.cli.outgoing import is_standard_output, outgoing, require_out
from teeproof.cli.screen import ColorChoice, standard
from teeproof.cli.seal import SUFFIX, progress_bar, source_of, write_outcome
from teeproof.core.errors import Usage
from teeproof.core.sealed import open_stream, read_key
from teeproof.core.writing import PRIVATE

__all__ = ["command"]


@click.command("open")
@click.argument("file", type=PATH)
@click.option("--key", "key_file", type=PATH, required=True, help="The file with your secret key.")
@click.option(
    "-o",
    "--out",
    type=PATH,
    help=f"The file to write, - for standard output; without it, FILE less {SUFFIX}.",
)
@click.option("--force", is_flag=True, help="Overwrite what has that name.")
@output_options
def command(
    file: Path,
    *,
    key_file: Path,
    out: Path | None,
    force: bool,
    as_json: bool,
    color: ColorChoice,
) -> int:
    """Decrypt the sealed FILE with a secret key; only you can read the result. - is standard input.

    The result gets its name, or goes to standard output (-o -), once the last byte of FILE is
    authenticated, and not before.

    \b
    Example
      teeproof open data.csv.sealed --key my.key
    """  # noqa: D301  click reads the \b
    target = out or _target(file)
    require_out(target, force=force, as_json=as_json)
    key = read_key(key_file)
    with (
        source_of(file) as (sealed, size),
        outgoing(target, force=force, mode=PRIVATE, buffering=0) as plain,
        progress_bar(file.name, size) as progress,
    ):
        header = open_stream(sealed, plain, key=key, progress=progress)
    if is_standard_output(target):
        return 0
    write_outcome(standard(color), target, header, as_json=as_json)
    return 0


def _target(file: Path) -> Path:
    if is_standard_input(file):
        raise Usage(
            "standard input has no name: name the file to write with -o", code="out_unnamed"
        )
    if not file.name.endswith(SUFFIX) or file.name == SUFFIX:
        raise Usage(
            f"{file} does not end with {SUFFIX}: name the file to write with -o", code="out_unnamed"
        )
    return file.with_name(file.name.removesuffix(SUFFIX))
