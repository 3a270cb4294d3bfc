"""The KMS itself: make recipients, release keys to whom a policy names, erase them for good.

Every release, every refusal and every erasure is a statement in the log before anybody is answered.

Trusts: the measured policy for machines, each file's own policy, the owner's key in it.
Does not trust: whoever asks, the host's clock beyond that it never goes back.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from teeproof.cloud.kms.admission import permission_for, require_answer, seal_recipient
from teeproof.cloud.kms.challenges import Challenges
from teeproof.cloud.kms.journal import Journal
from teeproof.cloud.kms.policy import ReleasePolicy, Withdrawal
from teeproof.cloud.kms.requests import Asked
from teeproof.cloud.kms.state import State
from teeproof.cloud.kms.vault import Vault
from teeproof.cloud.owner import verify_text
from teeproof.cloud.recognise import Recognised, recognise, require_pinned
from teeproof.cloud.statements import Erasure, Recipients, Release, Released
from teeproof.core.clock import format_time, from_epoch, to_epoch
from teeproof.core.digests import sha256
from teeproof.core.errors import Error, Malformed, NotAllowed, Unavailable
from teeproof.core.sealed import Header, PrivateRecipient, unwrap_key, wrap_key
from teeproof.evidence.policy import Policy
from teeproof.proof.envelope import Envelope
from teeproof.proof.links import Material, Subject

__all__ = ["Granted", "Keeper", "Refused"]

_MAX_DETAIL = 500


class Refused(NotAllowed):
    """A release was refused, and the log says so."""

    def __init__(self, error: Error, statement: Envelope) -> None:
        super().__init__(error.detail, code=error.code, expected=error.expected, got=error.got)
        self.statement = statement


class Granted(NamedTuple):
    """What a release gives.

    Attributes:
        grants: by file id, hex.
        statement: the release, in the log.
    """

    grants: dict[str, bytes]
    statement: Envelope


class Keeper:
    """The decisions of one KMS.

    Args:
        state: sealed.
        journal: begun.
        policy: which machines may be given anything at all.
        now: the clock.
        random: the random source.

    Raises:
        Usage: code ``guest_image_unpinned``; the policy could be met by any machine.
    """

    def __init__(
        self,
        state: State,
        journal: Journal,
        *,
        policy: Policy,
        now: Callable[[], datetime],
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        require_pinned(policy)
        self._state, self._journal, self._policy = state, journal, policy
        self._clock, self._random = now, random
        self._vault, self._challenges = Vault(state), Challenges(state, random=random)
        self._lock = threading.RLock()

    def challenge(self) -> tuple[bytes, int]:
        """Return a fresh nonce for evidence, and until when it may be answered."""
        with self._lock:
            return self._challenges.issue(to_epoch(self._now()))

    def recipient(self, policy: ReleasePolicy, signature: str) -> tuple[str, Envelope]:
        """Return a fresh recipient to seal a file for, and the statement about it.

        Raises:
            Malformed, NotAuthentic: no policy, or the owner did not sign it.
            NotAllowed: code ``policy_expired``. TooLarge: code ``recipients_too_many``.
        """
        policy.check()
        verify_text(policy, signature, policy.owner, what="release policy")
        with self._lock:
            if to_epoch(self._now()) > policy.not_after:
                raise NotAllowed(
                    "this release policy has expired: sign one that lasts longer",
                    code="policy_expired",
                    expected=f"later than {format_time(self._now())}",
                    got=format_time(policy.not_after),
                )
            private = PrivateRecipient.new(random=self._random)
            text = private.public.text
            said = self._journal.say(
                lambda author, state: Recipients(
                    author=author, recipient=text, policy=policy, signature=signature, state=state
                ),
                subjects=[Subject({"sha256": private.public.digest.hex()}, name="recipient")],
                changes=lambda said: self._vault.rows_to_add(private, policy, said),
            )
            return text, said

    def release(self, asked: Asked) -> Granted:
        """Return the grants that were asked for: all of them, or none.

        Raises:
            Refused: whatever the reason; it is in the log.
            Unavailable: the log did not take it, so nothing is released.
        """
        with self._lock:
            now = self._now()
            seen: list[Recognised] = []
            try:
                grants, rows = self._decide(asked, now, seen)
            except Error as error:
                raise Refused(error, self._refuse(asked, error, seen)) from None
            files = self._files(asked)
            said = self._journal.say(
                lambda author, state: _release(asked, author, state, files, seen),
                subjects=[
                    Subject({"sha256": sha256(grant).hex()}, name=file)
                    for file, grant in grants.items()
                ],
                changes=lambda _: rows,
            )
            return Granted(grants, said)

    def withdraw(self, order: Withdrawal, signature: str) -> Envelope:
        """Erase a recipient's secret, and return the statement of that; again if asked again.

        Raises:
            Unavailable: code ``recipient_unknown``.
            Malformed, NotAuthentic: no order, or not the owner's.
        """
        _check_order(order)
        with self._lock:
            held = self._vault.held(order.recipient)
            verify_text(order, signature, held.owner, what="withdrawal")
            if held.erased is not None:
                self._journal.flush()
                return held.erased
            made = Material({"sha256": order.recipient}, role="recipient", statement=held.made)
            return self._journal.say(
                lambda author, state: Erasure(
                    author=author, materials=(made,), order=order, owner=held.owner,
                    signature=signature, state=state,
                ),
                subjects=[Subject({"sha256": order.recipient}, name="recipient")],
                changes=lambda said: self._vault.rows_to_erase(order.recipient, held, said),
            )  # fmt: skip

    def _decide(
        self, asked: Asked, now: datetime, seen: list[Recognised]
    ) -> tuple[dict[str, bytes], dict[str, Any]]:
        """Return the grants, and their rows; what was recognised goes to ``seen``."""
        found = recognise(asked.record, blob=_blobs(asked.blobs), policy=self._policy, now=now)
        seen.append(found)
        require_answer(asked.record, job=asked.job, challenge=asked.challenge)
        self._challenges.take(asked, to_epoch(now))
        whom, grants, standing = seal_recipient(asked.record), {}, True
        for header in asked.headers:
            policy = asked.policies.get(header.policy_digest or b"")
            if policy is None:
                raise _no_policy(header)
            permission = permission_for(
                header, policy, job=asked.job, compose_hash=found.compose_hash, now=now
            )
            standing = standing and permission.standing
            key = unwrap_key(header, self._vault.secret_of(header))
            grant = wrap_key(key, header=header, recipient=whom, job_digest=asked.job.digest)
            grants[header.file_id.hex()] = grant.encode()
        return grants, self._challenges.rows_to_admit(asked, to_epoch(now), standing=standing)

    def _refuse(self, asked: Asked, error: Error, seen: list[Recognised]) -> Envelope:
        files = self._files(asked)
        return self._journal.say(
            lambda author, state: _release(asked, author, state, files, seen, error=error),
            subjects=[Subject({"sha256": asked.digest.hex()}, name="request")],
            changes=lambda _: {},
        )

    def _files(self, asked: Asked) -> tuple[Released, ...]:
        return tuple(_released(header, self._vault.known(header)) for header in asked.headers)

    def _now(self) -> datetime:
        """Return the time; it never goes back behind what was once seen."""
        seen = self._state.get("time") or 0
        now = max(self._clock(), from_epoch(seen))
        if now - from_epoch(seen) > timedelta(seconds=60):
            self._state.change({"time": to_epoch(now)})
        return now


def _release(
    asked: Asked,
    author: str,
    state: int,
    files: tuple[Released, ...],
    seen: list[Recognised],
    *,
    error: Error | None = None,
) -> Release:
    return Release(
        author=author,
        decision="refused" if error else "released",
        code=error.code if error else "ok",
        detail=error.detail[:_MAX_DETAIL] if error else "",
        job=asked.job,
        workload=asked.record.name,
        compose_hash=seen[0].compose_hash if seen else "",
        challenge=asked.challenge.hex(),
        files=files,
        state=state,
    )


def _released(header: Header, recipient: str) -> Released:
    digest = header.policy_digest
    policy = f"sha256:{digest.hex()}" if digest else "none"
    return Released(file=header.file_id.hex(), policy=policy, recipient=recipient)


def _blobs(blobs: Mapping[str, bytes]) -> Callable[[str], bytes]:
    def blob(digest: str) -> bytes:
        if digest not in blobs:
            raise Unavailable(
                "a part of the evidence was not sent along", code="blob_missing", expected=digest
            )
        return blobs[digest]

    return blob


def _check_order(order: Withdrawal) -> None:
    if len(order.recipient) != 64 or order.recipient.strip("0123456789abcdef"):
        raise Malformed(
            "this order names no recipient", code="withdrawal_malformed",
            expected="64 lower-case hex digits", got=ascii(order.recipient)[:100],
        )  # fmt: skip


def _no_policy(header: Header) -> NotAllowed:
    digest = header.policy_digest
    return NotAllowed(
        f"the policy of the file {header.file_id.hex()} was not sent along, or it has none",
        code="policy_other",
        expected=f"the policy with digest {digest.hex()}" if digest else "a file with a policy",
    )
