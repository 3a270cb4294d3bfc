"""A pool: what arrived, in which order, what was made of it, and what it says about that.

    arrive    check consent and policy, keep the sealed file, give it the next place: durable
    settle    judge what arrived, strictly in that order; write the decision down; then say it
    dataset   a snapshot of all that is accepted
    withdraw  the owner takes a contribution back

A place is taken when the ciphertext has arrived, and the ciphertext fixes its content: who sees
data elsewhere and copies it comes later. A crash anywhere leaves either no trace or a place that
the next start judges; a decision that was written is said with the very same bytes.
"""

from __future__ import annotations

import io
import threading
from functools import partial
from typing import Protocol

import msgspec

from teeproof.cloud.kms.policy import ReleasePolicy, Withdrawal
from teeproof.cloud.owner import verify_text
from teeproof.core.digests import sha256
from teeproof.core.errors import Malformed, NotAllowed, Unavailable
from teeproof.core.sealed import DataKey, Header, read_header
from teeproof.data.consent import Consent, check_consent, check_policy
from teeproof.data.history import Entry, History, Spoken
from teeproof.data.journal import Journal, Received, Snapshot, Speaker, Withdrew
from teeproof.data.saying import contribution_of, dataset_of, withdrawn_of
from teeproof.data.validation import Outcome, Yardstick, judge_file, refused
from teeproof.data.vault import Vault
from teeproof.proof.envelope import Envelope
from teeproof.proof.sealing import Sealed, Store
from teeproof.proof.statement import Statement
from teeproof.proof.workload import Identity

__all__ = ["MAX_PARTS", "MAX_WAITING", "Keys", "Pool"]

MAX_PARTS = 300  # a statement has at most 256 KiB, a part takes 700 bytes of it
MAX_WAITING = 32
MAX_ARRIVALS = 10_000


class Keys(Protocol):
    """Who has the keys: the pool's identity, and data keys from the KMS."""

    def identity(self) -> Identity:
        """Return the identity that speaks now."""

    def open(self, header: Header, policy: ReleasePolicy) -> DataKey:
        """Return the data key of a sealed file.

        Raises:
            Unavailable: not now. NotAllowed, NotAuthentic, Malformed: never.
        """


class Pool:
    """See the module. Threads may share it.

    Args:
        yardstick: terms, held-out set, seed.
        journal: the state; it is replayed here.
        vault: the sealed files.
        keys: the pool's identity, and data keys.
        store: where statements go.

    Attributes:
        terms: the pool's.

    Raises:
        NotAuthentic: code ``state_edited``. NotAllowed: code ``state_other_pool``.
    """

    def __init__(
        self, *, yardstick: Yardstick, journal: Journal, vault: Vault, keys: Keys, store: Store
    ) -> None:
        self.terms, self._yardstick = yardstick.terms, yardstick
        self._vault, self._keys, self._store = vault, keys, store
        self._arrivals, self._work = threading.Lock(), threading.Lock()
        self._saying = threading.Lock()
        self._past = History(journal, terms=self.terms.digest_text, seed=yardstick.seed)

    def arrive(
        self, consent: Consent, signature: str, *, policy: ReleasePolicy, blob: bytes
    ) -> Entry:
        """Give a contribution its place; what was sent before keeps the place that it has.

        Raises:
            Malformed, TooLarge, NotAuthentic, NotAllowed: as ``check_consent``, ``check_policy``,
                ``read_header``, ``Vault.put``; codes ``contribution_withdrawn``, ``pool_full``.
            Unavailable: code ``pool_busy``.
        """
        header = read_header(io.BytesIO(blob))
        digest = sha256(blob)
        check_consent(consent, signature, terms=self.terms, header=header, ciphertext=digest)
        check_policy(policy, consent=consent, terms=self.terms)
        with self._arrivals:
            entry = self._past.find(consent.contribution)
            if entry is not None:
                _require_live(entry)
                return entry
            self._require_room()
            self._vault.put(blob)
            self._past.record(Received(consent, signature, policy))
            return self._past.entry(consent.contribution)

    def settle(self) -> None:
        """Judge everything that waits, in the order of arrival, and say what was decided.

        Raises:
            Unavailable: the KMS or the log cannot be reached; what waits goes on waiting.
        """
        with self._work:
            self._say()
            for entry in self._past.waiting:
                self._decide(entry)
                self._say()

    def entry(self, contribution: str) -> Entry:
        """Return a contribution by its id, hex; Unavailable (``contribution_unknown``)."""
        return self._past.entry(contribution)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All contributions, in the order of arrival."""
        return tuple(self._past.entries)

    def sealed_file(self, ciphertext: str) -> bytes:
        """Return a sealed file by its ``sha256:…``; Unavailable where it is not here."""
        return self._vault.get(ciphertext)

    def spoken(self, name: str) -> Spoken:
        """Return what the pool said, by its id (``sha256:…``); Unavailable where it said no such.

        Raises:
            Unavailable: code ``statement_unknown``.
        """
        past = self._past
        said = [*past.datasets]
        for entry in past.entries:
            said += [one for one in (entry.decided, entry.withdrawn) if one is not None]
        found = next((one for one in said if one.statement.name == name), None)
        if found is None:
            raise Unavailable(
                "this pool said no such thing", code="statement_unknown", got=ascii(name)[:80]
            )
        return found

    def proof(self, spoken: Spoken) -> bytes:
        """Return the proof file of what the pool said.

        Raises:
            Unavailable: the log has not proved yet that it holds it.
        """
        with self._saying:  # a store is used by one thread at a time
            envelope = Envelope.parse(spoken.envelope)
            return Sealed(spoken.statement, envelope, self._store).proof()

    def dataset(self) -> Spoken:
        """State what is accepted now; the last snapshot again where nothing has changed since.

        Raises:
            NotAllowed: code ``dataset_empty``.
            Unavailable: as ``settle``.
        """
        with self._work:
            self._say()
            past = self._past
            decided = [entry for entry in past.entries if entry.decided is not None]
            identity = self._speaker()
            made = dataset_of(decided, terms=self.terms, author=identity.name)
            if past.datasets and _is_same(past.datasets[-1].statement, made):
                return past.datasets[-1]
            past.record(Snapshot(identity.sign(made).encode()))
            self._say()
            return past.datasets[-1]

    def withdraw(self, contribution: str, order: Withdrawal, signature: str) -> Spoken:
        """Take a contribution back by its owner's order; once it is, the first answer is given.

        Raises:
            NotAuthentic: code ``owner_signature``. Malformed: its form.
            NotAllowed: code ``withdrawal_other_file``.
            Unavailable: code ``contribution_unknown``, and as ``settle``.
        """
        entry = self._past.entry(contribution)
        consent = entry.consent
        if (order.file, order.recipient) != (consent.file, consent.recipient):
            raise NotAllowed(
                "this order takes back another file: sign one for this contribution's",
                code="withdrawal_other_file",
                expected=f"{consent.file} for {consent.recipient}",
                got=f"{order.file[:32]} for {order.recipient[:64]}",
            )
        verify_text(order, signature, consent.owner, what="withdrawal")
        with self._work:
            for waiting in self._past.waiting:
                if waiting.sequence <= entry.sequence:
                    self._decide(waiting)
            if entry.withdrawn is None:
                self._take_back(entry, order, signature)
            self._say()
        assert entry.withdrawn is not None
        return entry.withdrawn

    def _take_back(self, entry: Entry, order: Withdrawal, signature: str) -> None:
        identity, datasets = self._speaker(), self._past.datasets
        made = withdrawn_of(entry, order, signature, datasets=datasets, author=identity.name)
        self._past.record(Withdrew(entry.sequence, identity.sign(made).encode()))
        self._vault.drop(entry.consent.ciphertext)

    def _decide(self, entry: Entry) -> None:
        outcome = self._judge(entry)
        identity, entries = self._speaker(), self._past.entries
        made = contribution_of(
            entry,
            outcome,
            terms=self.terms,
            author=identity.name,
            previous=entries[entry.sequence - 2].decided if entry.sequence > 1 else None,
            originals=[entries[at - 1].consent.contribution for at in outcome.originals],
        )
        said = Spoken(made, identity.sign(made).encode())
        self._past.decide(entry, said, outcome.sketches)
        if outcome.sketches is None:
            self._vault.drop(entry.consent.ciphertext)

    def _judge(self, entry: Entry) -> Outcome:
        try:
            blob = self._vault.get(entry.consent.ciphertext)
            header = read_header(io.BytesIO(blob))
        except (Unavailable, Malformed) as error:  # the host lost it: nobody else waits for that
            return refused(error)
        key = partial(self._keys.open, header, entry.policy)
        return judge_file(blob, key=key, index=self._past.index, yardstick=self._yardstick)

    def _speaker(self) -> Identity:
        identity = self._keys.identity()
        if identity.digest not in self._past.speakers:
            self._past.record(Speaker(identity.record.encode(), identity.blobs))
        return identity

    def _say(self) -> None:
        with self._saying:
            self._past.say(self._store)

    def _require_room(self) -> None:
        room = len(self._past.live) + len(self._past.waiting) < MAX_PARTS
        if not room or len(self._past.entries) >= MAX_ARRIVALS:
            raise NotAllowed(
                "the pool is full: find another",
                code="pool_full",
                expected=f"at most {MAX_PARTS} accepted, {MAX_ARRIVALS} in all",
            )
        if len(self._past.waiting) >= MAX_WAITING:
            raise Unavailable("many contributions wait: send it again later", code="pool_busy")


def _require_live(entry: Entry) -> None:
    if entry.withdrawn is not None:
        raise NotAllowed(
            "its owner took this contribution back: seal the file again to contribute it anew",
            code="contribution_withdrawn",
            got=entry.consent.contribution,
        )


def _is_same(before: Statement, now: Statement) -> bool:
    """Whether two snapshots say the same, whoever says it."""
    mine, other = before.predicate, now.predicate
    return bool(msgspec.structs.replace(mine, author=other.author) == other)
