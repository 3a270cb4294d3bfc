"""``teeproof log export``: write a proof file of statements in a log on this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from teeproof.cli.asked import statement_id
from teeproof.cli.options import PATH, output_options
from teeproof.cli.screen import ColorChoice, standard
from teeproof.core.clock import to_epoch, wall_clock
from teeproof.core.digests import named
from teeproof.core.errors import Usage
from teeproof.core.reading import read_bounded

__all__ = ["command", "export_bar", "require_absent"]


@click.command("export")
@click.argument("directory", metavar="DIRECTORY", type=PATH)
@click.argument("ids", metavar="ID…", nargs=-1, required=True)
@click.option("-o", "--out", type=PATH, required=True, help="The proof file to write.")
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
    covers each; whoever has the file needs nothing else.

    \b
    Example
      teeproof log export my-log sha256:1f3c… -o answer.proof --logs trusted-logs
    """  # noqa: D301  click reads the \b
    from teeproof.proof.file import export  # noqa: PLC0415
    from teeproof.proof.log.contents import Contents  # noqa: PLC0415
    from teeproof.proof.log.storage.log import Log  # noqa: PLC0415

    require_absent(out, force=force)
    roots = [statement_id(one) for one in ids]
    with Log.open(directory, read_only=True) as log, export_bar() as progress:
        contents = Contents(log, accept=_accept(logs), progress=progress)
        try:
            done = export(contents, roots, out, allow_missing=allow_missing, progress=progress)
        finally:
            contents.close()
    screen = standard(color)
    if as_json:
        body = dict(zip(("statements", "identities", "blobs", "bytes"), done, strict=True))
        screen.json({"file": str(out), "roots": [named(root) for root in roots]} | body)
        return 0
    screen.write(screen.paint(f"{out}", "bold"))
    screen.row("holds", f"{done.statements} statements, {done.identities} identities")
    screen.row("size", f"{done.bytes} bytes")
    screen.row("next", f"teeproof verify {out}", "dim")
    return 0


def _accept(logs: Path | None) -> Callable[[Any], bool] | None:
    from teeproof.proof.log.formats.policy import MAX_POLICY_BYTES, TlogPolicy  # noqa: PLC0415

    if logs is None:
        return None
    policy = TlogPolicy.parse(read_bounded(logs, limit=MAX_POLICY_BYTES, what="log policy"))
    now = to_epoch(wall_clock())
    return lambda signed: policy.judge(signed, now=now).time is not None


def require_absent(out: Path, *, force: bool) -> None:
    """Raise Usage where writing would lose something: a file, or a link that leads to none."""
    if os.path.lexists(out) and not force:
        raise Usage(f"{out} is there: name another, or --force", code="out_exists", got=str(out))


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
