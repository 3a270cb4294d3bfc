"""What a statement was made of, and what was made of it, drawn here and not in the browser.

GET /graph/<id>               both drawings, each box a link, and beside them the same as lists
GET /graph/<id>?find=TEXT     with the statements that a text names marked, and the way to them
GET /graph/<id>?kind=WORD     with all statements of a kind, page by page (``from``)
GET /graph/<id>?all=yes       with as many boxes as a drawing may have
GET /graph/<id>.json          the same as nodes and edges
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from teeproof.core.errors import Usage
from teeproof.core.text import cut
from teeproof.explorer.answering import json_answer
from teeproof.explorer.drawn.drawing import Direction, draw
from teeproof.explorer.drawn.listing import SOUGHT, kinds, matching, of_kind, way, word_of
from teeproof.explorer.log.entries import unknown
from teeproof.explorer.log.nearby import Partial
from teeproof.explorer.pages.family import Site, aside, digest_of
from teeproof.proof.graph import Graph
from teeproof.proof.graph.shape import shape

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["GraphPages"]

DRAWN, MOST_DRAWN = 300, 2_000  # boxes of one drawing, and with all=yes
_MOST_LISTED, _MOST_EDGES = 20_000, 100_000  # nodes and edges of the twin
_PAGE = 100  # statements of one list
_WAYS = 10  # of those found, to which the way is shown
_MOST_FOUND = 50  # that are marked


class GraphPages:
    """The graph around a statement."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def page(self, request: Request) -> Response:
        """Both drawings, and the lists."""
        one, graph, partial = await self._graph(request)
        asked = dict(request.query_params)
        made = await aside(self._site, lambda: _made(graph, one, asked))
        return self._site.pages.html(
            "graph.html", title=f"What “{cut(graph.node(one).word or 'it', 60)}” was made of",
            id=one.hex(), sought=SOUGHT, drawn=DRAWN, most=MOST_DRAWN, partial=partial, **made,
        )  # fmt: skip

    async def twin(self, request: Request) -> Response:
        """Nodes and edges."""
        one, graph, partial = await self._graph(request)
        text = request.query_params.get("find", "")

        def work() -> dict[str, Any]:
            up, down = graph.around([one], up=True), graph.around([one], up=False)
            nodes = list(dict.fromkeys((*up, *down)))
            listed = _listed(graph, nodes)
            found = shape(graph, listed, roots=[one])
            if text:
                named = matching(graph, _statements(graph, one), text)
                found["found"] = [f"sha256:{each.hex()}" for each in named[:_MOST_LISTED]]
            found |= {"left_out": len(nodes) - len(listed)}
            return found | {"partial": None if partial is None else partial._asdict()}

        return json_answer(await aside(self._site, work))

    async def _graph(self, request: Request) -> tuple[bytes, Graph, Partial | None]:
        one, book = digest_of(request.path_params["id"]), self._site.log
        graph, partial = await aside(self._site, lambda: book.graphs.of(one))
        if one not in graph or graph.node(one).kind != "statement":
            raise unknown(one)
        return one, graph, partial


def _made(graph: Graph, one: bytes, asked: dict[str, str]) -> dict[str, Any]:
    here, statements = f"/graph/{one.hex()}", _statements(graph, one)
    text, kind = asked.get("find", ""), asked.get("kind")
    found = matching(graph, statements, text) if text else []
    most = MOST_DRAWN if asked.get("all") == "yes" else DRAWN

    def drawing(direction: Direction) -> str:
        return draw(
            graph, root=one, href=lambda node: f"/graph/{node.hex()}", direction=direction,
            most=most, more=lambda word: f"{here}?kind={quote(word_of(word), safe='')}#list",
            found=frozenset(found[:_MOST_FOUND]),
        )  # fmt: skip

    start = _start(asked.get("from", "0"))
    listed, count = ([], 0) if kind is None else of_kind(
        graph, statements, kind, start=start, count=_PAGE
    )  # fmt: skip
    return {
        "above": drawing("ancestors"), "below": drawing("descendants"),
        "has_below": any(graph.node(n).kind == "statement" for n in graph.descendants(one)),
        "kinds": kinds(graph, statements), "count": len(statements), "is_all": most > DRAWN,
        "text": text, "found": len(found),
        "ways": [way(graph, one, each) for each in found[:_WAYS]],
        "kind": kind, "listed": listed, "of": count, "start": start, "next": start + len(listed),
    }  # fmt: skip


def _listed(graph: Graph, nodes: list[bytes]) -> list[bytes]:
    """Return the nearest nodes, as many as have no more edges than the twin may have."""
    left = _MOST_EDGES
    for count, node in enumerate(nodes[:_MOST_LISTED]):
        left -= len(graph.above(node))
        if left < 0:
            return nodes[:count]
    return nodes[:_MOST_LISTED]


def _statements(graph: Graph, one: bytes) -> list[bytes]:
    """Return a statement, what it was made of and what was made of it, nearest first."""
    every = dict.fromkeys((one, *graph.ancestors(one), *graph.descendants(one)))
    return [each for each in every if graph.node(each).kind == "statement"]


def _start(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise Usage("this is no number", code="number_malformed", expected="from as a whole number",
                    got=text[:40])  # fmt: skip
    return int(text)
