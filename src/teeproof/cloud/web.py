"""Routes of a workload's service on bare ASGI, and who asks them: one shape of errors both ways.

    400 Usage, Malformed · 401 NotAuthentic · 403 NotAllowed · 404, 503 Unavailable
    405 another method · 413 TooLarge · 500 a fault of ours

Trusts: the ASGI server that calls.  Does not trust: clients; what a server answers is bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from teeproof.core import strictjson
from teeproof.core.errors import (
    Error,
    Malformed,
    NotAllowed,
    NotAuthentic,
    TooLarge,
    Unavailable,
    Usage,
)
from teeproof.proof.log.http.asgi import (
    Answer,
    Disconnected,
    Receive,
    Request,
    Scope,
    Send,
    json_answer,
)

__all__ = [
    "Answer",
    "Asker",
    "Handler",
    "Request",
    "application",
    "error_answer",
    "in_thread",
    "json_answer",
]

Handler = Callable[[Request], Awaitable[Answer]]
_MAX_ANSWER = 8 << 20
_KINDS: tuple[tuple[type[Error], int], ...] = (
    (TooLarge, 413),
    (Malformed, 400),
    (Usage, 400),
    (NotAuthentic, 401),
    (NotAllowed, 403),
    (Unavailable, 503),
)


def application(routes: Mapping[str, Handler]) -> Callable[[Scope, Receive, Send], Any]:
    """Return an ASGI application.

    Args:
        routes: what answers, by method and path: ``POST v1/challenge``, without a leading slash.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            answer = await _found(routes, request)(request)
        except Disconnected:
            return
        except Error as error:
            answer = error_answer(error)
        except Exception as error:  # the operator reads its kind, the client nothing
            print(f"fault={type(error).__name__} path={request.path[:80]!a}", flush=True)
            answer = error_answer(Error("this service made a mistake here", code="internal"))
        await answer.send(send)

    return app


async def in_thread(work: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a function returns that waits for disk or network, without holding up others."""
    return await asyncio.to_thread(work, *arguments)


def error_answer(error: Error, **headers: str) -> Answer:
    """Return the one error shape, with the status of its kind."""
    status = next((status for kind, status in _KINDS if isinstance(error, kind)), 500)
    if isinstance(error, Unavailable) and error.code.endswith("_unknown"):
        status = 404
    elif error.code == "method_wrong":
        status = 405
    extra = tuple((name.encode(), value.encode()) for name, value in headers.items())
    return json_answer(
        error.to_json(), status=status, headers=((b"cache-control", b"no-store"), *extra)
    )


class Asker:
    """Somebody who asks a service of ours.

    Args:
        url: the service's address.
        timeout: seconds to wait for it.
    """

    def __init__(self, url: str, *, timeout: float = 60.0) -> None:
        import httpx  # noqa: PLC0415  only who asks pays for it

        self.url = url.rstrip("/")
        self._http = httpx.Client(
            timeout=timeout, follow_redirects=False, verify=url.startswith("https")
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, *, limit: int = _MAX_ANSWER) -> bytes:
        """Return what is at a path; errors as ``post``."""
        return self._send("GET", path, None, limit)

    def post(self, path: str, body: bytes, *, limit: int = _MAX_ANSWER) -> bytes:
        """Return the answer to a body.

        Raises:
            Error: of the kind that the service names, with its code.
            Unavailable: code ``service_unreachable``; or it answers with more than ``limit``.
        """
        return self._send("POST", path, body, limit)

    def _send(self, method: str, path: str, body: bytes | None, limit: int) -> bytes:
        import httpx  # noqa: PLC0415

        url = f"{self.url}/{path}"
        try:
            with self._http.stream(method, url, content=body) as answer:
                data = bytearray()
                for chunk in answer.iter_raw():
                    data += chunk
                    if len(data) > limit:
                        raise Unavailable(f"{url} answers with too much", code="answer_too_large")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unavailable(
                f"{url} cannot be reached: {error or type(error).__name__}"[:300],
                code="service_unreachable",
            ) from None
        if answer.status_code != 200:
            raise _refused(answer.status_code, bytes(data), url)
        return bytes(data)


def _found(routes: Mapping[str, Handler], request: Request) -> Handler:
    handler = routes.get(f"{request.method} {request.path}")
    if handler is not None:
        return handler
    methods = [one.split(" ")[0] for one in routes if one.split(" ")[1] == request.path]
    if methods:
        raise Usage(
            "this path does not know that method", code="method_wrong",
            expected=", ".join(methods), got=request.method[:20],
        )  # fmt: skip
    raise Unavailable(
        "there is nothing at this path", code="route_unknown", expected=", ".join(routes)[:300],
        got=ascii(request.path[:100]),
    )  # fmt: skip


def _refused(status: int, body: bytes, url: str) -> Error:
    try:
        said = strictjson.loads(body, limit=64 << 10)
        given = {key: said.get(key) for key in ("error", "detail", "expected", "got")}
    except (Error, AttributeError):
        given = {}
    text = {k: v[:2000] for k, v in given.items() if isinstance(v, str)}
    kinds = {401: NotAuthentic, 403: NotAllowed, 404: Unavailable, 413: TooLarge, 400: Malformed}
    kind = kinds.get(status, Unavailable if status >= 500 else Usage)
    return kind(
        text.get("detail", f"{url} answers with HTTP {status}"),
        code=text.get("error", "service_refused"),
        expected=text.get("expected"),
        got=text.get("got"),
    )
