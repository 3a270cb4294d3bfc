"""The witness over HTTP, as plain ASGI: two routes of c2sp.org/tlog-witness and nothing else.

    POST /add-checkpoint          a cosignature, or why not
    GET  /<origin hash>/checkpoint   what was cosigned last for a log

An error is the JSON object of every command, with the status that the specification gives it; only
409 is the bare size that it asks for. Bodies are bounded in bytes and time, requests in number.

Trusts: the witness it is given.  Does not trust: whoever asks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

from teeproof.core import strictjson
from teeproof.core.errors import Error, Malformed, NotAuthentic, TooLarge, Unavailable
from teeproof.proof.log.http.oplog import Say, quiet
from teeproof.proof.witness.request import MAX_REQUEST_BYTES, AddCheckpoint
from teeproof.proof.witness.witness import Conflict, Witness

__all__ = ["SIZE_TYPE", "App"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

SIZE_TYPE = "text/x.tlog.size"  # c2sp.org/tlog-witness, the body of a 409
_TEXT = "text/plain; charset=utf-8"
_JSON = "application/json"
_STATUS = {
    "origin_unknown": HTTPStatus.NOT_FOUND,
    "checkpoint_signature": HTTPStatus.FORBIDDEN,
    "log_unknown": HTTPStatus.FORBIDDEN,
    "old_size_conflict": HTTPStatus.CONFLICT,
    "empty_tree_root": HTTPStatus.UNPROCESSABLE_ENTITY,
    "equal_size_other_root": HTTPStatus.UNPROCESSABLE_ENTITY,
    "consistency_mismatch": HTTPStatus.UNPROCESSABLE_ENTITY,
    "body_late": HTTPStatus.REQUEST_TIMEOUT,
    "route_unknown": HTTPStatus.NOT_FOUND,
    "checkpoint_none": HTTPStatus.NOT_FOUND,
}

Answer = tuple[int, str, bytes]


class App:
    """An ASGI application for one witness.

    Args:
        witness: whom to ask.
        prefix: the path before the routes, without a slash at its end.
        seconds: how long a body may take to arrive.
        most: how many requests may be in work at once, and an eighth of how many may arrive; one
            more is answered 503.
        say: the operator's log.
    """

    def __init__(
        self,
        witness: Witness,
        *,
        prefix: str = "",
        seconds: float = 10.0,
        most: int = 64,
        say: Say = quiet,
    ) -> None:
        self._witness, self._prefix, self._seconds = witness, prefix, seconds
        # Apart, so that bodies which arrive slowly keep nobody from the witness.
        self._arriving, self._working, self._say = _Places(8 * most), _Places(most), say

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request; ``lifespan`` is answered too."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _http(self, scope: Message, receive: Receive, send: Send) -> None:
        allowed: tuple[str, ...] = ()
        try:
            answer, allowed = await self._answer(scope, receive)
        except _Gone:
            return
        except Conflict as error:
            answer = (HTTPStatus.CONFLICT, SIZE_TYPE, b"%d\n" % error.size)
        except Error as error:
            answer = (_status(error), _JSON, strictjson.dumps(error.to_json()).encode())
            self._say("refused", status=int(answer[0]), error=error.code, method=scope["method"])
        await _send(send, answer, allowed=allowed, bodiless=scope["method"] == "HEAD")

    async def _answer(self, scope: Message, receive: Receive) -> tuple[Answer, tuple[str, ...]]:
        path, method = scope["path"], scope["method"]
        name = path.removeprefix(self._prefix) if path.startswith(self._prefix + "/") else ""
        if name == "/add-checkpoint":
            if method != "POST":
                return _not_allowed(), ("POST",)
            return await self._add(scope, receive), ()
        origin_hash, separator, rest = name[1:].partition("/")
        if separator and rest == "checkpoint":
            if method not in ("GET", "HEAD"):
                return _not_allowed(), ("GET", "HEAD")
            return self._checkpoint(origin_hash), ()
        raise NotAuthentic(
            "there is no such page: POST /add-checkpoint, GET /<origin hash>/checkpoint",
            code="route_unknown",
            got=ascii(path[:200]),
        )

    def _checkpoint(self, name: str) -> Answer:
        signed = self._witness.checkpoint(name)
        if signed is None:
            raise NotAuthentic("nothing was cosigned for such a log", code="checkpoint_none")
        return HTTPStatus.OK, _TEXT, signed.encode()

    async def _add(self, scope: Message, receive: Receive) -> Answer:
        with self._arriving:
            body = await self._body(scope, receive)
        request = AddCheckpoint.parse(body)
        with self._working:
            # In a thread, because it waits for the disk.
            line = await asyncio.to_thread(self._witness.add, request)
        checkpoint = request.signed.checkpoint
        self._say("cosigned", origin=checkpoint.origin, size=checkpoint.size)
        return HTTPStatus.OK, _TEXT, line.encode()

    async def _body(self, scope: Message, receive: Receive) -> bytes:
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if not length.isdigit() or len(length) > 12 or int(length) > MAX_REQUEST_BYTES:
            raise _too_large()
        try:
            async with asyncio.timeout(self._seconds):
                return await _read(receive)
        except TimeoutError:
            raise Malformed("the body did not arrive in time", code="body_late") from None


class _Places:
    """So many at once, and no more."""

    def __init__(self, count: int) -> None:
        self._free = count

    def __enter__(self) -> None:
        if not self._free:
            raise Unavailable("the witness is busy: try again in a second", code="witness_busy")
        self._free -= 1

    def __exit__(self, *_: object) -> None:
        self._free += 1


class _Gone(Exception):
    """The client went away before its request was whole."""


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise _Gone
        body += message.get("body", b"")
        if len(body) > MAX_REQUEST_BYTES:
            raise _too_large()
        if not message.get("more_body", False):
            return bytes(body)


async def _send(send: Send, answer: Answer, *, allowed: tuple[str, ...], bodiless: bool) -> None:
    status, kind, body = answer
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    ]
    if allowed:
        headers.append((b"allow", ", ".join(allowed).encode()))
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": b"" if bodiless else body})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return


def _status(error: Error) -> int:
    if error.code in _STATUS:
        return _STATUS[error.code]
    if isinstance(error, TooLarge):
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    if isinstance(error, Malformed):
        return HTTPStatus.BAD_REQUEST
    if isinstance(error, Unavailable):
        return HTTPStatus.SERVICE_UNAVAILABLE
    return HTTPStatus.INTERNAL_SERVER_ERROR


def _not_allowed() -> Answer:
    error = Malformed("this page takes another method", code="method_not_allowed")
    return HTTPStatus.METHOD_NOT_ALLOWED, _JSON, strictjson.dumps(error.to_json()).encode()


def _too_large() -> TooLarge:
    return TooLarge("the request is too long", expected=f"at most {MAX_REQUEST_BYTES} bytes")
