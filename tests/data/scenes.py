"""A pool in this process, with contributors, a simulated machine, and real sealed files."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from teeproof.cloud.kms.policy import ReleasePolicy, Withdrawal
from teeproof.cloud.local import LocalInside
from teeproof.cloud.owner import OwnerKey
from teeproof.core.digests import named, sha256
from teeproof.core.errors import NotAllowed
from teeproof.core.sealed import DataKey, Header, PrivateRecipient, unwrap_key
from teeproof.core.sealed.recipients import X25519
from teeproof.data.history import Entry
from teeproof.data.journal import Journal
from teeproof.data.pool import Pool
from teeproof.data.records import Record
from teeproof.data.samples import file_of, sample_orders
from teeproof.data.submission import Submission, policy_for, submit
from teeproof.data.terms import PoolTerms
from teeproof.data.validation import Yardstick
from teeproof.data.value import HeldOut
from teeproof.data.vault import Vault
from teeproof.proof.memory import MemorySource
from teeproof.proof.workload import Identity
from tests.proof.people import platform

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TIME = int(NOW.timestamp())
SEED, KEY = b"s" * 32, b"k" * 32
KMS = PrivateRecipient(X25519, b"kms" + bytes(29))
ALICE, BOB, CAROL, EVE = (OwnerKey(sha256(name)) for name in (b"alice", b"bob", b"carol", b"eve"))
PAYOUT = {
    owner.public: "0x" + sha256(owner.public.encode()).hex()[:40]
    for owner in (ALICE, BOB, CAROL, EVE)
}


@cache
def held_out() -> HeldOut:
    return HeldOut.of(sample_orders(400, seed=99))


@cache
def honest(seed: int, count: int = 120) -> tuple[Record, ...]:
    """What a person wrote; the same seed is the same person."""
    return sample_orders(count, seed=seed)


@cache
def inside(folder: Path | None = None) -> LocalInside:
    place = folder or Path(tempfile.mkdtemp(prefix="teeproof-inside-"))
    return LocalInside(place, platform=platform(), now=lambda: NOW)


@cache
def validator() -> Identity:
    return inside().boot()


def terms(**changes: Any) -> PoolTerms:
    given: dict[str, Any] = {
        "name": "orders",
        "validators": (inside().manifest.compose_hash,),
        "trainers": ("ab" * 32,),
        "held_out": named(sha256(b"held out")),
        "shares": {"node": 4000, "model": 3000, "data": 3000},
    }
    return PoolTerms(**(given | changes))


def payout(owner: OwnerKey) -> str:
    return PAYOUT[owner.public]


def submission(
    what: bytes | Sequence[Record], owner: OwnerKey = ALICE, **changes: Any
) -> Submission:
    """A file as its owner sends it; bytes go as they are, good or bad."""
    given = {"terms": terms(), "recipient": KMS.public, "payout": payout(owner), "time": TIME}
    given |= changes
    policy = given.pop("policy", None)
    policy = policy or policy_for(given["terms"], owner=owner.public, not_after=TIME + 86400)
    plain = what if isinstance(what, bytes) else file_of(what)
    return submit(plain, owner=owner, policy=policy, **given)


def order(sent: Submission, owner: OwnerKey, *, time: int = TIME) -> tuple[Withdrawal, str]:
    """An owner's signed order to take a file back."""
    made = Withdrawal(recipient=KMS.public.digest.hex(), file=sent.consent.file, time=time)
    return made, owner.sign_text(made)


class DirectKeys:
    """The KMS's recipient in the test's own hand: it opens files that are not erased."""

    def __init__(self, who: Callable[[], Identity] = validator) -> None:
        self._who = who
        self.erased: set[str] = set()
        self.before: Callable[[], None] = lambda: None

    def identity(self) -> Identity:
        return self._who()

    def open(self, header: Header, policy: ReleasePolicy) -> DataKey:
        self.before()
        if header.file_id.hex() in self.erased:
            raise NotAllowed("its owner took it back", code="withdrawn")
        return unwrap_key(header, KMS)


class Place:
    """A folder with a pool's state, which can be opened again."""

    def __init__(self, folder: Path, *, rules: PoolTerms | None = None) -> None:
        self.folder, self.rules = folder, rules or terms()
        self.keys, self.store = DirectKeys(), MemorySource()
        self.journal: Journal | None = None

    @property
    def database(self) -> Path:
        return self.folder / "pool.sqlite"

    def open(self, *, key: bytes = KEY) -> Pool:
        self.close()
        self.journal = Journal(self.database, key=key)
        return Pool(
            yardstick=Yardstick(self.rules, held_out(), SEED),
            journal=self.journal,
            vault=Vault(self.folder / "files"),
            keys=self.keys,
            store=self.store,
        )

    def close(self) -> None:
        if self.journal is not None:
            self.journal.close()


def send(pool: Pool, sent: Submission) -> Entry:
    """Arrive and be judged."""
    entry = pool.arrive(sent.consent, sent.signature, policy=sent.policy, blob=sent.sealed)
    pool.settle()
    return entry
