"""``teeproof endorsements``: keep Intel's collateral, to verify old evidence later."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from teeproof.cli.endorsements_fetch import command as fetch
from teeproof.cli.endorsing import archive_of, collateral_files
from teeproof.cli.options import Nouns, at_option, output_options, paths_argument, time_of
from teeproof.cli.screen import ColorChoice, Screen, short, standard
from teeproof.core import strictjson
from teeproof.core.clock import format_time, to_epoch
from teeproof.core.errors import NotAuthentic, Unavailable, Usage
from teeproof.evidence.archive import Archive, Fault
from teeproof.evidence.entries import Entry

__all__ = ["command"]


@click.group("endorsements", cls=Nouns)
def command() -> None:
    """Keep Intel's collateral, to verify old evidence later.

    Collateral is in force for 30 days, and Intel serves only the newest. What is kept here, by its
    content, lets evidence be verified as of its own time for ever; verify finds it by itself.

    \b
    Examples
      teeproof endorsements fetch quote.bin
      teeproof endorsements add collateral.json
      teeproof endorsements check --at 2026-02-25
    """  # noqa: D301  click reads the \b


command.add_command(fetch)

_at = at_option("Say what is in force at this time (2026-02-25); without it, now.")


@command.command("add")
@paths_argument
@output_options
def _add(files: Sequence[Path], *, as_json: bool, color: ColorChoice) -> int:
    """Add collateral to the archive.

    Its signatures must hold. Whether its root is one to trust, each use decides.

    \b
    Example
      teeproof endorsements add collateral.json
    """  # noqa: D301  click reads the \b
    screen = standard(color)
    found = collateral_files(files)
    if not found:
        raise Usage("there is no JSON file in there", code="collateral_missing")
    archive = archive_of(os.environ)
    before = {entry.id for entry in archive.entries()}
    entries = [archive.add(collateral) for _, collateral in found]
    if as_json:
        screen.json([_json(entry, None) | {"new": entry.id not in before} for entry in entries])
        return 0
    for (path, _), entry in zip(found, entries, strict=True):
        there = ": already there" if entry.id in before else ""
        name = screen.paint(f" {path.name}{there}", "bold")
        screen.write(screen.paint("✓", "green", "bold") + name)
        screen.row("id", entry.id)
        _write_entry(screen, entry, None)
    screen.row("kept in", str(archive.directory))
    return 0


@command.command("list")
@_at
@output_options
def _list(*, at: str | None, as_json: bool, color: ColorChoice) -> int:
    """List what the archive holds, oldest first.

    \b
    Example
      teeproof endorsements list
    """  # noqa: D301  click reads the \b
    screen = standard(color)
    now = time_of(at)
    archive = archive_of(os.environ)
    entries, faults = archive.survey()
    if as_json:
        screen.json(
            {"sets": [_json(entry, now) for entry in entries], "faults": _faults_json(faults)}
        )
        return 0
    if not entries and not faults:
        screen.text(f"The archive in {archive.directory} is empty.")
        screen.text("Add collateral: teeproof endorsements add FILE")
        return 0
    for entry in entries:
        screen.text(entry.id, "bold")
        _write_entry(screen, entry, now)
    _write_faults(screen, faults)
    return 0


@command.command("show")
@click.argument("id", metavar="ID")
@output_options
def _show(*, id: str, as_json: bool, color: ColorChoice) -> int:  # noqa: A002  click's name
    """Print a set of the archive; ID may be cut short.

    \b
    Example
      teeproof endorsements show 2ac705a4
    """  # noqa: D301  click reads the \b
    from teeproof.cli.claims import claims  # noqa: PLC0415  only here
    from teeproof.cli.show import write_claims  # noqa: PLC0415
    from teeproof.evidence.files.kinds import Piece  # noqa: PLC0415

    screen = standard(color)
    archive = archive_of(os.environ)
    entry = _find(archive, id)
    text = strictjson.dumps(archive.load(entry.id).to_json(), pretty=True)
    piece = Piece(kind="collateral", data=text.encode(), name=short(entry.id), form="json")
    found = claims(piece)
    if as_json:
        screen.json(found)
    else:
        write_claims(screen, found)
    return 0


@command.command("check")
@_at
@output_options
def _check(*, at: str | None, as_json: bool, color: ColorChoice) -> int:
    """Compare digests, check signatures, and say what is in force.

    \b
    Example
      teeproof endorsements check --at 2026-02-25
    """  # noqa: D301  click reads the \b
    screen = standard(color)
    now = time_of(at)
    archive = archive_of(os.environ)
    entries, faults = archive.survey()
    found = [(entry, archive.fault(entry)) for entry in entries]
    bad = [*faults, *(fault for _, fault in found if fault)]
    if as_json:
        rows = [_json(entry, now) | {"intact": fault is None} for entry, fault in found]
        screen.json({"ok": not bad, "sets": rows, "faults": _faults_json(bad)})
        return NotAuthentic.exit_code if bad else 0
    for entry, fault in found:
        mark, color_name = ("✗", "red") if fault else ("✓", "green")
        text = fault.why if fault else _state(entry, now)
        label = f"{short(entry.id, 8)} {entry.tee} {entry.fmspc}"
        screen.row(label, text, mark=screen.paint(mark, color_name, "bold"), column=36)
    _write_faults(screen, faults)
    screen.text(f"{len(found)} sets, {len(bad)} faults, as of {format_time(now)}", "dim")
    return NotAuthentic.exit_code if bad else 0


def _find(archive: Archive, given: str) -> Entry:
    digits = given.removeprefix("sha256:").rstrip("…").lower()
    found = [e for e in archive.entries() if e.id.removeprefix("sha256:").startswith(digits)]
    if not found:
        raise Unavailable(
            f"no set in the archive has an id that begins with {digits[:80]}: list them with"
            " teeproof endorsements list",
            code="endorsements_unknown",
            got=given[:80],
        )
    if len(digits) < 4 or len(found) > 1:
        raise Usage(
            f"{digits[:80] or 'nothing'} is too few digits to name one set",
            code="endorsements_ambiguous",
            expected="at least 4 digits that only one set begins with",
            got=given[:80],
        )
    return found[0]


def _write_faults(screen: Screen, faults: Sequence[Fault]) -> None:
    for fault in faults:
        screen.row(fault.name, fault.why, mark=screen.paint("✗", "red", "bold"), column=36)


def _faults_json(faults: Sequence[Fault]) -> list[dict[str, str]]:
    return [{"name": fault.name, "why": fault.why} for fault in faults]


def _state(entry: Entry, now: datetime) -> str:
    at = to_epoch(now)
    if at < entry.begins:
        return f"not in force before {format_time(entry.begins)[:10]}"
    if at > entry.ends:
        return f"expired on {format_time(entry.ends + 1)[:10]}"
    return f"in force until {format_time(entry.ends + 1)[:10]}"


def _write_entry(screen: Screen, entry: Entry, now: datetime | None) -> None:
    screen.row("for", f"{entry.tee} on FMSPC {entry.fmspc}, certified by the {entry.ca} CA")
    dates = f"{format_time(entry.begins)[:10]} to {format_time(entry.ends + 1)[:10]}"
    screen.row("in force", dates + (f": {_state(entry, now)}" if now else ""))
    screen.row("number", str(entry.evaluation_number))


def _json(entry: Entry, now: datetime | None) -> dict[str, Any]:
    return {
        "id": entry.id,
        "tee": entry.tee,
        "fmspc": entry.fmspc,
        "ca": entry.ca,
        "root": entry.root,
        "evaluation_number": entry.evaluation_number,
        "begins": format_time(entry.begins),
        "ends": format_time(entry.ends),
        "state": _state(entry, now) if now else None,
    }
