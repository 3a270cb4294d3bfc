"""The explorer's routes: every page is made here, and has a twin that ends in ``.json``.

    GET  /  /search  /events               search, what was said last
    GET  /p/<id>[.json|.proof|.html]  /g/<id>.svg    a statement: the answer, its checks, its file
    GET  /graph/<id>                       what it was made of, what was made of it
    GET  /verify    POST /verify[.json]    hand in a file
    GET  /v/<id>[.json]                    what came of it, for as long as it is kept
    GET  /identity/<id>[.json|.tar]  /code/<hash>[.json]    a machine that ran a program; a program
    GET  /node/<id>[.json|.proof]          a machine that a market lets
    GET  /here                             the things that the log speaks of
    GET  /model/<digest>[.json]            a model: how it was made, how good it is said to be
    GET  /answer/<id>    POST /answer/<id> an answer; whether bytes are those that were signed
    GET  /pool/<digest>[.json]             a pool: terms, contributions, what was made of them
    GET  /agent/<id>                       an agent: who can change, stop or drain it
    GET  /chain  /chain/tx/<hash>          the chain beside the log, a transaction
    GET  /given/<name>                     a policy, or trusted logs, as commands name them
    GET  /log  /words  /cost  /report      the log, the words, what a TEE costs, the report
    /console…                              what acts, for the person at this machine (``console``)

Everything works without a script; the one there is only adds what was said meanwhile. Nothing is
loaded from elsewhere, and what others wrote is escaped and cut.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from teeproof.bench.probes import Finding
from teeproof.core.clock import wall_clock
from teeproof.core.errors import Error, Unavailable, Usage
from teeproof.core.types import settle_types
from teeproof.explorer import checker
from teeproof.explorer.answering import Pages, script_answer, static
from teeproof.explorer.desk import Desk, Judged
from teeproof.explorer.given import Given
from teeproof.explorer.log.content import Book
from teeproof.explorer.pages.agent import AgentPages
from teeproof.explorer.pages.answer import AnswerPages
from teeproof.explorer.pages.chain import ChainPages
from teeproof.explorer.pages.cost import CostPages
from teeproof.explorer.pages.family import Site
from teeproof.explorer.pages.given import GivenPages
from teeproof.explorer.pages.graph import GraphPages
from teeproof.explorer.pages.here import HerePages
from teeproof.explorer.pages.home import HomePages
from teeproof.explorer.pages.identity import IdentityPages
from teeproof.explorer.pages.log import LogPages
from teeproof.explorer.pages.model import ModelPages
from teeproof.explorer.pages.node import NodePages
from teeproof.explorer.pages.pool import PoolPages
from teeproof.explorer.pages.proof import ProofPages
from teeproof.explorer.pages.report import ReportPages
from teeproof.explorer.pages.verify import VerifyPages
from teeproof.explorer.pages.words import WordPages
from teeproof.explorer.shelf import Shelf

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from teeproof.chain.onlooker import Onlooker
    from teeproof.explorer.console.port import Console

__all__ = ["LOCAL", "make_app"]

LOCAL = ("127.0.0.1", "localhost", "[::1]")
"""By these names a page on this machine is asked for."""


def make_app(
    book: Book | None,
    *,
    command: Callable[[str], str],
    desk: Desk | None = None,
    names: Sequence[str] = LOCAL,
    now: Callable[[], datetime] = wall_clock,
    console: Console | None = None,
    measurements: Sequence[Finding] = (),
    node: Onlooker | None = None,
    given: Sequence[Given] = (),
) -> Starlette:
    """Return the ASGI application over a book.

    Args:
        book: what there is to show; None to judge files only.
        command: from an id (``sha256:…``) to what a person types to check it.
        desk: judges files that people hand in; None to take none.
        names: by which names the pages may be asked for. A page elsewhere whose name is made to
            point here must not read what is shown here.
        now: the clock by which results are kept.
        console: what the person at this machine may do; without one, nothing under ``/console`` is.
        measurements: what ``teeproof bench gpu`` found, for the page of costs.
        node: of the chain that the log speaks of, which is believed; without one, what stands there
            is not checked.
        given: files of the reader's trust, which commands name and a visitor downloads.
    """
    from starlette.applications import Starlette  # noqa: PLC0415  only a server needs it
    from starlette.middleware.trustedhost import TrustedHostMiddleware  # noqa: PLC0415

    pages = Pages(
        has_log=book is not None, has_desk=desk is not None, has_console=console is not None,
        reading=lambda: None if book is None else book.reading,
        believed=[one.name for one in given],
    )  # fmt: skip
    site = Site(
        pages=pages, book=book, desk=desk, shelf=Shelf[Judged](now=now), command=command,
        measurements=measurements, node=node, given=given,
    )  # fmt: skip

    async def refusal(request: Request, error: Exception) -> Response:
        assert isinstance(error, Error)
        return pages.refusal(error, as_json=request.url.path.endswith(".json"))

    async def nowhere(request: Request, _: Exception) -> Response:
        return await refusal(request, Unavailable(
            "there is no such page", code="route_unknown", expected="/ or /p/<id>",
            got=request.url.path[:200],
        ))  # fmt: skip

    async def wrong_method(request: Request, _: Exception) -> Response:
        return await refusal(request, Usage(
            "this page does not know that method", code="method_wrong", got=request.method[:20],
        ))  # fmt: skip

    settle_types()  # before the threads in which pages are made
    handlers = {Error: refusal, 404: nowhere, 405: wrong_method}
    app = Starlette(routes=_routes(site), exception_handlers=handlers)
    if console is not None:
        from teeproof.explorer.console.pages import add_console  # noqa: PLC0415  it needs extras

        add_console(app, site, console)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(names))
    return app


def _routes(site: Site) -> list[Route]:
    from starlette.routing import Route  # noqa: PLC0415  only a server needs it

    home, proof, verify = HomePages(site), ProofPages(site), VerifyPages(site)
    graph, log, words = GraphPages(site), LogPages(site), WordPages(site)
    cost, report, here = CostPages(site), ReportPages(site), HerePages(site)
    identity, node = IdentityPages(site), NodePages(site)
    model, answer, pool = ModelPages(site), AnswerPages(site), PoolPages(site)
    agent, chain, given = AgentPages(site), ChainPages(site), GivenPages(site)
    return [
        Route("/", home.home),
        Route("/index.json", home.home_json),
        Route("/search", home.search),
        Route("/search.json", home.search_json),
        Route("/events", home.events),
        Route("/p/{id}.json", proof.twin),
        Route("/p/{id}.proof", proof.file),
        Route("/p/{id}.html", proof.saved),
        Route("/p/{id}", proof.page),
        Route("/g/{id}.svg", proof.drawing),
        Route("/graph/{id}.json", graph.twin),
        Route("/graph/{id}", graph.page),
        Route("/verify", verify.form),
        Route("/verify", verify.submit, methods=["POST"]),
        Route("/verify.json", verify.form_json),
        Route("/verify.json", verify.submit_json, methods=["POST"]),
        Route("/v/{id}.json", verify.result_json),
        Route("/v/{id}", verify.result),
        Route("/v/{id}/file", verify.file),
        Route("/v/{id}/file/{number:int}", verify.piece),
        Route("/v/{id}/p/{statement}", verify.statement),
        Route("/identity/{id}.json", identity.twin),
        Route("/identity/{id}.tar", identity.file),
        Route("/identity/{id}", identity.page),
        Route("/node/{id}.json", node.twin),
        Route("/node/{id}.proof", node.file),
        Route("/node/{id}", node.page),
        Route("/code/{hash}.json", identity.code_twin),
        Route("/code/{hash}", identity.code),
        Route("/here", here.page),
        Route("/here.json", here.twin),
        Route("/model/{id}.json", model.twin),
        Route("/model/{id}", model.page),
        Route("/answer/{id}.json", answer.twin),
        Route("/answer/{id}.json", answer.compare_json, methods=["POST"]),
        Route("/answer/{id}", answer.page),
        Route("/answer/{id}", answer.compare, methods=["POST"]),
        Route("/pool/{id}.json", pool.twin),
        Route("/pool/{id}", pool.page),
        Route("/agent/{id}.json", agent.twin),
        Route("/agent/{id}", agent.page),
        Route("/chain.json", chain.twin),
        Route("/chain", chain.page),
        Route("/chain/tx/{hash}.json", chain.transaction_json),
        Route("/chain/tx/{hash}", chain.transaction),
        Route("/given/{name}", given.file),
        Route("/log", log.page),
        Route("/log.json", log.twin),
        Route("/words", words.page),
        Route("/words.json", words.twin),
        Route("/cost", cost.page),
        Route("/cost.json", cost.twin),
        Route("/report", report.page),
        Route("/report.json", report.twin),
        Route("/style.css", _style),
        Route("/live.js", _script),
        Route("/check.js", _checker),
        Route("/icon.svg", _icon),
    ]


async def _style(_: Request) -> Response:
    return static("style.css")


async def _script(_: Request) -> Response:
    return static("live.js")


async def _checker(_: Request) -> Response:
    return script_answer(checker.script())


async def _icon(_: Request) -> Response:
    return static("icon.svg")
