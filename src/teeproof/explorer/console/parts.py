"""The story's parts: how far each is, what it told, and starting one.

Without a script the page reloads itself while something runs; with one, it follows as it goes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

from teeproof.core import strictjson
from teeproof.core.errors import Error, Unavailable, Usage
from teeproof.explorer.answering import Listeners, json_answer
from teeproof.explorer.console.family import Family
from teeproof.explorer.console.forms import read_form
from teeproof.explorer.console.stage import NAMES, Part, Stage
from teeproof.explorer.pages.family import aside

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["PartPages"]

_EVERY = 1.0  # seconds between looks
_LISTENERS = 20
_LONGEST = 3600.0  # seconds for which one listener is served; a browser asks again
_LINES = 60  # of one part; its statements are in the log


class PartPages(Family):
    """The list of parts."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._listeners = Listeners(_LISTENERS)

    async def page(self, _: Request) -> Response:
        """The list."""
        return await self._page()

    async def twin(self, _: Request) -> Response:
        """The same for programs."""
        parts = await aside(self._site, self._stage.parts)
        return json_answer({"parts": [_json(part) for part in parts]})

    async def start(self, request: Request) -> Response:
        """Start a part, and what it needs if that is asked for."""
        form = await read_form(request, self._gate)
        name, through = request.path_params["name"], form.word("through") == "yes"
        try:
            if name not in NAMES:
                raise Usage("there is no such part", code="part_unknown", expected=", ".join(NAMES))
            stage = self._stage
            await aside(self._site, lambda: stage.start(name, through=through))
        except Error as error:
            return await self._page(problem=error)
        return self.onward("/console/parts")

    async def events(self, _: Request) -> Response:
        """How far the parts are, each time that changes."""
        assert self._stage
        return self._listeners.stream(self._stream())

    async def _stream(self) -> AsyncIterator[str]:
        last = ""
        yield "retry: 3000\n\n"
        for _ in range(int(_LONGEST / _EVERY)):
            parts = await aside(self._site, self._stage.parts)
            now = strictjson.dumps([_brief(part) for part in parts])
            yield f"data: {now}\n\n" if now != last else ": nothing new\n\n"
            last = now
            await asyncio.sleep(_EVERY)

    async def _page(self, *, problem: Error | None = None) -> Response:
        parts = await aside(self._site, self._stage.parts)
        done = {part.name for part in parts if part.state == "done"}
        labels = {part.name: part.label for part in parts}
        missing = {
            part.name: [labels.get(name, name) for name in part.needs if name not in done]
            for part in parts
        }
        return self.show(
            "console_parts.html", title="The story’s parts", parts=parts, missing=missing,
            moving=any(_moves(part) for part in parts), most=_LINES, problem=problem,
        )  # fmt: skip

    @property
    def _stage(self) -> Stage:
        if self._console.stage is None:
            raise Unavailable("this console has no parts to start", code="route_unknown")
        return self._console.stage


def _moves(part: Part) -> bool:
    """Return whether a part runs, or is queued to."""
    return part.state == "running" or (part.state == "waiting" and bool(part.saying))


def _brief(part: Part) -> Sequence[Any]:
    return [part.name, part.state, part.progress, part.saying, len(part.lines)]


def _json(part: Part) -> dict[str, Any]:
    return {
        "name": part.name, "label": part.label, "about": part.about, "needs": list(part.needs),
        "state": part.state, "progress": part.progress, "saying": part.saying,
        "lines": [dict(line) for line in part.lines[:_LINES]], "problem": part.problem,
        "again": part.again,
    }  # fmt: skip
