"""How requests get through the wall: addresses outside, sockets inside, bytes in between.

    outside  unix socket per peer   ->  the peer's address          (``lend``)
    inside   127.0.0.1:<port>       ->  the peer's unix socket      (``reach``)
    outside  127.0.0.1:<port>       ->  the workload's unix socket  (``expose``)

The workload has no network: what it reaches is what its launcher mounted. Nothing is read here but
moved as it comes, so every client works unchanged.

Trusts: nothing; it moves bytes.  Does not trust: either side.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Coroutine
from functools import cache
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from teeproof.core.errors import Usage

__all__ = ["Bridge", "Lane"]

T = TypeVar("T")
Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Dial = Callable[[], Awaitable[Pair]]

_PIECE = 64 << 10
_MAX_CONNECTIONS = 256  # of one listener; a further one waits for its turn
_PAUSE = 0.02  # seconds between attempts to reach a workload that is about to listen
_BACKLOG = 256


class Bridge:
    """Listeners that move bytes, on one thread of their own; one per process is enough."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="bridge", daemon=True).start()

    @classmethod
    @cache
    def shared(cls) -> Self:
        """Return this process's bridge."""
        return cls()

    def lend(self, url: str, path: Path) -> Lane:
        """Make a peer's address reachable at a unix socket."""
        host, port, _ = _parts(url)
        dial = lambda: asyncio.open_connection(host, port)  # noqa: E731
        return self._lane(
            lambda serve: asyncio.start_unix_server(serve, path, backlog=_BACKLOG), dial
        )

    def reach(self, url: str, path: Path) -> str:
        """Return an address on this machine that leads to a unix socket, path and all."""
        _, _, rest = _parts(url)
        lane = self.expose(path)
        return f"{lane.url}{rest}"

    def expose(self, path: Path, *, alive: Callable[[], bool] | None = None) -> Lane:
        """Make a unix socket reachable on a free port of this machine.

        Args:
            path: the socket; it need not be there yet.
            alive: whether somebody is still about to listen; without it, nobody is waited for.
        """

        async def dial() -> Pair:
            while True:
                try:
                    return await asyncio.open_unix_connection(path)
                except OSError:
                    if alive is None or not alive():
                        raise
                    await asyncio.sleep(_PAUSE)

        def listen(serve: Any) -> Awaitable[asyncio.Server]:
            return asyncio.start_server(serve, "127.0.0.1", 0, backlog=_BACKLOG)

        return self._lane(listen, dial)

    def _lane(self, listen: Callable[[Any], Awaitable[asyncio.Server]], dial: Dial) -> Lane:
        async def start() -> Lane:
            lane = Lane(self, dial)
            lane.server = await listen(lane.serve)
            return lane

        return self.run(start())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what a coroutine returns on the bridge's thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


class Lane:
    """One listener and where it leads."""

    server: asyncio.Server

    def __init__(self, bridge: Bridge, dial: Dial) -> None:
        self._bridge, self._dial = bridge, dial
        self._turns = asyncio.Semaphore(_MAX_CONNECTIONS)
        self._open: set[asyncio.Task[Any]] = set()

    @property
    def url(self) -> str:
        """The address of a listener on a port."""
        return f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    def close(self) -> None:
        """Take no more connections and end those that are open."""

        async def end() -> None:
            self.server.close()
            for task in self._open:
                task.cancel()

        self._bridge.run(end())

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Move the bytes of one connection."""
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            async with self._turns:
                there_reader, there_writer = await self._dial()
                await _both(_move(reader, there_writer), _move(there_reader, writer), there_writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            writer.close()


async def _both(up: Coroutine[Any, Any, None], down: Coroutine[Any, Any, None], far: Any) -> None:
    try:
        await asyncio.gather(up, down)
    finally:
        far.close()


async def _move(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_PIECE):
        writer.write(data)
        await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()


def _parts(url: str) -> tuple[str, int, str]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or 80
    except ValueError:
        parts, host, port = urlsplit(""), None, 0
    if parts.scheme != "http" or not host:
        raise Usage(
            "this is not the address of a peer",
            code="peer_address",
            expected="http://HOST:PORT",
            got=url[:200],
        )
    return host, port, parts.path.rstrip("/")
