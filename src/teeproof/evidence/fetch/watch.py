"""An end to a request, however the server spends the time: interim answers, headers byte by byte.

A timeout of the HTTP library is for one step, and a server can take steps without end. Whoever
waits is woken by the connection going away.

Trusts: this machine's clock.  Does not trust: network, servers.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

__all__ = ["ending"]

_OPENED = ("connection.connect_tcp.complete", "connection.start_tls.complete")  # httpcore's names


class _Watch:
    """The connections of one request, and whether its time is up."""

    def __init__(self) -> None:
        self._streams: list[Any] = []
        self._lock = threading.Lock()
        self._over = False

    def trace(self, event: str, information: Mapping[str, Any]) -> None:
        """Take note of a connection that was opened; httpcore's ``trace`` extension."""
        if event not in _OPENED:
            return
        with self._lock:
            self._streams.append(information["return_value"])
            over = self._over
        if over:
            self.end()

    def end(self) -> None:
        """Shut every connection down; whoever reads from one finds its end."""
        with self._lock:
            self._over = True
            streams = tuple(self._streams)
        for stream in streams:
            # Of the socket below TLS nothing is left once TLS has taken it over.
            with contextlib.suppress(OSError):
                stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


@contextmanager
def ending(seconds: float) -> Iterator[dict[str, Any]]:
    """Give ``extensions`` for one request of httpx: its connections end after so many seconds."""
    watch = _Watch()
    timer = threading.Timer(seconds, watch.end)
    timer.daemon = True
    timer.start()
    try:
        yield {"trace": watch.trace}
    finally:
        timer.cancel()
