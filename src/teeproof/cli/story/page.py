"""The demo's pages, served from a thread while the story's world stays up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from teeproof.cli.explorer_desk import ExplorerDesk
from teeproof.cli.quoting import shell
from teeproof.cli.story.data import trust_of
from teeproof.cli.story.telling import short_id
from teeproof.cli.story.world import World
from teeproof.explorer.app import make_app
from teeproof.explorer.content import Book
from teeproof.proof.log.http.server import listen

__all__ = ["serve_page"]


@contextmanager
def serve_page(world: World, story: Callable[[], Sequence[Mapping[str, Any]]]) -> Iterator[str]:
    """Serve the explorer over the story's log on a free port, and give its address."""
    import uvicorn  # noqa: PLC0415  an extra

    import teeproof.cli.chapters  # noqa: F401, PLC0415  every kind of statement, and its judge

    trust = ("--policy", world.policy_path, "--logs", world.logs_path)

    def command(name: str) -> str:
        return shell("teeproof", "verify", world.notary.directory, short_id(name), *trust)

    book = Book(world.notary.directory, trust=trust_of(world), story=story)
    desk = ExplorerDesk(policy=trust_of(world).policy, logs=world.logs_path, words=trust)
    app = make_app(book, command=command, desk=desk)
    config = uvicorn.Config(
        app, log_level="error", lifespan="off", access_log=False, timeout_graceful_shutdown=3
    )
    server = uvicorn.Server(config)
    with listen("127.0.0.1:0") as sock:
        host, port = sock.getsockname()[:2]
        thread = threading.Thread(target=server.run, args=([sock],), daemon=True)
        thread.start()
        try:
            yield f"http://{host}:{port}"
        finally:
            server.should_exit = True
            thread.join(5)
