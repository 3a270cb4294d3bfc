"""``teeproof report``: every claim and figure of the report, with our answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import click

from teeproof.cli.options import output_options
from teeproof.cli.screen import ColorChoice, Screen, standard
from teeproof.explorer.report.claims import FINDINGS, Claim, Finding, claims, needs, select
from teeproof.explorer.report.figures import figure

__all__ = ["command"]

_MARKS: dict[Finding, tuple[str, str]] = {
    "reproduced": ("✓", "green"),
    "contradicted": ("✗", "red"),
    "not checkable here": ("–", "yellow"),
    "open": ("·", "dim"),
}


@click.command("report")
@click.argument("section", metavar="[SECTION]", required=False)
@click.option("--finding", metavar="WORD", help=f"Only these: {', '.join(FINDINGS)}.")
@output_options
def command(section: str | None, *, finding: str | None, as_json: bool, color: ColorChoice) -> int:
    """Go through Phala's report of 2025, claim by claim, with our answer to each.

    SECTION is a number of the report, such as 3 or 6.1.

    \b
    Examples
      teeproof report 6.1
      teeproof report --finding contradicted
    """  # noqa: D301  click reads the \b
    found = select(section=section, finding=finding)
    screen = standard(color)
    if as_json:
        screen.json([_json(claim) for claim in found])
        return 0
    screen.sides("Real Code for Real dAGI, Phala Network, 2025", "claim by claim", "bold")
    _write_counts(screen, found)
    heading = None
    for claim in found:
        if claim.section != heading:
            heading = claim.section
            screen.title(heading)
        _write(screen, claim)
    wanted = needs(found)
    if wanted:
        screen.write()
    for sentence in wanted:
        screen.text(sentence, "dim")
    return 0


def _write_counts(screen: Screen, found: Sequence[Claim]) -> None:
    counts = Counter(claim.finding for claim in found)
    said = ", ".join(f"{counts[word]} {word}" for word in FINDINGS if counts[word])
    rest = "" if len(found) == len(claims()) else f" (of {len(claims())} in all)"
    screen.text(f"{len(found)} claims and figures: {said or 'none'}{rest}", "dim")


def _write(screen: Screen, claim: Claim) -> None:
    mark, style = _MARKS[claim.finding]
    screen.row("", claim.claim, "bold", column=0, mark=screen.paint(mark, style))
    screen.row("", claim.sentence, style, column=0, indent=6)
    for line in figure(claim.figure) if claim.figure else ():
        screen.row("", line, column=0, indent=6)
    if claim.source:
        screen.row("", f"source: {claim.source}", "dim", column=0, indent=6)
    if claim.command:
        screen.copied("", f"$ {claim.command}", "dim", indent=6, column=0)
    elif claim.finding != "not checkable here":
        ahead = "see: " if claim.places else "to come: "
        screen.row("", f"{ahead}{claim.answer.replace('`', '')}", "dim", column=0, indent=6)


def _json(claim: Claim) -> dict[str, Any]:
    return {
        "chapter": claim.chapter,
        "section": claim.section,
        "claim": claim.claim,
        "answer": claim.answer,
        "state": claim.state,
        "finding": claim.finding,
        "why": claim.why,
        "command": claim.command,
        "source": claim.basis,
        "computed": list(figure(claim.figure)) if claim.figure else [],
    }
