"""Write docs/report-map.md from the claims: python -m tests.report_map."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from teeproof.explorer.report.claims import Claim, claims

__all__ = ["PAGE", "page"]

PAGE = Path(__file__).resolve().parent.parent / "docs" / "report-map.md"
_HEAD = (
    "| report | claim or figure | answered by | state | finding | shown by |\n"
    "|---|---|---|---|---|---|\n"
)


def page(text: str, found: Sequence[Claim]) -> str:
    """Return the page with what stands before its first chapter, and the claims' tables."""
    before = text.partition("\n## ")[0]
    parts = [before]
    for chapter in dict.fromkeys(claim.chapter for claim in found):
        lines = [_line(claim) for claim in found if claim.chapter == chapter]
        parts.append(f"\n## {chapter}\n\n{_HEAD}" + "\n".join(lines) + "\n")
    return "".join(parts)


def _line(claim: Claim) -> str:
    shown = "; ".join(x for x in (claim.command and f"`{claim.command}`", claim.source) if x)
    cells = (claim.section, claim.claim, claim.answer, claim.state, claim.sentence, shown or "–")
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(), claims()))
