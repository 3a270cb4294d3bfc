"""The pool's identity, and the data keys that the KMS releases to it.

The machine commits to its job (judge the contributions to this pool) and to the KMS's challenge
before it asks for the first key. The grant for that purpose is a standing one, so one identity may
ask for each new file; where the KMS wants a fresh answer, the identity is followed by another.

Trusts: the KMS that the measured policy names.  Does not trust: the network.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from teeproof.cloud.job import Input, Job
from teeproof.cloud.kms.client import KmsClient
from teeproof.cloud.kms.policy import ReleasePolicy
from teeproof.core.clock import to_epoch
from teeproof.core.errors import Error, Malformed, NotAllowed, NotAuthentic, Unavailable
from teeproof.core.sealed import DataKey, Header
from teeproof.data.terms import PoolTerms
from teeproof.evidence.binding import job_nonce
from teeproof.proof.workload import Identity

__all__ = ["KmsKeys", "job_of"]

_RENEW = 86_400  # seconds before its keys expire that the identity is followed by another
_STALE = "challenge_unknown"
# What the KMS says of a file, and will say of it again; anything else is about this machine.
_ABOUT_THE_FILE = frozenset(
    (
        "withdrawn", "recipient_unknown", "policy_other", "policy_expired", "purpose_not_granted",
        "header_not_authentic", "wrapped_key_not_authentic", "not_a_recipient",
        "release_policy_malformed", "recipient_low_order", "request_malformed",
    )
)  # fmt: skip


class Boot(Protocol):
    """``Inside.boot``."""

    def __call__(self, *, roles: list[str], nonce: str) -> Identity: ...


def job_of(terms: PoolTerms) -> Job:
    """Return the job that a pool's validator commits to."""
    return Job(
        purpose="validate",
        parameters={"pool": terms.digest_text},
        materials=(Input(role="held-out", digest=terms.held_out),),
    )


class KmsKeys:
    """See the module; threads may share it.

    Args:
        kms: the KMS.
        terms: the pool's.
        boot: makes an identity that is bound to a nonce.
        now: the clock.
    """

    def __init__(
        self, kms: KmsClient, *, terms: PoolTerms, boot: Boot, now: Callable[[], datetime]
    ) -> None:
        self._kms, self._job, self._boot, self._now = kms, job_of(terms), boot, now
        self._lock = threading.RLock()
        self._me: Identity | None = None
        self._challenge = b""

    def identity(self) -> Identity:
        """Return the identity that speaks now.

        Raises:
            Unavailable: there is none yet, and the KMS does not answer.
        """
        with self._lock:
            me = self._me
            if me is None or to_epoch(self._now()) > me.record.keys.not_after - _RENEW:
                me = self._renew()
            return me

    def open(self, header: Header, policy: ReleasePolicy) -> DataKey:
        """Return the data key of a sealed file.

        Raises:
            NotAllowed, NotAuthentic, Malformed: the file may not be opened, now or later.
            Unavailable: the KMS does not answer, or does not accept this machine.
        """
        with self._lock:
            try:
                return self._ask(header, policy)
            except NotAllowed as error:
                if error.code != _STALE:
                    raise
            self._renew()
            return self._ask(header, policy)

    def _ask(self, header: Header, policy: ReleasePolicy) -> DataKey:
        me = self.identity()
        try:
            keys = self._kms.release(
                me, self._job, challenge=self._challenge, files=[(header, policy)]
            )
        except (NotAllowed, NotAuthentic, Malformed) as error:
            if error.code in _ABOUT_THE_FILE or error.code == _STALE:
                raise
            raise _not_us(error) from None
        return keys[header.file_id.hex()]

    def _renew(self) -> Identity:
        challenge = self._kms.challenge()
        nonce = job_nonce(self._job.digest, nonce=challenge)
        me = self._me
        if me is None or to_epoch(self._now()) > me.record.keys.not_after:
            self._me = self._boot(roles=["seal"], nonce=nonce)
        else:
            self._me = me.rotate(nonce=nonce, reason="challenge")
        self._challenge = challenge
        return self._me


def _not_us(error: Error) -> Unavailable:
    return Unavailable(
        f"the KMS gives this pool no keys: {error.detail}",
        code=error.code,
        expected=error.expected,
        got=error.got,
    )
