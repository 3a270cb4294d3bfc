"""The story's pages, served from a thread while its world stays up, with its console."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from teeproof.chain.onlooker import Onlooker
from teeproof.cli.console.opening import address_of, open_console
from teeproof.cli.explorer_desk import ExplorerDesk
from teeproof.cli.joining import Joined
from teeproof.cli.story.data import trust_of
from teeproof.cli.story.world import World
from teeproof.cli.visiting import visiting
from teeproof.core.writing import PRIVATE, write_file
from teeproof.evidence.policy import Policy
from teeproof.explorer.app import make_app
from teeproof.explorer.console.port import Console
from teeproof.explorer.console.stage import Stage
from teeproof.explorer.log.content import Book
from teeproof.proof.verify import Trust
from teeproof.web.running import SHORT, listen, server_for

__all__ = ["CONSOLE", "Served", "serve_page"]

CONSOLE = "console.address"
"""The file, for its owner's eyes, that holds the console's address while it is served."""


_PATIENCE = 60.0  # seconds that a page waits for the story's own chain: all run on one machine


class Served(NamedTuple):
    """Where the pages are, and the address that opens the console."""

    url: str
    console: str


@contextmanager
def serve_page(
    world: World,
    story: Callable[[], Sequence[Mapping[str, Any]]],
    *,
    stage: Stage | None = None,
    sock: socket.socket | None = None,
) -> Iterator[Served]:
    """Serve the explorer over the story's log, and give its addresses.

    Args:
        world: whose log, and whose reader's trust.
        story: lines of what happened.
        stage: runs the story's parts, for the console.
        sock: listens already; without one, a free port is taken.
    """
    app, console = _app(world, story, stage)
    server = server_for(app, faults=True, grace=SHORT)
    with sock or listen("127.0.0.1:0") as listening:
        host, port = listening.getsockname()[:2]
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        served = Served(f"http://{host}:{port}", address_of(f"http://{host}:{port}", console))
        place = world.folder / CONSOLE
        write_file(place, served.console.encode() + b"\n", overwrite=True, mode=PRIVATE)
        try:
            yield served
        finally:
            place.unlink(missing_ok=True)
            server.should_exit = True
            thread.join(5)
            console.close()


def _app(
    world: World, story: Callable[[], Sequence[Mapping[str, Any]]], stage: Stage | None
) -> tuple[Any, Console]:
    import teeproof.cli.chapters  # noqa: F401, PLC0415  every kind of statement, and its judge

    visit, trust = visiting(world.policy_path, world.logs_path), _Growing(world)
    book = Book(world.notary.directory, trust=trust, story=story)
    desk = ExplorerDesk(policy=trust.policy, logs=world.logs_path, words=visit.words)
    console = open_console(lambda: _reach(world), book=book, stage=stage)
    node = Onlooker(world.urls["chain"], patience=_PATIENCE) if "chain" in world.urls else None
    app = make_app(
        book, command=visit.command, desk=desk, console=console, node=node, given=visit.given
    )
    return app, console


def _reach(world: World) -> Joined:
    """Return where the world's services are now, as a command that joins finds them."""
    return Joined(
        world.folder, dict(world.urls), world.kms_policy, dict(world.codes), dict(world.contracts)
    )


class _Growing:
    """Whom the story's reader trusts: with each part that runs, code is added to the policy."""

    def __init__(self, world: World) -> None:
        self._world, self._lock = world, threading.Lock()
        self._text, self._trust = b"", Trust()

    def __call__(self) -> Trust:
        with self._lock:
            text = self._world.policy_path.read_bytes()
            if text != self._text:
                self._text, self._trust = text, trust_of(self._world)
            return self._trust

    def policy(self) -> Policy:
        policy = self().policy
        assert policy is not None  # the story's reader has one
        return policy
