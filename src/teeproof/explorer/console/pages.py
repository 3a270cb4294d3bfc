"""The console's pages: what you gave and what it earned, the story's parts, the model.

    GET  /console  /console/index.json            contributions, and what there is besides
    POST /console/contribute                      a file, or the orders that were typed
    POST /console/orders                          type one more order
    GET  /console/sample.jsonl                    a file to try it with
    GET  /console/contributions/<id>[.json]       one, and why
    POST /console/contributions/<id>/withdraw     take it back
    GET  /console/parts[.json]   /console/events  how far the story is
    POST /console/parts/<name>                    start a part
    GET  /console/talk[.json]    POST /console/talk  /console/talk/forget

All of it stands behind ``guard``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from teeproof.explorer.answering import static
from teeproof.explorer.console.gate import Gate
from teeproof.explorer.console.giving import GivingPages
from teeproof.explorer.console.guard import Guard
from teeproof.explorer.console.parts import PartPages
from teeproof.explorer.console.port import Console
from teeproof.explorer.console.talking import TalkingPages
from teeproof.explorer.pages.family import Site

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

__all__ = ["add_console"]


def add_console(app: Starlette, site: Site, console: Console) -> None:
    """Give an explorer a console, and put the guard before it."""
    gate = Gate(console.token)
    app.routes.extend(_routes(site, console, gate))
    app.add_middleware(Guard, gate=gate, pages=site.pages)


def _routes(site: Site, console: Console, gate: Gate) -> list[Route]:
    from starlette.routing import Route  # noqa: PLC0415  only a server needs it

    talking = TalkingPages(site, console, gate)
    giving, parts = GivingPages(site, console, gate), PartPages(site, console, gate)
    post = ["POST"]
    return [
        Route("/console", giving.home),
        Route("/console/index.json", giving.home_json),
        Route("/console/contribute", giving.contribute, methods=post),
        Route("/console/orders", giving.type_order, methods=post),
        Route("/console/sample.jsonl", giving.sample),
        Route("/console/contributions/{id}.json", giving.one_json),
        Route("/console/contributions/{id}", giving.one),
        Route("/console/contributions/{id}/withdraw", giving.withdraw, methods=post),
        Route("/console/parts", parts.page),
        Route("/console/parts.json", parts.twin),
        Route("/console/events", parts.events),
        Route("/console/parts/{name}", parts.start, methods=post),
        Route("/console/talk", talking.page),
        Route("/console/talk", talking.ask, methods=post),
        Route("/console/talk.json", talking.twin),
        Route("/console/talk/forget", talking.forget, methods=post),
        Route("/console/console.js", _script),
    ]


async def _script(_: Request) -> Response:
    return static("console.js")
