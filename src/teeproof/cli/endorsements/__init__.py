"""``teeproof endorsements``: keep what vendors say of machines, to verify old evidence later."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from teeproof.cli.endorsements.fetch import command as fetch_command
from teeproof.cli.endorsements.kept import (
    SUFFIXES,
    in_force,
    parts_of,
    record_json,
    record_state,
    write_record,
)
from teeproof.cli.endorsing import archive_of, parse_collateral
from teeproof.cli.options import Nouns, at_option, output_options, paths_argument, time_of
from teeproof.cli.screen import ColorChoice, Screen, short, standard
from teeproof.core import strictjson
from teeproof.core.clock import format_time
from teeproof.core.errors import NotAuthentic, Unavailable, Usage
from teeproof.core.reading import read_bounded
from teeproof.evidence.archive import Fault
from teeproof.evidence.endorsements import MAX_COLLATERAL_BYTES
from teeproof.evidence.entries import Entry
from teeproof.evidence.kept.record import KINDS, Record
from teeproof.evidence.kept.records import Records

__all__ = ["command"]


@click.group("endorsements", cls=Nouns)
def command() -> None:
    """Keep what vendors say of machines, to verify old evidence later.

    Intel's collateral is in force for 30 days, and Intel serves only the newest; AMD's certificates
    and lists and NVIDIA's manifests and OCSP answers end too. What is kept here, by its content,
    lets evidence be verified as of its own time for ever; verify finds it by itself.

    \b
    Examples
      teeproof endorsements fetch quote.bin
      teeproof endorsements add collateral.json
      teeproof endorsements check --at 2026-02-25
    """  # noqa: D301  click reads the \b


command.add_command(fetch_command)

_at = at_option("Say what is in force at this time (2026-02-25); without it, now.")


@command.command("add")
@paths_argument
@output_options
def _add(files: Sequence[Path], *, as_json: bool, color: ColorChoice) -> int:
    """Add collateral, certificates, lists, manifests or OCSP answers to the archive.

    Their signatures must hold. Whether their root is one to trust, each use decides. Name AMD's
    certificates and lists together with those above them (cert_chain), and OCSP answers together
    with the GPUs' evidence or the manifest that they are about.

    \b
    Examples
      teeproof endorsements add collateral.json
      teeproof endorsements add vcek.der cert_chain.pem milan.crl
    """  # noqa: D301  click reads the \b
    screen = standard(color)
    named = _read(files)
    kept, rest = parts_of(named)
    found = [(name, parse_collateral(data, name)) for name, data in rest]
    if not named:
        raise Usage("there is no file of endorsements in there", code="collateral_missing")
    archive, records = archive_of(os.environ), _records()
    before = {entry.id for entry in archive.entries()}
    before |= {record.id for record in records.survey()[0]}
    entries = [archive.add(collateral) for _, collateral in found]
    others = [records.add(kind, parts) for kind, parts in kept]
    if as_json:
        rows = [_json(entry, None) for entry in entries]
        rows += [record_json(record, None) for record in others]
        screen.json([row | {"new": row["id"] not in before} for row in rows])
        return 0
    for (name, _), entry in zip(found, entries, strict=True):
        _write_head(screen, name, entry.id, before)
        _write_entry(screen, entry, None)
    for record in others:
        _write_head(screen, KINDS[record.kind], record.id, before)
        write_record(screen, record, None)
    screen.row("kept in", str(archive.directory))
    return 0


def _read(paths: Sequence[Path]) -> list[tuple[str, bytes]]:
    """Return names and contents of files; of a directory, of those that may be endorsements."""
    files: list[Path] = []
    for path in paths:
        inside = (
            (p for p in sorted(path.iterdir()) if p.suffix in SUFFIXES) if path.is_dir() else ()
        )
        files += inside if path.is_dir() else [path]
    limit = MAX_COLLATERAL_BYTES
    return [(path.name, read_bounded(path, limit=limit, what="collateral")) for path in files]


def _records() -> Records:
    return Records(archive_of(os.environ).directory)


def _write_head(screen: Screen, name: str, entry_id: str, before: set[str]) -> None:
    there = ": already there" if entry_id in before else ""
    screen.write(screen.paint("✓", "green", "bold") + screen.paint(f" {name}{there}", "bold"))
    screen.row("id", entry_id)


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
    (entries, faults), (records, more) = archive.survey(), _records().survey()
    faults += more
    if as_json:
        screen.json(
            {
                "sets": [_json(entry, now) for entry in entries],
                "records": [record_json(record, now) for record in records],
                "faults": _faults_json(faults),
            }
        )
        return 0
    if not entries and not records and not faults:
        screen.text(f"The archive in {archive.directory} is empty.")
        screen.text("Fetch what evidence needs: teeproof endorsements fetch EVIDENCE")
        screen.text("Add files: teeproof endorsements add FILE")
        return 0
    for entry in entries:
        screen.text(entry.id, "bold")
        _write_entry(screen, entry, now)
    for record in records:
        screen.text(record.id, "bold")
        write_record(screen, record, now)
    _write_faults(screen, faults)
    return 0


@command.command("show")
@click.argument("id", metavar="ID")
@output_options
def _show(*, id: str, as_json: bool, color: ColorChoice) -> int:  # noqa: A002  click's name
    """Print a set or record of the archive; ID may be cut short.

    \b
    Example
      teeproof endorsements show 2ac705a4
    """  # noqa: D301  click reads the \b
    from teeproof.cli.claims import claims  # noqa: PLC0415  only here
    from teeproof.cli.show import write_claims  # noqa: PLC0415
    from teeproof.evidence.files.kinds import Piece  # noqa: PLC0415

    screen = standard(color)
    archive = archive_of(os.environ)
    entry = _find([*archive.entries(), *_records().survey()[0]], id)
    if isinstance(entry, Record):
        kept = _records().load(entry.id)
        if as_json:
            parts = {name: b64encode(content).decode() for name, content in kept.parts.items()}
            screen.json(record_json(entry, None) | {"parts": parts})
        else:
            screen.text(entry.id, "bold")
            write_record(screen, entry, None)
            sizes = (f"{name} {len(content)} bytes" for name, content in kept.parts.items())
            screen.row("parts", ", ".join(sizes))
        return 0
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
    records = _records()
    (entries, faults), (others, more) = archive.survey(), records.survey()
    faults += more
    found = [(entry, archive.fault(entry)) for entry in entries]
    kept = [(record, records.fault(record)) for record in others]
    bad = [*faults, *(fault for _, fault in (*found, *kept) if fault)]
    if as_json:
        rows = [_json(entry, now) | {"intact": fault is None} for entry, fault in found]
        more_rows = [record_json(r, now) | {"intact": fault is None} for r, fault in kept]
        screen.json(
            {"ok": not bad, "sets": rows, "records": more_rows, "faults": _faults_json(bad)}
        )
        return NotAuthentic.exit_code if bad else 0
    for entry, fault in found:
        label = f"{short(entry.id, 8)} {entry.tee} {entry.fmspc}"
        _write_checked(screen, label, fault, _state(entry, now))
    for record, fault in kept:
        label = f"{short(record.id, 8)} {record.kind}"
        _write_checked(screen, label, fault, record_state(record, now))
    _write_faults(screen, faults)
    count = f"{len(found)} sets, {len(kept)} records, {len(bad)} faults"
    screen.text(f"{count}, as of {format_time(now)}", "dim")
    return NotAuthentic.exit_code if bad else 0


def _write_checked(screen: Screen, label: str, fault: Fault | None, state: str) -> None:
    mark, color_name = ("✗", "red") if fault else ("✓", "green")
    text = fault.why if fault else state
    screen.row(label, text, mark=screen.paint(mark, color_name, "bold"), column=36)


def _find(kept: Sequence[Entry | Record], given: str) -> Entry | Record:
    digits = given.removeprefix("sha256:").rstrip("…").lower()
    found = [e for e in kept if e.id.removeprefix("sha256:").startswith(digits)]
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
    return in_force(entry.begins, entry.ends, until=entry.ends + 1, now=now)


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
