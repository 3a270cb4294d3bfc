"""The explorer's routes: every page is made here, and has a twin that ends in ``.json``.

    GET /                 what happened, line by line
    GET /p/<id>           a statement: the verdict, what it says, what it was made of
    GET /g/<id>.svg       the same as a drawing
    GET /style.css        the one stylesheet

Nothing is loaded from elsewhere and no script runs; what others wrote is escaped by the templates.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from typing import TYPE_CHECKING, Any

from teeproof.core.digests import named
from teeproof.core.errors import Error, Unavailable, Usage
from teeproof.explorer.content import Book, Page
from teeproof.explorer.drawing import draw
from teeproof.proof.log.http.asgi import status_of

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["make_app"]

_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
_FILES = resources.files("teeproof.explorer")


def make_app(book: Book, *, command: Callable[[str], str]) -> Starlette:
    """Return the ASGI application over a book.

    Args:
        book: what there is to show.
        command: from an id (``sha256:…``) to what a person types to check it.
    """
    from starlette.applications import Starlette  # noqa: PLC0415  only a server needs it
    from starlette.middleware.trustedhost import TrustedHostMiddleware  # noqa: PLC0415
    from starlette.routing import Route  # noqa: PLC0415

    pages = _Pages(book, command)
    routes = [
        Route("/", pages.story),
        Route("/index.json", pages.story_json),
        Route("/style.css", pages.style),
        Route("/p/{id}.json", pages.proof_json),
        Route("/p/{id}", pages.proof),
        Route("/g/{id}.svg", pages.graph),
    ]
    app = Starlette(routes=routes, exception_handlers={Error: pages.refusal, 404: pages.nowhere})
    # A page elsewhere whose name is made to point here must not read what is shown here.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]"])
    return app


class _Pages:
    def __init__(self, book: Book, command: Callable[[str], str]) -> None:
        from jinja2 import Environment, FunctionLoader, StrictUndefined  # noqa: PLC0415

        self._book, self._command = book, command
        load = lambda name: (_FILES / "templates" / name).read_text()  # noqa: E731
        self._templates = Environment(
            loader=FunctionLoader(load), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip

    async def story(self, _: Request) -> Response:
        return self._html("story.html", title="What happened", lines=self._book.story())

    async def story_json(self, _: Request) -> Response:
        return _json({"lines": list(self._book.story())})

    async def proof(self, request: Request) -> Response:
        page = await self._page(request)
        return self._html("proof.html", title=page.read.title, **self._shown(page))

    async def proof_json(self, request: Request) -> Response:
        page = await self._page(request)
        verdict = page.verdict.to_json()
        return _json({"id": page.id, "statement": page.body, "verdict": verdict})

    async def graph(self, request: Request) -> Response:
        page = await self._page(request)
        svg = draw(page.graph, root=page.read.id, href=lambda one: f"/p/{one.hex()}")
        style = (_FILES / "static" / "drawing.css").read_text()
        svg = svg.replace(">", f"><style>{style}</style>", 1)
        policy = "default-src 'none'; style-src 'unsafe-inline'"
        return _answer(svg, "image/svg+xml", headers={"content-security-policy": policy})

    async def style(self, _: Request) -> Response:
        both = (_FILES / "static" / name for name in ("style.css", "drawing.css"))
        return _answer("\n".join(one.read_text() for one in both), "text/css")

    async def refusal(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, Error)
        if request.url.path.endswith(".json"):
            return _json(error.to_json(), status=status_of(error))
        body = self._templates.get_template("error.html").render(title="Not here", error=error)
        return _answer(body, "text/html", status=status_of(error))

    async def nowhere(self, request: Request, _: Exception) -> Response:
        error = Unavailable(
            "there is no such page", code="route_unknown", expected="/ or /p/<id>",
            got=request.url.path[:200],
        )  # fmt: skip
        return await self.refusal(request, error)

    async def _page(self, request: Request) -> Page:
        text = request.path_params["id"].removeprefix("sha256:")
        try:
            statement = bytes.fromhex(text)
        except ValueError:
            statement = b""
        if len(statement) != 32:
            raise Usage(
                "this is no statement's id", code="id_malformed", expected="64 hex digits",
                got=text[:100],
            )  # fmt: skip
        from starlette.concurrency import run_in_threadpool  # noqa: PLC0415

        return await run_in_threadpool(self._book.page, statement)

    def _shown(self, page: Page) -> dict[str, Any]:
        verdict = page.verdict
        svg = draw(page.graph, root=page.read.id, href=lambda one: f"/p/{one.hex()}")
        return {
            "page": page,
            "verdict": verdict,
            "own": verdict.statement(page.id),
            "inputs": page.read.links,
            "outputs": page.read.subjects,
            "body": _pretty(page.body),
            "svg": svg,
            "command": self._command(page.id),
            "named": named,
        }

    def _html(self, template: str, **values: Any) -> Response:
        return _answer(self._templates.get_template(template).render(**values), "text/html")


def _pretty(value: Any) -> str:
    from teeproof.core import strictjson  # noqa: PLC0415

    return strictjson.dumps(value, pretty=True)


def _json(value: Any, *, status: int = 200) -> Response:
    from teeproof.core import strictjson  # noqa: PLC0415

    return _answer(strictjson.dumps(value) + "\n", "application/json", status=status)


def _answer(
    body: str, kind: str, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    from starlette.responses import Response  # noqa: PLC0415

    given = _HEADERS | (headers or {})
    return Response(body, status_code=status, media_type=kind, headers=given)
