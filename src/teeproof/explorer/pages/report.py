"""The report that all this answers, claim by claim, to be narrowed down to one finding."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from teeproof.explorer.answering import json_answer
from teeproof.explorer.pages.family import Site
from teeproof.explorer.report.claims import FINDINGS, Claim, claims, needs, select
from teeproof.explorer.report.figures import figure

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["ReportPages"]


class ReportPages:
    """The page of the report."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def page(self, request: Request) -> Response:
        """The page."""
        finding, section = _asked(request)
        found = select(finding=finding, section=section)
        shown = [(one, figure(one.figure) if one.figure else ()) for one in found]
        counts = Counter(one.finding for one in claims())
        return self._site.pages.html(
            "report.html", title="The report, claim by claim", shown=shown, counts=counts,
            findings=FINDINGS, finding=finding, section=section or "", total=len(claims()),
            needs=needs(found),
        )  # fmt: skip

    async def twin(self, request: Request) -> Response:
        """The same for programs."""
        finding, section = _asked(request)
        return json_answer(
            {"claims": [_json(one) for one in select(finding=finding, section=section)]}
        )


def _asked(request: Request) -> tuple[str | None, str | None]:
    query = request.query_params
    return query.get("finding") or None, query.get("section", "")[:80].strip() or None


def _json(claim: Claim) -> dict[str, Any]:
    return {
        "chapter": claim.chapter, "section": claim.section, "claim": claim.claim,
        "answer": claim.answer, "state": claim.state, "finding": claim.finding, "why": claim.why,
        "command": claim.command, "source": claim.basis,
        "computed": list(figure(claim.figure)) if claim.figure else [],
    }  # fmt: skip
