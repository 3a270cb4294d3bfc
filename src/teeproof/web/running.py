"""How an application is served: a socket, bounds, and an end when the process is told to.

Trusts: uvicorn.  Does not trust: clients; ``protocol`` bounds what they send.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from teeproof.core.errors import Unavailable, Usage
from teeproof.core.types import settle_types
from teeproof.web.asgi import Receive, Scope, Send

if TYPE_CHECKING:
    import uvicorn

__all__ = ["SHORT", "Application", "listen", "run_until_told", "serve", "serve_here", "server_for"]

Application = Callable[[Scope, Receive, Send], Awaitable[None]]

SHORT: Final = 3
"""Seconds of grace for pages: who listens there for news would keep the server waiting."""
_BACKLOG = 1024
_GRACE = 30


def server_for(app: Application, *, faults: bool = False, grace: int = _GRACE) -> uvicorn.Server:
    """Return a server for an ASGI application; ``run(sockets=[…])`` serves until SIGTERM or SIGINT.

    It then takes no new connections and answers the requests that it has. What was acknowledged is
    durable in any case.

    Args:
        app: the application.
        faults: whether what it raises is logged, for a handler that the caller has: ours write
            their own lines.
        grace: seconds that requests under way have when the server is told to stop.

    Raises:
        Unavailable: the extra ``serve`` is not installed.
    """
    try:
        import uvicorn  # noqa: PLC0415  an extra

        from teeproof.web.protocol import BoundedProtocol  # noqa: PLC0415
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
            timeout_graceful_shutdown=grace,
            backlog=_BACKLOG,
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
        return socket.create_server((host, int(port)), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise Unavailable(
            f"{address} cannot be listened on: {error.strerror or error}",
            code="address_unavailable",
            got=address[:100],
        ) from None


def serve(application: Application, path: Path) -> None:
    """Serve on a unix socket until SIGTERM; requests under way are answered first.

    Raises:
        Unavailable: the socket cannot be made.
    """
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listening:
        try:
            listening.bind(str(path))
            listening.listen(_BACKLOG)
        except OSError as error:
            raise Unavailable(
                f"the workload cannot serve on its socket: {error.strerror}",
                code="address_unavailable",
            ) from None
        run_until_told(server_for(application), listening)


def serve_here(
    application: Application, *, ready: Callable[[str], object], stopped: threading.Event
) -> None:
    """Serve on a free port of this machine, in any thread, until an event is set.

    Args:
        application: the ASGI application.
        ready: told the address, ``http://127.0.0.1:<port>``.
        stopped: ends it.
    """
    server = server_for(application)

    def watch() -> None:
        stopped.wait()
        server.should_exit = True

    with socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG) as listening:
        threading.Thread(target=watch, daemon=True).start()
        ready(f"http://127.0.0.1:{listening.getsockname()[1]}")
        server.run(sockets=[listening])
