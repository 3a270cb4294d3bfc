"""Requests and answers on bare ASGI: bounded bodies, one shape for errors.

    400 Malformed, Usage · 401 NotAuthentic · 403 NotAllowed · 404 no such path
    405 another method · 413 TooLarge · 500 a fault of ours · 503 Unavailable

A service adds what its own codes are answered with.

Source: ASGI specification 3.0, HTTP connection scope; RFC 9110, section 15.

Trusts: the ASGI server that calls.  Does not trust: clients.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, NamedTuple

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
from teeproof.web.oplog import Say, quiet

__all__ = [
    "JSON",
    "NO_STORE",
    "Answer",
    "Disconnected",
    "Headers",
    "Receive",
    "Request",
    "Scope",
    "Send",
    "answer_lifespan",
    "json_answer",
    "no_such_path",
    "refusal",
    "require_method",
    "respond",
    "status_of",
]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = tuple[tuple[bytes, bytes], ...]

JSON = b"application/json"
NO_STORE = (b"cache-control", b"no-store")
_NO_SNIFF = (b"x-content-type-options", b"nosniff")

_BY_CODE = {"route_unknown": 404, "method_wrong": 405}
_BY_KIND: tuple[tuple[type[Error], int], ...] = (
    (TooLarge, 413),
    (Malformed, 400),
    (Usage, 400),
    (NotAuthentic, 401),
    (NotAllowed, 403),
    (Unavailable, 503),
)


class Disconnected(Exception):
    """The client left before it had said everything; there is nobody to answer."""


class Answer(NamedTuple):
    """What is sent: a status, a media type, a body, and further headers."""

    status: int
    media_type: bytes
    body: bytes
    headers: Headers = ()

    async def send(self, send: Send) -> None:
        """Send it; the server leaves the body out where the method is HEAD."""
        headers = [
            (b"content-type", self.media_type),
            (b"content-length", b"%d" % len(self.body)),
            _NO_SNIFF,
            *self.headers,
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


class Request:
    """One request: its method and path as they were sent, and its body if one asks for it.

    Attributes:
        method: in upper case.
        path: undecoded, without the leading slash; a path has one spelling here, so nothing in it
            is ever unescaped.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.method: str = scope["method"]
        raw = scope.get("raw_path") or scope["path"].encode()
        self.path: str = raw.decode("latin-1").removeprefix("/")
        if scope.get("query_string"):
            self.path += "?"
        self._headers: list[tuple[bytes, bytes]] = scope["headers"]
        self._receive = receive

    def header(self, name: bytes) -> bytes | None:
        """Return a header, lower-case name; None if it is missing or given twice."""
        found = [value for key, value in self._headers if key == name]
        return found[0] if len(found) == 1 else None

    async def body(self, limit: int, what: str) -> bytes:
        """Return the body of at most ``limit`` bytes.

        Raises:
            TooLarge: it is larger, or says that it will be; the rest is not read.
            Disconnected: the client left.
        """
        announced = self.header(b"content-length")
        if announced and not (announced.isdigit() and int(announced[:20]) <= limit):
            raise _too_large(what, limit)
        parts, size = [], 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            part = message.get("body", b"")
            size += len(part)
            if size > limit:
                raise _too_large(what, limit)
            parts.append(part)
            if not message.get("more_body", False):
                return b"".join(parts)


async def respond(
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    find: Callable[[Request], Awaitable[Answer]],
    refuse: Callable[[Error], Answer],
    fault: str,
    say: Say = quiet,
) -> None:
    """Answer one request; ``lifespan`` is answered too.

    Args:
        scope: ASGI's, as the next two.
        receive: what the client sends.
        send: what it is sent.
        find: returns the answer, or raises why there is none.
        refuse: the answer to an error.
        fault: what the client is told of a mistake of ours; the operator is told its kind.
        say: the operator's log.
    """
    if scope["type"] == "lifespan":
        await answer_lifespan(receive, send)
    if scope["type"] != "http":
        return
    request = Request(scope, receive)
    try:
        answer = await find(request)
    except Disconnected:
        return
    except Error as error:
        answer = refuse(error)
        say("refused", status=answer.status, error=error.code, method=request.method[:10])
    except Exception as error:
        say("fault", error=type(error).__name__, method=request.method[:10])
        answer = refuse(Error(fault, code="internal"))
    await answer.send(send)


async def answer_lifespan(receive: Receive, send: Send) -> None:
    """Agree to start and to end."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def json_answer(value: Any, *, status: int = 200, headers: Headers = (NO_STORE,)) -> Answer:
    """Return an answer in JSON that nobody is to cache."""
    return Answer(status, JSON, strictjson.dumps(value).encode() + b"\n", headers)


def refusal(error: Error, status: int, *, headers: Headers = ()) -> Answer:
    """Return the one error shape, with the headers that go with its status."""
    more: Headers = ()
    if status == 503:
        more = ((b"retry-after", b"2"),)
    if status == 405 and error.expected:
        more = ((b"allow", error.expected.encode()),)
    return json_answer(error.to_json(), status=status, headers=(NO_STORE, *more, *headers))


def status_of(error: Error, by_code: Mapping[str, int] | None = None) -> int:
    """Return the HTTP status for an error: by its code, of a service or of all, or by its kind."""
    by_kind = next((status for kind, status in _BY_KIND if isinstance(error, kind)), 500)
    return (_BY_CODE | dict(by_code or {})).get(error.code, by_kind)


def require_method(method: str, methods: str) -> None:
    """Raise Usage unless a request's method is one of some, such as ``GET, HEAD``."""
    if method not in methods.split(", "):
        raise Usage(
            "this path does not know that method",
            code="method_wrong",
            expected=methods,
            got=method[:20],
        )


def no_such_path(path: str, *, known: str | None = None) -> Unavailable:
    """Return the error for a path where nothing is; ``known`` are those where something is."""
    return Unavailable(
        "there is nothing at this path",
        code="route_unknown",
        expected=known,
        got=ascii(path[:100])[1:-1],
    )


def _too_large(what: str, limit: int) -> TooLarge:
    return TooLarge(
        f"the {what} is too large",
        expected=f"at most {limit} bytes",
        got=f"more than {limit} bytes",
    )
