"""What a statement was made of, and what was made of it, drawn here and not in the browser.

GET /graph/<id>      both drawings, each box a link
GET /graph/<id>.json the same as nodes and edges
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from teeproof.core.text import cut
from teeproof.explorer.answering import json_answer
from teeproof.explorer.content import unknown
from teeproof.explorer.drawing import draw
from teeproof.explorer.pages.family import Site, aside, digest_of
from teeproof.proof.graph import Graph
from teeproof.proof.graph.shape import shape

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["GraphPages"]

MOST_DRAWN = 2_000  # statements of one drawing
_MOST_LISTED = 20_000  # nodes of the twin


class GraphPages:
    """The graph around a statement."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def page(self, request: Request) -> Response:
        """Both drawings."""
        one, graph = await self._graph(request)
        made = await aside(self._site, lambda: _drawn(graph, one))
        return self._site.pages.html(
            "graph.html",
            title=f"What “{cut(graph.node(one).word or 'it', 60)}” was made of",
            id=one.hex(),
            **made,
        )

    async def twin(self, request: Request) -> Response:
        """Nodes and edges."""
        one, graph = await self._graph(request)

        def work() -> dict[str, Any]:
            up, down = graph.around([one], up=True), graph.around([one], up=False)
            nodes = list(dict.fromkeys((*up, *down)))
            found = shape(graph, nodes[:_MOST_LISTED], roots=[one])
            return found | {"left_out": max(0, len(nodes) - _MOST_LISTED)}

        return json_answer(await aside(self._site, work))

    async def _graph(self, request: Request) -> tuple[bytes, Graph]:
        one, book = digest_of(request.path_params["id"]), self._site.log
        graph = await aside(self._site, book.graph)
        if one not in graph or graph.node(one).kind != "statement":
            raise unknown(one)
        return one, graph


def _drawn(graph: Graph, one: bytes) -> dict[str, Any]:
    href = lambda node: f"/graph/{node.hex()}"  # noqa: E731
    above, below = (
        draw(graph, root=one, href=href, direction=way, most=MOST_DRAWN)
        for way in ("ancestors", "descendants")
    )
    return {"above": above, "below": below, "has_below": any(
        graph.node(n).kind == "statement" for n in graph.descendants(one))}  # fmt: skip
