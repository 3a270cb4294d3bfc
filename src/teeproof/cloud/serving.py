"""Serve an ASGI application from inside: on the wall's socket, or right here in a test.

Trusts: uvicorn and httptools to parse.  Does not trust: clients.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from teeproof.core.errors import Unavailable
from teeproof.proof.log.http.running import run_until_told, server_for

__all__ = ["serve", "serve_here"]

Application = Callable[[Any, Any, Any], Awaitable[None]]
_BACKLOG = 1024


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
