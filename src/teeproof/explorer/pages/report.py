"""The report that all this answers, claim by claim: what does not hold first, then by choice."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

from teeproof.explorer.answering import json_answer
from teeproof.explorer.pages.family import Site
from teeproof.explorer.report.claims import FINDINGS, LACKS, Claim, chapters, needs, select
from teeproof.explorer.report.telling import REPORT, computed, document, missing, summary, table

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["ReportPages"]


class _Asked(NamedTuple):
    """What a visitor asked for; everything is None on the first screen."""

    finding: str | None
    chapter: str | None
    section: str | None
    all: bool

    @property
    def narrowed(self) -> bool:
        return self.all or any((self.finding, self.chapter, self.section))

    def found(self, *, finding: str | None) -> tuple[Claim, ...]:
        return select(finding=finding, chapter=self.chapter, section=self.section)


class ReportPages:
    """The page of the report."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def page(self, request: Request) -> Response:
        """The page: what does not hold first; or the claims that were asked for."""
        asked = _asked(request)
        found = asked.found(finding=asked.finding if asked.narrowed else "contradicted")
        within = asked.found(finding=None)
        counts = Counter(claim.finding for claim in within)
        return self._site.pages.html(
            "report.html", title="The report, claim by claim", report=REPORT, summary=summary(),
            asked=asked, shown=[(claim, computed(claim)) for claim in _figures_first(found, asked)],
            counts=counts, total=len(within), findings=FINDINGS, chapters=chapters(), lines=table(),
            lacks=LACKS, missing=missing(), needs=needs(found), link=_link,
        )  # fmt: skip

    async def twin(self, request: Request) -> Response:
        """The same for programs: every claim, unless fewer were asked for."""
        asked = _asked(request)
        return json_answer(document(asked.found(finding=asked.finding)))


def _figures_first(found: tuple[Claim, ...], asked: _Asked) -> list[Claim]:
    """Return the claims in the report's order; on the first screen those with figures first."""
    return list(found) if asked.narrowed else sorted(found, key=lambda c: c.figure is None)


def _asked(request: Request) -> _Asked:
    query = {key: value[:80].strip() for key, value in request.query_params.items()}
    finding = query.get("finding") or None
    return _Asked(
        finding=None if finding == "all" else finding,
        chapter=query.get("chapter") or None,
        section=query.get("section") or None,
        all=finding == "all",
    )


def _link(*, finding: str | None = None, chapter: str | None = None, page: str = "/report") -> str:
    """Return the address of a finding's and a chapter's claims."""
    asked = {"finding": finding, "chapter": chapter}
    query = urlencode({key: value for key, value in asked.items() if value})
    return f"{page}?{query}" if query else page
