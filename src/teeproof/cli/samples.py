"""``teeproof samples``: get real evidence that others published."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

import teeproof
from teeproof.cli.options import Nouns, output_options
from teeproof.cli.screen import ColorChoice, Screen, standard
from teeproof.core.clock import format_time
from teeproof.core.errors import Usage
from teeproof.core.home import data_directory
from teeproof.evidence.samples.fetch import (
    SAMPLES,
    Progress,
    Sample,
    fetch_sample,
    find_sample,
    find_vectors,
    named_sample,
)

__all__ = ["command", "found_sample", "project_root"]


@click.group("samples", cls=Nouns, invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Get real evidence that others published, each file by commit and digest.

    Nothing is downloaded unless you say fetch.

    \b
    Examples
      teeproof samples
      teeproof samples fetch --all
    """  # noqa: D301  click reads the \b
    if context.invoked_subcommand is None:
        context.exit(context.invoke(_list, as_json=False, color="auto"))


@command.command("list")
@output_options
def _list(*, as_json: bool, color: ColorChoice) -> int:
    """List the samples, and which are on this machine.

    \b
    Example
      teeproof samples list
    """  # noqa: D301  click reads the \b
    screen = standard(color)
    if as_json:
        screen.json([_json(sample) for sample in SAMPLES.values()])
        return 0
    for sample in SAMPLES.values():
        _write_sample(screen, sample)
    screen.write()
    screen.text("Get one: teeproof samples fetch NAME, or fetch --all", "dim")
    return 0


@command.command("fetch")
@click.argument("names", metavar="NAME…", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Fetch every sample.")
@output_options
def _fetch(names: Sequence[str], *, every: bool, as_json: bool, color: ColorChoice) -> int:
    """Download samples into the data directory.

    Each file must have its pinned digest; what is there already is not downloaded again.

    \b
    Example
      teeproof samples fetch --all
    """  # noqa: D301  click reads the \b
    if bool(names) == every:
        raise Usage("name samples, or say --all", expected=", ".join(SAMPLES))
    wanted = list(SAMPLES.values()) if every else [named_sample(name) for name in names]
    screen = standard(color)
    folders = []
    for sample in wanted:
        with _progress(sample) as progress:
            folders.append(fetch_sample(sample, data_directory(os.environ), progress=progress))
    if as_json:
        rows = [_json(s) | {"path": str(f)} for s, f in zip(wanted, folders, strict=True)]
        screen.json(rows)
        return 0
    for sample, folder in zip(wanted, folders, strict=True):
        screen.write(screen.paint("✓", "green", "bold") + screen.paint(f" {sample.name}", "bold"))
        screen.row("written to", str(folder))
        screen.row("next", f"teeproof verify {folder} --at {format_time(sample.at)}", "bold")
    return 0


@command.command("where")
@output_options
def _where(*, as_json: bool, color: ColorChoice) -> int:
    """Say where real evidence is looked for.

    \b
    Example
      teeproof samples where
    """  # noqa: D301  click reads the \b
    screen = standard(color)
    vectors = find_vectors(os.environ, project_root=project_root())
    kept = data_directory(os.environ) / "samples"
    if as_json:
        places = {"samples": str(kept), "vectors": str(vectors) if vectors else None}
        screen.json(places)
        return 0
    screen.row("samples", str(kept))
    screen.row("vectors", str(vectors) if vectors else "none (TEEPROOF_VECTORS names a folder)")
    return 0


def project_root() -> Path | None:
    """Return the checkout that the program runs from; None where it is installed."""
    root = Path(teeproof.__file__).parents[2]
    return root if (root / "pyproject.toml").is_file() else None


def found_sample(sample: Sample) -> Path | None:
    """Return the folder of a sample that is on this machine, or None."""
    return find_sample(sample.name, os.environ, project_root=project_root())


@contextmanager
def _progress(sample: Sample) -> Iterator[Progress | None]:
    """Show a bar on a terminal while a sample is downloaded, and nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415  only while something is downloaded
    from rich.progress import Progress as Bar  # noqa: PLC0415

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(sample.name, total=sample.size)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _json(sample: Sample) -> dict[str, Any]:
    found = found_sample(sample)
    return {
        "name": sample.name,
        "about": sample.about,
        "kind": sample.kind,
        "at": format_time(sample.at),
        "expected": sample.expected,
        "advisories": list(sample.advisories),
        "bytes": sample.size,
        "licences": sorted({source.licence for source in sample.sources.values()}),
        "path": str(found) if found else None,
    }


def _write_sample(screen: Screen, sample: Sample) -> None:
    found = found_sample(sample)
    mark = screen.paint("✓", "green", "bold") if found else screen.paint("–", "yellow", "bold")
    screen.row(sample.name, sample.about, mark=mark, column=24)
    here = f"in {found}" if found else f"not here; {sample.size} bytes to fetch"
    screen.row("", f"{sample.expected} as of {format_time(sample.at)}; {here}", "dim", column=26)
