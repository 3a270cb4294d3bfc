"""``teeproof seal``: encrypt a file for whoever shall open it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from teeproof.cli.incoming import is_standard_input, standard_input
from teeproof.cli.options import PATH, output_options
from teeproof.cli.outgoing import is_standard_output, outgoing, require_out
from teeproof.cli.quoting import shell
from teeproof.cli.screen import ColorChoice, Screen, standard
from teeproof.core.digests import parse_named
from teeproof.core.errors import Usage
from teeproof.core.sealed import Header, Recipient, read_recipient, seal
from teeproof.core.sealed.files import open_regular
from teeproof.core.sealed.streams import Progress

__all__ = ["SUFFIX", "command", "progress_bar", "source_of", "write_outcome"]

SUFFIX = ".sealed"
_LARGE = 64 << 20  # what is smaller is done before a bar could be read


@click.command("seal")
@click.argument("file", type=PATH)
@click.option(
    "--to",
    "recipients",
    metavar="KEY|FILE",
    multiple=True,
    required=True,
    help="Who may open it: a public key, or a file that holds one; may be repeated.",
)
@click.option(
    "-o",
    "--out",
    type=PATH,
    help=f"The file to write, - for standard output; without it, FILE{SUFFIX}.",
)
@click.option("--policy-digest", metavar="sha256:HEX", help="The policy under which it is sealed.")
@click.option("--force", is_flag=True, help="Overwrite what has that name.")
@output_options
def command(
    file: Path,
    *,
    recipients: Sequence[str],
    out: Path | None,
    policy_digest: str | None,
    force: bool,
    as_json: bool,
    color: ColorChoice,
) -> int:
    """Encrypt FILE so that only the recipients can open it; - is standard input.

    Every recipient can open the file, and could forge it for the others: who made it, a sealed file
    does not show.

    \b
    Examples
      teeproof seal data.csv --to my.pub
      teeproof seal data.csv --to my.pub --to teeproof-seal-x25519:…
    """  # noqa: D301  click reads the \b
    target = out or _target(file)
    require_out(target, force=force, as_json=as_json)
    whom = [_recipient(text) for text in recipients]
    policy = parse_named(policy_digest) if policy_digest else None
    with (
        source_of(file) as (source, size),
        outgoing(target, force=force, buffering=0) as sealed,
        progress_bar(file.name, size) as progress,
    ):
        header = seal(source, sealed, recipients=whom, policy_digest=policy, progress=progress)
    if is_standard_output(target):
        return 0
    screen = standard(color)
    write_outcome(screen, target, header, as_json=as_json)
    if as_json:
        return 0
    screen.copied("next", f"{shell('teeproof', 'open', target)} --key KEYFILE", "bold")
    return 0


def write_outcome(screen: Screen, target: Path, header: Header, *, as_json: bool) -> None:
    """Write which file was made, how large it is, and what the sealed one's header says."""
    size = target.stat().st_size
    if as_json:
        screen.json({"file": str(target), "bytes": size} | header.to_json())
        return
    screen.write(screen.paint("✓", "green", "bold") + screen.paint(f" {target}", "bold"))
    screen.row("bytes", f"{size:,}")
    screen.row("file id", header.file_id.hex())
    if header.policy_digest is not None:
        screen.row("policy", f"sha256:{header.policy_digest.hex()}")
    for number, entry in enumerate(header.recipients):
        label = "" if number else "sealed for"
        screen.row(label, f"{entry.recipient.hex()} ({entry.suite.name})")


@contextmanager
def progress_bar(name: str, size: int | None) -> Iterator[Progress | None]:
    """Show a bar on a terminal for what takes a while, and nothing elsewhere."""
    if not sys.stderr.isatty() or (size is not None and size < _LARGE):
        yield None
        return
    from rich import progress  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415  only for large files

    columns = (
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.DownloadColumn(binary_units=True),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(Screen.of(sys.stderr).paint(name), total=size)
        yield lambda done: bar.update(task, completed=done)


@contextmanager
def source_of(file: Path) -> Iterator[tuple[BinaryIO, int | None]]:
    """Give a file or standard input for reading, and its size where that is known."""
    if is_standard_input(file):
        yield standard_input(), None
        return
    with open_regular(file) as source:
        yield source, os.fstat(source.fileno()).st_size


def _target(file: Path) -> Path:
    if is_standard_input(file):
        raise Usage(
            "standard input has no name: name the file to write with -o", code="out_unnamed"
        )
    return file.with_name(file.name + SUFFIX)


def _recipient(text: str) -> Recipient:
    if text.startswith("teeproof-seal-"):
        return Recipient.parse(text)
    return read_recipient(Path(text))
