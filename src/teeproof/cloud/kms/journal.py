"""What the KMS said, in the log; and whether its state is as new as the log says it must be.

Whatever it says is first written into its state, signed, and then appended; after a crash it is
appended again, which changes nothing. So the state knows each entry that the log has of this KMS,
by its bytes; the log's word for where one stands is worth nothing.

At a start the identity of the last session says which one follows it (a rotation), and the log has
to prove that entry under a checkpoint with the quorum of the policy. If the log then holds an entry
of the last identity that the state does not know, the state is an old copy: nothing is released.

    session   the identity that speaks now, and how long the log was, proven, before it spoke
    next      the identity that follows, until the log has it
    outbox/…  signed, and perhaps not in the log yet
    said/…    entries of this session that the log has taken

Without a log there is nothing to hold the state against, and ``guarded`` says so.

Trusts: the quorum of the log policy.  Does not trust: the disk, whoever runs the log.
"""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from teeproof.cloud.kms.state import State
from teeproof.core.clock import to_epoch
from teeproof.core.errors import NotAuthentic
from teeproof.proof.envelope import Envelope, Signature, pae
from teeproof.proof.identity import IdentityRecord, Rotation
from teeproof.proof.keyring import Keyring
from teeproof.proof.links import Subject
from teeproof.proof.log.formats.entry import Entry
from teeproof.proof.log.formats.policy import TlogPolicy
from teeproof.proof.log.formats.tiles import TILE_WIDTH
from teeproof.proof.statement import Predicate, Statement

if TYPE_CHECKING:
    from teeproof.proof.log.http.client import LogClient, Promise
    from teeproof.proof.sealing import Store
    from teeproof.proof.workload import Identity

__all__ = ["Journal"]

_RENEW = 86_400  # seconds before its keys expire that an identity is followed by another

Boot = Callable[[bytes, bytes | None], "Identity"]
"""From the secret of a ``statement`` key, and the digest of the identity before, to an identity."""


class Journal:
    """The statements of one KMS; ``begin`` must come first.

    Args:
        state: where everything is kept.
        boot: makes the identity of a session.
        log: the log and whose quorum counts; None where there is no log.
        store: where statements are kept in this process.
        now: the clock.
        random: the random source.
    """

    def __init__(
        self,
        state: State,
        *,
        boot: Boot,
        log: tuple[LogClient, TlogPolicy] | None,
        store: Store,
        now: Callable[[], datetime],
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._state, self._boot, self._random = state, boot, random
        self._log, self._store, self._now = log, store, now
        self._lock = threading.RLock()
        self._me: Identity | None = None

    @property
    def me(self) -> Identity:
        """The identity that speaks."""
        assert self._me is not None, "begin comes first"
        return self._me

    @property
    def guarded(self) -> bool:
        """Whether an old state would be noticed."""
        return self._log is not None

    def close(self) -> None:
        """Close the state, and the connections to the log."""
        self._state.close()
        if self._log is not None:
            self._log[0].__exit__(None, None, None)

    def begin(self) -> None:
        """Begin a session: a fresh identity that follows the one before.

        Raises:
            NotAuthentic: code ``state_rolled_back``: the log knows more of this KMS than its state.
            Unavailable: the log does not take the identity, or proves nothing in time.
        """
        with self._lock:
            if self._state.get("next") is not None:  # a start that was cut short
                self._follow()
            session = self._state.get("session")
            before = None if session is None else _record(session)
            # Drawn, not derived: from an old state the same identity must not begin once more.
            secret = self._random(32)
            me = self._boot(secret, before.digest if before else None)
            following = {
                "secret": secret.hex(),
                "record": _text(me.record.encode()),
                "blobs": {name: _text(data) for name, data in me.blobs.items()},
                "rotation": "" if before is None else _rotation(session, before, me),
            }
            self._state.change({"next": following})
            self._follow()
            self._me = me

    def say(
        self,
        make: Callable[[str, int], Predicate],
        *,
        subjects: Sequence[Subject],
        changes: Callable[[Envelope], Mapping[str, Any]],
    ) -> Envelope:
        """Change the state and say so, in this order; return what was said.

        Args:
            make: from the author and the number of the change to the predicate.
            subjects: of the statement.
            changes: from the signed statement to the rows that change together with it.

        Raises:
            Unavailable: the log did not take it. The state is changed, and the statement is
                appended later, before any other.
        """
        with self._lock:
            if to_epoch(self._now()) > self.me.record.keys.not_after - _RENEW:
                self.begin()
            version = self._state.version + 1
            statement = Statement.of(make(self.me.name, version), subjects=tuple(subjects))
            envelope = self.me.sign(statement)
            row = {f"outbox/{version:016x}": _text(envelope.encode())}
            self._state.change({**changes(envelope), **row})
            self.flush()
            return envelope

    def flush(self) -> None:
        """Append what is not in the log yet; Unavailable if the log does not take it."""
        with self._lock:
            for place, text in list(self._state.under("outbox/")):
                data = _bytes(text)
                promise = self._append(data)
                said = {} if promise is None else {place.replace("outbox", "said"): _hex(promise)}
                self._state.change({place: None, **said})
                self._store.add_statement(data)

    def _follow(self) -> None:
        """Put the next identity into the log, and see that the log knows no more than we do."""
        following, session = self._state.get("next"), self._state.get("session")
        record = IdentityRecord.parse(_bytes(following["record"]))
        blobs = {name: _bytes(text) for name, text in following["blobs"].items()}
        entered = self._enter(record, blobs)
        outbox = list(self._state.under("outbox/"))
        ours = [self._append(_bytes(text)) for _, text in outbox]
        if following["rotation"]:
            rotation = _bytes(following["rotation"])
            ours.append(self._append(rotation))
            self._store.add_statement(rotation)
        start = 0
        if session is not None:
            start = self._require_newest(session, [promise for promise in ours if promise])
        old = [place for place, _ in (*outbox, *self._state.under("said/"))]
        entered_row = {} if entered is None else {"said/identity": _hex(entered)}
        new = {"secret": following["secret"], "record": following["record"], "start": start}
        self._state.change(dict.fromkeys(old) | {"session": new, "next": None} | entered_row)
        for _, text in outbox:
            self._store.add_statement(_bytes(text))

    def _require_newest(self, session: dict[str, Any], ours: Sequence[Promise]) -> int:
        """Return how long the log is; raise unless we know all that it has of a session."""
        if self._log is None or not ours:
            return 0
        client, policy = self._log
        newest = max(ours, key=lambda promise: promise.index)
        now = to_epoch(self._now())
        proof = client.wait_included(
            newest, accept=lambda signed: policy.judge(signed, now=now).quorum
        )
        known = {promise.entry for promise in ours}
        known |= {bytes.fromhex(entry) for _, entry in self._state.under("said/")}
        identity, first = _record(session).digest, session["start"]
        tree = client.tree(proof.checkpoint)
        for number in range(first // TILE_WIDTH, -(-tree.size // TILE_WIDTH)):
            for index, raw in enumerate(tree.bundle(number), number * TILE_WIDTH):
                if index >= first and raw not in known and Entry.parse(raw).identity == identity:
                    raise _rolled_back(index)
        return tree.size

    def _enter(self, record: IdentityRecord, blobs: Mapping[str, bytes]) -> Promise | None:
        data = record.encode()
        self._store.add_identity(data, blobs)
        if self._log is None:
            return None
        for blob in blobs.values():
            self._log[0].put_blob(blob)
        return self._log[0].append(data)

    def _append(self, data: bytes) -> Promise | None:
        return None if self._log is None else self._log[0].append(data)


def _rotation(session: Mapping[str, Any], before: IdentityRecord, me: Identity) -> str:
    """Return, as text, how the identity before says that this one follows it."""
    ring = Keyring({("statement", "ed25519"): bytes.fromhex(session["secret"])})
    subject = Subject({"sha256": me.digest.hex()}, name="identity")
    predicate = Rotation(author=before.name, reason="restart")
    payload = Statement.of(predicate, subjects=(subject,)).payload
    signature = Signature(before.name, ring.sign(pae(payload)))
    return _text(Envelope(payload, (signature,)).encode())


def _record(session: dict[str, Any]) -> IdentityRecord:
    return IdentityRecord.parse(_bytes(session["record"]))


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)


def _hex(promise: Promise) -> str:
    return promise.entry.hex()


def _rolled_back(index: int) -> NotAuthentic:
    return NotAuthentic(
        "the log holds a statement of this KMS that its state does not know: the state is an old"
        " copy, or a second KMS ran on it. Put the newest state back",
        code="state_rolled_back",
        expected="no entry of this KMS but those that its state knows",
        got=f"another one, at index {index}",
    )
