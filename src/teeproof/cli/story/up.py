"""Bring the story's stack up, run parts as people start them, stay until told to end."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from teeproof.cli.demo_folder import held_anew, require_free
from teeproof.cli.outgoing import require_place
from teeproof.cli.screen import ColorChoice, Screen, standard
from teeproof.cli.story.running import require_libraries, until_told, write_story
from teeproof.cli.story.telling import Teller, story_lines
from teeproof.core.errors import Unavailable
from teeproof.core.home import data_directory
from teeproof.web.running import listen

if TYPE_CHECKING:
    from teeproof.cli.story.stage import Director
    from teeproof.cli.story.world import World
    from teeproof.explorer.console.stage import Part

__all__ = ["run"]

_LOOK = 0.5  # seconds between two looks at what runs


def run(
    *, keep: Path | None, port: int, wanted: Sequence[str], as_json: bool, color: ColorChoice
) -> int:
    """Bring it up, run what is wanted, stay until told to end; return the exit code.

    Args:
        keep: the folder; None for ``TEEPROOF_HOME/up``.
        port: of the pages; 0 for a free one.
        wanted: parts to be started at once, with all that they need.
        as_json: whether to print one object, once those have ended.
        color: for the terminal.

    Raises:
        Usage: one runs in this folder already, or it holds something else.
        Unavailable: the port is taken; a library or a process is missing, or a process ended.
    """
    require_libraries()
    if keep is not None:
        require_place(keep, what="a directory")
    folder = (keep or data_directory(os.environ) / "up").absolute()
    screen, begun = standard(color), time.monotonic()
    say = Teller(screen, clock=lambda: time.monotonic() - begun, quiet=as_json)
    with until_told(), ExitStack() as stack:
        try:
            require_free(folder)
            say.words("SIMULATED machines; all else is real", "magenta", "bold")
            sock = stack.enter_context(_listening(port))
            aside = stack.enter_context(held_anew(folder))
            up = stack.enter_context(_brought_up(folder, say, sock))
            for name in wanted:
                up.director.start(name, through=True)
            up.about |= {"earlier": None if aside is None else str(aside)}
            up.tell(screen, as_json=as_json)
        except KeyboardInterrupt:
            say.words()
    return 0


class _Up:
    """A stack that is up.

    Attributes:
        director: runs its parts.
        about: its folder and addresses.
    """

    def __init__(self, say: Teller, director: Director, about: dict[str, Any]) -> None:
        self.director, self.about = director, about
        self._say = say

    def tell(self, screen: Screen, *, as_json: bool) -> None:
        """Say where it is, and of each thing that ends by itself; never returns by itself.

        Raises:
            Unavailable: what everything rests on has ended.
        """
        if not as_json:
            self._write(screen)
        while True:
            for error in self.director.look():
                self._say.words(f"{error.detail}: {error.got}", "red")
            if as_json and not self.director.busy:
                screen.json(self._as_json())
                screen.stream.flush()
                as_json = False
            time.sleep(_LOOK)

    def _write(self, screen: Screen) -> None:
        about = self.about
        screen.copied("explorer", about["explorer"], "bold")
        screen.copied("console", about["console"], "bold")
        screen.row("folder", about["folder"])
        if about["earlier"]:
            screen.row("earlier", f"{about['earlier']} (moved there; people's files and keys in it"
                       " are yours to keep or to delete)")  # fmt: skip
        screen.row("stop", "Ctrl-C")
        screen.stream.flush()

    def _as_json(self) -> dict[str, Any]:
        parts = [asdict(part) for part in self.director.parts()]
        failed = any(part["state"] == "failed" for part in parts)
        return {"ok": not failed, **self.about, "pid": os.getpid(), "parts": parts}


@contextmanager
def _brought_up(folder: Path, say: Teller, sock: socket.socket) -> Iterator[_Up]:
    from teeproof.cli.story.acts import Scene  # noqa: PLC0415  they need nearly everything
    from teeproof.cli.story.page import serve_page  # noqa: PLC0415
    from teeproof.cli.story.stage import Director  # noqa: PLC0415
    from teeproof.cli.story.world import World  # noqa: PLC0415

    world = World(folder)
    world.record()  # a folder that is half made is one of ours too
    with world:
        director = Director(Scene(world, say), done=lambda part: _ended(world, say, part))
        with (
            director.problems.kept(),
            director.working(),
            serve_page(
                world, lambda: story_lines(list(say.lines)), stage=director, sock=sock
            ) as served,
        ):
            world.record(page=served.url)
            about = {"folder": str(folder), "explorer": served.url, "console": served.console}
            yield _Up(say, director, about)


def _ended(world: World, say: Teller, part: Part) -> None:
    """Write down where a part's services are, for who joins; and say why it failed."""
    world.record()
    write_story(world.folder, say)
    if part.state == "failed":
        say.words(f"{part.label} failed: {part.problem}", "red")


def _listening(port: int) -> socket.socket:
    try:
        return listen(f"127.0.0.1:{port}")
    except Unavailable as error:
        raise Unavailable(
            f"{error.detail}: name another port with --port, or 0 for one that is free",
            code=error.code, expected="a port that nothing listens on", got=f"{port}",
        ) from None  # fmt: skip
