"""A statement's page: the answer, its checks, what it says, what it was made of, its file.

GET /p/<id>          the page
GET /p/<id>.json     the same for programs
GET /p/<id>.proof    the proof file
GET /p/<id>.html     a page that holds the file and checks it, to keep
GET /g/<id>.svg      what it was made of, as a drawing
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from teeproof.core import strictjson
from teeproof.explorer import checker
from teeproof.explorer.answering import download, json_answer, svg_answer
from teeproof.explorer.drawn.drawing import draw
from teeproof.explorer.log.content import Page
from teeproof.explorer.pages.family import Site, aside, digest_of
from teeproof.explorer.places import Place, places_of
from teeproof.explorer.telling.faults import alike
from teeproof.explorer.telling.proof import told_proof

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["ProofPages", "proof_json", "proof_values"]

_MADE = 64  # pages that are kept as they were written
_LIKE = 50  # faults of one kind that a page lists
_MOST_OPEN = 400  # checks, links and statements that a page lists; its twin has all


class ProofPages:
    """The pages of statements in the log."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._made: OrderedDict[str, tuple[Page, Response]] = OrderedDict()

    async def page(self, request: Request) -> Response:
        """The page; while its verdict is the same, it is not written again."""
        page = await self._page(request)
        made = self._made.get(page.id)
        if made is not None and made[0] is page:
            return made[1]
        one = page.read.id.hex()
        values = proof_values(
            page,
            command=self._site.command(page.id),
            href=lambda other: f"/p/{other}",
            download=f"/p/{one}.proof",
            twin=f"/p/{one}.json",
            drawing=f"/g/{one}.svg",
            graph=f"/graph/{one}",
            here=self._here(),
            places=places_of(page.read),
        )
        answer = self._site.pages.html("proof.html", **values)
        self._made[page.id] = page, answer
        while len(self._made) > _MADE:
            self._made.popitem(last=False)
        return answer

    async def twin(self, request: Request) -> Response:
        """The same for programs."""
        page = await self._page(request)
        return json_answer(proof_json(page, command=self._site.command(page.id)))

    async def file(self, request: Request) -> Response:
        """The proof file."""
        one, book = digest_of(request.path_params["id"]), self._site.log
        data = await aside(self._site, lambda: book.proof(one))
        return download(data, f"{one.hex()[:16]}.proof")

    async def saved(self, request: Request) -> Response:
        """A page that holds the proof file and checks it."""
        one, book = digest_of(request.path_params["id"]), self._site.log
        page = await self._page(request)
        data = await aside(self._site, lambda: book.proof(one))
        here, name = self._here(), one.hex()[:16]
        text = checker.page(
            data, name=f"{name}.proof", title=f"Proof of {page.read.title}", **here
        )  # fmt: skip
        return download(text.encode(), f"{name}.html")

    def _here(self) -> checker.Believed:
        """Return whom the check in a browser believes: what this explorer's reader does."""
        trust = self._site.log.trust
        roots = trust.policy.simulated_roots if trust.policy else ()
        logs = trust.logs.encode().decode("utf-8", "backslashreplace") if trust.logs else ""
        return {"roots": tuple(roots), "logs": logs}

    async def drawing(self, request: Request) -> Response:
        """What it was made of."""
        page = await self._page(request)
        return svg_answer(draw(page.graph, root=page.read.id, href=lambda one: f"/p/{one.hex()}"))

    async def _page(self, request: Request) -> Page:
        one, book = digest_of(request.path_params["id"]), self._site.log
        return await aside(self._site, lambda: book.page(one))


def proof_values(
    page: Page,
    *,
    command: str,
    href: Callable[[str], str],
    download: str,
    twin: str,
    drawing: str | None = None,
    graph: str | None = None,
    note: str | None = None,
    here: checker.Believed | None = None,
    places: Sequence[Place] = (),
    taken: str | None = None,
) -> dict[str, Any]:
    """Return what ``proof.html`` shows.

    Args:
        page: the statement.
        command: what a person types to check it.
        href: from a statement's id in hex to its page.
        download: where its proof file is.
        twin: where the same stands as JSON.
        drawing: where the drawing stands alone, if it does.
        graph: where the page of its graph is, if there is one.
        note: a sentence about where the page comes from.
        here: whom the check in the visitor's browser believes; None where there is none.
        places: pages of what it speaks of.
        taken: the proof file's name, where it is not that of its id.
    """
    verdict, body = page.verdict, page.body
    told = told_proof(verdict, page.read, body, command=command)
    own, groups = verdict.statement(page.id), alike(verdict.faults, own=page.id)
    return {
        "title": page.read.title, "page": page, "told": told, "verdict": verdict, "own": own,
        "machines": [
            (one, one.evidence) for one in verdict.identities if one.id == own.author
        ],
        "inputs": page.read.links[:_MOST_OPEN], "outputs": page.read.subjects[:_MOST_OPEN],
        "more_inputs": max(0, len(page.read.links) - _MOST_OPEN),
        "more_outputs": max(0, len(page.read.subjects) - _MOST_OPEN),
        "users": [edge.below for edge in page.graph.below(page.read.id)][:_MOST_OPEN],
        "faults": groups[:_MOST_OPEN], "count_faults": len(verdict.faults),
        "more_faults": max(0, len(groups) - _MOST_OPEN), "like": _LIKE,
        "body": strictjson.dumps(body, pretty=True),
        "svg": draw(page.graph, root=page.read.id, href=lambda one: href(one.hex())),
        "command": command, "href": href, "download": download, "twin": twin,
        "drawing": drawing, "graph": graph, "note": note, "here": here, "places": places,
        "takes": [(download, taken or f"{page.id[7:23]}.proof")],
        "saved": f"{download.removesuffix('.proof')}.html",
    }  # fmt: skip


def proof_json(page: Page, *, command: str) -> dict[str, Any]:
    """Return a statement's page for programs."""
    told = told_proof(page.verdict, page.read, page.body, command=command)
    return {
        "id": page.id, "statement": page.body, "told": told.to_json(),
        "verdict": page.verdict.to_json(), "check_it_yourself": command,
    }  # fmt: skip
