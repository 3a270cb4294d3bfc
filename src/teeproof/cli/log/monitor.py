"""``teeproof log monitor``: follow a log, and prove it where it contradicts itself."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import click

from teeproof.cli.options import PATH, output_options
from teeproof.cli.screen import ColorChoice, Screen, short, standard
from teeproof.core.digests import named, sha256
from teeproof.core.errors import Error, Usage
from teeproof.core.home import data_directory
from teeproof.proof.log.formats.entry import Entry
from teeproof.proof.log.formats.note import VerifierKey
from teeproof.proof.monitor.again import everything, some
from teeproof.proof.monitor.monitor import DELAY, Monitor
from teeproof.proof.monitor.report import Finding, Report
from teeproof.proof.monitor.source import source_of
from teeproof.proof.monitor.store import Store
from teeproof.proof.monitor.telling import check_address, post
from teeproof.proof.witness.signed import by_origin
from teeproof.proof.witness.state import origin_hash

__all__ = ["command"]

_MARKS = {"fork": ("✗", "red"), "refused": ("✗", "red"), "missing": ("–", "yellow")}


@click.command("monitor")
@click.argument("log", metavar="URL|DIRECTORY")
@click.option(
    "--key",
    "keys",
    metavar="VKEY",
    multiple=True,
    required=True,
    help="The log's verifier key; may be repeated where a log has several.",
)
@click.option("--state", type=PATH, help="Where to remember; without it, in the data directory.")
@click.option("--once", is_flag=True, help="Look once and end; this is the default.")
@click.option("--every", metavar="SECONDS", type=click.FloatRange(min=0.1), help="Keep looking.")
@click.option("--webhook", metavar="URL", help="Where to POST a fork.proof.")
@click.option(
    "--also", metavar="URL", multiple=True, help="The same log, seen from elsewhere; repeatable."
)
@click.option(
    "--witness", metavar="URL", multiple=True, help="A witness, to compare with; repeatable."
)
@click.option("--all", "whole", is_flag=True, help="Read all entries again, not only new ones.")
@click.option("--opaque", is_flag=True, help="Do not look into entries: a log of other software.")
@click.option(
    "--delay",
    metavar="SECONDS",
    type=click.IntRange(min=0),
    default=DELAY,
    show_default=True,
    help="How long the log may take to show what it signed.",
)
@output_options
def command(
    log: str,
    *,
    keys: Sequence[str],
    state: Path | None,
    once: bool,
    every: float | None,
    webhook: str | None,
    also: Sequence[str],
    witness: Sequence[str],
    whole: bool,
    opaque: bool,
    delay: int,
    as_json: bool,
    color: ColorChoice,
) -> int:
    """Follow a log: check that it only grows, and that it shows everyone the same tree.

    Where it contradicts itself, that is written to fork.proof in the state directory: two
    checkpoints with the log's own signatures, which anybody can check. Exit codes: 0 all is well,
    2 the log is proven bad or what is served does not hold, 3 something could not be seen.

    \b
    Examples
      teeproof log monitor https://log.example --key VKEY
      teeproof log monitor https://log.example --key VKEY --every 60 --webhook https://me.example
      teeproof log monitor my-log --key VKEY --witness https://w1.example
    """  # noqa: D301  click reads the \b
    if once and every is not None:
        raise Usage("--once and --every exclude each other: give one of them")
    if webhook is not None:
        check_address(webhook)
    origin, known = _key(keys)
    screen = standard(color)
    directory = state or _default(origin)
    witnesses = [f"{url.rstrip('/')}/{origin_hash(origin)}" for url in witness]
    with ExitStack() as stack:
        sources, seen = (
            [stack.enter_context(closing(source_of(place))) for place in places]
            for places in ([log, *also], witnesses)
        )
        monitor = Monitor(
            stack.enter_context(Store(directory, origin=origin)),
            known,
            sources[0],
            others=sources[1:],
            witnesses=seen,
            now=time.time,
            delay=delay,
            again=everything if whole else some,
            check=len if opaque else Entry.parse,
        )
        while True:
            report = monitor.look()
            failed = _tell(webhook, report)
            _show(screen, report, failed, as_json=as_json)
            if every is None or report.fork is not None:
                return report.exit_code
            time.sleep(every)


def _key(texts: Sequence[str]) -> tuple[str, tuple[VerifierKey, ...]]:
    found = by_origin(VerifierKey.parse(text) for text in texts)
    if len(found) != 1:
        raise Usage(
            "these keys are of several logs: run a monitor for each",
            code="log_ambiguous",
            got=", ".join(found)[:200],
        )
    return next(iter(found.items()))


def _default(origin: str) -> Path:
    return data_directory(os.environ) / "monitor" / sha256(origin.encode()).hex()[:32]


def _tell(webhook: str | None, report: Report) -> Error | None:
    """Send the proof, if there is one; return why it could not be sent."""
    if webhook is None or report.proof is None:
        return None
    try:
        post(webhook, Path(report.proof).read_bytes())
    except Error as error:
        return error
    return None


def _show(screen: Screen, report: Report, failed: Error | None, *, as_json: bool) -> None:
    if as_json:
        told = None if failed is None else failed.to_json()
        screen.json(report.to_json() | {"webhook": told})
        sys.stdout.flush()
        return
    if report.fork is not None:
        screen.sides(f"✗ {report.origin}", "FORKED", "red", "bold")
    elif report.size is None:
        screen.sides(f"– {report.origin}", "nothing verified", "bold")
    else:
        mark = "✓" if report.exit_code == 0 else "–"
        screen.sides(f"{mark} {report.origin}", f"{report.size} entries verified", "bold")
    if report.root is not None:
        screen.row("root", short(named(report.root), 64))
    if report.size is not None and report.size != report.before:
        screen.row("before", "nothing" if report.before is None else f"{report.before} entries")
    for finding in report.findings:
        _finding(screen, finding)
    if report.proof is not None:
        screen.row("proof", report.proof, "bold")
    if failed is not None:
        screen.row("webhook", f"{failed.detail} ({failed.got})", "yellow")
    sys.stdout.flush()


def _finding(screen: Screen, finding: Finding) -> None:
    mark, style = _MARKS.get(finding.level, ("·", "dim"))
    screen.row(finding.code, finding.detail, mark=screen.paint(mark, style), column=24)
    for label, text in (
        ("seen at", finding.source),
        ("expected", finding.expected),
        ("got", finding.got),
    ):
        if text:
            screen.row(label, text, "dim", indent=4, column=24)
