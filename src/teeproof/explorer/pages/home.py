"""The first page: search anything, hand in a file, see what was said last.

GET /                what happened, what was said last
GET /search?q=…      what a text names: straight to its page, or a list
GET /events          each new statement, as server-sent events
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

from teeproof.core import strictjson
from teeproof.core.errors import Error, Unavailable
from teeproof.core.text import cut, many
from teeproof.explorer.answering import HEADERS, Listeners, json_answer
from teeproof.explorer.log.finding import SEARCHED, Entry, Found
from teeproof.explorer.log.keys import MOST_KEYS, MOST_OF_ONE
from teeproof.explorer.made.listing import named_by
from teeproof.explorer.pages.family import Site, aside, read_so_far
from teeproof.explorer.telling.sentences import clause_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["HomePages"]

_SHOWN = 20
_TOLD = 40  # statements that were found and whose words are shown
_EVERY = 2.0  # seconds between looks at the log, for all who listen together
_LISTENERS = 500
_LONGEST_NAME = 200  # characters of what names a thing
_LONGEST = 3600.0  # seconds for which one listener is served; a browser asks again


class HomePages:
    """The first page, and search."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._listeners = Listeners(_LISTENERS)

    async def home(self, _: Request) -> Response:
        """The first page."""
        return self._site.pages.html(
            "home.html", title="Check what an AI did, and on which machine", lines=self._lines(),
            latest=await self._latest(), searched=SEARCHED, left_out=await self._left_out(),
        )  # fmt: skip

    async def home_json(self, _: Request) -> Response:
        """The same for programs."""
        latest = [entry.to_json() for entry in await self._latest()]
        body: dict[str, Any] = {"lines": list(self._lines()), "latest": latest}
        body |= {"left_out": await self._left_out()}
        return json_answer(body | read_so_far(self._site))

    async def search(self, request: Request) -> Response:
        """What a text names: the page of a thing, of a statement, or a list."""
        if (href := await self._lead(_query(request))) is not None:
            from starlette.responses import RedirectResponse  # noqa: PLC0415  only a server needs it

            return RedirectResponse(href, status_code=303, headers=HEADERS)
        found = await self._find(request)
        pages = list(dict.fromkeys(one.href for one in found))
        if len(pages) == 1:
            from starlette.responses import RedirectResponse  # noqa: PLC0415  only a server needs it

            return RedirectResponse(pages[0], status_code=303, headers=HEADERS)
        return self._site.pages.html(
            "search.html",
            title="Found",
            query=_query(request),
            found=found,
            total=len(pages),
            things=named_by(self._site.log, _query(request)),
            said=await aside(self._site, lambda: self._said(found)),
            absent=self._site.log.index.absent,
            room=MOST_KEYS,
            most=MOST_OF_ONE if len(found) >= MOST_OF_ONE else 0,
        )

    def _said(self, found: Sequence[Found]) -> dict[str, str]:
        """Return what the first statements that were found say, a clause each, by their ids."""
        ids = list(dict.fromkeys(one.statement for one in found if one.statement))[:_TOLD]
        reads = self._site.log.reads([bytes.fromhex(one) for one in ids])
        return {one: clause_of(read) for one, read in zip(ids, reads, strict=True)}

    async def search_json(self, request: Request) -> Response:
        """The same for programs; ``things`` are pages that the whole text names."""
        query = _query(request)
        lead = await self._lead(query)
        try:
            found = await self._find(request)
        except Error:
            if lead is None:
                raise
            found = []
        things = [] if lead is None else [lead]
        things += [href for href, _ in named_by(self._site.log, query)]
        body = [one.to_json() for one in found]
        answer = {"query": query, "found": body, "things": list(dict.fromkeys(things)),
                  "no_room_for": self._site.log.index.absent, "at_most": MOST_OF_ONE}  # fmt: skip
        return json_answer(answer | read_so_far(self._site))

    async def events(self, request: Request) -> Response:
        """Each new statement, as it comes."""
        assert request.method
        _ = self._site.log  # without one there is no news
        return self._listeners.stream(self._stream())

    async def _stream(self) -> AsyncIterator[str]:
        seen = max((entry.number for entry in await self._latest()), default=-1)
        yield "retry: 5000\n\n"
        for _ in range(int(_LONGEST / _EVERY)):
            await asyncio.sleep(_EVERY)
            fresh = [entry for entry in await self._latest() if entry.number > seen]
            for entry in reversed(fresh):
                seen = entry.number
                yield f"id: {entry.number}\ndata: {strictjson.dumps(entry.to_json())}\n\n"
            if not fresh:
                yield ": nothing new\n\n"  # so that a listener who left is noticed

    def _lines(self) -> Any:
        return () if self._site.book is None else self._site.book.story()

    async def _latest(self) -> list[Entry]:
        book = self._site.book
        if book is None:
            return []
        try:
            return await aside(self._site, lambda: book.index.latest(_SHOWN))
        except Error:
            return []  # the log has published nothing yet; its own page says so

    async def _left_out(self) -> int:
        book = self._site.book
        if book is None:
            return 0
        try:
            return await aside(self._site, lambda: book.left_out.total)
        except Error:
            return 0  # the same

    async def _lead(self, query: str) -> str | None:
        """Return the page of the thing that a text names as a whole; None if it names none."""
        if len(query) > _LONGEST_NAME:
            return None
        leads = self._site.leads
        found = await aside(self._site, lambda: [lead(query) for lead in leads])
        return next((href for href in found if href is not None), None)

    async def _find(self, request: Request) -> list[Found]:
        query, book = _query(request), self._site.log
        found = await aside(self._site, lambda: book.index.find(query))
        if not found and (far := book.reading) is not None:
            raise Unavailable(
                f"nothing by this name is in the first {far.done:,} of {far.size:,} entries;"
                " the rest is still being read: search again in a moment",
                code="log_reading", got=cut(query, 100),
            )  # fmt: skip
        if not found:
            absent = book.index.absent
            raise Unavailable(
                f"nothing by this name is among the first {MOST_KEYS:,} names of the log, and"
                f" {many(absent, 'mention')} of others found no room: search for a whole id or"
                " digest" if absent else "the log speaks of nothing by this name",
                code="nothing_found",
                expected=", ".join(SEARCHED), got=cut(query, 100),
            )  # fmt: skip
        return found


def _query(request: Request) -> str:
    return request.query_params.get("q", "")[:4096]
