"""``teeproof open``: decrypt a sealed file with a key that it is sealed for."""

from __future__ import annotations

from pathlib import Path

import click

from teeproof.cli.options import PATH, output_options
from teeproof.cli.screen import ColorChoice, standard
from teeproof.cli.seal import SUFFIX, progress_bar, write_header
from teeproof.core.errors import Usage
from teeproof.core.sealed import open_stream, read_key
from teeproof.core.sealed.files import open_regular
from teeproof.core.writing import PRIVATE, replacing, require_writable

__all__ = ["command"]


@click.command("open")
@click.argument("file", type=PATH)
@click.option("--key", "key_file", type=PATH, required=True, help="The file with your secret key.")
@click.option("-o", "--out", type=PATH, help=f"The file to write; without it, FILE less {SUFFIX}.")
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
    """Decrypt the sealed FILE with a secret key; only you can read the result.

    The result gets its name once the last byte of FILE is authenticated, and not before.

    \b
    Example
      teeproof open data.csv.sealed --key my.key
    """  # noqa: D301  click reads the \b
    target = out or _target(file)
    require_writable(target, overwrite=force)
    key = read_key(key_file)
    with (
        open_regular(file) as sealed,
        replacing(target, overwrite=force, mode=PRIVATE) as plain,
        progress_bar(file.name, file.stat().st_size) as progress,
    ):
        header = open_stream(sealed, plain, key=key, progress=progress)
    screen = standard(color)
    if as_json:
        screen.json({"file": str(target), "bytes": target.stat().st_size} | header.to_json())
        return 0
    screen.write(screen.paint("✓", "green", "bold") + screen.paint(f" {target}", "bold"))
    screen.row("bytes", f"{target.stat().st_size:,}")
    write_header(screen, header)
    return 0


def _target(file: Path) -> Path:
    if not file.name.endswith(SUFFIX) or file.name == SUFFIX:
        raise Usage(
            f"{file} does not end with {SUFFIX}: name the file to write with -o", code="out_unnamed"
        )
    return file.with_name(file.name.removesuffix(SUFFIX))
