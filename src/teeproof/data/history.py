"""What a pool remembers: every contribution by its place, every dataset, and what is not yet said.

Whether something happens now or happened before the last start, it goes through the same function:
memory is nothing but the journal, read again.
"""

from __future__ import annotations

from dataclasses import dataclass

from teeproof.cloud.kms.policy import ReleasePolicy
from teeproof.core.errors import NotAllowed, NotAuthentic, Unavailable
from teeproof.data.consent import Consent
from teeproof.data.journal import (
    Decided,
    Event,
    Journal,
    Opened,
    Received,
    Snapshot,
    Speaker,
    Withdrew,
)
from teeproof.data.novelty import Index, Sketches
from teeproof.data.statements import Contribution
from teeproof.proof.envelope import Envelope
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.sealing import Store
from teeproof.proof.statement import Statement

__all__ = ["Entry", "History", "Spoken"]


@dataclass(frozen=True)
class Spoken:
    """A statement of the pool, with its signature.

    Attributes:
        statement: what is said.
        envelope: its signed bytes.
    """

    statement: Statement
    envelope: bytes

    @classmethod
    def of(cls, envelope: bytes) -> Spoken:
        """Return the statement in an envelope."""
        return cls(Statement.parse(Envelope.parse(envelope).payload), envelope)


@dataclass
class Entry:
    """One contribution: its place, and what is known of it.

    Attributes:
        sequence: its place in the order of arrival, from 1.
        consent: the owner's.
        signature: the owner's under the consent.
        policy: under which its key is released.
        decided: what the pool said of it.
        withdrawn: what the pool said when it was taken back.
    """

    sequence: int
    consent: Consent
    signature: str
    policy: ReleasePolicy
    decided: Spoken | None = None
    withdrawn: Spoken | None = None

    @property
    def said(self) -> Contribution | None:
        """What the pool decided, if it has."""
        return None if self.decided is None else self.decided.statement.predicate

    def is_decided(self, decision: str) -> bool:
        """Return whether this was the decision, withdrawn since or not."""
        return self.said is not None and self.said.decision == decision

    @property
    def state(self) -> str:
        """``waiting``, ``accepted``, ``copy``, ``refused`` or ``withdrawn``."""
        if self.withdrawn is not None:
            return "withdrawn"
        return "waiting" if self.said is None else self.said.decision


class History:
    """A pool's memory; see the module. One thread writes at a time.

    Args:
        journal: is replayed here.
        terms: digest of the pool's terms, ``sha256:…``.
        seed: for near-duplicates.

    Attributes:
        entries: every contribution, by its place less one.
        datasets: every snapshot, oldest first.
        speakers: identities that have spoken.
        unsaid: what the store may not have yet; after a start, everything.
        index: near-duplicates of what is accepted and not withdrawn.

    Raises:
        NotAuthentic: code ``state_edited``. NotAllowed: code ``state_other_pool``.
    """

    def __init__(self, journal: Journal, *, terms: str, seed: bytes) -> None:
        self.entries: list[Entry] = []
        self.datasets: list[Spoken] = []
        self.speakers: set[bytes] = set()
        self.unsaid: list[Spoken | Speaker] = []
        self.index = Index(seed=seed)
        self._journal = journal
        self._by_id: dict[str, Entry] = {}
        self._sketches: dict[int, bytes] = {}
        events = journal.replay()
        if not events:
            self.record(Opened(terms))
        for event in events:
            self._apply(event)
        first = events[0] if events else Opened(terms)
        if not isinstance(first, Opened) or first.terms != terms:
            raise _other_pool(first, terms)
        for sequence, sketches in journal.sketches(self._sketches):
            self.index.add(sequence, Sketches.decode(sketches))

    def record(self, event: Event) -> None:
        """Write down what happens, and remember it."""
        self._journal.append(event)
        self._apply(event)

    def decide(self, entry: Entry, said: Spoken, sketches: Sketches | None) -> None:
        """Write down the decision on the first contribution that has none."""
        kept = None if sketches is None else (entry.sequence, sketches.encode())
        self._journal.append(Decided(said.envelope), sketch=kept)
        self._decided(entry, said)
        if sketches is not None:
            self.index.add(entry.sequence, sketches)

    def find(self, contribution: str) -> Entry | None:
        """Return a contribution by its id, hex, if it has arrived."""
        return self._by_id.get(contribution)

    def entry(self, contribution: str) -> Entry:
        """Return a contribution by its id, hex.

        Raises:
            Unavailable: code ``contribution_unknown``.
        """
        entry = self.find(contribution)
        if entry is None:
            raise Unavailable(
                "this pool has no such contribution",
                code="contribution_unknown",
                got=ascii(contribution)[:80],
            )
        return entry

    @property
    def waiting(self) -> list[Entry]:
        """Contributions without a decision, in the order of arrival."""
        return [entry for entry in self.entries if entry.decided is None]

    @property
    def live(self) -> list[Entry]:
        """Contributions that are accepted and not withdrawn."""
        return [entry for entry in self.entries if entry.state == "accepted"]

    def say(self, store: Store) -> None:
        """Hand over what the store may not have yet; what it has already, it takes again."""
        while self.unsaid:
            first = self.unsaid[0]
            if isinstance(first, Speaker):
                store.add_identity(first.record, first.blobs)
            else:
                store.add_statement(first.envelope)
            self.unsaid.pop(0)

    def _apply(self, event: Event) -> None:
        if isinstance(event, Received):
            place = len(self.entries) + 1
            entry = Entry(place, event.consent, event.signature, event.policy)
            self.entries.append(entry)
            self._by_id[event.consent.contribution] = entry
        elif isinstance(event, Decided):
            entry = self.waiting[0]
            self._decided(entry, Spoken.of(event.envelope))
            if event.sketch is not None:
                self._sketches[entry.sequence] = event.sketch
        elif isinstance(event, Withdrew):
            entry = self.entries[event.sequence - 1]
            entry.withdrawn = Spoken.of(event.envelope)
            self.unsaid.append(entry.withdrawn)
            self._sketches.pop(entry.sequence, None)
            self.index.remove(entry.sequence)
        elif isinstance(event, Snapshot):
            self.datasets.append(Spoken.of(event.envelope))
            self.unsaid.append(self.datasets[-1])
        elif isinstance(event, Speaker):
            self.speakers.add(IdentityRecord.parse(event.record).digest)
            self.unsaid.append(event)

    def _decided(self, entry: Entry, said: Spoken) -> None:
        entry.decided = said
        self.unsaid.append(said)


def _other_pool(first: Event, terms: str) -> NotAllowed | NotAuthentic:
    if not isinstance(first, Opened):
        return NotAuthentic("the pool's state has no beginning", code="state_edited")
    return NotAllowed(
        "this state belongs to a pool with other terms: start the pool with its own",
        code="state_other_pool",
        expected=terms,
        got=first.terms,
    )
