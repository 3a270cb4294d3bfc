"""Bodies of requests: bounded each, and all together.

A client that says it will send much takes nothing until it does; what is held of all clients at
once has a greatest size, beyond which a request is told to come again. How long a client may take
is for the server's protocol to say.

Source: ASGI specification 3.0, HTTP connection scope.

Trusts: the ASGI server that calls.  Does not trust: clients.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from teeproof.cloud.verifier.requests import MAX_BODY
from teeproof.core.errors import TooLarge, Unavailable
from teeproof.web.asgi import Disconnected, Receive, Request

__all__ = ["MAX_HELD", "Bodies"]

MAX_HELD = 128 << 20


class Bodies:
    """What is held of requests.

    Args:
        limit: bytes of one body.
        held: bytes of all bodies together.
    """

    def __init__(self, *, limit: int = MAX_BODY, held: int = MAX_HELD) -> None:
        self._limit, self._left = limit, held

    @property
    def left(self) -> int:
        """How many bytes there is room for."""
        return self._left

    @contextlib.asynccontextmanager
    async def body_of(self, request: Request, receive: Receive) -> AsyncIterator[bytes]:
        """Give the body of a request; its room is free again at the end.

        Raises:
            TooLarge: it is larger than one may be, or says that it will be; the rest is not read.
            Unavailable: code ``verifier_busy``: no room. Disconnected: the client left.
        """
        announced = request.header(b"content-length")
        if announced and announced.isdigit() and int(announced[:20]) > self._limit:
            raise self._too_large()
        parts: list[bytes] = []
        size, more = 0, True
        try:
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Disconnected
                part = message.get("body", b"")
                if size + len(part) > self._limit:
                    raise self._too_large()
                self._take(len(part))
                size += len(part)
                parts.append(part)
                more = message.get("more_body", False)
            yield b"".join(parts)
        finally:
            self._left += size

    def _take(self, size: int) -> None:
        if size > self._left:
            raise Unavailable(
                "the verifier holds too many requests: try again in a moment", code="verifier_busy"
            )
        self._left -= size

    def _too_large(self) -> TooLarge:
        return TooLarge(
            "the request is too large",
            expected=f"at most {self._limit} bytes",
            got=f"more than {self._limit} bytes",
        )
