"""What the pages show of a log: its statements with the verdicts on them, and what is found in it.

A page costs an export and a verification; those of the last minute are kept, a bounded number.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from teeproof.core.clock import wall_clock
from teeproof.core.digests import named
from teeproof.core.errors import TooLarge
from teeproof.explorer.log.beside import Beside, Progress
from teeproof.explorer.log.entries import unknown
from teeproof.explorer.log.finding import Index, Reading
from teeproof.explorer.log.graphs import Graphs
from teeproof.explorer.log.kept import VERDICT, Kept
from teeproof.explorer.log.nodes import Nodes
from teeproof.explorer.log.roll import Roll
from teeproof.explorer.log.signing import LeftOut
from teeproof.explorer.log.ties import Ties
from teeproof.proof.file import ProofFile, export
from teeproof.proof.graph import Graph
from teeproof.proof.log.contents import Contents
from teeproof.proof.log.crew import hands
from teeproof.proof.log.formats.checkpoint import Accept, SignedCheckpoint
from teeproof.proof.log.storage.log import Log
from teeproof.proof.source import Read, read_record
from teeproof.proof.verify import ProofVerdict, Trust, verify_proof

__all__ = ["Book", "LogFacts", "Page", "page_of"]

_KEPT = 128  # pages; that of a pool looks at as many as 90
_FILES, _MOST_FILE = 8, 4 << 20  # proof files, and bytes of each, that are kept
_MOST_IN_PROOF = 2_048  # statements on which one may rest that a page verifies
_MOST_MAKERS = 1_024  # of one thing


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One statement: what it says, what the verifier says of it, what it was made of.

    Attributes:
        id: ``sha256:…``.
        read: the statement.
        verdict: on it and all that it rests on.
        graph: the same as a graph.
        size: of its proof file, in bytes.
    """

    id: str
    read: Read
    verdict: ProofVerdict
    graph: Graph
    size: int

    @property
    def body(self) -> Any:
        """The statement as plain JSON."""
        if self.read.receipt is not None:
            return self.read.receipt.body
        statement = self.read.statement
        return {} if statement is None else msgspec.json.decode(statement.payload)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFacts:
    """What a log says of itself, and its last checkpoint; None where it has published none."""

    directory: Path
    origin: str
    key: str
    entries: int
    published: int
    checkpoint: SignedCheckpoint | None


def page_of(proof: ProofFile, statement: bytes, verdict: ProofVerdict, *, size: int) -> Page:
    """Return the page of a statement in a proof that was verified.

    Raises:
        Unavailable: the proof does not hold it (``statement_unknown``).
    """
    read = proof.read(statement)
    if read is None:
        raise unknown(statement)
    graph = Graph.of(proof, roots=[statement])
    return Page(id=named(statement), read=read, verdict=verdict, graph=graph, size=size)


class Book:
    """A log on this machine, and whom its reader trusts.

    Args:
        log: the log's directory; another process may be writing to it.
        trust: the relying party's, or what returns it, where it grows with what runs.
        story: lines of what happened, newest last; asked for each page.
        now: the verifier's clock.
    """

    def __init__(
        self,
        log: Path,
        *,
        trust: Trust | Callable[[], Trust],
        story: Callable[[], Sequence[Mapping[str, Any]]] = tuple,
        now: Callable[[], datetime] = wall_clock,
    ) -> None:
        self.log, self.story, self.now = log, story, now
        self._trust = trust
        self._known: dict[Any, Any] = {}  # identities are judged once for all pages
        self._pages: Kept[tuple[bytes, Any], Page] = Kept(most=_KEPT, seconds=VERDICT)
        self._files: Kept[tuple[tuple[bytes, ...], Any], bytes] = Kept(most=_FILES, seconds=VERDICT)
        self.linking, self.graphs = Beside(), Graphs(log, self.opened)

    @property
    def trust(self) -> Trust:
        """Whom the reader trusts, now."""
        return self._trust() if callable(self._trust) else self._trust

    @cached_property
    def index(self) -> Index:
        """What can be found in the log."""
        return Index(self.log, hands=hands())

    @property
    def reading(self) -> Reading | None:
        """How far the log is read, while that takes longer; None once it is, or is not asked."""
        return self.index.reading

    @property
    def roll(self) -> Roll:
        """What the log holds, by kind and by author; it follows the log."""
        return self.index.roll()

    @property
    def ties(self) -> Ties:
        """Which statements belong to one thing; it follows the log."""
        return self.index.ties()

    @property
    def nodes(self) -> Nodes:
        """What the log holds of nodes of markets; it follows the log."""
        return self.index.nodes()

    @property
    def left_out(self) -> LeftOut:
        """How many statements the lists leave out, as their authors did not sign them."""
        return self.index.left_out()

    def reads(self, statements: Sequence[bytes]) -> list[Read]:
        """Return statements by their ids, unchecked, in the same order.

        Raises:
            Unavailable: the log does not hold one (``statement_unknown``).
        """
        if not statements:
            return []
        found = []
        with Log.open(self.log, read_only=True) as log, closing(Contents(log)) as contents:
            for one in statements:
                record = contents.statement(one)
                if record is None:
                    raise unknown(one)
                found.append(read_record(record))
        return found

    @contextmanager
    def opened(self, *, accept: Accept | None = None) -> Iterator[Contents]:
        """Open the log and the index of its contents; of a long log, once that is there.

        Raises:
            Unavailable: the index is being made (``log_reading``).
        """
        with (
            Log.open(self.log, read_only=True) as log,
            closing(Contents(log, accept=accept, makers=_MOST_MAKERS)) as contents,
        ):
            self.linking.require(behind=contents.behind, work=self._link, what="what made what")
            yield contents

    def _link(self, progress: Progress) -> None:
        with (
            Log.open(self.log, read_only=True) as log,
            closing(Contents(log, progress=progress, hands=hands())) as contents,
        ):
            contents.follow()

    def page(self, statement: bytes) -> Page:
        """Return what is known of a statement, by its id.

        Raises:
            Unavailable: the log does not hold it (``statement_unknown``), or is long and not read
                yet (``log_reading``).
        """
        key, now = (statement, self.state()), self.now()
        kept = self._pages.get(key, now.timestamp())
        if kept is not None:
            return kept
        data, trust = self.proof(statement), self.trust
        with ProofFile.from_bytes(data) as proof:
            verdict = verify_proof(proof, now=now, trust=trust, known=self._known)
            page = page_of(proof, statement, verdict, size=len(data))
        self._pages.put(key, page, now.timestamp())
        return page

    def state(self) -> tuple[Any, ...]:
        """Return what a verdict depends on beside the clock; it can be a key.

        It changes with what the log has published, with who cosigned the newest of it, and with
        whom the reader trusts.
        """
        try:
            found = (self.log / "public" / "checkpoint").stat()
        except OSError:
            return None, self.trust.digest
        return found.st_ino, found.st_mtime_ns, found.st_size, self.trust.digest

    def proof(self, *statements: bytes) -> bytes:
        """Return a proof file, under checkpoints that say when it was said; raises as ``page``.

        One of a single statement is handed out again for a minute: an address costs nothing.
        """
        key, now = (statements, self.state()), self.now().timestamp()
        data = self._files.get(key, now)
        if data is None:
            data = self._export(statements)
            if len(statements) == 1 and len(data) <= _MOST_FILE:
                self._files.put(key, data, now)
        return data

    def _export(self, statements: Sequence[bytes]) -> bytes:
        with tempfile.TemporaryFile() as scratch:
            with self.opened(accept=self.trust.accepting(self.now())) as contents:
                for one in statements:
                    if contents.statement(one) is None:
                        raise unknown(one)
                export(contents, statements, scratch, allow_missing=True, progress=_bounded)
            scratch.seek(0)
            return scratch.read()

    def facts(self) -> LogFacts:
        """Return what the log says of itself."""
        with Log.open(self.log, read_only=True) as log:
            published = log.published_size
            return LogFacts(
                directory=self.log, origin=log.origin, key=log.verifier.text(), entries=log.size,
                published=published, checkpoint=log.checkpoint() if published else None,
            )  # fmt: skip


def _bounded(found: int, of: int) -> None:
    if not of and found > _MOST_IN_PROOF:  # while they are found; it is not known of how many
        raise TooLarge(
            "this rests on more statements than a page verifies: ask the command teeproof verify",
            expected=f"at most {_MOST_IN_PROOF} statements", got=f"more than {_MOST_IN_PROOF}",
        )  # fmt: skip
