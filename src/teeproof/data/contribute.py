"""The contributor's own side: check a file, seal it here, send it, and hold the pool to its word.

    contributed = contribute(path, owner=me, pool=pool, kms=kms, payout="0x…", terms=terms)
    contributed.weight, contributed.proof
    withdraw(contributed.contribution, owner=me, pool=pool, kms=kms)

Plaintext does not leave this process: what is sent is ciphertext, under a key that only the KMS can
release, to the code that the pool's terms name.

Trusts: this machine; the policies in the two clients.
Does not trust: the pool's host, the network.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from teeproof.cloud.kms.client import KmsClient, Said
from teeproof.cloud.kms.policy import Withdrawal
from teeproof.cloud.owner import OwnerKey
from teeproof.core.clock import to_epoch, wall_clock
from teeproof.core.errors import Malformed, NotAllowed, NotAuthentic
from teeproof.core.reading import read_bounded
from teeproof.data.client import PoolClient, Proved
from teeproof.data.records import read_records
from teeproof.data.statements import Contribution
from teeproof.data.submission import Submission, policy_for, submit
from teeproof.data.terms import PoolTerms

__all__ = [
    "LIFETIME",
    "Contributed",
    "Withdrew",
    "contribute",
    "send",
    "withdraw",
]

LIFETIME = 365 * 86_400  # seconds for which keys may be released


@dataclass(frozen=True)
class Contributed:
    """A contribution that was decided, with the pool's proof.

    Attributes:
        contribution: its id, hex: what to withdraw it by.
        sequence: its place in the order of arrival.
        decision: ``accepted`` or ``copy``.
        weight: in millionths of a record.
        proof: the pool's statement, verified.
    """

    contribution: str
    sequence: int
    decision: str
    weight: int
    proof: Proved

    @property
    def said(self) -> Contribution:
        """What the pool said."""
        said: Contribution = self.proof.said
        return said


@dataclass(frozen=True)
class Withdrew:
    """A contribution that was taken back: two receipts.

    Attributes:
        erasure: the KMS's statement that the key is erased; no new key is released after it.
        receipt: the pool's statement, verified: its datasets from now on are without it.
    """

    erasure: Said
    receipt: Proved


def contribute(
    what: Path | bytes,
    *,
    owner: OwnerKey,
    pool: PoolClient,
    kms: KmsClient,
    terms: PoolTerms,
    payout: str,
    lifetime: int = LIFETIME,
    now: Callable[[], datetime] = wall_clock,
    random: Callable[[int], bytes] = os.urandom,
) -> Contributed:
    """Contribute a file.

    Args:
        what: JSON lines (``records``): a file, or what one holds.
        owner: whose it is; who holds this key can withdraw it.
        pool: the pool, with whom to believe.
        kms: the KMS that shall keep the key, with what it must be.
        terms: of the pool, to which this consents.
        payout: the account that earns, 0x and 40 lower-case hex digits.
        lifetime: for how many seconds keys may be released.
        now: the clock.
        random: the random source.

    Raises:
        Malformed: code ``records_refused``, with lines and reasons; nothing was sent.
        TooLarge: the file is larger than the terms allow.
        NotAllowed: code ``contribution_refused``: the pool refused it.
        NotAuthentic, Unavailable: the KMS or the pool is not what it should be, or does not answer.
    """
    limit = terms.max_bytes
    plain = (
        what if isinstance(what, bytes) else read_bounded(what, limit=limit, what="contribution")
    )
    bounds = {name: getattr(terms, name) for name in ("max_bytes", "max_records", "min_records")}
    read_records(plain, **bounds).require()
    time = to_epoch(now())
    policy = policy_for(terms, owner=owner.public, not_after=time + lifetime)
    recipient = kms.recipient(policy, owner=owner).recipient
    sent = submit(
        plain, owner=owner, terms=terms, policy=policy, recipient=recipient, payout=payout,
        time=time, random=random,
    )  # fmt: skip
    return send(sent, pool=pool)


def send(sent: Submission, *, pool: PoolClient) -> Contributed:
    """Send what was sealed and signed; sending it again, after a lost answer, is harmless.

    Raises:
        NotAllowed: code ``contribution_refused``.
        NotAuthentic, Unavailable: the pool's word does not hold, or it does not answer.
    """
    decision = pool.send(sent)
    if decision.statement is None:
        raise Malformed("the pool did not decide", code="pool_answer_malformed")
    proof = pool.prove(decision.statement)
    said = proof.said
    if not isinstance(said, Contribution) or said.consent != sent.consent:
        raise _another(sent.consent.contribution)
    if said.decision == "refused":
        raise _refused(said)
    return Contributed(said.contribution, said.sequence, said.decision, said.weight, proof)


def withdraw(contribution: str, *, owner: OwnerKey, pool: PoolClient, kms: KmsClient) -> Withdrew:
    """Take a contribution back: have its key erased, then have the pool leave it out.

    Raises:
        NotAllowed, NotAuthentic, Unavailable: the key is not the owner's, or somebody does not
            answer; what was erased stays erased, and asking again is harmless.
    """
    decision = pool.contribution(contribution)
    if decision.statement is None:
        raise Malformed("the pool has not decided on it yet", code="pool_answer_malformed")
    consent = pool.prove(decision.statement).said.consent
    if consent.contribution != contribution:
        raise _another(contribution)
    erasure = kms.withdraw(consent.recipient, owner=owner, file=consent.file)
    return Withdrew(erasure, pool.withdraw(contribution, owner=owner, order=_order(erasure)))


def _order(erasure: Said) -> Withdrawal:
    """Return the order that the KMS erased the key by: the pool is shown the very same."""
    order: Withdrawal = erasure.statement.predicate.order
    return order


def _another(contribution: str) -> NotAuthentic:
    return NotAuthentic(
        "the pool's statement is about another contribution: ask again",
        code="contribution_other",
        expected=contribution,
    )


def _refused(said: Contribution) -> NotAllowed:
    reasons = "; ".join(
        f"line {one.line}: {one.code}" if one.line else one.code for one in said.reasons[:5]
    )
    return NotAllowed(
        f"the pool refused the file as a whole: {reasons}; correct it and seal it anew",
        code="contribution_refused",
        got=f"{said.faults} faults",
    )
