"""Stand before every route of the console, also those that there are not.

Whoever is not in gets one answer, whatever was asked for and however: nobody learns from it which
routes there are, whether a token was nearly right, or whose connection it was.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from teeproof.explorer.answering import HEADERS, Pages
from teeproof.explorer.console.gate import Gate
from teeproof.explorer.console.peers import user_of
from teeproof.web.asgi import Receive, Scope, Send

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["Guard"]

_PLACE = "/console"
_ROOT = 0  # can do everything on this machine in any case


class Guard:
    """An ASGI application before another one.

    Args:
        inner: all pages; those that begin with ``/console`` are for who is in.
        gate: who that is.
        pages: renders the answer to everybody else.
        user: whose console it is; connections of others than this user and root are nobody's.
        whose: tells whose a connection is, as ``peers.user_of``.
    """

    def __init__(
        self,
        inner: Callable[[Scope, Receive, Send], Awaitable[None]],
        *,
        gate: Gate,
        pages: Pages,
        user: int | None = None,
        whose: Callable[[tuple[str, int], tuple[str, int]], int | None] = user_of,
    ) -> None:
        self._inner, self._gate, self._pages = inner, gate, pages
        self._users = {os.getuid() if user is None else user, _ROOT}
        self._whose = whose

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        stopped = None
        if scope["type"] != "lifespan" and str(scope.get("path", "")).startswith(_PLACE):
            from starlette.requests import Request  # noqa: PLC0415  only a server needs it

            stopped = self._stopped(Request(scope)) if scope["type"] == "http" else self._closed()
        await (self._inner if stopped is None else stopped)(scope, receive, send)

    def _stopped(self, request: Request) -> Response | None:
        """Return the answer to whoever is not in; None for whoever is."""
        if self._is_foreign(request.scope):
            return self._closed()
        given = request.query_params.get("token")
        if given is not None and request.url.path == _PLACE and request.method == "GET":
            return self._tried(request, given)
        return None if self._gate.is_in(request) else self._closed()

    def _tried(self, request: Request, given: str) -> Response:
        from starlette.responses import RedirectResponse  # noqa: PLC0415  only a server needs it

        if not self._gate.is_token(given):
            return self._closed()
        onward = RedirectResponse(_PLACE, status_code=303, headers=HEADERS)
        self._gate.let_in(request, onward)
        return onward

    def _is_foreign(self, scope: Scope) -> bool:
        """Return whether the kernel says that another user opened the connection."""
        client, server = scope.get("client"), scope.get("server")
        if not client or not server or server[1] is None:
            return False
        user = self._whose((client[0], client[1]), (server[0], server[1]))
        return user is not None and user not in self._users

    def _closed(self) -> Response:
        answer = self._pages.html("console_closed.html", status=401, title="This is a console")
        answer.headers["www-authenticate"] = "Console"
        return answer
