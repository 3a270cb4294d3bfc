"""What a log says of one owner's contributions: decided, withdrawn, put into datasets, trained on.

It follows the log, reads each record once, and keeps what this owner signed: a bounded number. A
contribution whose consent, or a withdrawal whose order, is not under the owner's key is somebody's
invention, and takes no room. What a pool says besides is what programs say, each under its own key;
whoever shows it verifies the statement, or says that nobody has.

Trusts: nothing.  Does not trust: whoever wrote to the log.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from teeproof.cloud.owner import verify_text
from teeproof.core.digests import named
from teeproof.core.errors import Error
from teeproof.data.statements import Contribution, Dataset, Withdrawn
from teeproof.explorer.console.port import Made
from teeproof.proof.log.authors import Authors
from teeproof.proof.log.formats.entry import IDENTITY
from teeproof.proof.log.storage.log import Log
from teeproof.proof.source import Read, read_record
from teeproof.training.statements import Training

__all__ = ["MOST", "Found", "Ledger"]

MOST = 200  # contributions of one owner that are followed: the latest
_MOST_EACH = 100  # datasets and models of one contribution
_MOST_WITHDRAWALS = 4  # of one contribution
_MOST_ANSWERS = 1_000  # answers of one model whose receipts are remembered: the latest


@dataclass
class Found:
    """A contribution as the log has it.

    Attributes:
        statement: ``sha256:…`` of the pool's word.
        said: the same, read.
        withdrawals: ``sha256:…`` of statements that it was taken back, each with the owner's order.
        datasets: statements.
        models: those trained on it.
        more: whether so many statements name it that some found no room.
    """

    statement: str
    said: Contribution
    withdrawals: list[str] = field(default_factory=list)
    datasets: list[str] = field(default_factory=list)
    models: list[Made] = field(default_factory=list)
    more: bool = False


class Ledger:
    """One owner's contributions in one log.

    Args:
        log: its directory; another process may be writing to it.
        owner: the owner's public key, hex.
    """

    def __init__(self, log: Path, *, owner: str) -> None:
        self._directory, self._owner = log, owner
        self._lock = threading.Lock()
        self._done = 0
        self._found: OrderedDict[str, Found] = OrderedDict()
        self._answers: dict[str, deque[str]] = {}
        self._counts: dict[str, int] = {}
        self._authors = Authors()

    def found(self) -> list[Found]:
        """Return the contributions, newest first."""
        with self._lock:
            self._follow()
            return list(self._found.values())[::-1]

    def answers(self, model: str) -> tuple[int, tuple[str, ...]]:
        """Return how many answers a model gave, and the receipts of the latest, oldest first."""
        with self._lock:
            return self._counts.get(model, 0), tuple(self._answers.get(model, ()))

    def _follow(self) -> None:
        with Log.open(self._directory, read_only=True) as log:
            size = log.size
            for stored in log.iterate(self._done) if size > self._done else ():
                if self._done >= size:
                    break
                if stored.kind != IDENTITY:
                    with suppress(Error):  # a record that is none: the log's own pages say so
                        read = read_record(stored.record)
                        self._take(read, signed=self._authors.signed(log, stored, read))
                self._done += 1

    def _take(self, read: Read, *, signed: bool) -> None:
        """Take in what the owner signed, and of what programs say what their own keys signed."""
        said = None if read.statement is None else read.statement.predicate
        name = named(read.id)
        if isinstance(said, Contribution):
            self._take_contribution(name, said)
        elif isinstance(said, Withdrawn):
            self._take_withdrawal(name, said)
        elif not signed:
            return
        elif read.receipt is not None:
            self._take_answer(read)
        elif isinstance(said, Dataset):
            self._take_dataset(name, said)
        elif isinstance(said, Training):
            self._take_model(name, said)

    def _take_dataset(self, name: str, said: Dataset) -> None:
        for part in said.parts:
            ours = self._found.get(part.contribution)
            if ours is not None and len(ours.datasets) < _MOST_EACH:
                ours.datasets.append(name)
            elif ours is not None:
                ours.more = True

    def _take_contribution(self, name: str, said: Contribution) -> None:
        consent = said.consent
        if consent.owner != self._owner or said.contribution in self._found:
            return
        verify_text(consent, said.signature, self._owner, what="consent")
        if consent.contribution != said.contribution:
            return
        self._found[said.contribution] = Found(name, said)
        while len(self._found) > MOST:
            self._found.popitem(last=False)

    def _take_withdrawal(self, name: str, said: Withdrawn) -> None:
        ours, order = self._found.get(said.contribution), said.order
        if ours is None or len(ours.withdrawals) >= _MOST_WITHDRAWALS:
            return
        verify_text(order, said.signature, self._owner, what="withdrawal")
        if (order.file, order.recipient) == (ours.said.consent.file, ours.said.consent.recipient):
            ours.withdrawals.append(name)

    def _take_model(self, name: str, said: Training) -> None:
        for source in said.sources:
            ours = self._found.get(source.contribution)
            if ours is None or not source.records:
                continue
            if len(ours.models) >= _MOST_EACH:
                ours.more = True
                continue
            ours.models.append(Made(statement=name, records=source.records))
            self._answers.setdefault(name, deque(maxlen=_MOST_ANSWERS))

    def _take_answer(self, read: Read) -> None:
        for link in read.links:
            model = None if link.statement is None else named(link.statement)
            if link.role == "model" and model in self._answers:
                self._answers[model].append(named(read.id))
                self._counts[model] = self._counts.get(model, 0) + 1
