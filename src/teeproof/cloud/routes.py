"""Routes of a workload's service, by method and path.

Trusts: the ASGI server that calls.  Does not trust: clients.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping

from teeproof.core.errors import Error, Unavailable
from teeproof.web.asgi import (
    Answer,
    Headers,
    Receive,
    Request,
    Scope,
    Send,
    no_such_path,
    refusal,
    require_method,
    respond,
    status_of,
)
from teeproof.web.oplog import to_lines

__all__ = ["Handler", "application", "error_answer", "tell_faults"]

Handler = Callable[[Request], Awaitable[Answer]]


def application(
    routes: Mapping[str, Handler],
) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """Return an ASGI application.

    Args:
        routes: what answers, by method and path: ``POST v1/challenge``, without a leading slash.
    """

    async def find(request: Request) -> Answer:
        return await _handler(routes, request)(request)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(
            scope, receive, send, find=find, refuse=error_answer, say=tell_faults,
            fault="this service made a mistake here",
        )  # fmt: skip

    return app


def error_answer(error: Error, *, headers: Headers = ()) -> Answer:
    """Return the one error shape; what is asked for by a name that nothing has is not found."""
    unknown = isinstance(error, Unavailable) and error.code.endswith("_unknown")
    return refusal(error, 404 if unknown else status_of(error), headers=headers)


def _handler(routes: Mapping[str, Handler], request: Request) -> Handler:
    methods = [one.split(" ")[0] for one in routes if one.split(" ")[1] == request.path]
    if not methods:
        raise no_such_path(request.path, known=", ".join(routes)[:300])
    require_method(request.method, ", ".join(methods))
    return routes[f"{request.method} {request.path}"]


def tell_faults(event: str, **fields: object) -> None:
    """Tell the operator of a fault's kind; nothing of other events."""
    if event == "fault":
        _to_operator(event, **fields)


_to_operator = to_lines(lambda line: print(line, end="", file=sys.stderr, flush=True))
