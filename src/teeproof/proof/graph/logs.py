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

__all__ = ["graph_of_file", "graph_of_log"]

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
    statements: dict[bytes, Said] = {}
    identities: dict[bytes, Identified] = {}
    unreadable: dict[bytes, Kind] = {}
    size = log.size
    for index, stored in enumerate(log.iterate()):
        if progress is not None and index % _OFTEN == 0:
            progress(index, size)
        kind: Kind = "identity" if stored.kind == IDENTITY else "statement"
        try:
            if kind == "identity":
                person = identified(stored.record)
                require_digest(person.digest, stored.statement_id)
                identities[person.digest] = person
            else:
                statement = said(stored.record)
                require_digest(statement.id, stored.statement_id)
                statements[statement.id] = statement
        except Error:
            unreadable[stored.statement_id] = kind

    def blob(digest: str) -> bytes | None:
        try:
            return log.blob(digest)
        except Unavailable:
            return None

    return Graph(statements, identities, unreadable=unreadable, blobs=(blob,))
