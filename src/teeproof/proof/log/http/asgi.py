"""Requests and answers of a log's server, on bare ASGI: bounded bodies, one shape for errors.

Source: ASGI specification 3.0, HTTP connection scope.

Trusts: the ASGI server that calls.  Does not trust: clients.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
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

__all__ = [
    "JSON",
    "Answer",
    "Disconnected",
    "Receive",
    "Request",
    "Scope",
    "Send",
    "json_answer",
    "refusal",
    "status_of",
]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = tuple[tuple[bytes, bytes], ...]

JSON = b"application/json"
_NO_STORE = (b"cache-control", b"no-store")
_NO_SNIFF = (b"x-content-type-options", b"nosniff")

_BY_CODE = {
    "token_missing": 401,
    "token_wrong": 401,
    "route_unknown": 404,
    "tile_missing": 404,
    "statement_unknown": 404,
    "blob_unknown": 404,
    "verdict_unknown": 404,
    "method_wrong": 405,
    "not_acceptable": 406,
    "identity_unknown": 409,
    "not_published": 404,
    "log_corrupt": 500,
}
_BY_KIND: tuple[tuple[type[Error], int], ...] = (
    (TooLarge, 413),
    (Malformed, 400),
    (Usage, 400),
    (NotAuthentic, 422),
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
        self.path: str = scope["raw_path"].decode("latin-1").removeprefix("/")
        if scope["query_string"]:
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
        if announced and announced.isdigit() and int(announced[:20]) > limit:
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


def json_answer(value: Any, *, status: int = 200, headers: Headers = (_NO_STORE,)) -> Answer:
    """Return an answer in JSON that nobody is to cache."""
    return Answer(status, JSON, strictjson.dumps(value).encode() + b"\n", headers)


def refusal(error: Error) -> Answer:
    """Return the one error shape, with the status that goes with it."""
    status = status_of(error)
    extra = ((b"www-authenticate", b"Bearer"),) if status == 401 else ()
    if status == 503:
        extra = ((b"retry-after", b"2"),)
    if status == 405 and error.expected:
        extra = ((b"allow", error.expected.encode()),)
    return json_answer(error.to_json(), status=status, headers=(_NO_STORE, *extra))


def status_of(error: Error) -> int:
    """Return the HTTP status for an error."""
    by_kind = next((status for kind, status in _BY_KIND if isinstance(error, kind)), 500)
    return _BY_CODE.get(error.code, by_kind)


def _too_large(what: str, limit: int) -> TooLarge:
    return TooLarge(
        f"the {what} is too large",
        expected=f"at most {limit} bytes",
        got=f"more than {limit} bytes",
    )
