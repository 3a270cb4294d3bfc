"""Requests and answers of the service on bare ASGI: bounded bodies, and clients that hang up.

Source: ASGI specification 3.0, HTTP connection scope; ACI specification (``aci/1``), 5.2 and 10.

Trusts: the ASGI server that calls.  Does not trust: clients.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import NamedTuple
from urllib.parse import parse_qsl

from teeproof.core.digests import sha256
from teeproof.core.errors import Error, Malformed, TooLarge
from teeproof.inference.wire import MAX_BODY, error_body, status_of
from teeproof.proof import canonical
from teeproof.web import asgi
from teeproof.web.asgi import JSON, NO_STORE, Answer, Disconnected, Headers, Receive, Scope, Send

__all__ = ["Call", "Channel", "Hung", "nonce_of", "refusal", "watched", "written"]

EVENTS = b"text/event-stream"
_PATIENCE = 30.0  # seconds for which a client may take nothing of what is sent to it
_SWALLOWED = 8 << 20  # what is read and forgotten of a body that is too large, to answer it at all


class Call(NamedTuple):
    """One request without its body.

    Attributes:
        method: in upper case.
        path: as it was sent, nothing unescaped.
        query: names and values; of a name given twice, the last.
        credential: SHA-256 of the Authorization header; None without one.
    """

    method: str
    path: str
    query: dict[str, str]
    credential: bytes | None

    @classmethod
    def of(cls, scope: Scope) -> Call:
        """Return what an ASGI scope says."""
        sent = [value for name, value in scope["headers"] if name == b"authorization"]
        path = scope.get("raw_path") or scope["path"].encode()
        query = scope["query_string"][:2048].decode("latin-1")
        pairs = dict(parse_qsl(query, keep_blank_values=True)) if query.count("&") < 16 else {}
        credential = sha256(*sent) if sent else None
        return cls(scope["method"], path.decode("latin-1"), pairs, credential)


class Hung(Exception):
    """The client hung up, or takes nothing of what it is sent."""


class Channel:
    """One client: its body, and what it is sent.

    Args:
        receive: ASGI's.
        send: ASGI's.
        headers: of every answer.
    """

    def __init__(self, receive: Receive, send: Send, headers: Headers) -> None:
        self._receive, self._send, self._headers = receive, send, headers
        self._gone = False

    @property
    def gone(self) -> bool:
        """Whether the client is known to have hung up."""
        return self._gone

    async def body(self) -> bytes:
        """Return the body.

        Raises:
            TooLarge: more than ``MAX_BODY`` bytes.
            Disconnected: the client left before it had said everything.
        """
        parts: list[bytes] = []
        size, more = 0, True
        while more and size <= _SWALLOWED:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            part = message.get("body", b"")
            size += len(part)
            if size <= MAX_BODY:
                parts.append(part)
            more = message.get("more_body", False)
        if size > MAX_BODY:
            raise TooLarge(
                "the request is too large: shorten the conversation",
                expected=f"at most {MAX_BODY} bytes",
                got=f"{'at least ' if more else ''}{size} bytes",
            )
        return b"".join(parts)

    async def watch(self) -> None:
        """Return once the client has hung up; only after its body was read."""
        while not self._gone:
            message = await self._receive()
            self._gone = message["type"] == "http.disconnect"

    async def open_stream(self, headers: Headers) -> None:
        """Begin a stream of events."""
        sent = [(b"content-type", EVENTS), *self._headers, NO_STORE, *headers]
        await self._give({"type": "http.response.start", "status": 200, "headers": sent})

    async def event(self, data: bytes, *, last: bool = False) -> None:
        """Send an event of a stream.

        Raises:
            Hung: there is nobody to take it.
        """
        if self._gone:
            raise Hung
        await self._give({"type": "http.response.body", "body": data, "more_body": not last})

    async def answer(self, answer: Answer) -> None:
        """Send an answer that is no stream; nothing if there is nobody."""
        if not self._gone:
            with contextlib.suppress(Hung):
                await self._whole(answer._replace(headers=(*answer.headers, *self._headers)))

    async def _whole(self, answer: Answer) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                await answer.send(self._send)
        except (TimeoutError, OSError):
            self._gone = True
            raise Hung from None

    async def _give(self, message: dict[str, object]) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._send(message)
        except (TimeoutError, OSError):
            self._gone = True
            raise Hung from None


@contextlib.asynccontextmanager
async def watched(channel: Channel) -> AsyncIterator[None]:
    """Notice, for a while, when the client hangs up."""
    task = asyncio.create_task(channel.watch())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def refusal(error: Error) -> Answer:
    """Return the answer to a request that is refused."""
    status = status_of(error)
    who: Headers = ((b"www-authenticate", b"Bearer"),) if status == 401 else ()
    return asgi.refusal(error, status, headers=who)._replace(body=error_body(error))


def written(value: object) -> Answer:
    """Return an answer in JSON that nobody is to cache."""
    return Answer(200, JSON, canonical.encode(value), (NO_STORE,))


def nonce_of(call: Call) -> str | None:
    """Return a client's nonce; Malformed unless it has ACI's form."""
    nonce = call.query.get("nonce")
    if nonce is not None and (len(nonce) != 64 or nonce.strip("0123456789abcdef")):
        raise Malformed(
            "a nonce is 32 bytes: draw a fresh one",
            code="nonce_malformed",
            expected="64 lower-case hex digits",
            got=nonce[:100],
        )
    return nonce
