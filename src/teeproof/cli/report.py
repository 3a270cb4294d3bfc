"""``teeproof report``: every claim and figure of the report, with our answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import click

from teeproof.cli.options import output_options
from teeproof.cli.screen import ColorChoice, Screen, standard
from teeproof.explorer.report.claims import FINDINGS, Claim, Finding, claims, needs, select
from teeproof.explorer.report.telling import REPORT, computed, document, missing, summary, table

__all__ = ["command"]

_MARKS: dict[Finding, tuple[str, str]] = {
    "reproduced": ("✓", "green"),
    "contradicted": ("✗", "red"),
    "not checkable here": ("–", "yellow"),
}
_HEADS = ("reproduced", "contradicted", "not checkable")
_WIDTHS = (38, 12, 14, 15)  # of a table that fits 80 columns


@click.command("report")
@click.argument("section", metavar="[SECTION]", required=False)
@click.option("--finding", metavar="WORD", help=f"Only these: {', '.join(FINDINGS)}.")
@click.option("--chapter", metavar="N", help="Only of this chapter, 1 to 7; 0 is what is before.")
@click.option("--all", "everything", is_flag=True, help="Every claim, not only what does not hold.")
@output_options
def command(
    section: str | None, *, finding: str | None, chapter: str | None, everything: bool,
    as_json: bool, color: ColorChoice,
) -> int:  # fmt: skip
    """Go through Phala's report of 2025, claim by claim, with our answer to each.

    Without a choice: how many claims have which finding, and each that does not hold. SECTION is a
    number of the report, such as 3 or 6.1. The JSON holds every claim that was asked for.

    \b
    Examples
      teeproof report
      teeproof report 6.1
      teeproof report --chapter 6 --finding contradicted
    """  # noqa: D301  click reads the \b
    found = select(section=section, finding=finding, chapter=chapter)
    screen = standard(color)
    if as_json:
        screen.json(document(found))
        return 0
    screen.sides(REPORT, "claim by claim", "bold")
    if everything or section or finding or chapter:
        _write_counts(screen, found)
        _write_all(screen, found)
    else:
        found = select(finding="contradicted")
        _write_overview(screen)
        screen.title("What does not hold, and why")
        for claim in sorted(found, key=lambda claim: claim.figure is None):
            _write(screen, claim, where=True)
    _write_needs(screen, found)
    return 0


def _write_overview(screen: Screen) -> None:
    screen.text(summary())
    screen.write()
    narrow = screen.width < sum(_WIDTHS)
    if not narrow:
        screen.write(screen.paint(_line("", _HEADS), "dim"))
    for line in table():
        if narrow:
            screen.text(line.chapter)
            screen.text(_counted(Counter(dict(zip(FINDINGS, line.counts, strict=True)))), indent=2)
        else:
            screen.write(screen.paint(_line(line.chapter, line.counts)))
    screen.write()
    screen.text("Of what is not checkable here", "dim")
    for sentence, count in missing():
        screen.row(str(count).rjust(3), sentence, column=5, indent=0)
    screen.write()
    screen.text("teeproof report --all shows every claim; --chapter 6, --finding reproduced and"
                " a section such as 6.1 show some.", "dim")  # fmt: skip


def _line(heading: str, cells: Sequence[object]) -> str:
    first, *rest = _WIDTHS
    cut = heading if len(heading) < first else f"{heading[: first - 2].rstrip()}…"
    return cut.ljust(first) + "".join(
        str(cell).rjust(width) for cell, width in zip(cells, rest, strict=True)
    )


def _write_counts(screen: Screen, found: Sequence[Claim]) -> None:
    said = _counted(Counter(claim.finding for claim in found))
    rest = "" if len(found) == len(claims()) else f" (of {len(claims())} in all)"
    screen.text(f"{len(found)} claims and figures: {said}{rest}", "dim")


def _counted(counts: Counter[Finding]) -> str:
    return ", ".join(f"{counts[word]} {word}" for word in FINDINGS if counts[word]) or "none"


def _write_all(screen: Screen, found: Sequence[Claim]) -> None:
    heading = None
    for claim in found:
        if claim.section != heading:
            heading = claim.section
            screen.write()
            screen.text(heading, "bold")
        _write(screen, claim)


def _write(screen: Screen, claim: Claim, *, where: bool = False) -> None:
    mark, style = _MARKS[claim.finding]
    screen.row("", claim.claim, "bold", column=0, mark=screen.paint(mark, style))
    screen.row("", claim.sentence, style, column=0, indent=6)
    for line in computed(claim):
        screen.row("", line, column=0, indent=6)
    source = claim.basis if where else claim.source
    if source:
        screen.row("", f"source: {source}", "dim", column=0, indent=6)
    if claim.command:
        screen.copied("", f"$ {claim.command}", "dim", indent=6, column=0)
    elif claim.finding != "not checkable here":
        screen.row("", f"see: {claim.answer.replace('`', '')}", "dim", column=0, indent=6)


def _write_needs(screen: Screen, found: Sequence[Claim]) -> None:
    wanted = needs(found)
    if wanted:
        screen.write()
    for sentence in wanted:
        screen.text(sentence, "dim")
