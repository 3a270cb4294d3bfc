"""``teeproof log export``: write a proof file of statements in a log on this machine."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from teeproof.cli.ids import ids_in_log
from teeproof.cli.options import PATH, output_options
from teeproof.cli.outgoing import is_standard_output, outgoing, require_out
from teeproof.cli.quoting import shell
from teeproof.cli.screen import ColorChoice, Screen, standard
from teeproof.core.clock import wall_clock
from teeproof.core.digests import named
from teeproof.core.reading import read_bounded

if TYPE_CHECKING:
    from teeproof.proof.file import Exported
    from teeproof.proof.log.formats.policy import TlogPolicy

__all__ = ["command", "export_bar", "write_exported"]


@click.command("export")
@click.argument("directory", metavar="DIRECTORY", type=PATH)
@click.argument("ids", metavar="ID…", nargs=-1, required=True)
@click.option(
    "-o", "--out", type=PATH, required=True, help="The proof file to write; -: standard output."
)
@click.option(
    "--logs", metavar="FILE", type=PATH, help="A tlog-policy: take the first checkpoint it accepts."
)
@click.option("--allow-missing", is_flag=True, help="Leave out what this log does not have.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@output_options
def command(
    directory: Path,
    ids: Sequence[str],
    *,
    out: Path,
    logs: Path | None,
    allow_missing: bool,
    force: bool,
    as_json: bool,
    color: ColorChoice,
) -> int:
    """Write a proof file: statements, and everything that they rest on.

    What they were made of, who said it, the evidence of each machine, and the first checkpoint that
    covers each; whoever has the file needs nothing else. An ID may be its first 8 digits.

    \b
    Example
      teeproof log export my-log 1f3c9a07 -o answer.proof --logs trusted-logs
    """  # noqa: D301  click reads the \b
    from teeproof.proof.file import export  # noqa: PLC0415
    from teeproof.proof.log.contents import Contents  # noqa: PLC0415
    from teeproof.proof.log.storage.log import Log  # noqa: PLC0415
    from teeproof.proof.verify import Trust  # noqa: PLC0415

    require_out(out, force=force, as_json=as_json)
    with Log.open(directory, read_only=True) as log, export_bar() as progress:
        roots = ids_in_log(log, ids)
        trust = Trust(logs=_policy(logs))
        contents = Contents(log, accept=trust.accepting(wall_clock()), progress=progress)
        try:
            with outgoing(out, force=force) as file:
                done = export(contents, roots, file, allow_missing=allow_missing, progress=progress)
        finally:
            contents.close()
    if is_standard_output(out):
        return 0
    screen = standard(color)
    if as_json:
        body = dict(zip(("statements", "identities", "blobs", "bytes"), done, strict=True))
        screen.json({"file": str(out), "roots": [named(root) for root in roots]} | body)
        return 0
    write_exported(screen, out, done, logs=logs)
    return 0


def write_exported(screen: Screen, out: Path, done: Exported, *, logs: Path | None = None) -> None:
    """Write what a proof file holds, and what to do with it."""
    screen.write(screen.paint("✓", "green", "bold") + screen.paint(f" {out}", "bold"))
    screen.row("holds", holds(done.statements, done.identities))
    screen.row("size", f"{done.bytes:,} bytes")
    trusted = ("--logs", logs) if logs else ()
    screen.copied("next", shell("teeproof", "verify", out, *trusted), "bold")
    if not logs:
        screen.row("", "add --logs FILE, the logs that you trust, to learn when it was said", "dim")


def holds(statements: int, identities: int) -> str:
    """Return how many statements and identities there are."""
    many = f"{statements} statement{'s' if statements != 1 else ''}"
    return f"{many}, {identities} identit{'ies' if identities != 1 else 'y'}"


def _policy(logs: Path | None) -> TlogPolicy | None:
    from teeproof.proof.log.formats.policy import MAX_POLICY_BYTES, TlogPolicy  # noqa: PLC0415

    if logs is None:
        return None
    return TlogPolicy.parse(read_bounded(logs, limit=MAX_POLICY_BYTES, what="log policy"))


@contextmanager
def export_bar() -> Iterator[Callable[[int, int], None] | None]:
    """Show on a terminal how far an export is."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415  only on a terminal
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("exporting", total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of or None)
