"""The graph of all that a log on disk holds, or a proof file.

Trusts: nothing.  Does not trust: the log; a record that is not what its place says is marked so.
"""

from __future__ import annotations

from collections.abc import Callable

from teeproof.core.errors import Error, Unavailable
from teeproof.proof.file import ProofFile
from teeproof.proof.graph.graph import Graph
from teeproof.proof.graph.model import Identified, Kind, Said
from teeproof.proof.graph.read import identified, require_digest, said
from teeproof.proof.log.formats.entry import IDENTITY
from teeproof.proof.log.storage.reader import Reader
from teeproof.proof.log.storage.stored import Stored

__all__ = ["Gathered", "graph_of_file", "graph_of_log"]

Progress = Callable[[int, int], None]
_OFTEN = 256


def graph_of_file(file: ProofFile) -> Graph:
    """Return the graph of all that a proof file holds; the file stays in use for labels."""
    return Graph.of(file, roots=(*file.statement_ids, *file.identity_digests))


def graph_of_log(log: Reader, *, progress: Progress | None = None) -> Graph:
    """Return the graph of every entry of a log; the log stays in use for labels.

    Args:
        log: opened, and published.
        progress: told how many entries were read, of how many.

    Raises:
        Unavailable: the log has published nothing yet.
        NotAuthentic: the log's directory is damaged.
    """
    gathered = Gathered()
    gathered.follow(log, progress=progress)
    return gathered.graph(log)


class Gathered:
    """What the entries of a log say, as far as they were read: of that a graph is made.

    Attributes:
        done: how many entries were read.
    """

    def __init__(self) -> None:
        self.done = 0
        self._statements: dict[bytes, Said] = {}
        self._identities: dict[bytes, Identified] = {}
        self._unreadable: dict[bytes, Kind] = {}

    def follow(self, log: Reader, *, progress: Progress | None = None) -> None:
        """Read what the log has taken in since; errors as ``graph_of_log``."""
        size = log.size
        for stored in log.iterate(self.done) if size > self.done else ():
            if progress is not None and self.done % _OFTEN == 0:
                progress(self.done, size)
            self._take(stored)
            self.done += 1

    def graph(self, log: Reader) -> Graph:
        """Return the graph of what was read; the log stays in use for labels."""

        def blob(digest: str) -> bytes | None:
            try:
                return log.blob(digest)
            except Unavailable:
                return None

        return Graph(
            dict(self._statements), dict(self._identities), unreadable=dict(self._unreadable),
            blobs=(blob,),
        )  # fmt: skip

    def _take(self, stored: Stored) -> None:
        kind: Kind = "identity" if stored.kind == IDENTITY else "statement"
        try:
            if kind == "identity":
                person = identified(stored.record)
                require_digest(person.digest, stored.statement_id)
                self._identities[person.digest] = person
            else:
                statement = said(stored.record)
                require_digest(statement.id, stored.statement_id)
                self._statements[statement.id] = statement
        except Error:
            self._unreadable[stored.statement_id] = kind
