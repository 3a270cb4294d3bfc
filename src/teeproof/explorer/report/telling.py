"""What is told of the claims: one sentence on all, a table by chapter, and the object for programs.

The page, the terminal and the JSON of both say the same, and all of it comes from here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from teeproof.explorer.report.claims import FINDINGS, LACKS, Claim, Finding, chapters, claims
from teeproof.explorer.report.figures import figure

__all__ = ["REPORT", "Line", "computed", "document", "missing", "summary", "table"]

REPORT = "Real Code for Real dAGI, Phala Network, 2025"


class Line(NamedTuple):
    """How many claims of a chapter have each finding, in the order of ``FINDINGS``."""

    number: str
    chapter: str
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """How many claims the chapter has."""
        return sum(self.counts)


def summary() -> str:
    """Return what became of all claims, in one sentence."""
    counts = Counter(claim.finding for claim in claims())
    return (
        f"Of {len(claims())} claims and figures of the report {counts['reproduced']} are"
        f" reproduced, as far as each says, {counts['contradicted']} are contradicted, and"
        f" {counts['not checkable here']} are not checkable here."
    )


def missing() -> tuple[tuple[str, int], ...]:
    """Return for what is not checkable here what was missing, each with how many claims."""
    counts = Counter(claim.lacks for claim in claims())
    return tuple((sentence, counts[word]) for word, sentence in LACKS.items())


def table() -> tuple[Line, ...]:
    """Return a line for each chapter."""
    counts = Counter((claim.number, claim.finding) for claim in claims())
    return tuple(
        Line(number, heading, tuple(counts[number, finding] for finding in FINDINGS))
        for number, heading in chapters().items()
    )


def computed(claim: Claim) -> tuple[str, ...]:
    """Return what is computed of a claim's numbers, a line each; nothing if it has none."""
    return figure(claim.figure) if claim.figure else ()


def document(found: Sequence[Claim]) -> dict[str, Any]:
    """Return the object for programs; docs/reference/report-json.md says what stands in it."""
    counts = Counter(claim.finding for claim in found)
    words: tuple[Finding, ...] = FINDINGS
    return {
        "report": REPORT,
        "total": len(claims()),
        "counts": {word: counts[word] for word in words},
        "claims": [_row(claim) for claim in found],
    }


def _row(claim: Claim) -> dict[str, Any]:
    return {
        "key": claim.key,
        "chapter": claim.chapter,
        "section": claim.section,
        "claim": claim.claim,
        "finding": claim.finding,
        "lacks": claim.lacks,
        "why": claim.why,
        "computed": list(computed(claim)),
        "command": claim.command,
        "source": claim.basis,
        "answer": claim.answer,
        "state": claim.state,
    }
