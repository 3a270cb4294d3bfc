"""A log's server: the application, and how it is run.

    GET  /checkpoint                      anyone
    GET  /tile/<L>/<N>[.p/<W>]            anyone
    GET  /tile/entries/<N>[.p/<W>]        anyone
    GET  /                                anyone    what the log says of itself, in JSON
    POST /append                          a token   one record, or a batch in NDJSON
    GET  /proof/<sha256:…>                a token   a tlog-proof with the entry's salt
    PUT, GET /blob/<hex>                  a token   bytes beside the log

A path has one spelling; nothing in it is unescaped. Errors have the one shape.

Source: c2sp.org/tlog-tiles for what anyone may read.

Trusts: the log's directory, whoever holds a token to fill its disk.
Does not trust: clients; what the log serves proves itself, or nothing.
"""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING

from teeproof.core.clock import wall_clock
from teeproof.core.errors import Error, Unavailable, Usage
from teeproof.core.types import settle_types
from teeproof.proof.log.formats.checkpoint import Accept
from teeproof.proof.log.http.asgi import (
    Answer,
    Disconnected,
    Receive,
    Request,
    Scope,
    Send,
    refusal,
)
from teeproof.proof.log.http.keysets import Keysets
from teeproof.proof.log.http.oplog import Say, quiet
from teeproof.proof.log.http.publishing import Publisher
from teeproof.proof.log.http.reading import Reading, description
from teeproof.proof.log.http.served import ServedLog
from teeproof.proof.log.http.tokens import Tokens
from teeproof.proof.log.http.writing import Writing

if TYPE_CHECKING:
    import uvicorn

__all__ = ["LogApp", "listen", "run_until_told", "server_for"]

Application = Callable[[Scope, Receive, Send], Awaitable[None]]
_GRACE = 30  # seconds that requests under way have when the server is told to stop


class LogApp:
    """The ASGI application over one log.

    Args:
        log: the log; the caller closes it once the server has ended.
        tokens: who may append.
        publisher: keeps the promise that each answer makes; the caller starts and stops it.
        witnesses: verifier keys of the witnesses that are asked, to be named in the description.
        accept: which checkpoint a proof may carry, such as one with a quorum.
        keysets: whose receipts can be told; without one, those in the log are read now.
        now: the clock.
        say: the operator's log.
    """

    def __init__(
        self,
        log: ServedLog,
        *,
        tokens: Tokens,
        publisher: Publisher,
        witnesses: tuple[str, ...] = (),
        accept: Accept = lambda _: True,
        keysets: Keysets | None = None,
        now: Callable[[], datetime] = wall_clock,
        say: Say = quiet,
    ) -> None:
        if keysets is None:
            keysets = Keysets()
            keysets.read(log)
        self._log, self._say = log, say
        self._delay, self._witnesses = publisher.delay, witnesses
        self._reading = Reading(log)
        self._writing = Writing(
            log,
            tokens=tokens,
            keysets=keysets,
            delay=publisher.delay,
            behind=lambda: publisher.behind,
            accept=accept,
            now=now,
            say=say,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            answer = await self._answer(request)
        except Disconnected:
            return
        except Error as error:
            answer = refusal(error)
            self._say("refused", status=answer.status, error=error.code, method=request.method)
        except Exception as error:
            self._say("fault", error=type(error).__name__, method=request.method)
            answer = _fault()
        await answer.send(send)

    async def _answer(self, request: Request) -> Answer:
        first, _, rest = request.path.partition("/")
        if request.path == "append":
            _require(request, "POST")
            return await self._writing.append(request)
        if first == "proof" and rest:
            _require(request, "GET, HEAD")
            return await self._writing.proof(request, rest)
        if first == "blob" and rest:
            _require(request, "GET, HEAD, PUT")
            put = request.method == "PUT"
            answer = self._writing.put_blob if put else self._writing.blob
            return await answer(request, rest)
        return self._public(request)

    def _public(self, request: Request) -> Answer:
        if request.path.startswith("tile/"):
            _require(request, "GET, HEAD")
            return self._reading.tile(request.path)
        if request.path == "checkpoint":
            _require(request, "GET, HEAD")
            return self._reading.checkpoint()
        if not request.path:
            _require(request, "GET, HEAD")
            return description(self._log, delay=self._delay, witnesses=self._witnesses)
        raise Unavailable(
            "there is nothing at this path",
            code="route_unknown",
            got=ascii(request.path[:100])[1:-1],
        )


def server_for(app: Application, *, faults: bool = False) -> uvicorn.Server:
    """Return a server for an ASGI application; ``run(sockets=[…])`` serves until SIGTERM or SIGINT.

    It then takes no new connections and answers the requests that it has. What was acknowledged is
    durable in any case.

    Args:
        app: the application.
        faults: whether what it raises is logged, for a handler that the caller has: ours write
            their own lines.

    Raises:
        Unavailable: the extra ``serve`` is not installed.
    """
    try:
        import uvicorn  # noqa: PLC0415  an extra

        from teeproof.proof.log.http.protocol import BoundedProtocol  # noqa: PLC0415
    except ImportError as error:
        raise Unavailable(
            "the server needs uvicorn and httptools: pip install 'teeproof[serve]', or, in a"
            " checkout, pip install -e '.[serve]'",
            code="extra_missing",
            got=str(error),
        ) from None
    settle_types()  # before the threads that applications start
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=BoundedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error" if faults else "critical",
            access_log=False,
            server_header=False,
            proxy_headers=False,  # whose a connection is, the kernel says and no header
            timeout_graceful_shutdown=_GRACE,
            backlog=1024,
        )
    )


def run_until_told(
    server: uvicorn.Server, sock: socket.socket, *, ready: Callable[[], object] = lambda: None
) -> None:
    """Serve on a socket until SIGTERM or SIGINT; a second one ends requests under way too.

    ``ready`` is called once a signal would be heeded; who connects from then on is answered.
    """

    def stop(_signal: int, _frame: object) -> None:
        server.force_exit = server.should_exit
        server.should_exit = True

    # uvicorn would raise the signal again when it has ended, and leave the log open.
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        ready()
        server.run(sockets=[sock])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def listen(address: str) -> socket.socket:
    """Return a socket that listens on ``HOST:PORT``; port 0 takes a free one.

    Raises:
        Usage: this is no address.
        Unavailable: it is taken, or not of this machine.
    """
    host, separator, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not separator or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise Usage(
            "this is not an address to listen on",
            code="address_malformed",
            expected="HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080",
            got=address[:100],
        )
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, int(port)), family=family, backlog=1024)
    except OSError as error:
        raise Unavailable(
            f"{address} cannot be listened on: {error.strerror or error}",
            code="address_unavailable",
            got=address[:100],
        ) from None


def _require(request: Request, methods: str) -> None:
    if request.method not in methods.split(", "):
        raise Usage(
            "this path does not know that method",
            code="method_wrong",
            expected=methods,
            got=request.method[:20],
        )


def _fault() -> Answer:
    error = Error("the log made a mistake here: its operator finds it in the log", code="internal")
    return refusal(error)
