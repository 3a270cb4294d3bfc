"""HTTP/1.1 for strangers: bounds that uvicorn's fast parser leaves to its user.

Headers have a greatest size, a request has a time by which it must be there, connections have a
greatest number, and what is no HTTP is refused in the one shape of errors.

Trusts: uvicorn and httptools to parse.  Does not trust: clients, slow ones and rude ones.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from teeproof.core import strictjson
from teeproof.core.errors import Error, Malformed, TooLarge, Unavailable
from teeproof.web.asgi import Receive, Scope, Send, refusal

__all__ = ["MAX_CONNECTIONS", "MAX_HEADER_BYTES", "REQUEST_SECONDS", "BoundedProtocol"]

MAX_HEADER_BYTES = 16 << 10
MAX_CONNECTIONS = 4096
REQUEST_SECONDS = 30.0  # from the first byte to the last of a request; 16 MiB at 5 Mbit/s
_LINGER_SECONDS = 1.0


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._deadline: asyncio.TimerHandle | None = None
        self._header_bytes = self._chunk = 0
        self._in_headers = self._opens = True
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; beyond ``MAX_CONNECTIONS`` every request is answered with 503."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            self.app = _busy
        self._expect_a_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._expect_nothing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse; headers that go on for too long end the connection."""
        if self._refused:
            return
        self._opens = self._in_headers
        self._header_bytes = self._chunk = self._header_bytes + len(data)
        super().data_received(data)
        if self._in_headers and self._header_bytes > MAX_HEADER_BYTES:
            self._refuse(
                TooLarge(
                    "the request's headers are too large",
                    expected=f"at most {MAX_HEADER_BYTES} bytes",
                ),
                b"431 Request Header Fields Too Large",
            )

    def on_message_begin(self) -> None:
        """Start the clock of a request."""
        super().on_message_begin()
        # What stands before a second request of one chunk is not of its headers: not counted.
        self._in_headers, self._header_bytes = True, self._chunk if self._opens else 0
        self._opens = False
        self._expect_a_request()

    def on_headers_complete(self) -> None:
        """Stop counting the header; what follows is the body, which the application bounds."""
        self._in_headers, self._header_bytes = False, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Stop the clock of a request; the next begins with headers."""
        self._expect_nothing()
        self._in_headers, self._header_bytes = True, 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, in the one shape."""
        self._refuse(Malformed(msg, code="http_malformed"), b"400 Bad Request")

    def _expect_a_request(self) -> None:
        self._expect_nothing()
        self._deadline = self.loop.call_later(REQUEST_SECONDS, self._too_late)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        if not self.transport.is_closing():
            self.transport.abort()

    def _refuse(self, error: Error, status: bytes) -> None:
        if self._refused or self.transport.is_closing():
            return
        body = strictjson.dumps(error.to_json()).encode() + b"\n"
        self.transport.write(
            b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
            b"cache-control: no-store\r\nconnection: close\r\n\r\n%b" % (status, len(body), body)
        )
        # RFC 9112, 9.6: closed at once, what is still unread would make the answer unreadable.
        self._refused = True
        self._expect_nothing()
        self._deadline = self.loop.call_later(_LINGER_SECONDS, self._too_late)
        self.transport.write_eof()


async def _busy(scope: Scope, receive: Receive, send: Send) -> None:
    error = Unavailable(
        "this server has too many connections: try again in a moment", code="server_busy"
    )
    await refusal(error, 503).send(send)
