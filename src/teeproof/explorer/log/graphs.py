"""The graph that a page draws: of the whole log, or of what is near a statement in a long one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from teeproof.explorer.log.beside import Beside, Progress
from teeproof.explorer.log.nearby import Drawn, Nearby
from teeproof.proof.graph import Graph
from teeproof.proof.graph.logs import Gathered
from teeproof.proof.log.contents import Contents
from teeproof.proof.log.storage.log import Log

__all__ = ["MOST_WHOLE", "Graphs"]

MOST_WHOLE: Final = 50_000
"""Entries of a log of which one graph is made, and kept."""


class Graphs:
    """The graphs of a log.

    Args:
        log: its directory.
        opened: opens the log with the index of its contents.

    Attributes:
        gathering: reads a long log in a thread.
    """

    def __init__(self, log: Path, opened: Callable[[], AbstractContextManager[Contents]]) -> None:
        self._directory, self._opened = log, opened
        self._gathered, self._graph = Gathered(), Graph({}, {})
        self._nearby = Nearby()
        self._lock = threading.Lock()
        self.gathering = Beside()

    def of(self, statement: bytes) -> Drawn:
        """Return a graph with a statement, made again when the log has grown.

        It may lack the statement, where it is that of the whole log.

        Raises:
            Unavailable: the graph is being made (``log_reading``); a long log does not hold the
                statement (``statement_unknown``).
        """
        with self._lock, Log.open(self._directory, read_only=True) as log:
            if log.size <= MOST_WHOLE:
                return self._whole(log)
            self._gathered, self._graph = Gathered(), Graph({}, {})
        with self._opened() as contents, self._lock:
            behind = self._nearby.behind(contents.log)
            self.gathering.require(behind=behind, work=self._gather_near, what="its graph")
            if behind:
                self._nearby.follow(contents.log)
            return self._nearby.around(contents, statement)

    def _whole(self, log: Log) -> Drawn:
        behind = log.size - self._gathered.done
        self.gathering.require(behind=behind, work=self._gather, what="its graph")
        if behind:
            self._gathered.follow(log)
            self._graph = self._gathered.graph(log)
        return Drawn(self._graph)

    def _gather(self, progress: Progress) -> None:
        with Log.open(self._directory, read_only=True) as log:
            gathered = Gathered()
            gathered.follow(log, progress=progress)
            self._graph = gathered.graph(log)
            self._gathered = gathered

    def _gather_near(self, progress: Progress) -> None:
        with Log.open(self._directory, read_only=True) as log:
            nearby = Nearby()
            nearby.follow(log, progress=progress)
            self._nearby = nearby
