"""Tell the whole story: open a folder, let everything happen, and stay up for who wants to look."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from teeproof.cli.demo_folder import held
from teeproof.cli.outgoing import require_place
from teeproof.cli.quoting import program, shell
from teeproof.cli.screen import ColorChoice, standard
from teeproof.cli.story.telling import Teller, short_id, story_lines
from teeproof.core.errors import Unavailable, Usage
from teeproof.core.home import data_directory

if TYPE_CHECKING:
    from teeproof.cli.story.stage import Director

__all__ = ["require_libraries", "run", "until_told", "write_story"]

_NEEDED = ("eth", "eth_abi", "openai", "rensa", "tokenizers", "torch", "transformers", "uvicorn")


def run(*, keep: Path | None, once: bool, as_json: bool, color: ColorChoice) -> int:
    """Tell the story; return the exit code.

    Raises:
        Usage: a demo runs in this folder already, or the folder is taken.
        Unavailable: a library or a process is missing, or a process ended.
    """
    require_libraries()
    screen = standard(color)
    begun = time.monotonic()
    say = Teller(screen, clock=lambda: time.monotonic() - begun, quiet=as_json)
    with _folder(keep) as folder, until_told() as told:
        summary = (lambda: screen.json(_as_json(say, folder))) if as_json else _nothing
        return _tell(folder, say, once=once, told=told, summary=summary)


def _nothing() -> None:
    """Print no summary: who reads the lines has read all of it."""


def _tell(
    folder: Path,
    say: Teller,
    *,
    once: bool,
    told: threading.Event,
    summary: Callable[[], None],
) -> int:
    from teeproof.cli.story import real  # noqa: PLC0415  they need nearly everything
    from teeproof.cli.story.acts import ACTS, Scene  # noqa: PLC0415
    from teeproof.cli.story.stage import Director  # noqa: PLC0415
    from teeproof.cli.story.world import World  # noqa: PLC0415

    say.words("SIMULATED machines, except lines marked REAL", "magenta", "bold")
    real.tell(say)
    with World(folder) as world:
        world.record()
        scene = Scene(world, say)
        director = Director(scene)
        with director.problems.kept():
            for act in ACTS:
                director.perform(act.name)
            write_story(folder, say)
            world.record()
            world.require_alive()
            summary()
            if not once:
                _stay(director, folder, told=told)
            else:
                say.words("YOURS")
                _say_yours(say, folder, scene.action)
    return 0


def require_libraries() -> None:
    """Raise Unavailable where a library that the story needs is not installed."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise Unavailable(
            "the whole story needs more than the base install: pip install 'teeproof[demo]';"
            " teeproof demo --short needs nothing more",
            code="library_missing",
            expected=", ".join(_NEEDED),
            got=f"without {', '.join(missing)}",
        )


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """Give the story's folder: a new one that a person named, or the demo's own, made empty.

    The demo's own holds what the last story left, until the next begins.
    """
    if keep is not None:
        require_place(keep, what="a directory")
        if keep.exists():
            raise Usage(
                f"{keep} is there, and nothing is overwritten: name a new directory",
                code="out_taken",
            )
    folder = keep or data_directory(os.environ) / "demo"
    with held(folder):
        yield folder.resolve()


@contextmanager
def until_told() -> Iterator[threading.Event]:
    """Give an event that SIGTERM and Ctrl-C set, where the story waits for nothing else."""
    told = threading.Event()
    before = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield told
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def _say_yours(say: Teller, folder: Path, action: str) -> None:
    """Say what a person can type now; a command is never broken, since it is copied."""
    at = Path(os.path.relpath(folder)) if folder.is_relative_to(Path.cwd()) else folder
    trust = ("--policy", at / "policy.toml", "--logs", at / "trusted-logs")
    for command in (
        shell(program(), "verify", at / "trade.proof", *trust),
        shell(program(), "verify", at / "log", short_id(action), *trust),
        shell(program(), "graph", at / "trade.proof"),
    ):
        say.copied(command)


def _stay(director: Director, folder: Path, *, told: threading.Event) -> None:
    from teeproof.cli.story.page import serve_page  # noqa: PLC0415

    scene = director.scene
    world, say = scene.world, scene.say
    with serve_page(world, lambda: story_lines(say.lines), stage=director) as served:
        world.record(page=served.url)
        say.words("YOURS")
        say.words(f"  {served.url}   every line with what shows it")
        say.words("  your console: give data and see what it earns, talk to the model")
        say.copied(served.console)
        say.words(f"  {world.urls['model']}/v1   the model, for any OpenAI client")
        _say_yours(say, folder, scene.action)
        say.copied(shell(program(), "data", "contribute", "FILE"))
        say.words("Ctrl-C ends it; the files stay until the next demo.")
        try:
            while not told.wait(1.0):
                world.require_alive()
        except KeyboardInterrupt:
            say.words()


def write_story(folder: Path, say: Teller) -> None:
    """Write down what was told, as ``story.json``."""
    data = msgspec.json.format(msgspec.json.encode(say.lines), indent=2)
    (folder / "story.json").write_bytes(data + b"\n")


def _as_json(say: Teller, folder: Path) -> dict[str, Any]:
    lines = msgspec.to_builtins(say.lines)
    return {"ok": True, "folder": str(folder), "lines": lines}
