"""What the pages show: the story's lines, and statements of a log with the verdicts on them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from teeproof.core.clock import wall_clock
from teeproof.core.digests import named
from teeproof.core.errors import Unavailable
from teeproof.proof.file import ProofFile, export
from teeproof.proof.graph import Graph
from teeproof.proof.log.contents import Contents
from teeproof.proof.log.storage.log import Log
from teeproof.proof.source import Read
from teeproof.proof.verify import ProofVerdict, Trust, verify_proof

__all__ = ["Book", "Page"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One statement: what it says, what the verifier says of it, what it was made of.

    Attributes:
        id: ``sha256:…``.
        read: the statement.
        verdict: on it and all that it rests on.
        graph: the same as a graph.
    """

    id: str
    read: Read
    verdict: ProofVerdict
    graph: Graph

    @property
    def body(self) -> Any:
        """The statement as plain JSON."""
        if self.read.receipt is not None:
            return self.read.receipt.body
        statement = self.read.statement
        return {} if statement is None else msgspec.json.decode(statement.payload)


class Book:
    """A log on this machine, and whom its reader trusts.

    Args:
        log: the log's directory; another process may be writing to it.
        trust: the relying party's.
        story: lines of what happened, newest last; asked for each page.
        now: the verifier's clock.
    """

    def __init__(
        self,
        log: Path,
        *,
        trust: Trust,
        story: Callable[[], Sequence[Mapping[str, Any]]] = tuple,
        now: Callable[[], datetime] = wall_clock,
    ) -> None:
        self.log, self.trust, self.story = log, trust, story
        self._now = now
        self._known: dict[Any, Any] = {}  # identities are judged once for all pages

    def page(self, statement: bytes) -> Page:
        """Return what is known of a statement, by its id.

        Raises:
            Unavailable: the log does not hold it (``statement_unknown``).
        """
        with ProofFile.from_bytes(self._exported(statement)) as proof:
            read = proof.read(statement)
            if read is None:
                raise _unknown(statement)
            verdict = verify_proof(proof, now=self._now(), trust=self.trust, known=self._known)
            graph = Graph.of(proof, roots=[statement])
        return Page(id=named(statement), read=read, verdict=verdict, graph=graph)

    def _exported(self, statement: bytes) -> bytes:
        with Log.open(self.log, read_only=True) as log, tempfile.TemporaryFile() as scratch:
            with closing(Contents(log)) as contents:
                if contents.statement(statement) is None:
                    raise _unknown(statement)
                export(contents, [statement], scratch, allow_missing=True)
            scratch.seek(0)
            return scratch.read()


def _unknown(statement: bytes) -> Unavailable:
    return Unavailable(
        "the log holds no such statement: it may not be published yet",
        code="statement_unknown",
        got=named(statement),
    )
