"""One try at a part of the story: if it fails, what it began is stopped, and what it left can go.

What a failed try left is set aside, not deleted, when the part is tried again: it says why.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from teeproof.cli.story.world import World

__all__ = ["Attempt"]

_ASIDE = "failed"
_OWN = ("pool", "broken", "trade.proof", "another-machine")  # what parts make beside runs/


class Attempt:
    """A try that begins now.

    Args:
        world: in which it happens.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._running, self._urls = set(world.running), set(world.urls)
        self._places = set(self._found())
        self._left: list[Path] = []

    @property
    def workloads(self) -> frozenset[str]:
        """Names of the workloads that it began, and that run still."""
        return frozenset(set(self._world.running) - self._running)

    def stop(self) -> None:
        """End what it began: nobody reaches half a part."""
        world = self._world
        for name in self.workloads:
            world.running.pop(name).stop()
        for name in set(world.urls) - self._urls:
            world.urls.pop(name)
        self._left = sorted(set(self._found()) - self._places)

    def set_aside(self, name: str) -> None:
        """Move what it left to a folder under ``failed``, so that another try finds room."""
        if not self._left:
            return
        number, aside = 1, self._world.folder / _ASIDE
        while (aside / f"{name}-{number}").exists():
            number += 1
        for place in self._left:
            target = aside / f"{name}-{number}" / place.relative_to(self._world.folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            if place.exists():
                place.rename(target)
        self._left = []

    def _found(self) -> Iterator[Path]:
        folder = self._world.folder
        yield from (folder / "runs").iterdir()
        yield from (folder / name for name in _OWN if (folder / name).exists())
