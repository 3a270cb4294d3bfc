"""``teeproof doctor``: what this machine has, what it lacks, and what one would do about it."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence

import click

from teeproof.cli import doctor_look
from teeproof.cli.doctor_look import Finding
from teeproof.cli.options import output_options
from teeproof.cli.screen import ColorChoice, Screen, standard
from teeproof.core.clock import wall_clock
from teeproof.core.version import VERSION
from teeproof.evidence.collect import ATTESTER_VARIABLE
from teeproof.evidence.collect.kinds import KINDS, Here, look
from teeproof.evidence.collect.presence import Presence

__all__ = ["command"]

_MARKS = {"good": ("✓", "green"), "absent": ("–", "dim"), "broken": ("✗", "red")}
_COLUMN = 16


@click.command("doctor")
@output_options
def command(*, as_json: bool, color: ColorChoice) -> int:
    """Say what this machine has, what it lacks, and what one would do about it.

    Attesters, optional packages, the data directory, the clock. Nothing is attested or written, and
    no network is used. The exit code is 0 unless something that is needed is broken.

    \b
    Example
      teeproof doctor
    """  # noqa: D301  click reads the \b
    here, now = Here(os.environ), wall_clock()
    attesters = look(here)
    groups = {
        "packages": doctor_look.packages(doctor_look.wanted()),
        "programs": doctor_look.programs(),
        "data": doctor_look.data(os.environ),
        "clock": doctor_look.clock(now, os.environ),
    }
    broken = [one for found in groups.values() for one in found if one.state == "broken"]
    chosen = _chosen(here)
    screen = standard(color)
    if as_json:
        screen.json(
            {
                "ok": not broken,
                "teeproof": VERSION,
                "python": platform.python_version(),
                "attester": chosen,
                "attesters": [one._asdict() for one in attesters],
                **{name: [one.to_json() for one in found] for name, found in groups.items()},
            }
        )
    else:
        _write(screen, attesters, groups, chosen)
        _write_end(screen, broken, chosen)
    return 3 if broken else 0


def _chosen(here: Here) -> str | None:
    """Return whom ``evidence collect`` would ask, as the environment stands."""
    named = here.environment.get(ATTESTER_VARIABLE)
    return named or next((n for n, kind in KINDS.items() if kind.sign and kind.sign(here)), None)


def _write(
    screen: Screen,
    attesters: Sequence[Presence],
    groups: dict[str, list[Finding]],
    chosen: str | None,
) -> None:
    screen.write(screen.paint(f"teeproof {VERSION} · Python {platform.python_version()}", "bold"))
    screen.title("attesters")
    for one in attesters:
        state = "good" if one.present else "absent"
        note = " (taken unless another is named)" if one.kind == chosen else ""
        _row(screen, Finding(one.kind, state, f"{one.what}{note}"))
        screen.row("", one.detail, indent=4, column=_COLUMN)
        if one.remedy:
            screen.row("", f"to have it: {one.remedy}", "dim", indent=4, column=_COLUMN)
    for name, found in groups.items():
        screen.title(name)
        for finding in found:
            _row(screen, finding)
            if finding.remedy:
                screen.row("", finding.remedy, "dim", indent=4, column=_COLUMN)


def _row(screen: Screen, one: Finding) -> None:
    mark, style = _MARKS[one.state]
    screen.row(one.name, one.detail, column=_COLUMN, mark=screen.paint(mark, style))


def _write_end(screen: Screen, broken: Sequence[Finding], chosen: str | None) -> None:
    screen.write()
    if broken:
        names = ", ".join(one.name for one in broken)
        screen.text(f"BROKEN: {names}", "red", "bold")
        return
    said = f"evidence collect asks {chosen}" if chosen else "no attester here is taken unless named"
    screen.text(f"NOTHING THAT IS NEEDED IS BROKEN · {said}", "green", "bold")
